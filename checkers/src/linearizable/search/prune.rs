//! Pruning for registers: what is known of values rules out configurations before they are
//! explored. Both rules are about operations still to come, so that they cost nothing but a look
//! at the open ones.

use super::super::demand::Demand;
use super::super::mask::Mask;
use super::super::object::{Object, Touch};
use super::super::reduce::Reductions;
use super::super::timeline::{Open, Timeline};
use super::{Candidate, Config, Search};

/// What is needed of the object, if it is a register and anybody will ask.
pub(super) fn demand(
    object: &Object<'_>,
    line: &Timeline,
    reductions: Reductions,
) -> Option<Demand> {
    let asked = reductions.suppliers || reductions.blind || reductions.purpose;
    if asked { Demand::new(object, line) } else { None }
}

impl<M: Mask> Search<'_, '_, M> {
    /// Whether linearizing the candidate replaces a value that another operation still needs and
    /// that nothing can bring back. Also notes which value the register holds afterwards.
    pub(super) fn is_ruled_out(
        &mut self,
        config: &Config<M>,
        candidate: &Candidate,
        class: u32,
    ) -> bool {
        let Some(demand) = &self.demand else { return false };
        if candidate.state == config.place.state {
            return false;
        }
        let state = candidate.state as usize;
        if self.held.len() <= state {
            self.held.resize(state + 1, None);
        }
        self.held[state] = self.held[state].or(demand.touch(class).leaves());
        let Some(value) = self.held[config.place.state as usize] else { return false };
        self.reductions.suppliers
            && !self.is_supplied(demand, config, value)
            && self.is_needed(demand, config, value, candidate.item)
    }

    /// Whether an operation other than `except` that has to be linearized needs this value.
    fn is_needed(&self, demand: &Demand, config: &Config<M>, value: u32, except: u32) -> bool {
        let needs = |o: &Open| demand.touch(o.class).needs() == Some(value) && o.item != except;
        demand.needed_from(value, config.place.event) || self.waiting(config).any(needs)
    }

    /// Whether any operation not linearized yet may leave this value.
    fn is_supplied(&self, demand: &Demand, config: &Config<M>, value: u32) -> bool {
        let leaves = |o: &Open| demand.touch(o.class).leaves() == Some(value);
        let unused = |pool: &u32| self.has_unused(config, *pool);
        demand.supplied_from(value, config.place.event)
            || demand.pools_supplying(value).iter().any(unused)
            || self.waiting(config).any(leaves)
    }

    /// Whether operations of this class are unconditional writes that nobody can observe.
    pub(super) fn is_blind_write(&self, config: &Config<M>, class: u32) -> bool {
        let Some(demand) = &self.demand else { return false };
        let Touch::Writes(value) = demand.touch(class) else { return false };
        !self.is_observed_later(demand, config, value) && !self.is_awaited(demand, config, value)
    }

    /// Whether using an operation of unknown outcome of this class now serves nothing, because
    /// no operation that was invoked could observe it. If it is ever of use, it is of use right
    /// before the operation that observes it.
    pub(super) fn is_pointless(&self, config: &Config<M>, class: u32) -> bool {
        let Some(demand) = &self.demand else { return false };
        let Some(value) = demand.touch(class).leaves() else { return false };
        let available = |pool: &u32| {
            let used = self.used.of(config.used, *pool);
            self.line.pools[*pool as usize].next(used, config.place.event).is_some()
        };
        !self.is_awaited(demand, config, value)
            && !demand.pools_needing(value).iter().any(available)
    }

    /// Whether an open operation that is not linearized may observe this value.
    fn is_awaited(&self, demand: &Demand, config: &Config<M>, value: u32) -> bool {
        self.waiting(config).any(|o| match demand.touch(o.class) {
            Touch::Reads(v) | Touch::Swaps(v, _) => v == value,
            Touch::Misses(v) => v != value,
            Touch::Writes(_) => false,
        })
    }

    fn is_observed_later(&self, demand: &Demand, config: &Config<M>, value: u32) -> bool {
        let unused = |pool: &u32| self.has_unused(config, *pool);
        demand.needed_from(value, config.place.event)
            || demand.missed_from(config.place.event)
            || demand.pools_needing(value).iter().any(unused)
    }

    /// The open writes, other than `item`, whose value nobody can observe any more, if `item` is
    /// an unconditional write: just before it they can be linearized for nothing.
    pub(super) fn absorbed(&self, config: &Config<M>, item: u32) -> Vec<Open> {
        let Some(demand) = &self.demand else { return Vec::new() };
        if !matches!(demand.touch(self.line.class(item)), Touch::Writes(_)) {
            return Vec::new();
        }
        let unobserved_later = |open: &&Open| match demand.touch(open.class) {
            Touch::Writes(value) => {
                open.item != item && !self.is_observed_later(demand, config, value)
            }
            _ => false,
        };
        let mut absorbed: Vec<Open> =
            self.waiting(config).filter(unobserved_later).copied().collect();
        if absorbed.is_empty() {
            return absorbed;
        }
        // The same question as `is_awaited`, asked for many values at once.
        let (mut wanted, mut missed) = (Vec::new(), Vec::new());
        for open in self.waiting(config) {
            match demand.touch(open.class) {
                Touch::Reads(value) | Touch::Swaps(value, _) => wanted.push(value),
                Touch::Misses(value) => missed.push(value),
                Touch::Writes(_) => {}
            }
        }
        wanted.sort_unstable();
        missed.dedup();
        let is_awaited =
            |value: u32| wanted.binary_search(&value).is_ok() || missed.iter().any(|m| *m != value);
        absorbed.retain(|o| !demand.touch(o.class).leaves().is_some_and(is_awaited));
        absorbed
    }

    /// The open operations that are not linearized.
    fn waiting<'s>(&'s self, config: &'s Config<M>) -> impl Iterator<Item = &'s Open> {
        self.cursor.open.iter().filter(|open| !config.place.mask.has(open.slot))
    }

    /// Whether a pool has operations left, now or later.
    fn has_unused(&self, config: &Config<M>, pool: u32) -> bool {
        (self.used.of(config.used, pool) as usize) < self.line.pools[pool as usize].items.len()
    }
}
