//! Log compaction and InstallSnapshot (paper 7).

use std::sync::Arc;

use danso_vocab::NodeId;

use super::message::{Install, Installed, Message, Snapshot};
use super::{Data, Event, Position, Raft, Role};

impl<C: Data, S: Data> Raft<C, S> {
    /// Takes a snapshot, the state after `last`, and drops the entries it covers but the last `keep`:
    /// a peer that is only a little behind shall get entries and not the whole state.
    pub(crate) fn compact(&mut self, last: Position, state: S, keep: u64) {
        let index = last.index;
        let members = self.members_at(index).nodes.iter().map(|n| n.0).collect();
        self.snapshot = Some(Arc::new(Snapshot { last, members, state }));
        self.new_snapshot = true;
        self.log.compact(index.saturating_sub(keep).max(self.log.base().index));
    }

    pub(super) fn on_install(&mut self, now: u64, from: NodeId, m: Install<S>) {
        if m.term == self.term && self.role == Role::Leader {
            return;
        }
        let index = m.snapshot.last.index;
        if m.term == self.term {
            self.hear(now, from);
            if index > self.commit {
                self.install(m.snapshot);
            }
        }
        // What is committed agrees with the leader's log, with or without this snapshot.
        self.send(from, Message::Installed(Installed { term: self.term, seq: m.seq, index }));
    }

    fn install(&mut self, snapshot: Arc<Snapshot<S>>) {
        let last = snapshot.last;
        // "If existing log entry has same index and term as snapshot's last included entry,
        // retain log entries following it"; otherwise everything goes (figure 13).
        if self.log.term(last.index) == Some(last.term) {
            self.log.compact(last.index);
        } else {
            self.log.reset(last);
        }
        self.commit = last.index;
        self.snapshot = Some(snapshot);
        self.new_snapshot = true;
        self.look_up_members();
        self.events.push(Event::Installed(last.index));
    }

    pub(super) fn on_installed(&mut self, from: NodeId, m: Installed) {
        let last = self.log.last().index;
        let Some(progress) = self.answered(from, m.term, m.seq) else { return };
        progress.matched = progress.matched.max(m.index.min(last));
        progress.next = progress.next.max(progress.matched + 1);
        self.advance_commit();
    }
}
