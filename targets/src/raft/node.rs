//! A whole node without its shell: the protocol, the state machine, and who waits for what.
//!
//! [`Node::step`] takes one input in; [`Node::ready`], called once after a batch of them, says
//! what to persist, to send and to answer, in that order. The same code runs under the HTTP
//! shell and in the simulation.

#[cfg(test)]
use std::sync::Arc;

use danso_vocab::{NodeId, Rng};

use super::answer::{Answer, Error};
use super::bug::Bug;
use super::core::{Change, Config, Content, Output, Position, Raft, Role, Unchanged};
use super::disk::Record;
use super::machine::Machine;
use super::replica::{Op, Replica};
use super::time::Timekeeper;
pub(crate) use super::traffic::{
    Found, Input, Limits, Parcel, Protocol, Ready, RecordOf, Request, RequestOf, Status,
};
use super::waiters::{Failed, Origin, Waiters};
use crate::kit::Now;

/// How often waiters are looked through for those whose time is up, in ns.
const SWEEP: u64 = 50_000_000;

/// A node.
pub(crate) struct Node<M: Machine> {
    id: NodeId,
    bug: Option<Bug>,
    limits: Limits,
    rules: M::Rules,
    raft: Protocol<M>,
    replica: Replica<M>,
    applied: u64,
    time: Timekeeper,
    waiters: Waiters<M::Query>,
    sweep_due: u64,
    answers: Vec<(u64, Answer<M::Reply>)>,
    parcels: Vec<(NodeId, Parcel<M>)>,
    /// What was applied, for the simulation to judge.
    #[cfg(test)]
    pub(crate) witnessed: Vec<Arc<super::core::Entry<Op<M::Command>>>>,
}

impl<M: Machine> Node<M> {
    /// A node that starts at `now` with what it found on its disk.
    pub(crate) fn new(
        config: Config,
        limits: Limits,
        rules: M::Rules,
        rng: Rng,
        restored: Found<M>,
        now: Now,
    ) -> Node<M> {
        let snapshot = restored.snapshot.as_ref();
        let replica = snapshot.map_or_else(Replica::default, |s| s.state.clone());
        let applied = snapshot.map_or(0, |s| s.last.index);
        Node {
            id: config.id,
            bug: config.bug,
            limits,
            rules,
            raft: Raft::new(config, rng, restored, now.mono),
            replica,
            applied,
            time: Timekeeper::default(),
            waiters: Waiters::new(u64::from(limits.boot) << 32),
            sweep_due: now.mono,
            answers: Vec::new(),
            parcels: Vec::new(),
            #[cfg(test)]
            witnessed: Vec::new(),
        }
    }

