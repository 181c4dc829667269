//! What other nodes ask a node for.

use danso_vocab::NodeId;

use super::QuorumKv;
use crate::kit::Now;
use crate::quorum_kv::message::Message;
use crate::quorum_kv::settings::Bug;
use crate::quorum_kv::state::{State, newest};

impl QuorumKv {
    pub(super) fn receive(&mut self, now: Now, from: NodeId, message: Message) {
        match message {
            Message::Beat { members } => {
                self.detector.heard(from, now.mono);
                self.hear_of(now.mono, from, members);
            }
            Message::Read { op, key } => {
                let state = self.find(&key);
                self.send(from, Message::Found { op, state });
            }
            Message::Found { op, state } => self.found(now, from, op, state),
            Message::Write { op, key, state, owner } => {
                if NodeId(owner) == self.id {
                    self.keep(now.mono, &key, &state);
                } else {
                    self.keep_for(now.mono, NodeId(owner), &key, &state);
                }
                self.send(from, Message::Wrote { op, owner });
            }
            Message::Wrote { op, owner } => self.wrote(now, op, NodeId(owner)),
            Message::Hand { key, state, view } => {
                let digest = state.digest();
                self.keep(now.mono, &key, &state);
                let same_view = view == self.members.digest();
                self.send(from, Message::Handed { key, digest, same_view, view });
            }
            Message::Handed { key, digest, same_view, view } => {
                self.delivered(now.mono, from, &key, digest);
                if same_view && view == self.members.digest() {
                    self.handed_over(from, key, digest);
                }
            }
            Message::Compare { trees } => self.compared(from, trees),
            Message::Keys { range, leaf, keys } => self.differ(from, range, leaf, keys),
            Message::Fetch { keys } => {
                for key in keys {
                    if let Some(entry) = self.store.get(&key) {
                        let state = entry.state.clone();
                        self.hand(from, key, state);
                    }
                }
            }
        }
    }

    /// What this node has under `key`. Hints count, so that who reads from those who stand in
    /// for the owners sees what was written to them.
    fn find(&self, key: &str) -> Option<State> {
        let own = self.store.get(key).map(|entry| entry.state.clone());
        let hinted = self.store.hinted(key).cloned().map(Some);
        newest(&hinted.chain([own]).collect::<Vec<_>>())
    }

    /// Keeps a state as one's own.
    pub(super) fn keep(&mut self, now: u64, key: &str, state: &State) {
        self.see(state);
        if let Some(record) = self.store.merge(key, state) {
            self.persist(now, record);
        }
    }

    /// Keeps a state for another node until that can be reached (Dynamo, §4.6).
    pub(super) fn keep_for(&mut self, now: u64, owner: NodeId, key: &str, state: &State) {
        self.see(state);
        if let Some(record) = self.store.hint(owner, key, state) {
            if self.settings.bug == Some(Bug::HintLost) {
                return;
            }
            self.persist(now, record);
        }
    }
}
