//! A disk that keeps what was persisted, or the part of it that a crash left.

use std::sync::Arc;

use danso_vocab::Rng;

use crate::raft_kv::bug::Bug;
use crate::raft_kv::core::{Entry, Restored};
use crate::raft_kv::node::Ready;
use crate::raft_kv::storage::Storage;

#[derive(Default)]
pub(super) struct Disk {
    kept: Restored,
    pub(super) boots: u32,
    bug: Option<Bug>,
    forgets_log: bool,
    /// Real files, if this is not a make-believe.
    real: Option<(tempfile::TempDir, Option<Storage>)>,
}

impl Disk {
    pub(super) fn new(bug: Option<Bug>, real: bool) -> Disk {
        let real = real.then(|| (tempfile::tempdir().expect("a directory"), None));
        Disk { bug, forgets_log: bug == Some(Bug::NoFsyncLog), real, ..Disk::default() }
    }

    /// A start of the node: what it finds.
    pub(super) fn start(&mut self) -> Restored {
        self.boots += 1;
        if let Some((dir, storage)) = &mut self.real {
            let (opened, restored) = Storage::open(dir.path(), false, self.bug).expect("a disk");
            assert_eq!(opened.boots(), self.boots);
            *storage = Some(opened);
            return restored;
        }
        self.kept.clone()
    }

    pub(super) fn persist(&mut self, ready: &Ready) {
        if let Some((_, Some(storage))) = &mut self.real {
            return storage.persist(ready).expect("a disk");
        }
        self.persist_parts(ready, 3, usize::MAX);
    }

    /// A crash in the middle: some of the steps, in order, the last one perhaps in part.
    pub(super) fn persist_partly(&mut self, ready: &Ready, rng: &mut Rng) {
        if self.real.is_some() {
            return;
        }
        let steps = rng.between(0, 2);
        let entries = rng.below(ready.entries.len() as u64 + 1) as usize;
        self.persist_parts(ready, steps, entries);
    }

    fn persist_parts(&mut self, ready: &Ready, steps: u64, entries: usize) {
        if steps >= 1
            && let Some(hard) = ready.hard
        {
            self.kept.hard = hard;
        }
        if steps < 2 {
            return;
        }
        match &ready.snapshot {
            Some((snapshot, base)) => {
                self.kept.snapshot = Some(snapshot.clone());
                if steps >= 3 {
                    self.kept.base = *base;
                    self.kept.entries = ready.entries.clone();
                }
                self.reconcile();
            }
            None => ready.entries.iter().take(entries).for_each(|e| self.append(e)),
        }
        if self.forgets_log {
            self.kept.base = self.kept.snapshot.as_ref().map(|s| s.last).unwrap_or_default();
            self.kept.entries.clear();
        }
    }

    fn append(&mut self, entry: &Arc<Entry>) {
        if self.forgets_log {
            return;
        }
        let offset = (entry.index - self.kept.base.index - 1) as usize;
        assert!(offset <= self.kept.entries.len(), "a log on disk has no gaps");
        self.kept.entries.truncate(offset);
        self.kept.entries.push(entry.clone());
    }

    /// The same rule as the real disk's.
    fn reconcile(&mut self) {
        let Some(last) = self.kept.snapshot.as_ref().map(|s| s.last) else { return };
        let at_last = match last.index.checked_sub(self.kept.base.index) {
            Some(0) => Some(self.kept.base.term),
            Some(offset) => self.kept.entries.get(offset as usize - 1).map(|e| e.term),
            None => None,
        };
        if at_last != Some(last.term) {
            self.kept.base = last;
            self.kept.entries.clear();
        }
    }
}