    /// Takes one input in.
    pub(crate) fn step(&mut self, now: Now, input: Input<M>) {
        match input {
            Input::Request(ticket, request) => self.request(now, Origin::Local(ticket), request),
            Input::Parcel(from, Parcel::Raft(message)) => {
                self.raft.receive(now.mono, from, message);
            }
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
    pub(crate) fn ready(&mut self, now: Now) -> Ready<M> {
        self.raft.tick(now.mono);
        self.apply();
        self.raft.read_by_lease(now);
        self.finish_reads(now);
        let lost = self.waiters.led_by(self.raft.leader(), self.raft.term());
        self.fail(lost);
        if now.mono >= self.sweep_due {
            self.sweep_due = now.mono + SWEEP;
            let late = self.waiters.expire(now.mono);
            self.fail(late);
        }
        self.snapshot_if_due();
        let mut output = self.raft.flush(now);
        let mut parcels = std::mem::take(&mut self.parcels);
        parcels.extend(output.messages.drain(..).map(|(to, m)| (to, Parcel::Raft(m))));
        let events = std::mem::take(&mut output.events);
        let answers = std::mem::take(&mut self.answers);
        Ready { events, records: self.records(output), parcels, answers }
    }

    /// What must be persisted of this.
    fn records(&self, output: Output<Op<M::Command>, Replica<M>>) -> Vec<RecordOf<M>> {
        let mut records: Vec<_> = output.hard.map(Record::Hard).into_iter().collect();
        records.extend(output.snapshot.map(|(snapshot, base)| Record::Snapshot(snapshot, base)));
        if self.bug != Some(Bug::NoFsyncLog) {
            records.extend(output.entries.into_iter().map(Record::Entry));
        }
        records
    }

    /// Records that say as much as all that were persisted so far.
    pub(crate) fn compact(&self) -> Vec<RecordOf<M>> {
        self.records(self.raft.everything())
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
            id: self.id,
            role: self.raft.role(),
            term: self.raft.term(),
            leader: self.raft.leader(),
            serving: if leads { self.raft.is_settled() } else { self.raft.leader().is_some() },
            commit: self.raft.commit(),
            applied: self.applied,
            last: self.raft.log().last().index,
            snapshot: self.raft.snapshot().map_or(0, |s| s.last.index),
            members: self.raft.members().iter().copied().collect(),
        }
    }

    /// The insides: protocol, state, and how far it is applied.
    #[cfg(test)]
    pub(crate) fn inspect(&self) -> (&Protocol<M>, &Replica<M>, u64) {
        (&self.raft, &self.replica, self.applied)
    }

    fn dedupes(&self) -> bool {
        self.bug != Some(Bug::DupApply)
    }

    fn request(&mut self, now: Now, origin: Origin, request: RequestOf<M>) {
        if let Request::Apply(_, Some(session)) = &request
            && self.dedupes()
            && let Some(reply) = self.replica.remembered(session)
        {
            // A retry of something done already: no need to do it through the log again.
            let reply = reply.clone();
            return self.answer(origin, Answer::Reply(reply));
        }
        let writes = !matches!(request, Request::Read(_));
        if self.waiters.is_full() {
            return self.fail([(origin, Error::Overloaded, writes)]);
        }
        if self.raft.role() != Role::Leader {
            return self.forward(now, origin, request, writes);
        }
        let deadline = now.mono + self.limits.request_timeout;
        match request {
            Request::Read(query) => {
                let id = self.waiters.number();
                self.raft.read(id);
                self.waiters.read(id, query, origin, deadline);
            }
            Request::Apply(command, session) => {
                let time = self.time(now);
                if let Some(at) = self.raft.propose(Op { command, session, time }) {
                    self.waiters.propose(at, origin, deadline);
                }
            }
            Request::Change(change) => self.change(now, origin, change),
        }
    }

    /// Begins a change of the membership.
    fn change(&mut self, now: Now, origin: Origin, change: Change) {
        match self.raft.change(now.mono, change) {
            // It does not wait until that is committed.
            Ok(_) if self.bug == Some(Bug::JointSkip) => self.answer_members(origin),
            Ok(at) => self.waiters.propose(at, origin, now.mono + self.limits.request_timeout),
            Err(Unchanged::Already) => self.answer_members(origin),
            Err(Unchanged::NotLeader) => self.fail([(origin, Error::NotLeader, true)]),
            Err(Unchanged::Busy) => self.fail([(origin, Error::Busy, true)]),
            Err(Unchanged::Unknown) => self.fail([(origin, Error::UnknownNode, true)]),
            Err(Unchanged::LastMember) => self.fail([(origin, Error::LastMember, true)]),
        }
    }

    fn answer_members(&mut self, origin: Origin) {
        let members = self.raft.members().iter().map(|n| n.0).collect();
        self.answer(origin, Answer::Members(members));
    }

    /// The log's time, at a leader.
    fn time(&mut self, now: Now) -> u64 {
        if self.bug == Some(Bug::WallTime) {
            return now.wall;
        }
        self.time.time(now, &self.raft, &self.replica)
    }

    /// Passes a client's request on to the leader. One hop only: what another node forwarded
    /// is refused here, so that two nodes that each think the other leads cannot play ball.
    fn forward(&mut self, now: Now, origin: Origin, request: RequestOf<M>, writes: bool) {
        match (self.raft.leader(), origin) {
            (Some(leader), Origin::Local(_)) => {
                let id = self.waiters.number();
                let deadline = now.mono + self.limits.request_timeout;
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
            self.replica = snapshot.state.clone();
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
            let op = entry.command();
            let ended = op.map(|op| self.replica.apply(&self.rules, entry.index, op, dedupe));
            let at = Position { term: entry.term, index: entry.index };
            let (met, missed) = self.waiters.applied(at);
            for origin in met {
                match (ended.clone(), &entry.content) {
                    (Some(Ok(reply)), _) => self.answer(origin, Answer::Reply(reply)),
                    (Some(Err(_)), _) => self.fail([(origin, Error::Superseded, true)]),
                    (None, Content::Members(members)) => {
                        let members = members.iter().copied().collect();
                        self.answer(origin, Answer::Members(members));
                    }
                    (None, _) => {}
                }
            }
            self.fail(missed.into_iter().map(|origin| (origin, Error::Overwritten, true)));
        }
    }

    /// Answers reads whose leader is confirmed: what they must see is applied by now.
    fn finish_reads(&mut self, now: Now) {
        let (confirmed, refused) = self.raft.take_reads();
        for (id, index) in confirmed {
            debug_assert!(self.bug.is_some() || self.applied >= index, "reads see {index}");
            if let Some((query, origin)) = self.waiters.take_read(id) {
                let time = self.time(now);
                let reply = self.replica.machine().query(&self.rules, time, &query);
                self.answer(origin, Answer::Reply(reply));
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
        let last = match self.bug {
            Some(Bug::SnapshotLosesTail) => self.raft.log().last(),
            _ => Position { term, index: self.applied },
        };
        self.raft.compact(last, self.replica.clone(), every / 4);
    }

    fn fail(&mut self, failed: impl IntoIterator<Item = Failed>) {
        // Somebody who just lost the leadership is no help.
        let leader = self.raft.leader();
        for (origin, error, writes) in failed {
            self.answer(origin, error.of(writes, leader));
        }
    }

    fn answer(&mut self, origin: Origin, answer: Answer<M::Reply>) {
        match origin {
            Origin::Local(ticket) => self.answers.push((ticket, answer)),
            Origin::Remote(to, id) => self.parcels.push((to, Parcel::Answer { id, answer })),
        }
    }
}

#[cfg(test)]
#[path = "node_tests.rs"]
mod tests;
