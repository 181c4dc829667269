//! A whole node without its shell: the protocol, the state machine, and who waits for what.
//!
//! [`Node::step`] takes one input in; [`Node::ready`], called once after a batch of them, says
//! what to persist, to send and to answer, in that order. The same code runs under the HTTP
//! shell and in the simulation.

use std::sync::Arc;

use danso_vocab::{NodeId, Rng};
use serde::{Deserialize, Serialize};

use super::answer::{Answer, Error};
use super::bug::Bug;
use super::core::{
    Config, Entry, Event, HardState, Message, Position, Raft, Restored, Role, Snapshot,
};
use super::kv::{Command, Kv};
use super::waiters::{Failed, Origin, Waiters};

/// How often waiters are looked through for those whose time is up, in ns.
const SWEEP: u64 = 50_000_000;

/// What a client wants.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Request {
    /// The value of a key.
    Read { key: String },
    /// A change.
    Apply(Command),
}

/// What nodes send each other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Parcel {
    /// A message of the protocol.
    Raft(Message),
    /// A client's request for the leader. It is answered or refused, never forwarded again.
    Forward { id: u64, request: Request },
    /// The answer to it.
    Answer { id: u64, answer: Answer },
}

/// What reaches a node.
#[derive(Clone, Debug)]
pub(crate) enum Input {
    /// A client's request; the answer will carry the same number.
    Request(u64, Request),
    /// Something from a peer.
    Parcel(NodeId, Parcel),
}

/// What the shell must do, in this order: tell events, persist, send and answer, tell the other
/// events.
#[derive(Debug, Default)]
pub(crate) struct Ready {
    pub(crate) events: Vec<Event>,
    pub(crate) hard: Option<HardState>,
    /// A new snapshot; the stored log is to be replaced by `entries` after this position.
    pub(crate) snapshot: Option<(Arc<Snapshot>, Position)>,
    pub(crate) entries: Vec<Arc<Entry>>,
    pub(crate) parcels: Vec<(NodeId, Parcel)>,
    pub(crate) answers: Vec<(u64, Answer)>,
}

/// What `/status` shows.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Status {
    pub(crate) id: String,
    pub(crate) role: String,
    pub(crate) term: u64,
    pub(crate) leader: Option<String>,
    /// Whether a request would find a leader that can serve.
    pub(crate) serving: bool,
    pub(crate) commit: u64,
    pub(crate) applied: u64,
    pub(crate) last: u64,
    pub(crate) snapshot: u64,
    pub(crate) bug: Option<String>,
}

/// What a node must know besides the protocol's [`Config`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Entries between snapshots; 0 for none.
    pub(crate) snapshot_every: u64,
    /// In ns.
    pub(crate) request_timeout: u64,
    /// Which start of this node this is. Numbers in forwarded requests begin with it, so that
    /// an answer to an earlier life is not taken for one to this.
    pub(crate) boot: u32,
}

/// A node.
pub(crate) struct Node {
    id: NodeId,
    bug: Option<Bug>,
    limits: Limits,
    raft: Raft,
    kv: Kv,
    applied: u64,
    waiters: Waiters,
    sweep_due: u64,
    answers: Vec<(u64, Answer)>,
    parcels: Vec<(NodeId, Parcel)>,
    /// What was applied, for the simulation to judge.
    #[cfg(test)]
    pub(crate) witnessed: Vec<Arc<Entry>>,
}

impl Node {
    /// A node that starts at `now` with what it found on its disk.
    pub(crate) fn new(
        config: Config,
        limits: Limits,
        rng: Rng,
        restored: Restored,
        now: u64,
    ) -> Node {
        let kv = restored.snapshot.as_ref().map_or_else(Kv::default, |s| s.state.clone());
        let applied = restored.snapshot.as_ref().map_or(0, |s| s.last.index);
        Node {
            id: config.id,
            bug: config.bug,
            limits,
            raft: Raft::new(config, rng, restored, now),
            kv,
            applied,
            waiters: Waiters::new(u64::from(limits.boot) << 32),
            sweep_due: now,
            answers: Vec::new(),
            parcels: Vec::new(),
            #[cfg(test)]
            witnessed: Vec::new(),
        }
    }

    /// Takes one input in.
    pub(crate) fn step(&mut self, now: u64, input: Input) {
        match input {
            Input::Request(ticket, request) => self.request(now, Origin::Local(ticket), request),
            Input::Parcel(from, Parcel::Raft(message)) => self.raft.receive(now, from, message),
            Input::Parcel(from, Parcel::Forward { id, request }) => {
                self.request(now, Origin::Remote(from, id), request);
            }
            Input::Parcel(from, Parcel::Answer { id, answer }) => {
                if let Some((origin, writes)) = self.waiters.take_forwarded(id, from) {
                    self.answer(origin, answer.relayed(writes));
                }
            }
        }
    }

    /// Everything to be done after the inputs so far, at `now`.
    pub(crate) fn ready(&mut self, now: u64) -> Ready {
        self.raft.tick(now);
        self.apply();
        self.finish_reads();
        let lost = self.waiters.led_by(self.raft.leader(), self.raft.term());
        self.fail(lost);
        if now >= self.sweep_due {
            self.sweep_due = now + SWEEP;
            let late = self.waiters.expire(now);
            self.fail(late);
        }
        self.snapshot_if_due();
        let output = self.raft.flush(now);
        let mut parcels = std::mem::take(&mut self.parcels);
        parcels.extend(output.messages.into_iter().map(|(to, m)| (to, Parcel::Raft(m))));
        Ready {
            events: output.events,
            hard: output.hard,
            snapshot: output.snapshot,
            entries: output.entries,
            parcels,
            answers: std::mem::take(&mut self.answers),
        }
    }

