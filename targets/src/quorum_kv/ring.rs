//! The ring: which nodes keep a key. Consistent hashing with virtual nodes (DeCandia et al. 2007,
//! *Dynamo*, §4.2), and preference lists of distinct nodes (§4.3).
//!
//! Keys and tokens are hashed to 64-bit positions; clockwise is upwards and wraps around.

use std::collections::BTreeMap;

use danso_vocab::{NodeId, Rng};
use serde::{Deserialize, Serialize};

/// Where a text is on the ring. The hash is the label hash of [`Rng`], which is pinned for ever.
pub(crate) fn position(text: &str) -> u64 {
    Rng::new(0).split(text).seed()
}

/// The tokens of all members, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ring {
    tokens: BTreeMap<u64, NodeId>,
}

/// A part of the ring: what is after one position, up to and with another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Range {
    pub(crate) after: u64,
    pub(crate) to: u64,
}

impl Ring {
    /// The ring of these members. Each has `virtual_nodes` tokens, numbered from the number that
    /// stands beside it: from 0, if nobody makes a mistake.
    pub(crate) fn new(
        members: impl IntoIterator<Item = (NodeId, u32)>,
        virtual_nodes: u32,
    ) -> Ring {
        let mut tokens = BTreeMap::new();
        for (node, first) in members {
            for number in first..first + virtual_nodes {
                tokens.insert(position(&format!("{node} token {number}")), node);
            }
        }
        Ring { tokens }
    }

    /// All members in the order in which they are met going clockwise from `position`: the first
    /// `N` are the preference list, the next ones stand in for them (§4.3, §4.6).
    pub(crate) fn walk(&self, position: u64) -> Vec<NodeId> {
        let mut met = Vec::new();
        for node in self.tokens.range(position..).chain(self.tokens.range(..position)) {
            if !met.contains(node.1) {
                met.push(*node.1);
            }
        }
        met
    }

    /// The nodes that keep what is at `position`: the first `n` on the [walk](Ring::walk).
    pub(crate) fn owners(&self, position: u64, n: usize) -> Vec<NodeId> {
        let mut met = self.walk(position);
        met.truncate(n);
        met
    }

    /// The parts of the ring between neighbouring tokens: all keys of a part have the same owners.
    pub(crate) fn ranges(&self) -> Vec<Range> {
        let tokens: Vec<u64> = self.tokens.keys().copied().collect();
        let before = tokens.iter().cycle().skip(tokens.len().saturating_sub(1));
        before.zip(&tokens).map(|(after, to)| Range { after: *after, to: *to }).collect()
    }
}

impl Range {
    /// Whether `position` is in it. One token alone has the whole ring.
    pub(crate) fn contains(self, position: u64) -> bool {
        let within = position.wrapping_sub(self.after).wrapping_sub(1);
        within <= self.to.wrapping_sub(self.after).wrapping_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn ring(nodes: u16) -> Ring {
        Ring::new(NodeId::all(nodes).into_iter().map(|n| (n, 0)), 64)
    }

    fn keys() -> Vec<u64> {
        (0..20_000).map(|k| position(&format!("k{k}"))).collect()
    }

    #[test]
    fn a_join_moves_a_fair_share_of_the_keys_and_no_others() {
        let (before, after) = (ring(9), ring(10));
        let mut moved = 0;
        for key in keys() {
            let (old, new) = (before.owners(key, 1), after.owners(key, 1));
            if old != new {
                assert_eq!(new, [NodeId(10)], "a key moved between nodes that were there before");
                moved += 1;
            }
        }
        // A tenth is 2000; 64 tokens spread a share by an eighth or so.
        assert!((1_400..2_700).contains(&moved), "{moved}");
    }

    #[test]
    fn nodes_have_about_equal_shares() {
        let ring = ring(5);
        let mut shares: BTreeMap<NodeId, usize> = BTreeMap::new();
        for key in keys() {
            let owners = ring.owners(key, 3);
            assert_eq!(owners.len(), 3);
            owners.into_iter().for_each(|n| *shares.entry(n).or_default() += 1);
        }
        assert!(shares.values().all(|s| (9_000..15_000).contains(s)), "{shares:?}");
        assert_eq!(ring.owners(7, 9).len(), 5);
        assert_eq!(Ring::default().owners(7, 3), []);
    }

    #[test]
    fn ranges_cover_the_ring_once_and_know_their_owners() {
        let ring = ring(3);
        let ranges = ring.ranges();
        assert_eq!(ranges.len(), 3 * 64);
        for key in keys().into_iter().take(500) {
            let of: Vec<&Range> = ranges.iter().filter(|r| r.contains(key)).collect();
            assert_eq!(of.len(), 1);
            assert_eq!(ring.owners(of[0].to, 2), ring.owners(key, 2));
        }
        let alone = Ring::new([(NodeId(1), 0)], 1).ranges();
        assert!(alone.len() == 1 && alone[0].contains(0) && alone[0].contains(u64::MAX));
    }
}
