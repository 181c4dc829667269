//! [`Lanes`]: the lanes of all links, and the timers that say which to look at when.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use danso_vocab::Rng;

use super::lane::Lane;
use crate::network::Policy;

/// Lanes by the numbers of their links, made when something is first done on a link.
pub(super) struct Lanes {
    slots: Vec<Option<Box<Slot>>>,
    /// When to look at which lane. Entries that are not what the lane is armed for are stale.
    timers: BinaryHeap<Reverse<(u64, usize)>>,
    offset: usize,
    rng: Rng,
}

struct Slot {
    lane: Lane,
    /// When the timers will look at it, nanoseconds.
    armed: Option<u64>,
}

impl Lanes {
    /// None yet. The luck of each comes from `rng`, split by the link's number; in their frames
    /// the IP packet begins at `offset`.
    pub(super) fn new(links: usize, offset: usize, rng: Rng) -> Lanes {
        let slots = (0..links).map(|_| None).collect();
        Lanes { slots, timers: BinaryHeap::new(), offset, rng }
    }

    /// The lane of a link.
    pub(super) fn at(&mut self, link: usize) -> &mut Lane {
        let slot = self.slots[link].get_or_insert_with(|| {
            let rng = self.rng.split(&format!("link {link}"));
            Box::new(Slot { lane: Lane::new(self.offset, rng), armed: None })
        });
        &mut slot.lane
    }

    /// The lane of a link, if there ever was something on it.
    pub(super) fn get(&mut self, link: usize) -> Option<&mut Lane> {
        self.slots[link].as_mut().map(|slot| &mut slot.lane)
    }

    /// Has the timers look at the lane when something is due on it.
    pub(super) fn arm(&mut self, link: usize, policy: &Policy) {
        let Some(slot) = &mut self.slots[link] else { return };
        let due = slot.lane.due(policy);
        if due != slot.armed {
            slot.armed = due;
            self.timers.extend(due.map(|due| Reverse((due, link))));
        }
    }

    /// When a timer is due next, nanoseconds. It may be a stale one.
    pub(super) fn next(&self) -> Option<u64> {
        self.timers.peek().map(|Reverse((due, _))| *due)
    }

    /// A link on which something is due. It must be armed again.
    pub(super) fn due(&mut self, now: u64) -> Option<usize> {
        while self.next()? <= now {
            let Reverse((at, link)) = self.timers.pop()?;
            if let Some(slot) = &mut self.slots[link]
                && slot.armed == Some(at)
            {
                slot.armed = None;
                return Some(link);
            }
        }
        None
    }
}