    /// When [`Node::ready`] has something to do even if nothing comes in.
    pub(crate) fn due(&self) -> u64 {
        let sweep = if self.waiters.is_empty() { u64::MAX } else { self.sweep_due };
        self.raft.due().min(sweep)
    }

    /// What this node knows of itself.
    pub(crate) fn status(&self) -> Status {
        let leads = self.raft.role() == Role::Leader;
        Status {
            id: self.id.to_string(),
            role: self.raft.role().word().to_owned(),
            term: self.raft.term(),
            leader: self.raft.leader().map(|l| l.to_string()),
            serving: if leads { self.raft.is_settled() } else { self.raft.leader().is_some() },
            commit: self.raft.commit(),
            applied: self.applied,
            last: self.raft.log().last().index,
            snapshot: self.raft.snapshot().map_or(0, |s| s.last.index),
            bug: self.bug.map(|b| b.name().to_owned()),
        }
    }

    /// The insides: protocol, state, and how far it is applied.
    #[cfg(test)]
    pub(crate) fn inspect(&self) -> (&Raft, &Kv, u64) {
        (&self.raft, &self.kv, self.applied)
    }

    fn dedupes(&self) -> bool {
        self.bug != Some(Bug::DupApply)
    }

    fn request(&mut self, now: u64, origin: Origin, request: Request) {
        if let Request::Apply(Command { session: Some(session), .. }) = &request
            && self.dedupes()
            && let Some(effect) = self.kv.remembered(session)
        {
            // A retry of something done already: no need to do it through the log again.
            return self.answer(origin, Answer::Effect(effect));
        }
        let writes = matches!(request, Request::Apply(_));
        if self.waiters.is_full() {
            return self.fail([(origin, Error::Overloaded, writes)]);
        }
        if self.raft.role() != Role::Leader {
            return self.forward(now, origin, request, writes);
        }
        let deadline = now + self.limits.request_timeout;
        match request {
            Request::Read { key } => {
                let id = self.waiters.number();
                self.raft.read(id);
                self.waiters.read(id, key, origin, deadline);
            }
            Request::Apply(command) => {
                if let Some(at) = self.raft.propose(command) {
                    self.waiters.propose(at, origin, deadline);
                }
            }
        }
    }

    /// Passes a client's request on to the leader. One hop only: what another node forwarded
    /// is refused here, so that two nodes that each think the other leads cannot play ball.
    fn forward(&mut self, now: u64, origin: Origin, request: Request, writes: bool) {
        match (self.raft.leader(), origin) {
            (Some(leader), Origin::Local(_)) => {
                let id = self.waiters.number();
                let deadline = now + self.limits.request_timeout;
                let term = self.raft.term();
                self.waiters.forward(id, origin, writes, (leader, term), deadline);
                self.parcels.push((leader, Parcel::Forward { id, request }));
            }
            (Some(_), Origin::Remote(..)) => self.fail([(origin, Error::NotLeader, writes)]),
            (None, _) => self.fail([(origin, Error::NoLeader, writes)]),
        }
    }

    /// Applies what is committed, and answers those who waited for it.
    fn apply(&mut self) {
        if let Some(snapshot) = self.raft.snapshot()
            && snapshot.last.index > self.applied
        {
            self.kv = snapshot.state.clone();
            self.applied = snapshot.last.index;
            let covered = self.waiters.covered(self.applied);
            self.fail(covered);
        }
        while self.applied < self.raft.commit() {
            let Some(entry) = self.raft.log().get(self.applied + 1).cloned() else { break };
            #[cfg(test)]
            self.witnessed.push(entry.clone());
            self.applied = entry.index;
            let dedupe = self.dedupes();
            let effect = entry.command.as_ref().map(|c| self.kv.apply(entry.index, c, dedupe));
            let at = Position { term: entry.term, index: entry.index };
            let (met, missed) = self.waiters.applied(at);
            for origin in met {
                if let Some(effect) = effect {
                    self.answer(origin, Answer::Effect(effect));
                }
            }
            self.fail(missed.into_iter().map(|origin| (origin, Error::Overwritten, true)));
        }
    }

    /// Answers reads whose leader is confirmed: what they must see is applied by now.
    fn finish_reads(&mut self) {
        let (confirmed, refused) = self.raft.take_reads();
        for (id, index) in confirmed {
            debug_assert!(self.bug.is_some() || self.applied >= index, "reads see {index}");
            if let Some((key, origin)) = self.waiters.take_read(id) {
                let value = self.kv.get(&key);
                self.answer(origin, Answer::Value { value });
            }
        }
        for id in refused {
            if let Some((_, origin)) = self.waiters.take_read(id) {
                self.fail([(origin, Error::NotLeader, false)]);
            }
        }
    }

    fn snapshot_if_due(&mut self) {
        let every = self.limits.snapshot_every;
        let taken = self.raft.snapshot().map_or(0, |s| s.last.index);
        if every == 0 || self.applied < taken + every {
            return;
        }
        let Some(term) = self.raft.log().term(self.applied) else { return };
        let last = Position { term, index: self.applied };
        self.raft.compact(Arc::new(Snapshot { last, state: self.kv.clone() }), every / 4);
    }

    fn fail(&mut self, failed: impl IntoIterator<Item = Failed>) {
        // Somebody who just lost the leadership is no help.
        let leader = self.raft.leader();
        for (origin, error, writes) in failed {
            self.answer(origin, error.of(writes, leader));
        }
    }

    fn answer(&mut self, origin: Origin, answer: Answer) {
        match origin {
            Origin::Local(ticket) => self.answers.push((ticket, answer)),
            Origin::Remote(to, id) => self.parcels.push((to, Parcel::Answer { id, answer })),
        }
    }
}

#[cfg(test)]
#[path = "node_tests.rs"]
mod tests;
