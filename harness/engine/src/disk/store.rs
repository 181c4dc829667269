//! [`Store`]: the file system behind the mount. Operations on files and directories of the
//! backing directory, with what is needed to take the unsynced ones back.

mod crash;
mod data;
mod tree;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, RwLock, RwLockReadGuard};

use nix::Result;
use nix::errno::Errno;
use nix::sys::stat::SFlag;

use super::inode::{Inode, Table};
use super::names::Names;
use super::rules::{Op, Rules, Verdict};
use crate::progress::lock;

pub use self::crash::Loss;
pub(super) use self::data::Opened;
pub(super) use self::tree::{New, Owner};

/// Bytes of old pages kept at most; beyond that a file becomes durable by itself, as the kernel
/// writes back what it cannot hold.
const MOST_HELD: u64 = 256 << 20;

/// The file system.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) table: Table,
    pub(super) rules: Rules,
    /// Where the backing directory is, for names in rules.
    base: PathBuf,
    handles: RwLock<BTreeMap<u64, Arc<Handle>>>,
    next: AtomicU64,
    /// Files that differ from what is durable of them. Locked after the inode's own.
    unsynced: Mutex<BTreeMap<u64, Arc<Inode>>>,
    /// Bytes of old pages kept.
    held: AtomicU64,
    /// Changes to directories are made under this lock, so that the log has their order.
    names: Mutex<Names>,
    /// How many power failures there were. Operations hold it for reading, so that none is
    /// under way when the power fails.
    age: RwLock<u64>,
    pub(super) counts: Counts,
}

/// What has been done.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) reads: AtomicU64,
    pub(super) writes: AtomicU64,
    pub(super) bytes: AtomicU64,
    pub(super) syncs: AtomicU64,
    /// Files that became durable only because too much was held.
    pub(super) written_back: AtomicU64,
}

/// An open file or directory.
#[derive(Debug)]
pub(super) struct Handle {
    inode: Arc<Inode>,
    /// None of a directory.
    file: Option<File>,
    /// The age it was opened in: what a dying node still writes after a power failure is lost.
    age: u64,
    /// Past the page cache: the kernel then sends no sync of its own after a synchronous write.
    direct: bool,
    /// Of a directory: what was in it when it was last read from its beginning.
    entries: Mutex<Vec<Entry>>,
}

impl Handle {
    fn new(inode: Arc<Inode>, file: Option<File>, age: u64, direct: bool) -> Handle {
        Handle { inode, file, age, direct, entries: Mutex::default() }
    }
}

/// A name in a directory.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) id: u64,
    pub(super) kind: SFlag,
    pub(super) name: OsString,
}

/// Keeps the power on while an operation is under way.
pub(super) type Power<'a> = RwLockReadGuard<'a, u64>;

impl Store {
    /// Of the directory `root`, whose path is `base`, with a trash on the same file system.
    pub(super) fn new(root: OwnedFd, base: &Path, trash: OwnedFd) -> Store {
        Store {
            table: Table::new(root),
            rules: Rules::default(),
            base: base.to_owned(),
            handles: RwLock::default(),
            next: AtomicU64::new(1),
            unsynced: Mutex::default(),
            held: AtomicU64::new(0),
            names: Mutex::new(Names::new(trash)),
            age: RwLock::new(0),
            counts: Counts::default(),
        }
    }

    /// Keeps the power on.
    pub(super) fn power(&self) -> Power<'_> {
        self.age.read().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// What an operation on this file has to expect.
    pub(super) fn judge(&self, op: Op, id: u64, name: Option<&std::ffi::OsStr>) -> Verdict {
        if !self.rules.any() {
            return Verdict::default();
        }
        let Ok(inode) = self.table.get(id) else { return Verdict::default() };
        self.judge_inode(op, &inode, name, true)
    }

    /// What opening a file has to expect.
    pub(super) fn judge_open(&self, id: u64, writing: bool) -> Verdict {
        if !self.rules.any() {
            return Verdict::default();
        }
        let Ok(inode) = self.table.get(id) else { return Verdict::default() };
        self.judge_inode(Op::Open, &inode, None, writing)
    }

    fn judge_inode(
        &self,
        op: Op,
        inode: &Inode,
        name: Option<&std::ffi::OsStr>,
        grows: bool,
    ) -> Verdict {
        // A file without a name left is matched by what the kernel calls it.
        let mut path = inode.path().unwrap_or_default();
        path.extend(name);
        let path = path.strip_prefix(&self.base).unwrap_or(&path);
        self.rules.judge(op, &path.to_string_lossy(), grows)
    }

    fn names(&self) -> MutexGuard<'_, Names> {
        lock(&self.names)
    }

    /// The open file or directory.
    pub(super) fn handle(&self, number: u64) -> Result<Arc<Handle>> {
        let handles = self.handles.read().unwrap_or_else(|poisoned| poisoned.into_inner());
        handles.get(&number).cloned().ok_or(Errno::EBADF)
    }

    fn opened(&self, handle: Handle) -> u64 {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let mut handles = self.handles.write().unwrap_or_else(|poisoned| poisoned.into_inner());
        handles.insert(number, Arc::new(handle));
        number
    }

    /// Forgets an open file or directory.
    pub(super) fn release(&self, number: u64) {
        let mut handles = self.handles.write().unwrap_or_else(|poisoned| poisoned.into_inner());
        handles.remove(&number);
    }

    /// What a file holds is durable from now on.
    fn commit_data(&self, inode: &Inode) {
        let mut unsynced = lock(&inode.unsynced);
        if let Some(unsynced) = unsynced.take() {
            self.held.fetch_sub(unsynced.held(), Ordering::Relaxed);
            lock(&self.unsynced).remove(&inode.id);
        }
        drop(unsynced);
        self.table.tidy(inode);
    }

    /// All directories are durable as they are.
    fn commit_names(&self) -> Result<()> {
        let out = self.names().commit()?;
        for inode in out {
            self.table.tidy(&inode);
        }
        Ok(())
    }
}
