//! A disk that keeps what was persisted, or the part of it that a crash left.

use danso_vocab::Rng;

use crate::kit::journal::Journal;
use crate::raft::core::Restored;
use crate::raft::node::{Found, RecordOf};
use crate::raft_kv::kv::Kv;

#[derive(Default)]
pub(super) struct Disk {
    kept: Vec<RecordOf<Kv>>,
    pub(super) boots: u32,
    /// A real file, if this is not a make-believe.
    real: Option<(tempfile::TempDir, Option<Journal>)>,
}

impl Disk {
    pub(super) fn new(real: bool) -> Disk {
        let real = real.then(|| (tempfile::tempdir().expect("a directory"), None));
        Disk { real, ..Disk::default() }
    }

    /// A start of the node: what it finds.
    pub(super) fn start(&mut self) -> Found<Kv> {
        self.boots += 1;
        if let Some((dir, journal)) = &mut self.real {
            let (opened, records) = Journal::open(dir.path(), false).expect("a disk");
            assert_eq!(opened.starts(), self.boots);
            *journal = Some(opened);
            return Restored::from(records);
        }
        Restored::from(self.kept.iter().cloned())
    }

    pub(super) fn persist(&mut self, records: &[RecordOf<Kv>]) {
        if let Some((_, Some(journal))) = &mut self.real {
            return journal.append(records.to_vec()).expect("a disk");
        }
        self.kept.extend_from_slice(records);
    }

    /// A crash in the middle: some of the records.
    pub(super) fn persist_partly(&mut self, records: &[RecordOf<Kv>], rng: &mut Rng) {
        let some = rng.below(records.len() as u64 + 1) as usize;
        self.persist(&records[..some]);
    }

    /// Now and then a journal is compacted.
    pub(super) fn compact(&mut self, records: Vec<RecordOf<Kv>>) {
        match &mut self.real {
            Some((_, Some(journal))) => journal.replace(records).expect("a disk"),
            _ => self.kept = records,
        }
    }

    /// How many records it holds.
    pub(super) fn len(&self) -> usize {
        self.kept.len()
    }
}
