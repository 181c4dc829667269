//! Hash trees over a range of keys, by which two replicas find the keys in which they differ
//! without telling each other all of them (Merkle 1987; Dynamo, §4.7).
//!
//! Node 1 is the root, the children of node *i* are 2*i* and 2*i* + 1, the last level are leaves.
//! Two equal trees are over equal states, two keys' difference shows from a leaf up to the root.

use super::ring::position;

/// Leaves of a tree.
pub(crate) const LEAVES: u32 = 64;

/// A tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tree(Vec<u64>);

/// The leaf a key belongs to. Neighbours on the ring are spread.
pub(crate) fn leaf(key: &str) -> u32 {
    LEAVES + (position(key) % u64::from(LEAVES)) as u32
}

/// Whether a node is a leaf.
pub(crate) fn is_leaf(node: u32) -> bool {
    node >= LEAVES
}

impl Tree {
    /// The tree over these keys, each with the digest of its state.
    pub(crate) fn of<'a>(keys: impl IntoIterator<Item = (&'a str, u64)>) -> Tree {
        let mut nodes = vec![0; 2 * LEAVES as usize];
        for (key, digest) in keys {
            // A leaf's hash must not depend on the order of its keys.
            let node = &mut nodes[leaf(key) as usize];
            *node ^= combine(position(key), digest);
        }
        for inner in (1..LEAVES as usize).rev() {
            nodes[inner] = combine(nodes[2 * inner], nodes[2 * inner + 1]);
        }
        Tree(nodes)
    }

    /// The hash of a node; 0 for one that does not exist.
    pub(crate) fn hash(&self, node: u32) -> u64 {
        self.0.get(node as usize).copied().unwrap_or(0)
    }
}

/// One hash of two, in this order (the finaliser of SplitMix64).
fn combine(left: u64, right: u64) -> u64 {
    let mut hash = left.rotate_left(23) ^ right.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    hash ^ (hash >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use danso_vocab::Rng;

    use super::*;

    fn tree(keys: &BTreeMap<String, u64>) -> Tree {
        Tree::of(keys.iter().map(|(k, d)| (k.as_str(), *d)))
    }

    /// The leaves below a node in which two trees differ, found from the root down.
    fn differing(a: &Tree, b: &Tree, node: u32, asked: &mut usize) -> Vec<u32> {
        *asked += 1;
        match (a.hash(node) == b.hash(node), is_leaf(node)) {
            (true, _) => Vec::new(),
            (false, true) => vec![node],
            (false, false) => {
                let below = [2 * node, 2 * node + 1];
                below.into_iter().flat_map(|n| differing(a, b, n, asked)).collect()
            }
        }
    }

    #[test]
    fn exactly_the_leaves_of_differing_keys_are_found() {
        for seed in 0..300 {
            let mut rng = Rng::new(seed);
            let a: BTreeMap<String, u64> =
                (0..rng.below(400)).map(|k| (format!("k{k}"), rng.bits())).collect();
            let mut b = a.clone();
            let mut changed = BTreeSet::new();
            for _ in 0..rng.below(4) {
                let key = format!("k{}", rng.below(500));
                match (rng.chance(1, 2), b.contains_key(&key)) {
                    (true, true) => drop(b.remove(&key)),
                    _ => drop(b.insert(key.clone(), rng.bits())),
                }
                changed.insert(key);
            }
            changed.retain(|key| a.get(key) != b.get(key));
            let want: BTreeSet<u32> = changed.iter().map(|k| leaf(k)).collect();
            let mut asked = 0;
            let found = differing(&tree(&a), &tree(&b), 1, &mut asked);
            assert_eq!(found.iter().copied().collect::<BTreeSet<_>>(), want, "seed {seed}");
            assert!(asked <= 1 + 12 * changed.len(), "{asked} nodes for {changed:?}");
        }
    }
}
