//! [`UndoLog`]: what has been done to the world and not yet undone, on disk before it is done.
//!
//! Everything danso makes today dies with the controller (children, namespaces, sockets), so the
//! log is evidence; faults that outlive the controller will be undone from it.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Mutex;

use danso_vocab::codec::json;
use danso_vocab::{FaultId, Value};

/// An append-only log of intentions and their undoing.
#[derive(Debug)]
pub struct UndoLog {
    file: Mutex<File>,
}

impl UndoLog {
    /// Opens a new log with its format line.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn create(path: &Path) -> io::Result<UndoLog> {
        let mut file = File::create(path)?;
        file.write_all(b"{\"format\":1,\"danso\":\"undo\"}\n")?;
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
