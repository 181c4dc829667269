//! Small numbers for large ones.

use danso_vocab::{History, Op};
use rustc_hash::FxHashMap;

use super::NONE;

/// Event ranks of some operations, renumbered if they are few among many.
pub(in super::super) enum Ranks {
    /// They stay, below this.
    Same(u32),
    /// Each becomes its place here.
    Sorted(Vec<u32>),
}

impl Ranks {
    /// For these rows.
    pub(in super::super) fn new(history: &History, rows: &[u32]) -> Ranks {
        let ranks = |op: Op<'_>| {
            [op.inv_rank(), op.res_rank()].into_iter().filter(|r| *r != History::NEVER)
        };
        let each = || rows.iter().map(|row| history.row(*row as usize));
        let end = each().flat_map(ranks).max().map_or(0, |last| last + 1);
        if end as usize <= 64 + 8 * rows.len() {
            return Ranks::Same(end);
        }
        let mut sorted: Vec<u32> = each().flat_map(ranks).collect();
        sorted.sort_unstable();
        Ranks::Sorted(sorted)
    }

    /// Ranks are below this.
    pub(in super::super) fn end(&self) -> u32 {
        match self {
            Ranks::Same(end) => *end,
            Ranks::Sorted(sorted) => sorted.len() as u32,
        }
    }

    /// The new number; [`NONE`] stays.
    pub(in super::super) fn of(&self, rank: u32) -> u32 {
        match self {
            Ranks::Sorted(sorted) if rank != History::NEVER => {
                sorted.partition_point(|r| *r < rank) as u32
            }
            _ => rank,
        }
    }
}

/// Numbers value ids densely, by first sight: an array where they lie close together, as counted
/// values do, else a table.
pub(in super::super) struct Numbers {
    base: u32,
    places: Vec<u32>,
    others: FxHashMap<u32, u32>,
    len: u32,
}

impl Numbers {
    /// For ids that are mostly among these.
    pub(in super::super) fn new(ids: impl Iterator<Item = u32> + Clone) -> Numbers {
        // Small integers have the upper half of the ids for themselves.
        const INTEGERS: u32 = 1 << 31;
        let some = ids.clone().any(|id| id >= INTEGERS);
        let near = ids.filter(move |id| (*id >= INTEGERS) == some);
        let (low, high, count) =
            near.fold((NONE, 0, 0_usize), |(low, high, n), id| (low.min(id), high.max(id), n + 1));
        let span = (high as usize + 1).saturating_sub(low as usize);
        let places = if span <= 64 + 8 * count { vec![NONE; span] } else { Vec::new() };
        Numbers { base: low, places, others: FxHashMap::default(), len: 0 }
    }

    /// The number of `id`, if it has one.
    pub(in super::super) fn get(&self, id: u32) -> Option<u32> {
        match id.checked_sub(self.base).and_then(|at| self.places.get(at as usize)) {
            Some(number) => Some(*number).filter(|n| *n != NONE),
            None => self.others.get(&id).copied(),
        }
    }

    /// The number of `id`, a new one if it has none, and whether it is new.
    pub(in super::super) fn number(&mut self, id: u32) -> (u32, bool) {
        if let Some(number) = self.get(id) {
            return (number, false);
        }
        let number = self.len;
        self.len += 1;
        match id.checked_sub(self.base).and_then(|at| self.places.get_mut(at as usize)) {
            Some(place) => *place = number,
            None => drop(self.others.insert(id, number)),
        }
        (number, true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_dense() {
        for ids in [vec![5, 6, 9], vec![0, 1 << 20, 1 << 31, (1 << 31) + 7], vec![]] {
            let mut numbers = Numbers::new(ids.iter().copied());
            for (i, id) in ids.iter().enumerate() {
                assert_eq!(numbers.get(*id), None);
                assert_eq!(numbers.number(*id), (i as u32, true));
                assert_eq!(numbers.number(*id), (i as u32, false));
            }
            assert_eq!(numbers.get(77), None);
            assert_eq!(numbers.number(77), (ids.len() as u32, true));
        }
    }
}
