//! Hints and keys on their way to their owners; joining and leaving.
//!
//! Nothing is handed over by an event that could be missed: again and again a node looks at what
//! it keeps and does not own, hands it to those who do, and forgets it when all of them have it.

use danso_vocab::NodeId;

use super::{MS, QuorumKv};
use crate::kit::{Response, Ticket};
use crate::quorum_kv::members::Members;
use crate::quorum_kv::message::{Message, Record};
use crate::quorum_kv::ring::position;
use crate::quorum_kv::settings::Mode;
use crate::quorum_kv::state::State;

/// States handed over at a time.
const AT_ONCE: usize = 128;

/// How long a node that leaves may take to hand its keys over.
const PATIENCE: u64 = 4_000 * MS;

/// Somebody waits until this node has left.
pub(super) struct Leaving {
    ticket: Ticket,
    deadline: u64,
}

impl QuorumKv {
    pub(super) fn hand_over(&mut self, now: u64) {
        self.adopt_hints(now);
        let mut parcels: Vec<(NodeId, String, State)> = Vec::new();
        for (node, key, state) in self.store.hints() {
            if !self.detector.suspects(node, now) && parcels.len() < AT_ONCE {
                parcels.push((node, key.to_owned(), state.clone()));
            }
        }
        let mut done = Vec::new();
        for (at, key, entry) in self.store.keys() {
            let owners = self.ring.owners(at, self.settings.replicas);
            if owners.contains(&self.id) || owners.is_empty() {
                continue;
            }
            let has = |o: &NodeId| self.handed.get(&(*o, key.to_owned())) == Some(&entry.digest);
            let missing: Vec<NodeId> = owners.into_iter().filter(|o| !has(o)).collect();
            if missing.is_empty() {
                done.push(key.to_owned());
            } else if parcels.len() < AT_ONCE {
                let parcel = |owner| (owner, key.to_owned(), entry.state.clone());
                parcels.extend(missing.into_iter().map(parcel));
            }
        }
        for (to, key, state) in parcels {
            self.hand(to, key, state);
        }
        for key in done {
            self.handed.retain(|(_, k), _| *k != key);
            let record = self.store.forget(&key);
            self.persist(now, record);
        }
        self.left(now);
    }

    /// A hint for a node that does not own the key any more becomes a key that must be handed to
    /// those who do.
    fn adopt_hints(&mut self, now: u64) {
        let replicas = self.settings.replicas;
        let owned = |node, key: &str| self.ring.owners(position(key), replicas).contains(&node);
        let hints = self.store.hints().filter(|(node, key, _)| !owned(*node, key));
        let hints: Vec<_> =
            hints.map(|(n, key, state)| (n, key.to_owned(), state.clone())).collect();
        for (node, key, state) in hints {
            self.keep(now, &key, &state);
            if let Some(record) = self.store.delivered(node, &key, state.digest()) {
                self.persist(now, record);
            }
        }
    }

    pub(super) fn hand(&mut self, to: NodeId, key: String, state: State) {
        let view = self.members.digest();
        self.send(to, Message::Hand { key, state, view });
    }

    /// `from` keeps the state with this digest: it needs no hint any more.
    pub(super) fn delivered(&mut self, now: u64, from: NodeId, key: &str, digest: u64) {
        if let Some(record) = self.store.delivered(from, key, digest) {
            self.persist(now, record);
        }
    }

    /// `from` keeps the state with this digest and knows the same of the members, so it is an
    /// owner and knows it. Were their views different, two nodes could each take the other for
    /// the owner, hand it the key, and both forget it.
    pub(super) fn handed_over(&mut self, from: NodeId, key: String, digest: u64) {
        if !self.owners(&key).contains(&self.id) && self.store.get(&key).is_some() {
            self.handed.insert((from, key), digest);
        }
    }

    /// `from` tells what it knows of the members.
    pub(super) fn hear_of(&mut self, now: u64, from: NodeId, members: Members) {
        let news = self.members.learn(&members);
        self.views.insert(from, members);
        // A node with an emptied disk does not know how often it has left and joined before.
        match self.wish {
            Some(up) if self.members.of(self.id).up != up => self.change(now, up),
            _ if news => self.changed(now),
            _ => {}
        }
    }

    /// This node joins or leaves the ring.
    fn change(&mut self, now: u64, up: bool) {
        self.wish = Some(up);
        self.members.change(self.id, up);
        self.changed(now);
        self.beat(now);
    }

    fn changed(&mut self, now: u64) {
        let members = self.members.clone();
        self.persist(now, Record::Members { members });
        self.place_tokens();
        self.handed.clear();
    }

    pub(super) fn join(&mut self, now: u64, ticket: Ticket) -> Result<(), Response> {
        self.ring_may_change()?;
        if let Some(leaving) = self.leaving.take() {
            self.ready.answer(leaving.ticket, Response::error(503, "joined-again", true));
        }
        if !self.members.of(self.id).up {
            self.change(now, true);
        }
        self.wish = Some(true);
        self.ready.answer(ticket, Response::done());
        Ok(())
    }

    pub(super) fn leave(&mut self, now: u64, ticket: Ticket) -> Result<(), Response> {
        self.ring_may_change()?;
        if self.members.up().filter(|n| *n != self.id).count() == 0 {
            return Err(Response::error(409, "last-member", true));
        }
        if self.leaving.is_some() {
            return Err(Response::error(409, "leaving", true));
        }
        if self.members.of(self.id).up {
            self.change(now, false);
        }
        self.leaving = Some(Leaving { ticket, deadline: now + PATIENCE });
        Ok(())
    }

    /// Quorums of two rings need not meet. Where registers are promised to be linearizable the
    /// ring stays as it is.
    fn ring_may_change(&self) -> Result<(), Response> {
        if self.settings.mode == Mode::Abd {
            return Err(Response::error(409, "ring-is-fixed", true));
        }
        Ok(())
    }

    /// A node has left when everybody it hears of knows and it keeps nothing any more.
    fn left(&mut self, now: u64) {
        let Some(leaving) = self.leaving.take() else { return };
        let version = self.members.of(self.id).version;
        let knows = |node: &NodeId| {
            self.views.get(node).is_some_and(|view| view.of(self.id).version >= version)
        };
        let heard = self.all.iter().filter(|n| **n != self.id);
        let mut heard = heard.filter(|n| !self.detector.suspects(**n, now));
        let empty = self.store.keys().next().is_none() && self.store.hints().next().is_none();
        if empty && heard.all(knows) {
            self.ready.answer(leaving.ticket, Response::done());
        } else if now >= leaving.deadline {
            // What it keeps may be all there is of it: it stays.
            self.change(now, true);
            self.ready.answer(leaving.ticket, Response::error(503, "still-handing-over", true));
        } else {
            self.leaving = Some(leaving);
        }
    }
}
