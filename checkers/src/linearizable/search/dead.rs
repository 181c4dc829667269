//! [`Dead`]: configurations proved dead.

use rustc_hash::FxHashMap;

use super::super::mask::Mask;
use super::used::Used;
use super::{Config, Place};

/// The configurations proved dead, exactly. Only dead ones are kept: a valid history that needs
/// no backtracking stores nothing.
///
/// A configuration that has used more is dead if one that is otherwise the same and has used less
/// is: whatever the former could still do, the latter could too. So for each place only the
/// minimal multisets of used operations are kept.
pub(super) struct Dead<M> {
    /// By place: the id of a multiset, or a place in `several` with the top bit set.
    places: FxHashMap<Place<M>, u32>,
    several: Vec<Vec<u32>>,
    /// Multisets held in `several`.
    extra: usize,
}

const SEVERAL: u32 = 1 << 31;

impl<M: Mask> Dead<M> {
    pub(super) fn new() -> Dead<M> {
        Dead { places: FxHashMap::default(), several: Vec::new(), extra: 0 }
    }

    /// Whether the configuration is known to be dead.
    pub(super) fn has(&self, config: &Config<M>, used: &Used, dominance: bool) -> bool {
        if self.places.is_empty() {
            return false;
        }
        let is_it = |dead: &u32| match dominance {
            true => used.is_within(*dead, config.used),
            false => *dead == config.used,
        };
        match self.places.get(&config.place) {
            None => false,
            Some(id) if id & SEVERAL == 0 => is_it(id),
            Some(several) => self.several[(several & !SEVERAL) as usize].iter().any(is_it),
        }
    }

    /// Adds a configuration that [`Dead::has`] not.
    pub(super) fn add(&mut self, config: Config<M>, used: &Used, dominance: bool) {
        let id = config.used;
        let entry = match self.places.entry(config.place) {
            std::collections::hash_map::Entry::Vacant(vacant) => {
                vacant.insert(id);
                return;
            }
            std::collections::hash_map::Entry::Occupied(occupied) => occupied.into_mut(),
        };
        if *entry & SEVERAL == 0 {
            if dominance && used.is_within(id, *entry) {
                *entry = id;
                return;
            }
            self.several.push(vec![*entry]);
            self.extra += 1;
            *entry = SEVERAL | (self.several.len() as u32 - 1);
        }
        let several = &mut self.several[(*entry & !SEVERAL) as usize];
        let before = several.len();
        several.retain(|dead| !(dominance && used.is_within(id, *dead)));
        several.push(id);
        self.extra = self.extra + several.len() - before;
    }

    /// Bytes held, and what growing is about to cost.
    pub(super) fn bytes(&self, heap: usize) -> usize {
        let slot = size_of::<(Place<M>, u32)>() + 1;
        // A full table doubles: count the old and the new one before that happens.
        let full = self.places.len() + 1024 >= self.places.capacity();
        let table = self.places.capacity() * 8 / 7 * slot * if full { 3 } else { 1 };
        table + self.places.len() * heap + self.several.len() * 48 + self.extra * 8
    }
}
