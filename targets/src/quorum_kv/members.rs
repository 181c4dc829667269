//! Who is a member of the ring: told on by gossip, each node's entry changed by that node alone
//! (Dynamo, §4.8: membership changes are explicit, and spread by gossip).

use std::collections::BTreeMap;

use danso_vocab::NodeId;
use serde::{Deserialize, Serialize};

use super::ring::{Ring, position};

/// What is known of one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Membership {
    /// How often it has changed; the higher one is right.
    pub(crate) version: u64,
    /// It is on the ring.
    pub(crate) up: bool,
}

/// What is known of all nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Members(BTreeMap<u16, Membership>);

impl Members {
    /// All nodes are members, as at first.
    pub(crate) fn all(nodes: &[NodeId]) -> Members {
        Members(nodes.iter().map(|n| (n.0, Membership { version: 0, up: true })).collect())
    }

    /// Those on the ring.
    pub(crate) fn up(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.0.iter().filter(|(_, m)| m.up).map(|(n, _)| NodeId(*n))
    }

    /// What is known of `node`.
    pub(crate) fn of(&self, node: NodeId) -> Membership {
        self.0.get(&node.0).copied().unwrap_or(Membership { version: 0, up: false })
    }

    /// `node` joins or leaves.
    pub(crate) fn change(&mut self, node: NodeId, up: bool) {
        let version = self.of(node).version + 1;
        self.0.insert(node.0, Membership { version, up });
    }

    /// Learns what another node knows; true if that was news.
    pub(crate) fn learn(&mut self, other: &Members) -> bool {
        let before = self.clone();
        for (node, heard) in &other.0 {
            let known = self.0.entry(*node).or_insert(*heard);
            if heard.version > known.version {
                *known = *heard;
            }
        }
        *self != before
    }

    /// A number that is equal for equal knowledge.
    pub(crate) fn digest(&self) -> u64 {
        let texts = self.0.iter().map(|(node, m)| format!("{node} {} {};", m.version, m.up));
        position(&texts.collect::<String>())
    }

    /// The ring as `me` sees it. With `off_by_one`, the tokens of a node that has joined later are
    /// numbered from 1, as only that node itself does not.
    pub(crate) fn ring(&self, me: NodeId, virtual_nodes: u32, off_by_one: bool) -> Ring {
        let first = |node: NodeId| u32::from(off_by_one && node != me && self.of(node).version > 0);
        Ring::new(self.up().map(|node| (node, first(node))), virtual_nodes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_knowledge_wins_whoever_tells_it() {
        let (one, two) = (NodeId(1), NodeId(2));
        let mut a = Members::all(&[one, two]);
        let mut b = a.clone();
        b.change(two, false);
        let stale = a.clone();
        assert!(a.learn(&b) && !a.learn(&stale) && !a.learn(&b));
        assert_eq!(a.up().collect::<Vec<_>>(), [one]);
        b.change(two, true);
        assert!(a.learn(&b));
        assert_eq!(a, b);
        assert_eq!(a.of(two), Membership { version: 2, up: true });
    }

    #[test]
    fn replicas_agree_on_the_ring_unless_off_by_one() {
        let mut members = Members::all(&NodeId::all(3));
        let ring = |members: &Members, me, bug| members.ring(NodeId(me), 8, bug);
        assert_eq!(ring(&members, 1, true), ring(&members, 3, true));
        members.change(NodeId(3), false);
        members.change(NodeId(3), true);
        assert_eq!(ring(&members, 1, false), ring(&members, 3, false));
        assert_eq!(ring(&members, 1, true), ring(&members, 2, true));
        assert_ne!(ring(&members, 1, true), ring(&members, 3, true));
    }
}
