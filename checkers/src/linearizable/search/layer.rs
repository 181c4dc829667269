//! [`Layer`]: the configurations at one event that are worth keeping.

use rustc_hash::FxHashMap;

use super::super::mask::Mask;
use super::Config;
use super::used::Used;

/// The configurations at one event, each once. With dominance, only those that no other one can
/// stand in for: of two with the same state and the same mutators linearized, the one that has
/// more observers linearized and has used less can do whatever the other can, since it skips the
/// observers and has the unused left over.
pub(in super::super) struct Layer<M> {
    /// The slots of observers.
    observers: M,
    entries: Vec<Entry<M>>,
    /// By state and mutators: the last entry.
    last: FxHashMap<(u32, M), u32>,
    next: usize,
}

struct Entry<M> {
    config: Config<M>,
    trail: u32,
    /// The entry before it with the same state and mutators.
    before: u32,
    dropped: bool,
}

const NONE: u32 = u32::MAX;

impl<M: Mask> Layer<M> {
    /// An empty one, where these slots are of observers.
    pub(in super::super) fn new(observers: M) -> Layer<M> {
        Layer { observers, entries: Vec::new(), last: FxHashMap::default(), next: 0 }
    }

    /// Whether the configuration or one that dominates it is there.
    pub(in super::super) fn covers(
        &self,
        config: &Config<M>,
        used: &Used,
        dominance: bool,
    ) -> bool {
        let mut at = self.last.get(&self.core(config)).copied().unwrap_or(NONE);
        while at != NONE {
            let entry = &self.entries[at as usize];
            if !entry.dropped && stands_in(&entry.config, config, used, dominance) {
                return true;
            }
            at = entry.before;
        }
        false
    }

    /// Adds a configuration that it does not cover. Returns the trails of those it replaces that
    /// were not taken yet.
    pub(in super::super) fn add(
        &mut self,
        config: Config<M>,
        trail: u32,
        used: &Used,
        dominance: bool,
    ) -> Vec<u32> {
        let (mut lost, core) = (Vec::new(), self.core(&config));
        let before = self.last.get(&core).copied().unwrap_or(NONE);
        let mut at = before;
        while at != NONE {
            let entry = &mut self.entries[at as usize];
            if !entry.dropped && stands_in(&config, &entry.config, used, dominance) {
                entry.dropped = true;
                if at as usize >= self.next {
                    lost.push(entry.trail);
                }
            }
            at = entry.before;
        }
        self.last.insert(core, self.entries.len() as u32);
        self.entries.push(Entry { config, trail, before, dropped: false });
        lost
    }

    /// Takes the next configuration, with its trail.
    pub(in super::super) fn take(&mut self) -> Option<(Config<M>, u32)> {
        while let Some(entry) = self.entries.get(self.next) {
            self.next += 1;
            if !entry.dropped {
                return Some((entry.config.clone(), entry.trail));
            }
        }
        None
    }

    /// How many there are, with those dropped.
    pub(in super::super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// All that are left.
    pub(in super::super) fn into_configs(self) -> Vec<Config<M>> {
        self.entries.into_iter().filter(|e| !e.dropped).map(|e| e.config).collect()
    }

    /// Bytes held.
    pub(in super::super) fn bytes(&self) -> usize {
        let heap = self.observers.heap();
        self.entries.capacity() * size_of::<Entry<M>>()
            + self.last.capacity() * (size_of::<((u32, M), u32)>() + 1)
            + (self.entries.len() + self.last.len()) * heap
    }

    fn core(&self, config: &Config<M>) -> (u32, M) {
        (config.place.state, config.place.mask.without(&self.observers))
    }
}

/// Whether `a` can do all that `b` can, given the same state and mutators.
fn stands_in<M: Mask>(a: &Config<M>, b: &Config<M>, used: &Used, dominance: bool) -> bool {
    match dominance {
        true => a.place.mask.covers(&b.place.mask) && used.is_within(a.used, b.used),
        false => a.place.mask == b.place.mask && a.used == b.used,
    }
}
