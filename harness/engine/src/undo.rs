//! [`UndoLog`]: what has been done to the world and not yet undone, on disk before it is done;
//! [`leftovers`]: what a controller that died has left undone.
//!
//! Nearly everything danso makes dies with the controller (children, namespaces, sockets,
//! mounts). What may outlive it is undone from this log: `danso doctor --clean`. The log is locked
//! as long as its controller lives, so that nobody cleans up behind a run that goes on.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::Mutex;

use danso_vocab::codec::json;
use danso_vocab::{FaultId, Value};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

/// The number under which a run on other machines says what it leaves there: no fault's.
pub const HOSTS: FaultId = FaultId(u32::MAX);
/// The kind of that entry.
pub const ON_HOSTS: &str = "hosts";

const HEADER: &str = "{\"format\":1,\"danso\":\"undo\"}\n";

/// An append-only log of intentions and their undoing.
#[derive(Debug)]
pub struct UndoLog {
    file: Mutex<Flock<File>>,
}

/// What a dead controller has left, and the log to say that it is undone.
#[derive(Debug)]
pub struct Remains {
    /// Its log, locked.
    pub log: UndoLog,
    /// What is not undone.
    pub open: Vec<Leftover>,
}

/// Something begun by a controller that is gone, and not undone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    /// The injection.
    pub fault: FaultId,
    /// Its kind.
    pub kind: String,
    /// What was to be done: `nodes` and `args`.
    pub detail: Value,
}

impl UndoLog {
    /// Opens a new log with its format line.
    ///
    /// # Errors
    /// If the file cannot be written, or is another controller's.
    pub fn create(path: &Path) -> io::Result<UndoLog> {
        let file = File::create(path)?;
        let mut file = Flock::lock(file, FlockArg::LockExclusiveNonblock)
            .map_err(|(_, errno)| io::Error::from(errno))?;
        file.write_all(HEADER.as_bytes())?;
        Ok(UndoLog { file: Mutex::new(file) })
    }

    /// Says what is about to be done, before it is done.
    ///
    /// # Errors
    /// If it cannot be written: then it must not be done.
    pub fn intend(&self, fault: FaultId, kind: &str, detail: &Value) -> io::Result<()> {
        self.append(Value::of([
            ("undo", "open".into()),
            ("fault", i64::from(fault.0).into()),
            ("kind", kind.into()),
            ("detail", detail.clone()),
        ]))
    }

    /// Says that it has been undone.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn undone(&self, fault: FaultId) -> io::Result<()> {
        self.append(Value::of([("undo", "done".into()), ("fault", i64::from(fault.0).into())]))
    }

    fn append(&self, entry: Value) -> io::Result<()> {
        let mut line = json::to_string(&entry);
        line.push('\n');
        let mut file = self.file.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        file.write_all(line.as_bytes())
    }
}

/// What is left of the run whose log this is; `None` if its controller lives. A torn last line is
/// an intention that was never carried out.
///
/// # Errors
/// If it cannot be read, or is no such log.
pub fn leftovers(path: &Path) -> io::Result<Option<Remains>> {
    let file = File::options().read(true).append(true).open(path)?;
    let mut file = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(file) => file,
        Err((_, Errno::EWOULDBLOCK)) => return Ok(None),
        Err((_, errno)) => return Err(errno.into()),
    };
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    let wrong = |line: usize| {
        io::Error::new(io::ErrorKind::InvalidData, format!("line {line} is no line of an undo log"))
    };
    let body = text.strip_prefix(HEADER).ok_or_else(|| wrong(1))?;
    let whole = body.rfind('\n').map_or("", |end| &body[..end]);
    let mut open = BTreeMap::new();
    for (number, line) in whole.lines().enumerate() {
        let parsed = entry(line).ok_or_else(|| wrong(number + 2))?;
        match parsed {
            Entry::Open(leftover) => drop(open.insert(leftover.fault, leftover)),
            Entry::Done(fault) => drop(open.remove(&fault)),
        }
    }
    let log = UndoLog { file: Mutex::new(file) };
    Ok(Some(Remains { log, open: open.into_values().collect() }))
}

enum Entry {
    Open(Leftover),
    Done(FaultId),
}

fn entry(line: &str) -> Option<Entry> {
    let value = json::from_str(line).ok()?;
    let fault = FaultId(u32::try_from(value.get("fault")?.int()?).ok()?);
    match value.get("undo")?.str()? {
        "done" => Some(Entry::Done(fault)),
        "open" => Some(Entry::Open(Leftover {
            fault,
            kind: value.get("kind")?.str()?.to_owned(),
            detail: value.get("detail").cloned().unwrap_or_default(),
        })),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_undone_is_left_over_once_the_controller_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("undo.log");
        let log = UndoLog::create(&path).unwrap();
        let detail = Value::of([("args", Value::of([("heal", "true".into())]))]);
        log.intend(FaultId(0), "kill", &Value::Nil).unwrap();
        log.intend(FaultId(1), "custom", &detail).unwrap();
        log.undone(FaultId(0)).unwrap();
        assert!(leftovers(&path).unwrap().is_none(), "the controller lives");
        drop(log);
        let left = leftovers(&path).unwrap().unwrap();
        assert_eq!(left.open, [Leftover { fault: FaultId(1), kind: "custom".into(), detail }]);
        drop(left.log);
        let torn = std::fs::read_to_string(&path).unwrap() + "{\"undo\":\"op";
        std::fs::write(&path, &torn).unwrap();
        assert_eq!(leftovers(&path).unwrap().unwrap().open.len(), 1);
        std::fs::write(&path, "something else\n").unwrap();
        assert!(leftovers(&path).unwrap_err().to_string().contains("line 1"));
    }
}
