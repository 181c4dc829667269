//! Power failure: what was not synced is taken back.

use std::sync::Arc;

use danso_vocab::Rng;
use nix::Result;
use nix::fcntl::OFlag;

use super::Store;
use crate::disk::inode::Inode;
use crate::disk::names::errno;
use crate::disk::pages::{Keep, WHOLE};
use crate::progress::lock;

/// What a power failure took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loss {
    /// Files with anything unsynced in them.
    pub files: u64,
    /// Pages that are as they were when last synced.
    pub lost: u64,
    /// Pages that had reached the disk although nobody had asked.
    pub kept: u64,
    /// Pages of which only some sectors had.
    pub torn: u64,
    /// Bytes that differ, or are gone.
    pub bytes: u64,
    /// Changes to directories undone.
    pub names: u64,
    /// Changes to directories that were not durable.
    pub changes: u64,
}

impl Store {
    /// The power fails. Whatever is open now is open no more.
    pub(in crate::disk) fn crash(&self, keep: Keep, rng: &mut Rng) -> Result<Loss> {
        let mut age = self.age.write().unwrap_or_else(|poisoned| poisoned.into_inner());
        *age += 1;
        let mut loss = Loss::default();
        let files: Vec<Arc<Inode>> =
            std::mem::take(&mut *lock(&self.unsynced)).into_values().collect();
        for inode in files {
            let Some(unsynced) = lock(&inode.unsynced).take() else { continue };
            self.held.fetch_sub(unsynced.held(), std::sync::atomic::Ordering::Relaxed);
            let file = inode.reopen(OFlag::O_RDWR)?;
            // Each file has a stream of its own: what one holds does not shift another's.
            let path = inode.path().unwrap_or_default();
            let path = path.strip_prefix(&self.base).unwrap_or(&path);
            let mut stream = rng.split(&path.to_string_lossy());
            let toll = unsynced.restore(&file, keep, &mut stream).map_err(errno)?;
            loss.files += 1;
            loss.lost += toll.lost;
            loss.kept += toll.kept;
            loss.torn += toll.torn;
            loss.bytes += toll.bytes;
        }
        let mut names = self.names();
        loss.changes = names.len() as u64;
        // Journals are written in order: what survives of one is its beginning.
        let survives =
            if rng.chance(keep.chance, WHOLE) { rng.between(0, loss.changes) } else { 0 };
        loss.names = names.undo(survives as usize)? as u64;
        drop(names);
        self.table.prune();
        Ok(loss)
    }

    /// Everything is durable as it is.
    pub(in crate::disk) fn settle(&self) -> Result<()> {
        let _power = self.power();
        let files: Vec<Arc<Inode>> = lock(&self.unsynced).values().cloned().collect();
        for inode in files {
            self.commit_data(&inode);
        }
        self.commit_names()
    }

    /// Files with anything unsynced, bytes held for them, and changes to directories.
    pub(in crate::disk) fn pending(&self) -> (u64, u64, u64) {
        let files = lock(&self.unsynced).len() as u64;
        let held = self.held.load(std::sync::atomic::Ordering::Relaxed);
        (files, held, self.names().len() as u64)
    }
}
