//! A node's disk: three files in its data directory.
//!
//! | file | content | written |
//! | --- | --- | --- |
//! | `state` | term, vote, number of starts | replaced |
//! | `snapshot` | the newest snapshot | replaced |
//! | `log` | a base and entries; an entry replaces what was at its index and after it | appended, replaced after a snapshot |
//!
//! Replacing is: write aside, fsync, rename, fsync the directory; a crash leaves the old file or
//! the new one. The snapshot is replaced before the log, so that a crash in between leaves a log
//! that is longer than it need be, never one that is too short.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::bug::Bug;
use super::core::{Entry, HardState, Position, Restored, Snapshot};
use super::node::Ready;
use super::record;

/// Why a disk cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StorageError {
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{}: damaged at byte {at}: {what}; restore the file or start the node empty", path.display())]
    Damaged { path: PathBuf, at: usize, what: String },
}

/// The file `state`.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct State {
    #[serde(flatten)]
    hard: HardState,
    boots: u32,
}

/// A record of the file `log`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum LogRecord {
    /// What the entries follow on; the first record.
    Base(Position),
    Entry(Arc<Entry>),
}

/// A node's disk.
#[derive(Debug)]
pub(crate) struct Storage {
    dir: PathBuf,
    log: File,
    fsync: bool,
    /// Entries are not written at all: the bug.
    forgets_log: bool,
    boots: u32,
    /// Reused for every append.
    buffer: Vec<u8>,
}

impl Storage {
    /// Opens or creates the disk in `dir` and counts this start.
    pub(crate) fn open(
        dir: &Path,
        fsync: bool,
        bug: Option<Bug>,
    ) -> Result<(Storage, Restored), StorageError> {
        fs::create_dir_all(dir).map_err(|e| io_error(dir, e))?;
        let state: State = read_one(&dir.join("state"))?.unwrap_or_default();
        let snapshot: Option<Snapshot> = read_one(&dir.join("snapshot"))?;
        let path = dir.join("log");
        let stored = read_log(&path)?;
        let (base, entries) = reconcile(snapshot.as_ref(), stored.as_ref(), &path)?;
        if stored.is_none_or(|s| s.0 != base) {
            // There is no log yet, or what there is must not be followed by new entries.
            replace(dir, "log", &[LogRecord::Base(base)], fsync)?;
        }
        let log = OpenOptions::new().append(true).open(&path).map_err(|e| io_error(&path, e))?;
        let forgets_log = bug == Some(Bug::NoFsyncLog);
        let boots = state.boots.wrapping_add(1);
        let mut storage =
            Storage { dir: dir.to_owned(), log, fsync, forgets_log, boots, buffer: Vec::new() };
        storage.save_state(state.hard)?;
        let snapshot = snapshot.map(Arc::new);
        Ok((storage, Restored { hard: state.hard, snapshot, base, entries }))
    }

    /// How often this node was started, this time included.
    pub(crate) fn boots(&self) -> u32 {
        self.boots
    }

    /// Persists what a node says must be, and returns when it is durable.
    pub(crate) fn persist(&mut self, ready: &Ready) -> Result<(), StorageError> {
        if let Some(hard) = ready.hard {
            self.save_state(hard)?;
        }
        match &ready.snapshot {
            Some((snapshot, base)) => self.save_snapshot(snapshot, *base, &ready.entries),
            None => self.append(&ready.entries),
        }
    }

    fn save_state(&mut self, hard: HardState) -> Result<(), StorageError> {
        replace(&self.dir, "state", &[State { hard, boots: self.boots }], self.fsync)
    }

    fn save_snapshot(
        &mut self,
        snapshot: &Snapshot,
        base: Position,
        entries: &[Arc<Entry>],
    ) -> Result<(), StorageError> {
        replace(&self.dir, "snapshot", &[snapshot], self.fsync)?;
        let (base, entries) =
            if self.forgets_log { (snapshot.last, &[][..]) } else { (base, entries) };
        let mut records = vec![LogRecord::Base(base)];
        records.extend(entries.iter().cloned().map(LogRecord::Entry));
        replace(&self.dir, "log", &records, self.fsync)?;
        let path = self.dir.join("log");
        self.log = OpenOptions::new().append(true).open(&path).map_err(|e| io_error(&path, e))?;
        Ok(())
    }

