//! Who judges: the paper's figure 3, and linearizability by the order of commits.

use std::collections::BTreeMap;
use std::sync::Arc;

use danso_vocab::{NodeId, Value};

use crate::raft::core::{Entry, Event, Role};
use crate::raft::replica::{Op, Replica, Session};
use crate::raft_kv::kv::{Command, Kv, Reply};

type Node = crate::raft::node::Node<Kv>;

/// What must be true, and what is known so far.
pub(super) struct Oracle {
    leaders: BTreeMap<u64, NodeId>,
    /// Committed entries from index 1 on, each with the term of the node that first applied it.
    committed: Vec<(Arc<Entry<Op<Command>>>, u64)>,
    /// The state after each of them; the first is the empty one.
    states: Vec<Replica<Kv>>,
    /// Where each command took effect, and how.
    replies: BTreeMap<(String, u64), (u64, Reply)>,
    /// How far each node had applied when last looked at.
    applied: BTreeMap<NodeId, u64>,
    /// Everything up to here has been shown to some client.
    pub(super) shown: u64,
    /// Commands that were declared not to have happened.
    denied: Vec<Session>,
}

/// A property that does not hold.
pub(super) type Violation = String;

impl Oracle {
    pub(super) fn new() -> Oracle {
        Oracle {
            leaders: BTreeMap::new(),
            committed: Vec::new(),
            states: vec![Replica::default()],
            replies: BTreeMap::new(),
            applied: BTreeMap::new(),
            shown: 0,
            denied: Vec::new(),
        }
    }

    /// How many entries were committed.
    pub(super) fn commits(&self) -> u64 {
        self.committed.len() as u64
    }

    /// How many terms had a leader.
    pub(super) fn terms(&self) -> u64 {
        self.leaders.len() as u64
    }

    /// Looks at a node after a step.
    pub(super) fn look(
        &mut self,
        id: NodeId,
        node: &mut Node,
        events: &[Event],
    ) -> Result<(), Violation> {
        for event in events {
            if let Event::Became(Role::Leader, term) = event {
                self.new_leader(id, *term, node)?;
            }
        }
        self.new_commits(id, node)
    }

    /// Election safety, leader completeness.
    fn new_leader(&mut self, id: NodeId, term: u64, node: &mut Node) -> Result<(), Violation> {
        let first = *self.leaders.entry(term).or_insert(id);
        if first != id {
            return Err(format!("election safety: {first} and {id} lead term {term}"));
        }
        let log = node.inspect().0.log();
        for (entry, seen_in) in &self.committed {
            let present = entry.index <= log.base().index || log.get(entry.index) == Some(entry);
            if *seen_in < term && !present {
                let index = entry.index;
                return Err(format!("leader completeness: {id} leads {term} without {index}"));
            }
        }
        Ok(())
    }

    /// State machine safety: everybody applies the same.
    fn new_commits(&mut self, id: NodeId, node: &mut Node) -> Result<(), Violation> {
        for entry in std::mem::take(&mut node.witnessed) {
            let (index, known) = (entry.index, self.committed.len() as u64);
            match self.committed.get(index as usize - 1) {
                Some((first, _)) if *first == entry => {}
                Some(_) => return Err(format!("state machine safety: {id} differs at {index}")),
                None if known == index - 1 => self.commit(&entry, node.inspect().0.term()),
                None => return Err(format!("{id} applies {index}, but nobody applied before it")),
            }
        }
        let (_, replica, applied) = node.inspect();
        let before = self.applied.insert(id, applied).unwrap_or(0);
        match self.states.get(applied as usize) {
            Some(state) if applied == before || state == replica => Ok(()),
            _ => Err(format!("state machine safety: {id} has another state at {applied}")),
        }
    }

    fn commit(&mut self, entry: &Arc<Entry<Op<Command>>>, term: u64) {
        let mut state = self.states[entry.index as usize - 1].clone();
        if let Some(op) = entry.command() {
            let reply = state.apply(&(), entry.index, op, true);
            if let (Some(Session { client, seq }), Ok(reply)) = (op.session.clone(), reply) {
                self.replies.entry((client, seq)).or_insert((entry.index, reply));
            }
        }
        self.states.push(state);
        self.committed.push((entry.clone(), term));
    }

    /// Log matching: logs that agree at an index agree up to it.
    pub(super) fn compare(&self, a: &Node, b: &Node) -> Result<(), Violation> {
        let (a, b) = (a.inspect().0.log(), b.inspect().0.log());
        let first = a.base().index.max(b.base().index) + 1;
        let last = a.last().index.min(b.last().index);
        let Some(agreed) = (first..=last).rev().find(|i| a.term(*i) == b.term(*i)) else {
            return Ok(());
        };
        match (first..=agreed).find(|i| a.get(*i) != b.get(*i)) {
            Some(index) => Err(format!("log matching: {index} differs before {agreed}")),
            None => Ok(()),
        }
    }

    /// A command that was invoked when everything up to `shown` was known has this result.
    pub(super) fn changed(
        &mut self,
        Session { client, seq }: &Session,
        reply: &Reply,
        shown: u64,
    ) -> Result<(), Violation> {
        let Some((index, real)) = self.replies.get(&(client.clone(), *seq)).cloned() else {
            return Err(format!("lost write: {client} {seq} was acknowledged, not committed"));
        };
        if real != *reply || index <= shown {
            return Err(format!("{client} {seq} was told {reply:?}, but {real:?} at {index}"));
        }
        self.shown = self.shown.max(index);
        Ok(())
    }

    /// A read that was invoked when everything up to `shown` was known found `value`: there must
    /// be a moment since when that was so.
    pub(super) fn found(&mut self, key: &str, value: &Value, shown: u64) -> Result<(), Violation> {
        let states = self.states.iter().enumerate().skip(shown as usize);
        let Some(index) =
            states.into_iter().find(|(_, s)| s.machine().get(key) == *value).map(|(i, _)| i)
        else {
            return Err(format!("stale read: {key} was not {value} at or after {shown}"));
        };
        self.shown = self.shown.max(index as u64);
        Ok(())
    }

    /// A command was declared not to have happened.
    pub(super) fn denied(&mut self, session: Session) {
        self.denied.push(session);
    }

    /// At the end: what was denied is not there.
    pub(super) fn finish(&self) -> Result<(), Violation> {
        for Session { client, seq } in &self.denied {
            if let Some((index, _)) = self.replies.get(&(client.clone(), *seq)) {
                return Err(format!("{client} {seq} was denied, but committed at {index}"));
            }
        }
        Ok(())
    }

    /// A node was stopped: it will apply everything after its snapshot again.
    pub(super) fn stopped(&mut self, id: NodeId) {
        self.applied.remove(&id);
    }
}
