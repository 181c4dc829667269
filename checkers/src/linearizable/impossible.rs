//! Refuting without search: an operation on a register that no order at all can explain.
//!
//! An operation that needs a value *v* needs somebody who left it. If every operation that leaves
//! *v*, and may come before it, had ended before another one began that certainly found or left
//! something else, and that one had ended before it began, there is no hope. One sweep over the
//! events finds the first such operation, in O(*n*); it decides most histories that are wrong.

use super::object::{Item, Object, Touch};
use super::reduce::with_evidence;

/// The operation whose response is the first that no order can explain, if there is one.
pub(super) fn find(object: &Object<'_>) -> Option<Item> {
    if !object.register {
        return None;
    }
    let items = with_evidence(object, &object.items);
    let mut sweep = Sweep::new(object);
    for (at, is_end) in events(&items) {
        let Some(touch) = object.touch(&items[at]) else { continue };
        if !is_end {
            sweep.begin(at, &items[at], touch);
        } else if sweep.is_unexplained(at, touch) {
            return Some(object.items[at]);
        } else {
            sweep.end(&items[at], touch);
        }
    }
    None
}

/// The items in the order they begin and end: place, and whether it is the end.
fn events(items: &[Item]) -> impl Iterator<Item = (usize, bool)> {
    let mut events: Vec<(u64, u32)> = Vec::with_capacity(2 * items.len());
    for (i, item) in items.iter().enumerate() {
        events.push((item.inv, (i as u32) << 1));
        if item.must() {
            events.push((item.res, (i as u32) << 1 | 1));
        }
    }
    events.sort_unstable();
    events.into_iter().map(|(_, event)| ((event >> 1) as usize, event & 1 == 1))
}

/// When an operation began that certainly found or left the value beside.
type Sight = (u64, u32);

/// No stamp: before everything. Stamps are shifted so that nothing else is this early.
const NEVER_YET: u64 = 0;
const INITIALLY: u64 = 1;
const SHIFT: u64 = 2;

struct Sweep {
    /// Of the operations that have ended, the latest sights of two different values.
    first: Sight,
    second: Sight,
    /// By value: the latest beginning of an ended operation that found another value.
    missed: Vec<u64>,
    /// By value: the latest end of an operation that leaves it and has begun.
    left: Vec<u64>,
    /// By item: the latest beginning of an operation that had ended before this one began, and
    /// that certainly found or left another value than this one needs.
    since: Vec<u64>,
}

impl Sweep {
    fn new(object: &Object<'_>) -> Sweep {
        let mut left = vec![NEVER_YET; object.values.len()];
        if let Some(initial) = object.initial {
            left[initial as usize] = INITIALLY;
        }
        Sweep {
            first: (NEVER_YET, u32::MAX),
            second: (NEVER_YET, u32::MAX),
            missed: vec![NEVER_YET; object.values.len()],
            left,
            since: vec![NEVER_YET; object.items.len()],
        }
    }

    fn begin(&mut self, at: usize, item: &Item, touch: Touch) {
        if let Some(value) = touch.needs() {
            let other = if self.first.1 == value { self.second.0 } else { self.first.0 };
            self.since[at] = other.max(self.missed[value as usize]);
        }
        if let Some(value) = touch.leaves() {
            let end = item.res.saturating_add(SHIFT);
            self.left[value as usize] = end.max(self.left[value as usize]);
        }
    }

    fn end(&mut self, item: &Item, touch: Touch) {
        let began = item.inv + SHIFT;
        let value = match touch {
            Touch::Reads(value) | Touch::Writes(value) | Touch::Swaps(_, value) => value,
            Touch::Misses(value) => {
                self.missed[value as usize] = began.max(self.missed[value as usize]);
                return;
            }
        };
        if self.first.1 == value {
            self.first.0 = began.max(self.first.0);
        } else if began > self.first.0 {
            self.second = self.first;
            self.first = (began, value);
        } else if began > self.second.0 {
            self.second = (began, value);
        }
    }

    /// Whether nobody can have left the value this operation needs, now that it ends.
    fn is_unexplained(&self, at: usize, touch: Touch) -> bool {
        touch.needs().is_some_and(|value| self.left[value as usize] <= self.since[at])
    }
}