    fn append(&mut self, entries: &[Arc<Entry>]) -> Result<(), StorageError> {
        if entries.is_empty() || self.forgets_log {
            return Ok(());
        }
        self.buffer.clear();
        let written = entries.iter().try_for_each(|entry| {
            record::write(&mut self.buffer, &LogRecord::Entry(entry.clone()))
        });
        let written = written.map_err(io::Error::from);
        let synced = written
            .and_then(|()| self.log.write_all(&self.buffer))
            .and_then(|()| if self.fsync { self.log.sync_data() } else { Ok(()) });
        synced.map_err(|e| io_error(&self.dir.join("log"), e))
    }
}

fn io_error(path: &Path, source: io::Error) -> StorageError {
    StorageError::Io { path: path.to_owned(), source }
}

/// Reads a file; `None` if there is none.
fn read(path: &Path) -> Result<Option<Vec<u8>>, StorageError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(io_error(path, e)),
    }
}

/// Reads a file of one record. Such a file is replaced as a whole, so it cannot be torn.
fn read_one<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, StorageError> {
    let Some(bytes) = read(path)? else { return Ok(None) };
    let damaged = |at, what| StorageError::Damaged { path: path.to_owned(), at, what };
    let contents = record::read_all(&bytes).map_err(|(at, what)| damaged(at, what))?;
    let sound = contents.sound;
    match contents.records.into_iter().next() {
        Some(record) if sound == bytes.len() => Ok(Some(record)),
        _ => Err(damaged(sound, "a bad record".to_owned())),
    }
}

/// A base and what follows on it.
type StoredLog = (Position, Vec<Arc<Entry>>);

/// Reads the log and cuts off a torn tail.
fn read_log(path: &Path) -> Result<Option<StoredLog>, StorageError> {
    let Some(bytes) = read(path)? else { return Ok(None) };
    let damaged =
        |at, what: &str| StorageError::Damaged { path: path.to_owned(), at, what: what.to_owned() };
    let contents = record::read_all(&bytes).map_err(|(at, what)| damaged(at, &what))?;
    let mut records = contents.records.into_iter();
    let Some(LogRecord::Base(base)) = records.next() else {
        return Err(damaged(0, "the base is missing"));
    };
    let mut entries: Vec<Arc<Entry>> = Vec::new();
    for record in records {
        let LogRecord::Entry(entry) = record else {
            return Err(damaged(0, "a second base"));
        };
        let offset = entry.index.checked_sub(base.index + 1).map(|o| o as usize);
        match offset.filter(|o| *o <= entries.len()) {
            Some(offset) => entries.truncate(offset),
            None => return Err(damaged(0, &format!("entry {} is out of place", entry.index))),
        }
        entries.push(entry);
    }
    if contents.sound < bytes.len() {
        let cut = OpenOptions::new().write(true).open(path).and_then(|file| {
            file.set_len(contents.sound as u64)?;
            file.sync_all()
        });
        cut.map_err(|e| io_error(path, e))?;
    }
    Ok(Some((base, entries)))
}

/// What of a log remains beside a snapshot: the same as if the snapshot had just been installed
/// (paper, figure 13), since a crash may have come between the two files.
fn reconcile(
    snapshot: Option<&Snapshot>,
    stored: Option<&StoredLog>,
    path: &Path,
) -> Result<StoredLog, StorageError> {
    let last = snapshot.map(|s| s.last).unwrap_or_default();
    let Some((base, entries)) = stored else { return Ok((last, Vec::new())) };
    if base.index > last.index {
        let what =
            format!("it begins after {}, but the snapshot ends at {}", base.index, last.index);
        return Err(StorageError::Damaged { path: path.to_owned(), at: 0, what });
    }
    let at_last = match last.index - base.index {
        0 => Some(base.term),
        offset => entries.get(offset as usize - 1).map(|e| e.term),
    };
    Ok(if at_last == Some(last.term) { (*base, entries.clone()) } else { (last, Vec::new()) })
}

/// Replaces a file by these records.
fn replace<T: Serialize>(
    dir: &Path,
    name: &str,
    records: &[T],
    fsync: bool,
) -> Result<(), StorageError> {
    let path = dir.join(name);
    let aside = dir.join(format!("{name}.new"));
    let replaced = (|| {
        let mut bytes = Vec::new();
        for r in records {
            record::write(&mut bytes, r)?;
        }
        let mut file = File::create(&aside)?;
        file.write_all(&bytes)?;
        if fsync {
            file.sync_data()?;
        }
        fs::rename(&aside, &path)?;
        if fsync { File::open(dir)?.sync_all() } else { Ok(()) }
    })();
    replaced.map_err(|e| io_error(&path, e))
}

#[cfg(test)]
#[path = "storage_tests.rs"]
mod tests;
