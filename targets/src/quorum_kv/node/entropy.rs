//! Anti-entropy: replicas find out in which keys they differ and exchange those (Dynamo, §4.7).
//!
//! ```text
//! A ── roots of all ranges both own ──▶ B
//! A ◀─ children of those that differ ── B     and so on, down to the leaves
//! A ◀─ keys and digests of a leaf ───── B
//! A ── what A has, and asks for the rest ─▶ B
//! ```

use std::collections::BTreeMap;

use danso_vocab::NodeId;

use super::QuorumKv;
use crate::quorum_kv::merkle::{self, is_leaf};
use crate::quorum_kv::message::Message;
use crate::quorum_kv::ring::Range;

impl QuorumKv {
    /// Begins a comparison with a random peer.
    pub(super) fn compare(&mut self, now: u64) {
        let Some(every) = self.settings.anti_entropy else { return };
        self.compare_at = now + self.rng.between(every / 2, every + every / 2);
        let up = self.members.up();
        let peers = up.filter(|n| *n != self.id && !self.detector.suspects(*n, now));
        let peers: Vec<NodeId> = peers.collect();
        let Some(peer) = self.rng.pick(&peers).copied() else { return };
        let both_own = |range: &Range| {
            let owners = self.ring.owners(range.to, self.settings.replicas);
            owners.contains(&self.id) && owners.contains(&peer)
        };
        let ranges = self.ring.ranges().into_iter().filter(both_own);
        let trees: Vec<_> =
            ranges.map(|range| (range, vec![(1, self.store.tree(range).hash(1))])).collect();
        if !trees.is_empty() {
            self.send(peer, Message::Compare { trees });
        }
    }

    /// Compares a peer's hashes with one's own, and goes on below those that differ.
    pub(super) fn compared(&mut self, from: NodeId, trees: Vec<(Range, Vec<(u32, u64)>)>) {
        let mut below = Vec::new();
        for (range, nodes) in trees {
            let tree = self.store.tree(range);
            let mut children = Vec::new();
            for (node, hash) in nodes {
                if tree.hash(node) == hash {
                    continue;
                }
                if is_leaf(node) {
                    let keys = self.leaf(range, node).into_iter().collect();
                    self.send(from, Message::Keys { range, leaf: node, keys });
                } else {
                    let children_of = [2 * node, 2 * node + 1];
                    children.extend(children_of.map(|child| (child, tree.hash(child))));
                }
            }
            if !children.is_empty() {
                below.push((range, children));
            }
        }
        if !below.is_empty() {
            self.send(from, Message::Compare { trees: below });
        }
    }

    /// A peer has these keys in a leaf that differs.
    pub(super) fn differ(
        &mut self,
        from: NodeId,
        range: Range,
        leaf: u32,
        theirs: Vec<(String, u64)>,
    ) {
        let mine = self.leaf(range, leaf);
        let theirs: BTreeMap<String, u64> = theirs.into_iter().collect();
        let wanted = theirs.iter().filter(|(key, digest)| mine.get(*key) != Some(*digest));
        let keys: Vec<String> = wanted.map(|(key, _)| key.clone()).collect();
        if !keys.is_empty() {
            self.send(from, Message::Fetch { keys });
        }
        for (key, _) in mine.iter().filter(|(key, digest)| theirs.get(*key) != Some(*digest)) {
            if let Some(state) = self.store.get(key).map(|entry| entry.state.clone()) {
                self.hand(from, key.clone(), state);
            }
        }
    }

    fn leaf(&self, range: Range, leaf: u32) -> BTreeMap<String, u64> {
        let keys = self.store.within(range).filter(|(key, _)| merkle::leaf(key) == leaf);
        keys.map(|(key, entry)| (key.to_owned(), entry.digest)).collect()
    }
}
