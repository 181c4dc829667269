//! [`Trie`]: a map that grows, and of which every state stays cheap to keep.

use std::sync::Arc;

/// A map from 64-bit keys, of which a changed copy shares all but a path with the original: both
/// `clone` and `with` take O(log n). Two with the same entries have the same shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trie<V> {
    root: Option<Arc<Node<V>>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Node<V> {
    /// An entry with this key, the only one below here.
    Leaf(u64, V),
    /// Entries by the next four bits of their keys, the lowest first.
    Branch([Option<Arc<Node<V>>>; 16]),
}

/// The place in a branch at this depth.
fn digit(key: u64, depth: u32) -> usize {
    (key >> (4 * depth) & 15) as usize
}

impl<V: Clone> Trie<V> {
    pub(super) const EMPTY: Trie<V> = Trie { root: None };

    /// The value under `key`.
    pub(super) fn get(&self, key: u64) -> Option<&V> {
        let mut node = self.root.as_deref()?;
        let mut depth = 0;
        loop {
            match node {
                Node::Leaf(other, value) => return Some(value).filter(|_| *other == key),
                Node::Branch(below) => node = below[digit(key, depth)].as_deref()?,
            }
            depth += 1;
        }
    }

    /// The same with `value` under `key`.
    pub(super) fn with(&self, key: u64, value: V) -> Trie<V> {
        Trie { root: Some(Arc::new(Node::with(self.root.as_deref(), 0, key, value))) }
    }
}

impl<V: Clone> Node<V> {
    fn with(node: Option<&Node<V>>, depth: u32, key: u64, value: V) -> Node<V> {
        let mut below = match node {
            None => return Node::Leaf(key, value),
            Some(Node::Leaf(other, _)) if *other == key => return Node::Leaf(key, value),
            Some(Node::Branch(below)) => below.clone(),
            Some(Node::Leaf(other, old)) => {
                let mut below = [const { None }; 16];
                below[digit(*other, depth)] = Some(Arc::new(Node::Leaf(*other, old.clone())));
                below
            }
        };
        let place = &mut below[digit(key, depth)];
        *place = Some(Arc::new(Node::with(place.as_deref(), depth + 1, key, value)));
        Node::Branch(below)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_put_in_and_shape_depends_on_that_only() {
        let keys = [0, 1, 16, 17, 256, u64::MAX, 1 << 63, 15, 3 << 60];
        let trie = |keys: &mut dyn Iterator<Item = &u64>| {
            keys.fold(Trie::EMPTY, |trie, key| trie.with(*key, key.wrapping_add(1)))
        };
        let (there, back) = (trie(&mut keys.iter()), trie(&mut keys.iter().rev()));
        assert_eq!(there, back);
        assert_ne!(there, there.with(5, 5));
        for key in keys {
            assert_eq!(there.get(key), Some(&key.wrapping_add(1)));
            assert_eq!(there.with(key, 3).get(key), Some(&3));
        }
        assert_eq!((there.get(2), there.get(32)), (None, None));
    }
}
