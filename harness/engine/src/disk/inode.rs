//! [`Inode`]: a file of the backing directory, known by descriptor, and all that are in use.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use nix::Result;
use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat};

use super::pages::Unsynced;
use crate::progress::lock;

/// The root's number in the protocol.
pub(super) const ROOT: u64 = 1;

/// A file, directory or link. The descriptor survives renames and unlinking, and keeps the
/// backing file system from giving the number to another.
#[derive(Debug)]
pub(super) struct Inode {
    /// Opened with `O_PATH`.
    fd: OwnedFd,
    /// Its number in the protocol.
    pub(super) id: u64,
    /// How often the kernel has been told of it; written under the table's lock.
    lookups: AtomicU64,
    /// How many of its names are in the trash: the node must not count them.
    pub(super) trashed: AtomicU32,
    /// What is durable of it, if that is not what it looks like.
    pub(super) unsynced: Mutex<Option<Unsynced>>,
}

impl Inode {
    fn new(fd: OwnedFd, id: u64) -> Inode {
        Inode {
            fd,
            id,
            lookups: AtomicU64::new(0),
            trashed: AtomicU32::new(0),
            unsynced: Mutex::new(None),
        }
    }

    /// Its magic link, which leads to it wherever it is.
    pub(super) fn link(&self) -> String {
        format!("/proc/self/fd/{}", self.fd.as_raw_fd())
    }

    /// Opened again for data.
    pub(super) fn reopen(&self, flags: OFlag) -> Result<File> {
        Ok(open(self.link().as_str(), flags | OFlag::O_CLOEXEC, Mode::empty())?.into())
    }

    /// Its attributes, without the names in the trash.
    pub(super) fn stat(&self) -> Result<FileStat> {
        let mut stat = fstat(&self.fd)?;
        let trashed = u64::from(self.trashed.load(Ordering::Relaxed));
        stat.st_nlink = (stat.st_nlink as u64).saturating_sub(trashed) as _;
        Ok(stat)
    }

    /// Where it is now, as the kernel tells it; for matching names only.
    pub(super) fn path(&self) -> Result<PathBuf> {
        Ok(nix::fcntl::readlink(self.link().as_str())?.into())
    }

    /// Whether nothing but the kernel's memory of it keeps it in the table.
    fn idle(&self) -> bool {
        self.lookups.load(Ordering::Relaxed) == 0
            && self.trashed.load(Ordering::Relaxed) == 0
            && lock(&self.unsynced).is_none()
    }
}

impl AsFd for Inode {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// All inodes the kernel or the undo log knows.
#[derive(Debug)]
pub(super) struct Table {
    root: Arc<Inode>,
    inodes: Mutex<BTreeMap<u64, Arc<Inode>>>,
}

impl Table {
    /// Of one directory.
    pub(super) fn new(root: OwnedFd) -> Table {
        Table { root: Arc::new(Inode::new(root, ROOT)), inodes: Mutex::default() }
    }

    /// The inode the kernel means.
    pub(super) fn get(&self, id: u64) -> Result<Arc<Inode>> {
        if id == ROOT {
            return Ok(self.root.clone());
        }
        lock(&self.inodes).get(&id).cloned().ok_or(Errno::ESTALE)
    }

    /// The inode called `name` in `dir`; one more lookup if the kernel is told of it.
    pub(super) fn find(&self, dir: &Inode, name: &OsStr, told: bool) -> Result<Arc<Inode>> {
        let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let fd = openat(dir, name.as_bytes(), flags, Mode::empty())?;
        let id = number(&fstat(&fd)?);
        let mut inodes = lock(&self.inodes);
        let inode = inodes.entry(id).or_insert_with(|| Arc::new(Inode::new(fd, id)));
        if told {
            inode.lookups.fetch_add(1, Ordering::Relaxed);
        }
        Ok(inode.clone())
    }

    /// The kernel forgets it.
    pub(super) fn forget(&self, id: u64, lookups: u64) {
        let mut inodes = lock(&self.inodes);
        if let Some(inode) = inodes.get(&id) {
            let before = inode.lookups.load(Ordering::Relaxed);
            inode.lookups.store(before.saturating_sub(lookups), Ordering::Relaxed);
            if inode.idle() {
                inodes.remove(&id);
            }
        }
    }

    /// To be called when an inode has become durable or left the trash.
    pub(super) fn tidy(&self, inode: &Inode) {
        let mut inodes = lock(&self.inodes);
        if inode.idle() {
            inodes.remove(&inode.id);
        }
    }

    /// Drops all that nothing holds.
    pub(super) fn prune(&self) {
        lock(&self.inodes).retain(|_, inode| !inode.idle());
    }

    /// All numbers the kernel knows.
    pub(super) fn known(&self) -> Vec<u64> {
        std::iter::once(ROOT).chain(lock(&self.inodes).keys().copied()).collect()
    }
}

/// A file's number in the protocol: its own, unless that means the root there.
pub(super) fn number(stat: &FileStat) -> u64 {
    if stat.st_ino == ROOT { u64::MAX - 1 } else { stat.st_ino }
}

/// Its kind.
pub(super) fn kind(stat: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits())
}
