//! What a node writes to its journal, and what it finds there when it starts.
//!
//! | record | when |
//! | --- | --- |
//! | `hard` | term or vote changed |
//! | `snapshot` | one was taken or installed; what it covers need not be kept |
//! | `entry` | one was appended; it replaces what was at its index and after it |
//!
//! Of one batch they are written in this order. A crash may cut off the end of what was written
//! last, which nobody was told of.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::core::{Data, Entry, HardState, Log, Position, Restored, Snapshot};

/// A record of the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Record<C, S> {
    Hard(HardState),
    /// A snapshot, and where the log that is kept beside it begins.
    Snapshot(Arc<Snapshot<S>>, Position),
    Entry(Arc<Entry<C>>),
}

impl<C: Data, S: Data> Restored<C, S> {
    /// What these records say, in the order they were written.
    pub(crate) fn from(records: impl IntoIterator<Item = Record<C, S>>) -> Restored<C, S> {
        let mut hard = HardState::default();
        let mut snapshot = None;
        let mut log = Log::new(Position::default(), Vec::new());
        for record in records {
            match record {
                Record::Hard(state) => hard = state,
                Record::Snapshot(taken, base) => {
                    // The same as when a snapshot is installed (paper, figure 13).
                    if log.term(taken.last.index) == Some(taken.last.term) {
                        log.compact(base.index.max(log.base().index));
                    } else {
                        log.reset(taken.last);
                    }
                    snapshot = Some(taken);
                }
                // What a snapshot covers may have been written together with it.
                Record::Entry(entry) if entry.index <= log.base().index => {}
                Record::Entry(entry) => {
                    log.truncate(entry.index);
                    log.push(entry);
                }
            }
        }
        Restored { hard, snapshot, base: log.base(), entries: log.slice(0, usize::MAX) }
    }
}

#[cfg(test)]
#[path = "disk_tests.rs"]
mod tests;
