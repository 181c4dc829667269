//! [`Pending`]: configurations that are dead unless one still being explored is not.
//!
//! Where uses of unknown operations are not counted, a path can come back to where it was. There
//! is no use in exploring that again, but whoever came back has then failed only as far as the
//! place it came back to fails. As in Tarjan's search for strongly connected components, each
//! configuration knows the lowest depth its failure rests on; when one fails that rests on nothing
//! below itself, it and all that rested on it are dead for certain.

use rustc_hash::FxHashMap;

use super::super::mask::Mask;
use super::used::Used;
use super::{Config, Place};

pub(super) struct Pending<M> {
    places: FxHashMap<Place<M>, Vec<Entry>>,
    /// Those that failed, in that order.
    failed: Vec<Config<M>>,
}

struct Entry {
    used: u32,
    /// The lowest depth its failure rests on; its own as long as it is being explored.
    low: u32,
}

impl<M: Mask> Pending<M> {
    pub(super) fn new() -> Pending<M> {
        Pending { places: FxHashMap::default(), failed: Vec::new() }
    }

    /// How many have failed so far without being dead for certain.
    pub(super) fn failed(&self) -> u32 {
        self.failed.len() as u32
    }

    /// The depth on which the failure of this configuration rests, if exploring it is no use
    /// because one that can do as much is here.
    pub(super) fn rests_on(&self, config: &Config<M>, used: &Used, dominance: bool) -> Option<u32> {
        let entries = self.places.get(&config.place)?;
        let same = |entry: &&Entry| match dominance {
            true => used.is_within(entry.used, config.used),
            false => entry.used == config.used,
        };
        entries.iter().filter(same).map(|entry| entry.low).max()
    }

    /// A configuration is being explored, at this depth.
    pub(super) fn enter(&mut self, config: &Config<M>, depth: u32) {
        let entry = Entry { used: config.used, low: depth };
        self.places.entry(config.place.clone()).or_default().push(entry);
    }

    /// It failed, which rests on `low`; `since` is what [`Pending::failed`] was when it was
    /// entered. Those that are now dead for certain.
    pub(super) fn fail(
        &mut self,
        config: Config<M>,
        depth: u32,
        low: u32,
        since: u32,
    ) -> impl Iterator<Item = Config<M>> {
        if let Some(entries) = self.places.get_mut(&config.place)
            && let Some(entry) = entries.iter_mut().find(|entry| entry.used == config.used)
        {
            entry.low = low;
        }
        self.failed.push(config);
        let certain = if low >= depth { since as usize } else { self.failed.len() };
        for config in &self.failed[certain..] {
            if let Some(entries) = self.places.get_mut(&config.place) {
                entries.retain(|entry| entry.used != config.used);
                if entries.is_empty() {
                    self.places.remove(&config.place);
                }
            }
        }
        self.failed.drain(certain..)
    }

    /// Forgets all of them.
    pub(super) fn clear(&mut self) {
        self.places.clear();
        self.failed.clear();
    }

    /// Bytes held.
    pub(super) fn bytes(&self, heap: usize) -> usize {
        let place = size_of::<Place<M>>() + size_of::<Vec<Entry>>() + 40 + heap;
        self.places.capacity() * place + self.failed.capacity() * (size_of::<Config<M>>() + heap)
    }
}
