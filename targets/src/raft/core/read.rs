//! Linearizable reads without log entries: ReadIndex (thesis 6.4).
//!
//! A leader that gets a read (1) waits until it has committed an entry of its own term, since
//! before that it does not know what is committed; (2) remembers its commit index; (3) makes
//! sure it still leads: a majority must answer a message sent after that moment; (4) answers
//! from its state once that has caught up with the remembered index. All reads of a batch share
//! one round, and any AppendEntries serves as the round's heartbeat.
//!
//! With leases (thesis 6.4.1) step 3 needs no round while a majority has lately answered: who has
//! heard a leader votes for nobody for the shortest election timeout, by its own clock, and
//! neither does who has just started. So nobody else is elected until so long after the
//! answered message was *sent*, divided by how much faster another clock may run. Clocks need
//! not be right for that, but must run about equally fast, and must not jump: monotonic ones.

use std::collections::VecDeque;

use super::replication::Leading;
use super::{Bug, Data, Raft, Role};
use crate::kit::Now;

/// Sent messages that are remembered for a lease at most. A forgotten one makes no lease.
const MAX_SENT: usize = 1_024;

/// Names a read between [`Raft::read`] and [`Raft::take_reads`].
pub(crate) type ReadId = u64;

/// Reads under way.
#[derive(Debug, Default)]
pub(super) struct Reads {
    /// Not in a round yet.
    fresh: Vec<ReadId>,
    /// In a round: the `seq` that must be answered, the index that must be applied.
    asked: VecDeque<(u64, u64, Vec<ReadId>)>,
    confirmed: Vec<(ReadId, u64)>,
    refused: Vec<ReadId>,
}

impl Leading {
    /// The current `seq` was sent at `time`.
    pub(super) fn note_sent(&mut self, time: u64) {
        if self.sent.len() >= MAX_SENT {
            self.sent.pop_front();
        }
        self.sent.push_back((self.seq, time));
    }
}

impl Reads {
    /// This node does not lead any more.
    pub(super) fn refuse_all(&mut self) {
        self.refused.append(&mut self.fresh);
        self.refused.extend(self.asked.drain(..).flat_map(|(_, _, ids)| ids));
    }
}

impl<C: Data, S: Data> Raft<C, S> {
    /// Takes a read in. `false`: this node does not lead.
    pub(crate) fn read(&mut self, id: ReadId) -> bool {
        if self.role != Role::Leader {
            return false;
        }
        let alone = self.is_settled() && self.is_majority(&[self.config.id].into());
        if self.config.bug == Some(Bug::StaleRead) || alone {
            self.reads.confirmed.push((id, self.commit));
        } else {
            self.reads.fresh.push(id);
        }
        true
    }

    /// The clock leases are measured by.
    pub(super) fn lease_clock(&self, now: Now) -> u64 {
        if self.config.bug == Some(Bug::LeaseNoSkew) { now.wall } else { now.mono }
    }

    /// Confirms what waits, if at `now` nobody else can have been elected.
    pub(crate) fn read_by_lease(&mut self, now: Now) {
        let clock = self.lease_clock(now);
        let led_at = self.leading.as_ref().and_then(|l| l.led_at);
        let Some((lease, led_at)) = self.config.lease.zip(led_at) else { return };
        if clock < led_at + lease && self.is_settled() {
            let commit = self.commit;
            self.reads.confirmed.extend(self.reads.fresh.drain(..).map(|id| (id, commit)));
        }
    }

    /// Reads that may be answered, each once the index beside it is applied; and reads that must
    /// be refused.
    pub(crate) fn take_reads(&mut self) -> (Vec<(ReadId, u64)>, Vec<ReadId>) {
        (std::mem::take(&mut self.reads.confirmed), std::mem::take(&mut self.reads.refused))
    }

    /// Whether reads wait for a round that can begin now.
    pub(super) fn wants_round(&self) -> bool {
        !self.reads.fresh.is_empty() && self.is_settled()
    }

    /// Puts the waiting reads into the round that `seq`, about to be sent, begins.
    pub(super) fn begin_round(&mut self, seq: u64) {
        let ids = std::mem::take(&mut self.reads.fresh);
        self.reads.asked.push_back((seq, self.commit, ids));
    }

    /// A majority, this node included, has answered `seq`.
    pub(super) fn confirm_rounds(&mut self, seq: u64) {
        if let Some(leading) = &mut self.leading {
            while let Some((_, time)) = leading.sent.pop_front_if(|(sent, _)| *sent <= seq) {
                leading.led_at = Some(time);
            }
        }
        while let Some((needed, index, ids)) = self.reads.asked.pop_front() {
            if needed > seq {
                self.reads.asked.push_front((needed, index, ids));
                break;
            }
            self.reads.confirmed.extend(ids.into_iter().map(|id| (id, index)));
        }
    }
}
