//! [`Used`]: which operations of unknown outcome were used.

use rustc_hash::FxHashMap;

/// Multisets of pools, interned so that a configuration holds one number.
pub(in super::super) struct Used {
    /// By id: the pools, ascending, each as often as it was used.
    sets: Vec<Box<[u32]>>,
    /// By id: one bit for each pool that is in it, pools sharing the 64 bits in turn. Tells most
    /// multisets apart without looking at them.
    bits: Vec<u64>,
    ids: FxHashMap<Box<[u32]>, u32>,
    next: FxHashMap<(u32, u32), u32>,
    bytes: usize,
}

impl Used {
    /// The empty multiset.
    pub(in super::super) const NONE: u32 = 0;

    pub(in super::super) fn new() -> Used {
        Used {
            sets: vec![Box::default()],
            bits: vec![0],
            ids: FxHashMap::from_iter([(Box::default(), Used::NONE)]),
            next: FxHashMap::default(),
            bytes: 0,
        }
    }

    /// How often `pool` is in the multiset `id`.
    pub(in super::super) fn of(&self, id: u32, pool: u32) -> u32 {
        if id == Used::NONE {
            return 0;
        }
        let set = &self.sets[id as usize];
        let from = set.partition_point(|p| *p < pool);
        set[from..].iter().take_while(|p| **p == pool).count() as u32
    }

    /// The multiset `id` with one more of `pool`.
    pub(in super::super) fn one_more(&mut self, id: u32, pool: u32) -> u32 {
        if let Some(next) = self.next.get(&(id, pool)) {
            return *next;
        }
        let mut set = self.sets[id as usize].to_vec();
        set.insert(set.partition_point(|p| *p <= pool), pool);
        let set: Box<[u32]> = set.into();
        let fresh = self.sets.len() as u32;
        let next = *self.ids.entry(set.clone()).or_insert(fresh);
        if next == fresh {
            // Stored twice, with two headers and a table entry.
            self.bytes += 2 * size_of_val(&*set) + 72;
            self.bits.push(self.bits[id as usize] | 1 << (pool % 64));
            self.sets.push(set);
        }
        self.next.insert((id, pool), next);
        next
    }

    /// The pools in the multiset `id`, ascending, each as often as it was used.
    pub(in super::super) fn pools(&self, id: u32) -> &[u32] {
        &self.sets[id as usize]
    }

    /// Whether everything in the multiset `a` is in `b` as often.
    pub(in super::super) fn is_within(&self, a: u32, b: u32) -> bool {
        if a == b || a == Used::NONE {
            return true;
        }
        if self.bits[a as usize] & !self.bits[b as usize] != 0 {
            return false;
        }
        let (a, b) = (&self.sets[a as usize], &self.sets[b as usize]);
        let mut more = b.iter();
        a.len() < b.len() && a.iter().all(|pool| more.by_ref().any(|p| p == pool))
    }

    /// How many multisets there are.
    pub(in super::super) fn len(&self) -> usize {
        self.sets.len()
    }

    /// Bytes held.
    pub(in super::super) fn bytes(&self) -> usize {
        self.bytes + self.next.capacity() * 14
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn multisets_compare() {
        let mut used = Used::new();
        let make = |used: &mut Used, pools: &[u32]| {
            pools.iter().fold(Used::NONE, |id, pool| used.one_more(id, *pool))
        };
        let (a, b) = (make(&mut used, &[3, 1, 3]), make(&mut used, &[1, 3, 3]));
        assert_eq!(a, b, "order does not matter");
        assert_eq!((used.of(a, 3), used.of(a, 2), used.of(a, 1)), (2, 0, 1));
        let less = make(&mut used, &[3, 3]);
        let other = make(&mut used, &[1, 1]);
        assert!(used.is_within(less, a) && used.is_within(Used::NONE, less));
        assert!(!used.is_within(a, less) && !used.is_within(other, a));
    }
}
