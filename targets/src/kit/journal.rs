//! A node's disk: one append-only file in its data directory.
//!
//! The file `journal` begins with how often the node was started; records of the protocol follow.
//! Replacing it is: write aside, fsync, rename, fsync the directory; a crash leaves the old file
//! or the new one. A torn tail is dropped, damage in the middle is an error.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::record;

/// Bytes a journal may grow by before it is compacted.
const GROWTH: u64 = 16 << 20;

/// Why a disk cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JournalError {
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{}: damaged at byte {at}: {what}; restore the file or start the node empty", path.display())]
    Damaged { path: PathBuf, at: usize, what: String },
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Line<R> {
    /// The node was started as often as this.
    Start(u32),
    /// A record of the protocol. Not untagged: serde could not read maps whose keys are numbers.
    Record(R),
}

/// A node's disk.
#[derive(Debug)]
pub(crate) struct Journal {
    dir: PathBuf,
    file: File,
    fsync: bool,
    starts: u32,
    /// Bytes since it was last compacted, and how many that left.
    grown: u64,
    buffer: Vec<u8>,
}

impl Journal {
    /// Opens or creates the journal in `dir`, counts this start, and returns what it holds.
    pub(crate) fn open<R: Serialize + DeserializeOwned>(
        dir: &Path,
        fsync: bool,
    ) -> Result<(Journal, Vec<R>), JournalError> {
        let path = dir.join("journal");
        fs::create_dir_all(dir).map_err(|e| io_error(dir, e))?;
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(e) => return Err(io_error(&path, e)),
        };
        let contents = record::read_all::<Line<R>>(&bytes);
        let contents = contents.map_err(|(at, what)| JournalError::Damaged {
            path: path.clone(),
            at,
            what,
        })?;
        let mut starts: u32 = 0;
        let mut records = Vec::new();
        for line in contents.records {
            match line {
                Line::Start(count) => starts = count,
                Line::Record(record) => records.push(record),
            }
        }
        starts = starts.wrapping_add(1);
        let opened = OpenOptions::new().append(true).create(true).open(&path).and_then(|file| {
            if contents.sound < bytes.len() {
                file.set_len(contents.sound as u64)?;
                file.sync_all()?;
            }
            if bytes.is_empty() && fsync {
                File::open(dir)?.sync_all()?;
            }
            Ok(file)
        });
        let file = opened.map_err(|e| io_error(&path, e))?;
        let grown = contents.sound as u64;
        let mut journal =
            Journal { dir: dir.to_owned(), file, fsync, starts, grown, buffer: Vec::new() };
        journal.write(&[Line::<R>::Start(starts)])?;
        Ok((journal, records))
    }

    /// How often this node was started, this time included.
    pub(crate) fn starts(&self) -> u32 {
        self.starts
    }

    /// Adds records and returns when they are durable.
    pub(crate) fn append<R: Serialize>(&mut self, records: Vec<R>) -> Result<(), JournalError> {
        if records.is_empty() {
            return Ok(());
        }
        let lines: Vec<_> = records.into_iter().map(Line::Record).collect();
        self.write(&lines)
    }

    /// Whether it has grown so much that it should be compacted.
    pub(crate) fn is_long(&self) -> bool {
        self.grown >= GROWTH
    }

    /// Replaces everything by these records.
    pub(crate) fn replace<R: Serialize>(&mut self, records: Vec<R>) -> Result<(), JournalError> {
        let path = self.dir.join("journal");
        let aside = self.dir.join("journal.new");
        let replaced = (|| {
            let mut bytes = Vec::new();
            record::write(&mut bytes, &Line::<R>::Start(self.starts))?;
            for r in records {
                record::write(&mut bytes, &Line::Record(r))?;
            }
            let mut file = File::create(&aside)?;
            file.write_all(&bytes)?;
            if self.fsync {
                file.sync_data()?;
            }
            fs::rename(&aside, &path)?;
            if self.fsync {
                File::open(&self.dir)?.sync_all()?;
            }
            self.file = OpenOptions::new().append(true).open(&path)?;
            self.grown = 0;
            Ok(())
        })();
        replaced.map_err(|e| io_error(&path, e))
    }

    fn write<R: Serialize>(&mut self, lines: &[Line<R>]) -> Result<(), JournalError> {
        self.buffer.clear();
        let written = lines.iter().try_for_each(|line| record::write(&mut self.buffer, line));
        let synced = written
            .map_err(io::Error::from)
            .and_then(|()| self.file.write_all(&self.buffer))
            .and_then(|()| if self.fsync { self.file.sync_data() } else { Ok(()) });
        self.grown += self.buffer.len() as u64;
        synced.map_err(|e| io_error(&self.dir.join("journal"), e))
    }
}

fn io_error(path: &Path, source: io::Error) -> JournalError {
    JournalError::Io { path: path.to_owned(), source }
}
