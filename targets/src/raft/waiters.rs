//! Who waits for what: requests whose entry is not applied yet, reads that are not confirmed
//! yet, requests forwarded to a leader that has not answered yet.

use std::collections::BTreeMap;

use danso_vocab::NodeId;

use super::answer::Error;
use super::core::{Position, ReadId};

/// Requests that may wait at a node.
const MAX_WAITING: usize = 4_096;

/// Where an answer goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// To a client of this node; the number is the shell's.
    Local(u64),
    /// To the node that forwarded the request; the number is that node's.
    Remote(NodeId, u64),
}

#[derive(Debug)]
struct Proposal {
    term: u64,
    origin: Origin,
    deadline: u64,
}

#[derive(Debug)]
struct Read<Q> {
    query: Q,
    origin: Origin,
    deadline: u64,
}

#[derive(Debug)]
struct Forwarded {
    origin: Origin,
    writes: bool,
    leader: NodeId,
    term: u64,
    deadline: u64,
}

/// A request that will not get a result: where to say so, why, and whether it was a write.
pub(crate) type Failed = (Origin, Error, bool);

/// Everybody who waits at a node.
#[derive(Debug)]
pub(crate) struct Waiters<Q> {
    proposals: BTreeMap<u64, Vec<Proposal>>,
    reads: BTreeMap<ReadId, Read<Q>>,
    forwarded: BTreeMap<u64, Forwarded>,
    count: usize,
    next: u64,
}

impl<Q> Waiters<Q> {
    /// Nobody; forwarded requests will be numbered from `first`.
    pub(crate) fn new(first: u64) -> Waiters<Q> {
        Waiters {
            proposals: BTreeMap::new(),
            reads: BTreeMap::new(),
            forwarded: BTreeMap::new(),
            count: 0,
            next: first,
        }
    }

    /// Whether there is no room for more.
    pub(crate) fn is_full(&self) -> bool {
        self.count + self.reads.len() + self.forwarded.len() >= MAX_WAITING
    }

    /// Whether nobody waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.count + self.reads.len() + self.forwarded.len() == 0
    }

    /// A fresh number.
    pub(crate) fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// `origin` waits for the entry at `at`.
    pub(crate) fn propose(&mut self, at: Position, origin: Origin, deadline: u64) {
        let waiting = self.proposals.entry(at.index).or_default();
        waiting.push(Proposal { term: at.term, origin, deadline });
        self.count += 1;
    }

    /// `origin` waits until a query may be answered.
    pub(crate) fn read(&mut self, id: ReadId, query: Q, origin: Origin, deadline: u64) {
        self.reads.insert(id, Read { query, origin, deadline });
    }

    /// `origin` waits for what `leader`, in `term`, answers to number `id`.
    pub(crate) fn forward(
        &mut self,
        id: u64,
        origin: Origin,
        writes: bool,
        (leader, term): (NodeId, u64),
        deadline: u64,
    ) {
        self.forwarded.insert(id, Forwarded { origin, writes, leader, term, deadline });
    }

    /// The entry at `at` is applied. Who waited for this very entry; and who waited for another
    /// one at the same index, which can now never be committed.
    pub(crate) fn applied(&mut self, at: Position) -> (Vec<Origin>, Vec<Origin>) {
        let waiting = self.proposals.remove(&at.index).unwrap_or_default();
        self.count -= waiting.len();
        let (met, missed): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|p| p.term == at.term);
        let origins = |list: Vec<Proposal>| list.into_iter().map(|p| p.origin).collect();
        (origins(met), origins(missed))
    }

    /// A snapshot came in the place of all entries up to `index`: what they were, nobody knows.
    pub(crate) fn covered(&mut self, index: u64) -> Vec<Failed> {
        let rest = self.proposals.split_off(&(index + 1));
        let covered = std::mem::replace(&mut self.proposals, rest);
        let failed: Vec<Failed> = covered
            .into_values()
            .flatten()
            .map(|p| (p.origin, Error::LostLeadership, true))
            .collect();
        self.count -= failed.len();
        failed
    }

    /// The read `id` is confirmed or refused: what was asked, and for whom.
    pub(crate) fn take_read(&mut self, id: ReadId) -> Option<(Q, Origin)> {
        self.reads.remove(&id).map(|r| (r.query, r.origin))
    }

    /// `from` answered the forwarded request `id`: for whom, and whether it was a write.
    pub(crate) fn take_forwarded(&mut self, id: u64, from: NodeId) -> Option<(Origin, bool)> {
        if self.forwarded.get(&id)?.leader != from {
            return None;
        }
        self.forwarded.remove(&id).map(|f| (f.origin, f.writes))
    }

    /// `leader` leads `term` now, or nobody is known to: nobody else will answer what was
    /// forwarded.
    pub(crate) fn led_by(&mut self, leader: Option<NodeId>, term: u64) -> Vec<Failed> {
        let gone = self
            .forwarded
            .extract_if(.., |_, f| Some(f.leader) != leader || f.term != term)
            .map(|(_, f)| (f.origin, Error::LostLeadership, f.writes));
        gone.collect()
    }

    /// Those whose time is up.
    pub(crate) fn expire(&mut self, now: u64) -> Vec<Failed> {
        let mut failed = Vec::new();
        self.proposals.retain(|_, waiting| {
            let late = waiting.extract_if(.., |p| p.deadline <= now);
            failed.extend(late.map(|p| (p.origin, Error::Timeout, true)));
            !waiting.is_empty()
        });
        self.count -= failed.len();
        let late = self.reads.extract_if(.., |_, r| r.deadline <= now);
        failed.extend(late.map(|(_, r)| (r.origin, Error::Timeout, false)));
        let late = self.forwarded.extract_if(.., |_, f| f.deadline <= now);
        failed.extend(late.map(|(_, f)| (f.origin, Error::Timeout, f.writes)));
        failed
    }
}
