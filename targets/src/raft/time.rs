//! The log's time: what leases and timeouts of a state machine are measured by.
//!
//! A leader stamps every command with a time when it appends it. All replicas see the same
//! stamps, so what follows from them is deterministic.
//!
//! A stamp is not a wall clock's. A new leader goes on from the last stamp in its log and adds
//! what its own monotonic clock has counted since it was elected. The last stamp was given before
//! that, so **between two entries the log's time never counts more than really passed** (as far
//! as monotonic clocks run at the right speed; they may be set as wrong as they like). Nothing
//! can therefore expire too early: a lease of a second lasts a second at least. It may last
//! longer, as nobody counts while nobody leads.

use super::core::Raft;
use super::machine::Machine;
use super::replica::{Op, Replica};
use crate::kit::Now;

/// What a leader counts from.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Timekeeper {
    /// The term it counts in.
    term: u64,
    /// The log's time when it began.
    base: u64,
    /// Its own monotonic clock when it began.
    since: u64,
}

impl Timekeeper {
    /// The log's time now, at a leader.
    pub(super) fn time<M: Machine>(
        &mut self,
        now: Now,
        raft: &Raft<Op<M::Command>, Replica<M>>,
        replica: &Replica<M>,
    ) -> u64 {
        if self.term != raft.term() {
            *self =
                Timekeeper { term: raft.term(), base: last_stamp(raft, replica), since: now.mono };
        }
        self.base + now.mono.saturating_sub(self.since)
    }
}

/// The time of the last command in the log, applied or not.
fn last_stamp<M: Machine>(raft: &Raft<Op<M::Command>, Replica<M>>, replica: &Replica<M>) -> u64 {
    let log = raft.log();
    let unapplied = (log.base().index + 1..=log.last().index).rev();
    let last = unapplied.filter_map(|i| log.get(i)).find_map(|e| e.command().map(|op| op.time));
    last.unwrap_or(0).max(replica.time())
}
