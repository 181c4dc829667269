//! [`Demand`]: which values of a register are still needed, and which can still come.

use super::object::{Object, Touch};
use super::timeline::{End, Timeline};

/// By value, until when operations that have to be linearized are invoked that need it or leave
/// it, and which pools do.
pub(super) struct Demand {
    /// By class.
    touch: Vec<Touch>,
    /// By value: one more than the event of the last such invocation.
    needed_until: Vec<u32>,
    supplied_until: Vec<u32>,
    /// By value: pools.
    needed_by: Vec<Vec<u32>>,
    supplied_by: Vec<Vec<u32>>,
    /// The same for operations that need any value but one.
    missed_until: u32,
}

impl Demand {
    /// `None` if the object is no register.
    pub(super) fn new(object: &Object<'_>, line: &Timeline) -> Option<Demand> {
        let touch: Option<Vec<Touch>> = object.classes.iter().map(|class| class.touch).collect();
        let values = object.values.len();
        let mut demand = Demand {
            touch: touch?,
            needed_until: vec![0; values],
            supplied_until: vec![0; values],
            needed_by: vec![Vec::new(); values],
            supplied_by: vec![Vec::new(); values],
            missed_until: 0,
        };
        for at in 0..line.len() {
            let End::Invocation(item) = line.event(at) else { continue };
            let touch = demand.touch(line.class(item));
            if let Some(value) = touch.needs() {
                demand.needed_until[value as usize] = at + 1;
            }
            if let Some(value) = touch.leaves() {
                demand.supplied_until[value as usize] = at + 1;
            }
            if matches!(touch, Touch::Misses(_)) {
                demand.missed_until = at + 1;
            }
        }
        for (pool, class) in (0..).zip(line.pools.iter().map(|pool| pool.class)) {
            let touch = demand.touch(class);
            if let Some(value) = touch.needs() {
                demand.needed_by[value as usize].push(pool);
            }
            if let Some(value) = touch.leaves() {
                demand.supplied_by[value as usize].push(pool);
            }
        }
        Some(demand)
    }

    /// What operations of this class do.
    pub(super) fn touch(&self, class: u32) -> Touch {
        self.touch[class as usize]
    }

    /// Whether an operation invoked at `event` or later needs this value.
    pub(super) fn needed_from(&self, value: u32, event: u32) -> bool {
        self.needed_until[value as usize] > event
    }

    /// Whether an operation invoked at `event` or later leaves this value.
    pub(super) fn supplied_from(&self, value: u32, event: u32) -> bool {
        self.supplied_until[value as usize] > event
    }

    /// Whether an operation invoked at `event` or later needs any value but one.
    pub(super) fn missed_from(&self, event: u32) -> bool {
        self.missed_until > event
    }

    /// The pools that need this value.
    pub(super) fn pools_needing(&self, value: u32) -> &[u32] {
        &self.needed_by[value as usize]
    }

    /// The pools that leave this value.
    pub(super) fn pools_supplying(&self, value: u32) -> &[u32] {
        &self.supplied_by[value as usize]
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> usize {
        self.touch.len() * size_of::<Touch>() + self.needed_until.len() * 56
    }
}
