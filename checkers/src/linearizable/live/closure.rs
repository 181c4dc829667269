//! [`Closure`]: what a frontier becomes when an operation responds.

use danso_vocab::{Model, Value};

use super::super::mask::Mask;
use super::super::search::{Config, Layer, Used};
use super::kinds::{Kinds, Touch};

/// Which of the operations open at an event need no longer be linearized, by slot, and from
/// [`MAY`] on which unconditional writes may still take effect.
///
/// A write that is linearized just before another one has no effect at all. So as soon as any
/// write is linearized, each open one need not be any more, since it may have been before; but it
/// may still take effect later. That stands in for both: which it was is decided when it matters.
pub(super) type Open = u128;

/// Where the writes that may still take effect begin.
pub(super) const MAY: u32 = 64;

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
    /// Those that have any operation.
    pub(super) filled: &'c [u32],
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
        // The more of these a configuration has, the more it can do.
        let mut better = Open::empty(128);
        for open in self.open {
            if self.is_write(open.kind) {
                better.put(open.slot);
                better.put(open.slot + MAY);
            } else if self.kinds.get(open.kind).observer {
                better.put(open.slot);
            }
        }
        let useful = self.useful();
        let (mut waiting, mut done) = (Layer::new(better), Layer::new(better));
        for config in front {
            let mask = &config.place.mask;
            if mask.has(first.slot) {
                self.put(&mut done, without(config.clone(), first));
            }
            if !mask.has(first.slot) || mask.has(first.slot + MAY) {
                self.put(&mut waiting, config.clone());
            }
        }
        while let Some((config, _)) = waiting.take() {
            let mut children = Vec::new();
            children.extend((0..self.open.len()).filter_map(|at| self.linearize(&config, at)));
            children.extend(useful.iter().filter_map(|pool| self.use_pool(&config, *pool)));
            for child in children {
                let mask = &child.place.mask;
                if mask.has(first.slot) && !mask.has(first.slot + MAY) {
                    self.put(&mut done, without(child, first));
                } else {
                    self.put(&mut waiting, child);
                }
            }
            if waiting.len() + done.len() > WIDEST {
                return Err(TooWide);
            }
        }
        Ok(done.into_configs())
    }

    /// Puts a configuration in, unless another one can stand in for it.
    fn put(&self, layer: &mut Layer<Open>, config: Config<Open>) {
        if !layer.covers(&config, self.used, true) {
            layer.add(config, 0, self.used, true);
        }
    }

    /// Linearizes the open operation at `place`, if that serves anything.
    fn linearize(&mut self, config: &Config<Open>, place: usize) -> Option<Config<Open>> {
        let (open, mask) = (self.open[place], &config.place.mask);
        let write = self.is_write(open.kind);
        let waits = |o: &Known| match write {
            true => mask.has(o.slot + MAY),
            false => !mask.has(o.slot),
        };
        // An observer would have been linearized if it were possible here.
        if !waits(&open) || self.kinds.get(open.kind).observer {
            return None;
        }
        // Of twins the one that responds first: if another is used first, exchange the two. But
        // one that need not be does not stand in for one that must be and can wait longer.
        let stands_in = |o: &Known| !mask.has(o.slot) || mask.has(open.slot);
        let twin = |o: &Known| o.kind == open.kind && waits(o) && stands_in(o);
        if self.open[..place].iter().any(twin) {
            return None;
        }
        // A write that nobody could observe may as well wait until it must be.
        if write && place > 0 && self.is_pointless(config, open.kind) {
            return None;
        }
        let state = self.kinds.step(config.place.state, open.kind)?;
        let mut child = config.clone();
        child.place.mask.put(open.slot);
        child.place.mask.take(open.slot + MAY);
        Some(self.entered(child, state, write))
    }

    /// Uses an operation of a pool, if that serves anything.
    fn use_pool(&mut self, config: &Config<Open>, number: u32) -> Option<Config<Open>> {
        let pool = &self.pools[number as usize];
        if !pool.has(self.used.of(config.used, number), self.at) {
            return None;
        }
        if self.is_pointless(config, pool.kind) {
            return None;
        }
        let state = self.kinds.step(config.place.state, pool.kind)?;
        // One that changes nothing may as well never happen.
        if state == config.place.state {
            return None;
        }
        let mut child = config.clone();
        child.used = self.used.one_more(config.used, number);
        Some(self.entered(child, state, self.is_write(pool.kind)))
    }

    /// The configuration in this state, with every observer that this makes possible, and if a
    /// write led there, without need for the open ones that may have been before it.
    fn entered(&mut self, mut config: Config<Open>, state: u32, write: bool) -> Config<Open> {
        let mask = &mut config.place.mask;
        if write {
            let open = self.open.iter().filter(|open| mask.has(open.slot + MAY));
            open.map(|open| open.slot).collect::<Vec<_>>().iter().for_each(|slot| mask.put(*slot));
        }
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

    /// The pools that may be of use here: on a register, only those whose value an operation that
    /// was invoked may observe. If one is ever of use, then right before the operation that does.
    fn useful(&mut self) -> Vec<u32> {
        if !self.kinds.register {
            return self.filled.to_vec();
        }
        self.kinds.relied = true;
        let kinds =
            self.open.iter().map(|open| open.kind).chain(self.filled().map(|(_, p)| p.kind));
        let observing = |kind: &u32| !matches!(self.touch(*kind), None | Some(Touch::Writes(_)));
        let observing: Vec<u32> = kinds.filter(observing).collect();
        let observed = |pool: &u32| {
            let value = self.touch(self.pools[*pool as usize].kind).and_then(Touch::leaves);
            value.is_none_or(|value| observing.iter().any(|kind| self.awaits(*kind, value)))
        };
        self.filled.iter().copied().filter(observed).collect()
    }

    /// Whether nothing that was invoked and waits in this configuration could observe the value
    /// that an operation of this kind leaves in a register.
    fn is_pointless(&self, config: &Config<Open>, kind: u32) -> bool {
        if !self.kinds.register {
            return false;
        }
        let Some(value) = self.touch(kind).and_then(Touch::leaves) else { return false };
        let waits = |o: &Known| !config.place.mask.has(o.slot) && self.awaits(o.kind, value);
        let available = |(number, pool): (u32, &Pool)| {
            self.awaits(pool.kind, value) && pool.has(self.used.of(config.used, number), self.at)
        };
        !self.open.iter().any(waits) && !self.filled().any(available)
    }

    fn filled(&self) -> impl Iterator<Item = (u32, &Pool)> {
        self.filled.iter().map(|pool| (*pool, &self.pools[*pool as usize]))
    }

    fn is_write(&self, kind: u32) -> bool {
        self.kinds.is_write(kind)
    }

    fn touch(&self, kind: u32) -> Option<&Touch> {
        self.kinds.get(kind).touch.as_ref()
    }

    fn awaits(&self, kind: u32, value: &Value) -> bool {
        self.touch(kind).is_some_and(|touch| touch.awaits(value))
    }
}

/// A configuration after the response of an operation.
fn without(mut config: Config<Open>, gone: Known) -> Config<Open> {
    config.place.mask.take(gone.slot);
    config.place.mask.take(gone.slot + MAY);
    config
}
