//! [`Closure`]: what a frontier becomes when an operation responds.

use danso_vocab::Model;

use super::super::mask::Mask;
use super::super::search::{Config, Layer, Used};
use super::kinds::Kinds;

/// Which of the operations open at an event are linearized.
pub(super) type Open = u128;

/// A set of configurations at one event.
pub(super) type Front = Vec<Config<Open>>;

/// Configurations met at one event beyond which an object is left to the check after the run.
const WIDEST: usize = 50_000;

/// More configurations than [`WIDEST`].
#[derive(Debug)]
pub(super) struct TooWide;

/// Operations nobody knows the outcome of, or nobody knows yet, of one kind: any of them may be
/// linearized at any time after its invocation, or never.
pub(super) struct Pool {
    pub(super) kind: u32,
    /// When they were invoked, ascending.
    pub(super) since: Vec<u64>,
}

impl Pool {
    /// Whether there is one to use at `event` if `used` were used before.
    fn has(&self, used: u32, event: u64) -> bool {
        self.since.get(used as usize).is_some_and(|since| *since <= event)
    }
}

/// An operation with a known result that is open at an event.
#[derive(Clone, Copy)]
pub(super) struct Known {
    pub(super) id: u32,
    pub(super) kind: u32,
    pub(super) slot: u32,
    pub(super) end: u64,
}

/// What there is at the response of the first of the open operations.
pub(super) struct Closure<'c, 'm, M: Model> {
    pub(super) kinds: &'c mut Kinds<'m, M>,
    pub(super) used: &'c mut Used,
    pub(super) pools: &'c [Pool],
    /// The open operations whose result is known, by response.
    pub(super) open: &'c [Known],
    /// The event.
    pub(super) at: u64,
}

impl<M: Model> Closure<'_, '_, M> {
    /// All configurations worth keeping after the response: each of `front` with just enough of
    /// the open operations appended to contain the one that responds.
    pub(super) fn respond(&mut self, front: &Front) -> Result<Front, TooWide> {
        let Some(first) = self.open.first().copied() else { return Ok(front.clone()) };
        let mut observers = Open::empty(128);
        for open in self.open.iter().filter(|o| self.kinds.get(o.kind).observer) {
            observers.put(open.slot);
        }
        let (mut waiting, mut done) = (Layer::new(observers), Layer::new(observers));
        front.iter().for_each(|config| self.sort(config.clone(), first, &mut waiting, &mut done));
        while let Some((config, _)) = waiting.take() {
            for place in 0..self.open.len() + self.pools.len() {
                let child = match place.checked_sub(self.open.len()) {
                    None => self.linearize(&config, place),
                    Some(pool) => self.use_pool(&config, pool),
                };
                if let Some(child) = child {
                    self.sort(child, first, &mut waiting, &mut done);
                }
            }
            if waiting.len() + done.len() > WIDEST {
                return Err(TooWide);
            }
        }
        Ok(done.into_configs())
    }

    /// Puts a configuration where it belongs, unless another one can stand in for it.
    fn sort(
        &mut self,
        mut config: Config<Open>,
        first: Known,
        waiting: &mut Layer<Open>,
        done: &mut Layer<Open>,
    ) {
        let layer = if config.place.mask.has(first.slot) {
            config.place.mask.take(first.slot);
            done
        } else {
            waiting
        };
        if !layer.covers(&config, self.used, true) {
            layer.add(config, 0, self.used, true);
        }
    }

    /// Linearizes the open operation at `place`, unless a twin must come first.
    fn linearize(&mut self, config: &Config<Open>, place: usize) -> Option<Config<Open>> {
        let open = self.open[place];
        let waits = |o: &Known| !config.place.mask.has(o.slot);
        // An observer would have been linearized if it were possible here.
        if !waits(&open) || self.kinds.get(open.kind).observer {
            return None;
        }
        // Of twins, the one that responds first: if another is used first, exchange the two.
        if self.open[..place].iter().any(|o| o.kind == open.kind && waits(o)) {
            return None;
        }
        let state = self.kinds.step(config.place.state, open.kind)?;
        let mut child = config.clone();
        child.place.mask.put(open.slot);
        Some(self.entered(child, state))
    }

    /// Uses an operation of a pool, if that serves anything.
    fn use_pool(&mut self, config: &Config<Open>, pool: usize) -> Option<Config<Open>> {
        let number = pool as u32;
        let pool = &self.pools[pool];
        if !pool.has(self.used.of(config.used, number), self.at) {
            return None;
        }
        if self.is_pointless(config, pool) {
            self.kinds.relied = true;
            return None;
        }
        let state = self.kinds.step(config.place.state, pool.kind)?;
        // One that changes nothing may as well never happen.
        if state == config.place.state {
            return None;
        }
        let mut child = config.clone();
        child.used = self.used.one_more(config.used, number);
        Some(self.entered(child, state))
    }

    /// The configuration in this state, with every observer that this makes possible.
    fn entered(&mut self, mut config: Config<Open>, state: u32) -> Config<Open> {
        if config.place.state != state {
            config.place.state = state;
            for open in self.open {
                if self.kinds.get(open.kind).observer && self.kinds.step(state, open.kind).is_some()
                {
                    config.place.mask.put(open.slot);
                }
            }
        }
        config
    }

    /// Whether nothing that was invoked could observe the value that the pool leaves in a
    /// register. If it is ever of use, then right before an operation that observes it.
    fn is_pointless(&self, config: &Config<Open>, pool: &Pool) -> bool {
        if !self.kinds.register {
            return false;
        }
        let touch = |kind| self.kinds.get(kind).touch.as_ref();
        let Some(value) = touch(pool.kind).and_then(|t| t.leaves()) else { return false };
        let awaits = |kind| touch(kind).is_some_and(|t| t.awaits(value));
        let awaited = self.open.iter().any(|o| !config.place.mask.has(o.slot) && awaits(o.kind));
        let available = |(number, pool): (u32, &Pool)| {
            awaits(pool.kind) && pool.has(self.used.of(config.used, number), self.at)
        };
        !awaited && !(0..).zip(self.pools).any(available)
    }
}
