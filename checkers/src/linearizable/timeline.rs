//! [`Timeline`]: the events of one object in order; [`Cursor`]: the operations open at one of them.

use std::collections::VecDeque;

use super::object::{Item, Object};

/// The events of one object. Operations that need not be linearized have none: they are grouped
/// into [`Pool`]s.
pub(super) struct Timeline {
    /// Item << 1 | whether it is the response.
    events: Vec<u32>,
    /// By item: its slot, unique among the operations open at the same time.
    slot: Vec<u32>,
    /// By item: its class.
    class: Vec<u32>,
    /// By item: the event of its response.
    end: Vec<u32>,
    /// The number of slots: the greatest number of operations open at once.
    pub(super) slots: usize,
    /// The operations that may or may not happen.
    pub(super) pools: Vec<Pool>,
}

/// Interchangeable operations that may be linearized at any time after their invocation, or never.
pub(super) struct Pool {
    /// The class they share.
    pub(super) class: u32,
    /// The items, by invocation.
    pub(super) items: Vec<u32>,
    /// By item: the event before which it was invoked.
    since: Vec<u32>,
}

impl Pool {
    /// The item to use at `event` if `used` were used before.
    pub(super) fn next(&self, used: u32, event: u32) -> Option<u32> {
        let used = used as usize;
        (*self.since.get(used)? <= event).then(|| self.items[used])
    }
}

/// An event: whose it is and which end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Invocation(u32),
    Response(u32),
}

impl Timeline {
    /// The timeline of these items of `object`. With `merge`, operations that need not happen and
    /// that the model cannot tell apart share a pool.
    pub(super) fn new(object: &Object<'_>, items: &[Item], merge: bool) -> Timeline {
        let mut stamped: Vec<(u64, u32)> = Vec::with_capacity(2 * items.len());
        for (i, item) in items.iter().enumerate() {
            stamped.push((item.inv, (i as u32) << 1));
            if item.must() {
                stamped.push((item.res, (i as u32) << 1 | 1));
            }
        }
        // Responses that share a stamp are deadlines set by the same event: any order will do.
        stamped.sort_unstable();
        let mut line = Timeline {
            events: Vec::with_capacity(stamped.len()),
            slot: vec![u32::MAX; items.len()],
            class: items.iter().map(|item| item.class).collect(),
            end: vec![u32::MAX; items.len()],
            slots: 0,
            pools: Vec::new(),
        };
        let mut free = Vec::new();
        let mut pool_of = vec![usize::MAX; object.classes.len()];
        for (_, event) in stamped {
            let (i, at) = ((event >> 1) as usize, line.events.len() as u32);
            if !items[i].must() {
                line.pool(i, at, merge, &mut pool_of);
                continue;
            }
            if event & 1 == 0 {
                line.slot[i] = free.pop().unwrap_or_else(|| {
                    line.slots += 1;
                    line.slots as u32 - 1
                });
            } else {
                line.end[i] = at;
                free.push(line.slot[i]);
            }
            line.events.push(event);
        }
        line
    }

    fn pool(&mut self, item: usize, since: u32, merge: bool, pool_of: &mut [usize]) {
        let class = self.class[item];
        let known = pool_of[class as usize];
        let pool = if merge && known != usize::MAX {
            &mut self.pools[known]
        } else {
            pool_of[class as usize] = self.pools.len();
            self.pools.push(Pool { class, items: Vec::new(), since: Vec::new() });
            self.pools.last_mut().expect("one was just pushed")
        };
        pool.items.push(item as u32);
        pool.since.push(since);
    }

    /// The same order with the operations of each pool used in turn; `None` if a pool has too few
    /// of them, or one of them too late.
    pub(super) fn each_once(&self, order: &[u32]) -> Option<Vec<u32>> {
        let mut pool_of = vec![None; self.class.len()];
        for (p, pool) in self.pools.iter().enumerate() {
            pool.items.iter().for_each(|item| pool_of[*item as usize] = Some(p));
        }
        let mut used = vec![0; self.pools.len()];
        // The latest invocation so far of an operation out of a pool.
        let mut begun = 0;
        let mut distinct = Vec::with_capacity(order.len());
        for &item in order {
            let Some(p) = pool_of[item as usize] else {
                if self.end[item as usize] < begun {
                    return None;
                }
                distinct.push(item);
                continue;
            };
            let pool = &self.pools[p];
            begun = begun.max(*pool.since.get(used[p])?);
            distinct.push(pool.items[used[p]]);
            used[p] += 1;
        }
        Some(distinct)
    }

    /// The number of events.
    pub(super) fn len(&self) -> u32 {
        self.events.len() as u32
    }

    /// The event at `at`, if there is one.
    pub(super) fn event_at(&self, at: u32) -> Option<End> {
        (at < self.len()).then(|| self.event(at))
    }

    /// The event at `at`.
    pub(super) fn event(&self, at: u32) -> End {
        let event = self.events[at as usize];
        let item = event >> 1;
        if event & 1 == 0 { End::Invocation(item) } else { End::Response(item) }
    }

    /// The class of an item.
    pub(super) fn class(&self, item: u32) -> u32 {
        self.class[item as usize]
    }

    /// The slot of an item.
    pub(super) fn slot(&self, item: u32) -> u32 {
        self.slot[item as usize]
    }

    fn entry(&self, item: u32) -> Open {
        let i = item as usize;
        Open { item, class: self.class[i], slot: self.slot[i], end: self.end[i] }
    }
}

/// An operation that must be linearized, invoked before the cursor and not responded before it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Open {
    pub(super) item: u32,
    pub(super) class: u32,
    pub(super) slot: u32,
    end: u32,
}

/// A place on a timeline and the operations open there, earliest deadline first. Moving costs the
/// distance, so that a depth-first search pays for no copies of the list.
pub(super) struct Cursor<'t> {
    line: &'t Timeline,
    /// The next event.
    pub(super) at: u32,
    /// The open operations, by response.
    pub(super) open: VecDeque<Open>,
}

impl<'t> Cursor<'t> {
    pub(super) fn new(line: &'t Timeline) -> Cursor<'t> {
        Cursor { line, at: 0, open: VecDeque::new() }
    }

    /// Goes to an event, either way.
    pub(super) fn seek(&mut self, at: u32) {
        while self.at < at {
            self.forward();
        }
        while self.at > at {
            self.back();
        }
    }

    /// Goes past the next event.
    pub(super) fn forward(&mut self) {
        match self.line.event(self.at) {
            End::Invocation(item) => self.insert(self.line.entry(item)),
            End::Response(item) => {
                let first = self.open.pop_front();
                debug_assert_eq!(first.map(|o| o.item), Some(item), "deadlines come in order");
            }
        }
        self.at += 1;
    }

    fn back(&mut self) {
        self.at -= 1;
        match self.line.event(self.at) {
            End::Invocation(item) => {
                let end = self.line.end[item as usize];
                let place = self.open.partition_point(|o| o.end < end);
                let gone = self.open.remove(place);
                debug_assert_eq!(gone.map(|o| o.item), Some(item));
            }
            End::Response(item) => self.open.push_front(self.line.entry(item)),
        }
    }

    fn insert(&mut self, entry: Open) {
        let place = self.open.partition_point(|o| o.end < entry.end);
        self.open.insert(place, entry);
    }
}
