//! [`Clock`]: a node's clocks, and what the faults in force do to them.
//!
//! Faults add up: each is a layer, and lifting a layer takes away what it did to the wall clock,
//! so that a clock without layers is the machine's again. Clocks of the monotonic family can
//! only run at another rate, for a layer or for good; what they gained or lost meanwhile they
//! keep, since they must never step back.

use std::io;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use super::line::{CLOCKS, Line, scale};
use super::page::{Lines, Page};
use crate::progress::lock;

/// Clock ids that show the wall clock: REALTIME, REALTIME_COARSE, REALTIME_ALARM, TAI.
pub const WALL: [usize; 4] = [0, 5, 8, 11];
/// Clock ids of the monotonic family: MONOTONIC, MONOTONIC_RAW, MONOTONIC_COARSE, BOOTTIME,
/// BOOTTIME_ALARM.
pub const MONOTONIC: [usize; 5] = [1, 4, 6, 7, 9];

/// A rate of 1, and the loss of a clock that stands still.
const ONE: i64 = 1 << 32;
/// The farthest a wall clock is set off: 100 years, in nanoseconds.
pub const FARTHEST: i64 = 100 * 366 * 86_400 * 1_000_000_000;
/// A change of rate begins this far ahead at first, in nanoseconds, so that no reader has taken
/// a later time under the old rate.
const AHEAD: i64 = 300_000;

/// Sums of rounded spans differ by less, in nanoseconds.
const ROUNDING: i64 = 64;

/// What can be done to a clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skew {
    /// The wall clock jumps by so many nanoseconds.
    Bump(i64),
    /// Clocks gain so many microseconds every second, or lose them.
    Drift {
        /// Parts per million; -1,000,000 is a clock that stands still.
        ppm: i64,
        /// The monotonic family too.
        monotonic: bool,
    },
    /// Clocks stand still.
    Freeze {
        /// The monotonic family too.
        monotonic: bool,
    },
    /// The wall clock goes off by so many nanoseconds, little by little.
    Slew {
        /// Nanoseconds, in all.
        by: i64,
        /// How long it takes.
        over: Duration,
    },
    /// The wall clock jumps by so many nanoseconds and back again.
    Strobe {
        /// Nanoseconds.
        by: i64,
        /// From one jump to the next.
        every: Duration,
    },
}

impl Skew {
    /// Whether it concerns the monotonic family.
    pub fn monotonic(self) -> bool {
        matches!(self, Skew::Drift { monotonic: true, .. } | Skew::Freeze { monotonic: true })
    }

    /// What it makes clocks gain, times 2^32.
    fn rate(self) -> i64 {
        match self {
            Skew::Drift { ppm, .. } => (i128::from(ppm) * i128::from(ONE) / 1_000_000) as i64,
            Skew::Freeze { .. } => -ONE,
            _ => 0,
        }
    }

    /// Whether it makes sense.
    ///
    /// # Errors
    /// Why not.
    pub fn check(self) -> Result<(), String> {
        let far = |by: i64| by.unsigned_abs() > FARTHEST.unsigned_abs();
        match self {
            Skew::Bump(by) | Skew::Slew { by, .. } | Skew::Strobe { by, .. } if far(by) => {
                Err("a clock is set off by 100 years at most".to_owned())
            }
            Skew::Drift { ppm, .. } if !(-1_000_000..=99_000_000).contains(&ppm) => {
                Err("a rate is between 0 and 100".to_owned())
            }
            Skew::Slew { by, over } => match scale_of(by, over) {
                None => Err("slewing that fast is a jump: lengthen its time".to_owned()),
                Some(rate) if rate < -ONE => {
                    Err("a clock that loses more than a second a second runs backwards: lengthen the slew".to_owned())
                }
                Some(_) => Ok(()),
            },
            Skew::Strobe { every, .. } if every < Duration::from_micros(1) => {
                Err("a clock strobes once in a microsecond at most".to_owned())
            }
            _ => Ok(()),
        }
    }
}

/// `by` over `over` as a rate times 2^32, if it is at most 1000.
fn scale_of(by: i64, over: Duration) -> Option<i64> {
    let over = i128::try_from(over.as_nanos()).ok().filter(|n| *n > 0)?;
    let rate = i128::from(by) * i128::from(ONE) / over;
    i64::try_from(rate).ok().filter(|r| r.unsigned_abs() <= 1000 * ONE.unsigned_abs())
}

