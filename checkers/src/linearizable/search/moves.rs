//! The ways on from a configuration, the likeliest first.

use super::super::mask::Mask;
use super::super::timeline::Open;
use super::{Config, Search};

/// One way on: linearize this item.
pub(super) struct Candidate {
    pub(super) item: u32,
    pub(super) state: u32,
    /// The pool it comes from, or else its slot.
    pub(super) from: Result<u32, u32>,
}

impl<M: Mask> Search<'_, '_, M> {
    /// The first candidate from place `from` on, and the place after it. The operation that must
    /// respond comes first, then the other open ones by deadline, then the pools.
    pub(super) fn candidate(&mut self, config: &Config<M>, from: u32) -> Option<(Candidate, u32)> {
        let open = self.cursor.open.len() as u32;
        let wanted = self.wanted();
        for place in from..2 * open + self.line.pools.len() as u32 {
            let found = if place < open {
                match place == 0 || self.supplies(place as usize, wanted) {
                    true => self.open_candidate(config, place as usize),
                    false => None,
                }
            } else if place < 2 * open {
                let place = (place - open) as usize;
                match place == 0 || self.supplies(place, wanted) {
                    true => None,
                    false => self.open_candidate(config, place),
                }
            } else {
                self.pool_candidate(config, place - 2 * open)
            };
            if let Some(candidate) = found {
                return Some((candidate, place + 1));
            }
        }
        None
    }

    /// The value that the operation that must respond needs.
    fn wanted(&self) -> Option<u32> {
        let demand = self.demand.as_ref().filter(|_| self.goal_first)?;
        demand.touch(self.cursor.open.front()?.class).needs()
    }

    fn supplies(&self, place: usize, wanted: Option<u32>) -> bool {
        let Some(demand) = &self.demand else { return false };
        wanted.is_some() && demand.touch(self.cursor.open[place].class).leaves() == wanted
    }

    fn open_candidate(&mut self, config: &Config<M>, place: usize) -> Option<Candidate> {
        let open = self.cursor.open[place];
        if config.place.mask.has(open.slot) {
            return None;
        }
        if self.reductions.eager_observers && self.classes[open.class as usize].observer {
            // It would have been linearized if it were possible here.
            return None;
        }
        let twin = |o: &Open| o.class == open.class && !config.place.mask.has(o.slot);
        if self.reductions.twins && self.cursor.open.range(..place).any(twin) {
            return None;
        }
        if place > 0 && self.reductions.blind && self.is_blind_write(config, open.class) {
            return None;
        }
        let state = self.machine.step(config.place.state, open.class)?;
        let candidate = Candidate { item: open.item, state, from: Err(open.slot) };
        (!self.is_ruled_out(config, &candidate, open.class)).then_some(candidate)
    }

    fn pool_candidate(&mut self, config: &Config<M>, pool: u32) -> Option<Candidate> {
        let pools = &self.line.pools[pool as usize];
        let item = pools.next(self.used.of(config.used, pool), config.place.event)?;
        let class = pools.class;
        let state = self.machine.step(config.place.state, class)?;
        if self.reductions.purpose && self.is_pointless(config, class) {
            return None;
        }
        // One that changes nothing may as well never happen, unless it hides other writes.
        let hides = || self.reductions.blind && !self.absorbed(config, item).is_empty();
        if state == config.place.state && !hides() {
            return None;
        }
        let candidate = Candidate { item, state, from: Ok(pool) };
        (!self.is_ruled_out(config, &candidate, class)).then_some(candidate)
    }
}
