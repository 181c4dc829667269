//! [`Used`]: how many operations of each pool were used.

use rustc_hash::FxHashMap;

/// Vectors of counts, one a pool, interned so that a configuration holds one number.
pub(super) struct Used {
    counts: Vec<Box<[u32]>>,
    ids: FxHashMap<Box<[u32]>, u32>,
    next: FxHashMap<(u32, u32), u32>,
}

impl Used {
    /// The vector of zeros.
    pub(super) const NONE: u32 = 0;

    pub(super) fn new(pools: usize) -> Used {
        let none: Box<[u32]> = vec![0; pools].into();
        Used {
            counts: vec![none.clone()],
            ids: FxHashMap::from_iter([(none, Used::NONE)]),
            next: FxHashMap::default(),
        }
    }

    pub(super) fn of(&self, id: u32, pool: u32) -> u32 {
        self.counts[id as usize][pool as usize]
    }

    pub(super) fn one_more(&mut self, id: u32, pool: u32) -> u32 {
        if let Some(next) = self.next.get(&(id, pool)) {
            return *next;
        }
        let mut counts = self.counts[id as usize].clone();
        counts[pool as usize] += 1;
        let fresh = self.counts.len() as u32;
        let next = *self.ids.entry(counts.clone()).or_insert(fresh);
        if next == fresh {
            self.counts.push(counts);
        }
        self.next.insert((id, pool), next);
        next
    }

    pub(super) fn bytes(&self) -> usize {
        let vector = self.counts.first().map_or(0, |c| size_of_val(&**c)) + 32;
        self.counts.len() * 2 * vector + self.next.capacity() * 16
    }
}