/// Names what one fault does to a clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layer(u64);

#[derive(Clone, Copy, Debug)]
struct Applied {
    id: u64,
    skew: Skew,
    /// The true readings when it began, by clock id.
    since: [i64; CLOCKS],
}

#[derive(Debug)]
struct State {
    page: Page,
    next: u64,
    layers: Vec<Applied>,
    /// The true reading of `CLOCK_MONOTONIC` when the last change has begun for every clock.
    begins: i64,
}

/// The clocks of one node. Outlives its processes: they all look at the same page.
#[derive(Debug)]
pub struct Clock {
    state: Mutex<State>,
}

impl Clock {
    /// True clocks, with a page at `path`.
    ///
    /// # Errors
    /// If the page cannot be made.
    pub fn create(path: &Path) -> io::Result<Clock> {
        Ok(Clock::with(Page::create(path)?))
    }

    /// True clocks, with this page.
    pub fn with(page: Page) -> Clock {
        Clock { state: Mutex::new(State { page, next: 0, layers: Vec::new(), begins: 0 }) }
    }

    /// Does this to the clocks, beside what other layers do, until [`Clock::lift`].
    ///
    /// # Errors
    /// If it makes no sense, or not beside what is in force.
    pub fn apply(&self, skew: Skew) -> Result<Layer, String> {
        skew.check()?;
        let mut state = lock(&self.state);
        let slews = |s: &Skew| matches!(s, Skew::Slew { .. });
        if slews(&skew) && state.layers.iter().any(|l| slews(&l.skew)) {
            return Err("the clock is being slewed already".to_owned());
        }
        let id = state.next;
        state.next += 1;
        state.change(AHEAD, |layers, since| layers.push(Applied { id, skew, since: *since }));
        Ok(Layer(id))
    }

    /// Ends a layer: the wall clock forgets it. Nothing happens if it has ended already.
    pub fn lift(&self, layer: Layer) {
        let mut state = lock(&self.state);
        if state.layers.iter().any(|l| l.id == layer.0) {
            state.change(AHEAD, |layers, _| layers.retain(|l| l.id != layer.0));
        }
    }

    /// Ends all layers: the wall clock is the machine's, and all rates are 1.
    pub fn reset(&self) {
        lock(&self.state).change(AHEAD, |layers, _| layers.clear());
    }

    /// Whether nothing is done to it now.
    pub fn is_true(&self) -> bool {
        lock(&self.state).layers.is_empty()
    }

    /// How its clocks run.
    pub fn lines(&self) -> Lines {
        lock(&self.state).page.lines()
    }

    /// Where the page is.
    pub fn path(&self) -> std::path::PathBuf {
        lock(&self.state).page.path().to_owned()
    }

    /// By which the page is known.
    pub fn token(&self) -> u64 {
        lock(&self.state).page.token()
    }
}

impl State {
    /// Changes the layers and puts the sum into force, `ahead` nanoseconds from now or later.
    fn change(&mut self, mut ahead: i64, change: impl Fn(&mut Vec<Applied>, &[i64; CLOCKS])) {
        // A line remembers one change only, and the last one must have begun. Coarse clocks may
        // lag by a few milliseconds.
        let old = self.page.lines();
        let lag = || MONOTONIC.iter().any(|id| now(base(*id)) < old[*id].anchor);
        while now(libc::CLOCK_MONOTONIC) < self.begins || lag() {
            std::thread::sleep(Duration::from_micros(100));
        }
        loop {
            let begun = now(libc::CLOCK_MONOTONIC);
            let from = readings().map(|t| t.saturating_add(ahead));
            let begins = now(libc::CLOCK_MONOTONIC) + ahead;
            let mut layers = self.layers.clone();
            change(&mut layers, &from);
            let mut lines = Lines::default();
            for id in WALL {
                lines[id] = wall(&layers, id, from[id], &old[id]);
            }
            for id in MONOTONIC {
                lines[id] = monotonic(&layers, from[id], &old[id]);
            }
            // Taken off the processor meanwhile: somebody may be about to read a time at which
            // the change would have begun already.
            if now(libc::CLOCK_MONOTONIC) - begun < ahead / 2 {
                self.page.publish(&lines);
                (self.layers, self.begins) = (layers, begins);
                return;
            }
            ahead = (ahead * 2).min(100_000_000);
        }
    }
}

