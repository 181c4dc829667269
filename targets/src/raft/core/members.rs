//! Membership changes, one server at a time (thesis, chapter 4).
//!
//! A change is an entry that names all members. A node goes by the last such entry in its log,
//! committed or not (4.1): two majorities of memberships that differ by one server always have
//! one in common, so one change at a time is safe. A leader therefore begins the next change only
//! when the last one is committed, and the first one only when it has committed an entry of its
//! own term (Ongaro, raft-dev, July 2015: "bug in single-server membership changes").
//!
//! Whoever is not a member does not stand for election, once that is committed, but votes and
//! takes entries like anybody (4.1). A leader that has removed itself leads until that is
//! committed and does not count itself (4.2.2).
//!
//! A server that was removed may be added again with an empty disk, one at a time. It does not know
//! then what it had voted, and may vote for somebody whose log is behind; but whoever lacks the
//! entry that removed it is, with it, no majority of the members before. Two that are emptied at
//! once may be one too many.

use std::collections::BTreeSet;

use danso_vocab::NodeId;

use super::{Bug, Content, Data, Position, Raft, Role};

/// A wish to change the membership.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Change {
    /// This node shall be a member.
    Join(u16),
    /// This node shall not.
    Leave(u16),
}

/// Why a membership is not changed now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unchanged {
    /// This node does not lead.
    NotLeader,
    /// A change, or the leader's first entry, is not committed yet.
    Busy,
    /// The last member cannot leave.
    LastMember,
    /// There is no such node.
    Unknown,
    /// It is so already, and that is committed.
    Already,
}

/// Which nodes are members, and by which entry.
#[derive(Clone, Debug)]
pub(super) struct Members {
    pub(super) nodes: BTreeSet<NodeId>,
    /// The index of the entry that says so; 0 if the snapshot or the command line does.
    pub(super) at: u64,
}

impl<C: Data, S: Data> Raft<C, S> {
    /// All members, as far as this node knows.
    pub(crate) fn members(&self) -> &BTreeSet<NodeId> {
        &self.members.nodes
    }

    /// Appends a change of the membership and says where.
    pub(crate) fn change(&mut self, now: u64, change: Change) -> Result<Position, Unchanged> {
        if self.role != Role::Leader {
            return Err(Unchanged::NotLeader);
        }
        let pending = self.members.at > self.commit || !self.is_settled();
        if pending && self.config.bug != Some(Bug::JointSkip) {
            return Err(Unchanged::Busy);
        }
        let mut nodes = self.members.nodes.clone();
        let changed = match change {
            Change::Join(node) => nodes.insert(NodeId(node)),
            Change::Leave(node) => nodes.remove(&NodeId(node)),
        };
        if !changed {
            return Err(Unchanged::Already);
        }
        if nodes.iter().any(|n| *n != self.config.id && !self.config.peers.contains(n)) {
            return Err(Unchanged::Unknown);
        }
        if nodes.is_empty() {
            return Err(Unchanged::LastMember);
        }
        let content = Content::Members(nodes.iter().map(|n| n.0).collect());
        let index = self.log.append(self.term, content);
        self.members = Members { nodes, at: index };
        self.follow_members(now);
        self.advance_commit();
        Ok(Position { term: self.term, index })
    }

    /// Whether this node may stand for election: it is a member, or was one until an entry that
    /// may still be overwritten.
    pub(super) fn may_stand(&self) -> bool {
        self.members.nodes.contains(&self.config.id) || self.members.at > self.commit
    }

    /// How many members are a majority.
    pub(super) fn majority(&self) -> usize {
        self.members.nodes.len() / 2 + 1
    }

    /// Whether these nodes are a majority of the members.
    pub(super) fn is_majority(&self, nodes: &BTreeSet<NodeId>) -> bool {
        nodes.intersection(&self.members.nodes).count() >= self.majority()
    }

    /// The highest number that a majority of the members has reached.
    pub(super) fn reached(&self, of: impl Fn(NodeId) -> u64) -> u64 {
        let mut numbers: Vec<u64> = self.members.nodes.iter().map(|n| of(*n)).collect();
        numbers.sort_unstable_by(|a, b| b.cmp(a));
        numbers.get(self.majority() - 1).copied().unwrap_or(0)
    }

    /// The members at `index`, as the log has them.
    pub(super) fn members_at(&self, index: u64) -> Members {
        let held = (self.log.base().index + 1..=index.min(self.log.last().index)).rev();
        let entry = held.filter_map(|i| self.log.get(i)).find_map(|e| match &e.content {
            Content::Members(nodes) => Some((e.index, nodes)),
            _ => None,
        });
        let named = |nodes: &BTreeSet<u16>| nodes.iter().map(|n| NodeId(*n)).collect();
        match (entry, &self.snapshot) {
            (Some((at, nodes)), _) => Members { nodes: named(nodes), at },
            (None, Some(snapshot)) => Members { nodes: named(&snapshot.members), at: 0 },
            (None, None) => {
                let peers = self.config.peers.iter().copied();
                Members { nodes: peers.chain([self.config.id]).collect(), at: 0 }
            }
        }
    }

    /// Looks up who the members are: entries have been dropped or replaced.
    pub(super) fn look_up_members(&mut self) {
        self.members = self.members_at(u64::MAX);
    }
}
