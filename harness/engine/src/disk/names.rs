//! [`Names`]: changes to directories that are not durable yet, in order, so that a power failure
//! can undo them from the last. Like a file system with one journal: any sync makes all of them
//! durable.

use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use nix::Result;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, RenameFlags, renameat, renameat2};
use nix::unistd::{UnlinkatFlags, linkat, unlinkat};

use super::inode::Inode;

/// A change, with all it takes to undo it.
#[derive(Debug)]
pub(super) enum Change {
    Created { dir: Arc<Inode>, name: OsString, directory: bool },
    Removed { dir: Arc<Inode>, name: OsString, trash: Trashed },
    Renamed { from: (Arc<Inode>, OsString), to: (Arc<Inode>, OsString), over: Option<Trashed> },
    Exchanged { one: (Arc<Inode>, OsString), other: (Arc<Inode>, OsString) },
}

/// A name taken away, kept until its removal is durable.
#[derive(Debug)]
pub(super) struct Trashed {
    inode: Arc<Inode>,
    name: String,
    directory: bool,
}

/// The log and the trash beside it.
#[derive(Debug)]
pub(super) struct Names {
    trash: OwnedFd,
    log: Vec<Change>,
    count: u64,
}

impl Names {
    pub(super) fn new(trash: OwnedFd) -> Names {
        Names { trash, log: Vec::new(), count: 0 }
    }

    /// How many changes are not durable.
    pub(super) fn len(&self) -> usize {
        self.log.len()
    }

    pub(super) fn trash(&self) -> &OwnedFd {
        &self.trash
    }

    pub(super) fn created(&mut self, dir: Arc<Inode>, name: &OsStr, directory: bool) {
        self.log.push(Change::Created { dir, name: name.to_owned(), directory });
    }

    /// Takes a name away.
    pub(super) fn remove(
        &mut self,
        dir: Arc<Inode>,
        name: &OsStr,
        inode: Arc<Inode>,
        directory: bool,
    ) -> Result<()> {
        let into = self.fresh();
        renameat(&*dir, name.as_bytes(), &self.trash, into.as_str())?;
        inode.trashed.fetch_add(1, Ordering::Relaxed);
        let trash = Trashed { inode, name: into, directory };
        self.log.push(Change::Removed { dir, name: name.to_owned(), trash });
        Ok(())
    }

    /// Renames, over `target` if there is one. Whoever looks sees the old or the new, never
    /// neither.
    pub(super) fn rename(
        &mut self,
        from: (Arc<Inode>, OsString),
        to: (Arc<Inode>, OsString),
        target: Option<(Arc<Inode>, bool)>,
    ) -> Result<()> {
        let mut over = None;
        let (a, b) = (from.1.as_bytes(), to.1.as_bytes());
        match target {
            None => renameat2(&*from.0, a, &*to.0, b, RenameFlags::RENAME_NOREPLACE)?,
            Some((inode, directory)) => {
                let name = self.fresh();
                if directory {
                    renameat2(&*from.0, a, &*to.0, b, RenameFlags::RENAME_EXCHANGE)?;
                    renameat(&*from.0, a, &self.trash, name.as_str())?;
                } else {
                    linkat(&*to.0, b, &self.trash, name.as_str(), AtFlags::empty())?;
                    if let Err(error) = renameat(&*from.0, a, &*to.0, b) {
                        unlinkat(&self.trash, name.as_str(), UnlinkatFlags::NoRemoveDir)?;
                        return Err(error);
                    }
                }
                inode.trashed.fetch_add(1, Ordering::Relaxed);
                over = Some(Trashed { inode, name, directory });
            }
        }
        self.log.push(Change::Renamed { from, to, over });
        Ok(())
    }

    pub(super) fn exchange(
        &mut self,
        one: (Arc<Inode>, OsString),
        other: (Arc<Inode>, OsString),
    ) -> Result<()> {
        exchange(&one, &other)?;
        self.log.push(Change::Exchanged { one, other });
        Ok(())
    }

    /// Everything so far is durable. Returns whose names left the trash.
    pub(super) fn commit(&mut self) -> Result<Vec<Arc<Inode>>> {
        let mut out = Vec::new();
        for change in std::mem::take(&mut self.log) {
            if let Change::Removed { trash, .. } | Change::Renamed { over: Some(trash), .. } =
                change
            {
                let flag = if trash.directory {
                    UnlinkatFlags::RemoveDir
                } else {
                    UnlinkatFlags::NoRemoveDir
                };
                unlinkat(&self.trash, trash.name.as_str(), flag)?;
                trash.inode.trashed.fetch_sub(1, Ordering::Relaxed);
                out.push(trash.inode);
            }
        }
        Ok(out)
    }

    /// Undoes all but the first `keep` changes, which become durable. Returns how many it
    /// undid.
    pub(super) fn undo(&mut self, keep: usize) -> Result<usize> {
        let undone = self.log.split_off(keep.min(self.log.len()));
        let count = undone.len();
        for change in undone.into_iter().rev() {
            self.undo_one(change)?;
        }
        self.commit()?;
        Ok(count)
    }

    fn undo_one(&self, change: Change) -> Result<()> {
        match change {
            Change::Created { dir, name, directory } => {
                let flag =
                    if directory { UnlinkatFlags::RemoveDir } else { UnlinkatFlags::NoRemoveDir };
                unlinkat(&*dir, name.as_bytes(), flag)
            }
            Change::Removed { dir, name, trash } => self.bring_back(&trash, &dir, &name),
            Change::Renamed { from, to, over } => {
                renameat(&*to.0, to.1.as_bytes(), &*from.0, from.1.as_bytes())?;
                over.map_or(Ok(()), |trash| self.bring_back(&trash, &to.0, &to.1))
            }
            Change::Exchanged { one, other } => exchange(&one, &other),
        }
    }

    fn bring_back(&self, trash: &Trashed, dir: &Inode, name: &OsStr) -> Result<()> {
        renameat(&self.trash, trash.name.as_str(), dir, name.as_bytes())?;
        trash.inode.trashed.fetch_sub(1, Ordering::Relaxed);
        Ok(())
    }

    fn fresh(&mut self) -> String {
        self.count += 1;
        format!("t{}", self.count)
    }
}

fn exchange(one: &(Arc<Inode>, OsString), other: &(Arc<Inode>, OsString)) -> Result<()> {
    let (a, b) = (one.1.as_bytes(), other.1.as_bytes());
    renameat2(&*one.0, a, &*other.0, b, RenameFlags::RENAME_EXCHANGE)
}

/// Refuses directories with something in them, which the trash would take.
pub(super) fn must_be_empty(inode: &Inode) -> Result<()> {
    let mut entries = std::fs::read_dir(inode.link()).map_err(errno)?;
    if entries.next().is_some() { Err(Errno::ENOTEMPTY) } else { Ok(()) }
}

/// The number of an error.
pub(super) fn errno(error: std::io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EIO, Errno::from_raw)
}