/// The wall clock under these layers, where rates change at the true reading `from`.
fn wall(layers: &[Applied], id: usize, from: i64, old: &Line) -> Line {
    let frozen = layers.iter().find(|l| matches!(l.skew, Skew::Freeze { .. }));
    // A frozen clock gains from others what they had given it by then.
    let anchor = frozen.map_or(from, |l| l.since[id]);
    let mut line = Line { anchor, ..Line::default() };
    for Applied { skew, since, .. } in layers {
        let since = since[id];
        let lasted = (anchor - since).max(0);
        match *skew {
            Skew::Bump(by) => line.offset = line.offset.saturating_add(by),
            Skew::Drift { .. } => {
                line.offset += scale(lasted, skew.rate());
                line.rate += skew.rate();
            }
            Skew::Slew { by, over } => {
                let over_ns = i64::try_from(over.as_nanos()).unwrap_or(i64::MAX);
                if lasted >= over_ns {
                    line.offset += by;
                } else if let Some(rate) = scale_of(by, over) {
                    line.offset += scale(lasted, rate);
                    (line.slew, line.slew_for) = (rate, over_ns - lasted);
                }
            }
            Skew::Strobe { by, every } => {
                line.strobe_from = since;
                line.strobe_every = i64::try_from(every.as_nanos()).unwrap_or(i64::MAX);
                line.strobe_by = by;
            }
            Skew::Freeze { .. } => {}
        }
    }
    if frozen.is_some() {
        (line.rate, line.slew, line.slew_for) = (-ONE, 0, 0);
    }
    line.rate = line.rate.max(-ONE);
    line.offset = line.offset.clamp(-FARTHEST, FARTHEST);
    // A change of rate only: readers who took the time before it began see the old clock.
    let continuous = (line.at(from) - old.at(from)).abs() < ROUNDING;
    line.before = if continuous { old.slope(from) } else { line.rate };
    line
}

/// A clock of the monotonic family under these layers, from the true reading `from` on.
fn monotonic(layers: &[Applied], from: i64, old: &Line) -> Line {
    let rates = layers.iter().filter(|l| l.skew.monotonic()).map(|l| l.skew.rate());
    let frozen = layers.iter().any(|l| l.skew == Skew::Freeze { monotonic: true });
    let rate = if frozen { -ONE } else { rates.sum::<i64>().max(-ONE) };
    if rate == 0 && *old == Line::default() {
        return Line::default();
    }
    Line {
        anchor: from,
        offset: old.at(from) - from,
        rate,
        before: old.slope(from),
        ..Line::default()
    }
}

/// The true readings of all clocks that have a line. Coarse clocks, which lag, are taken from
/// their fine ones: no reader is ahead of those.
fn readings() -> [i64; CLOCKS] {
    let mut readings: [i64; CLOCKS] = std::array::from_fn(|id| now(base(id)));
    let same = |to: libc::clockid_t, from: libc::clockid_t| (to as usize, from as usize);
    for (to, from) in [
        same(libc::CLOCK_REALTIME_COARSE, libc::CLOCK_REALTIME),
        same(libc::CLOCK_REALTIME_ALARM, libc::CLOCK_REALTIME),
        same(libc::CLOCK_MONOTONIC_COARSE, libc::CLOCK_MONOTONIC),
        same(libc::CLOCK_BOOTTIME_ALARM, libc::CLOCK_BOOTTIME),
    ] {
        readings[to] = readings[from];
    }
    readings
}

/// The clock to ask for this one: alarm clocks read as these do, where a machine has them.
fn base(id: usize) -> libc::clockid_t {
    match id as libc::clockid_t {
        libc::CLOCK_REALTIME_ALARM => libc::CLOCK_REALTIME,
        libc::CLOCK_BOOTTIME_ALARM => libc::CLOCK_BOOTTIME,
        id => id,
    }
}

/// The true reading of a clock in nanoseconds; 0 for one this machine has not.
pub(super) fn now(clock: libc::clockid_t) -> i64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: it writes one timespec, or nothing.
    if unsafe { libc::clock_gettime(clock, &raw mut time) } < 0 {
        return 0;
    }
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

#[cfg(test)]
mod tests;
