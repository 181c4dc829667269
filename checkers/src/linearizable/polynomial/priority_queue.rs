//! Priority queues: the foremost leaves first.
//!
//! Linearizable exactly if every answer that names an element has an instant at which no element
//! before it is certainly inside (and every answer that there was nothing has one at which none
//! is; see [`container`](super::container)). Such local conditions suffice: put the operations of
//! an element as close to the stretch where it is certainly inside as they find such an instant.
//! Wherever it is inside beyond that stretch, there is none, so something before it is certainly
//! inside; and it is in the way of nothing that could have happened there.
//!
//! O(n log n). Polls of unknown result are taken into account only as
//! [`container::decide`] says.

mod schedule;
#[cfg(test)]
mod tests;

use std::collections::BinaryHeap;

use danso_vocab::History;

use super::container::sweep::{Swept, chain, cover, sweep};
use super::container::{self, Blame, Container, Discipline, NONE, Seen, Solved, Suspects, stopped};
use super::{Decision, How, Part, Polynomial};
use crate::models::PriorityQueue as Model;
use crate::models::words::Word;

/// Decides [`PriorityQueue`](crate::models::PriorityQueue) where no element is put in twice.
/// Exact but for polls of unknown result, where it decides what it can. Gives a linearization.
#[derive(Clone, Copy, Debug, Default)]
pub struct PriorityQueue {
    model: Model,
}

impl PriorityQueue {
    /// For histories of such a queue.
    pub fn new(model: Model) -> Self {
        PriorityQueue { model }
    }
}

impl Polynomial for PriorityQueue {
    fn name(&self) -> &'static str {
        "priority-queue"
    }

    fn decide(&self, part: &Part<'_>, how: &How) -> Decision {
        let decide = |kind: &Kind<'_>| container::decide(kind, part, how);
        decide(&Kind { model: self.model, history: part.history })
    }
}

struct Kind<'h> {
    model: Model,
    history: &'h History,
}

impl Discipline for Kind<'_> {
    fn word(&self, f: &str) -> Option<Word> {
        self.model.word(f)
    }

    fn counts_crashed(&self, _: &Container) -> bool {
        false
    }

    fn solve(&self, queue: &mut Container, how: &How) -> Solved {
        let instants = match sweep(queue, false, how) {
            Swept::Free(instants) => instants,
            Swept::Empty(empty) => return Solved::No(cover(queue, empty)),
            Swept::Around(first, second) => unreachable!("nobody asked for {first} and {second}"),
            Swept::Stopped => return Solved::Stopped,
        };
        let places = places(self.history, queue, self.model.is_max());
        let asks = asks(queue);
        let Some(good) = first_good(queue, &places, &asks, how) else { return Solved::Stopped };
        let bad = asks.iter().zip(&good).filter(|(_, good)| **good == NONE).map(|(ask, _)| *ask);
        if let Some(ask) = bad.min_by_key(|ask| ask.res) {
            return Solved::No(around(queue, &places, ask));
        }
        if how.witness {
            return Solved::Yes(schedule::schedule(queue, &places, &asks, &instants, how));
        }
        Solved::Yes(None)
    }

    fn explain(&self, history: &History, core: &Container) -> Blame {
        if !core.empties.is_empty() {
            return core.non_empty(history);
        }
        let places = places(history, core, self.model.is_max());
        // Whatever asked for the last one of all is what the others are in the way of.
        let asks = asks(core);
        let Some(ask) = asks.iter().min_by_key(|ask| places[ask.element as usize]) else {
            return core.out_of_order(history, "the foremost first");
        };
        let before = core.lives(history, Some(ask.element as usize));
        let only = core.len() == 2;
        let lost = (0..core.len()).find(|v| *v != ask.element as usize && core.taken[*v] == NONE);
        Blame {
            row: ask.row,
            name: if lost.is_some() { "lost-element" } else { "reordered" },
            because: format!(
                "{}, but {} inside, which comes before it: {before}",
                container::say(history, ask.row),
                if only { "all the time there was one" } else { "at every moment one was" },
            ),
        }
    }
}

/// By element: the greater, the earlier it leaves.
fn places(history: &History, queue: &Container, max: bool) -> Vec<u32> {
    const INTEGERS: u32 = 1 << 31;
    let mut order: Vec<u32> = (0..queue.len() as u32).collect();
    let id = |v: &u32| queue.id[*v as usize];
    if queue.id.iter().all(|id| *id >= INTEGERS) {
        // Ids of small integers are in order.
        order.sort_unstable_by_key(id);
    } else {
        order.sort_by_cached_key(|v| history.value(id(v)).into_owned());
    }
    let mut places = vec![0; queue.len()];
    for (place, v) in order.into_iter().enumerate() {
        places[v as usize] = if max { place as u32 } else { NONE - 1 - place as u32 };
    }
    places
}

/// Everything that answered an element, within the ranks between which it can have happened.
fn asks(queue: &Container) -> Vec<Seen> {
    let taken = (0..queue.len()).map(|v| Seen {
        row: queue.taken[v],
        element: v as u32,
        inv: queue.c[v],
        res: queue.d[v],
    });
    let peeks = queue.peeks.iter().map(|peek| {
        let v = peek.element as usize;
        Seen { inv: peek.inv.max(queue.a[v]), res: peek.res.min(queue.d[v]), ..*peek }
    });
    taken.filter(|ask| ask.row != NONE).chain(peeks).collect()
}

/// Operations by the rank of one of their events, several a rank.
struct ByRank {
    first: Vec<u32>,
    next: Vec<u32>,
}

impl ByRank {
    fn new(events: u32, ranks: impl ExactSizeIterator<Item = u32>) -> ByRank {
        let mut first = vec![NONE; events as usize];
        let next = ranks.enumerate();
        let next = next.map(|(i, rank)| match first.get_mut(rank as usize) {
            Some(first) => std::mem::replace(first, i as u32),
            None => NONE,
        });
        ByRank { next: next.collect(), first }
    }

    fn at(&self, rank: usize) -> impl Iterator<Item = usize> {
        let some = |i: &u32| *i != NONE;
        std::iter::successors(Some(self.first[rank]).filter(some), move |i| {
            Some(self.next[*i as usize]).filter(some)
        })
        .map(|i| i as usize)
    }
}

/// By ask: the event before the first instant at which nothing before its element is certainly
/// inside; [`NONE`] if there is none. `None` if it was told to stop.
fn first_good(queue: &Container, places: &[u32], asks: &[Seen], how: &How) -> Option<Vec<u32>> {
    let never = |v: usize, rank: u32| if queue.is_inside(v) { rank } else { NONE };
    let each = |ranks: &[u32]| -> Vec<u32> {
        ranks.iter().enumerate().map(|(v, rank)| never(v, *rank)).collect()
    };
    let enters = ByRank::new(queue.events, each(&queue.b).into_iter());
    let leaves = ByRank::new(queue.events, each(&queue.c).into_iter());
    let begins = ByRank::new(queue.events, asks.iter().map(|ask| ask.inv));
    let key = |element: usize, i: usize| u64::from(places[element]) << 32 | i as u64;
    let mut good = vec![NONE; asks.len()];
    let mut gone = vec![false; queue.len()];
    // The foremost first.
    let mut inside: BinaryHeap<u64> = BinaryHeap::new();
    let mut waiting: BinaryHeap<u64> = BinaryHeap::new();
    for now in 0..queue.events as usize {
        if stopped(&how.stop, now) {
            return None;
        }
        inside.extend(enters.at(now).map(|v| key(v, v)));
        for v in leaves.at(now) {
            gone[v] = true;
        }
        while inside.peek().is_some_and(|top| gone[*top as u32 as usize]) {
            inside.pop();
        }
        let foremost = inside.peek().map_or(0, |top| top >> 32);
        for ask in begins.at(now) {
            let key = key(asks[ask].element as usize, ask);
            if key >> 32 >= foremost {
                good[ask] = now as u32;
            } else {
                waiting.push(key);
            }
        }
        while let Some(ask) = waiting.peek().filter(|ask| **ask >> 32 >= foremost) {
            let ask = *ask as u32 as usize;
            if asks[ask].res > now as u32 {
                good[ask] = now as u32;
            }
            waiting.pop();
        }
    }
    Some(good)
}

/// The element that was asked for, and those before it that are always inside meanwhile.
fn around(queue: &Container, places: &[u32], ask: Seen) -> Suspects {
    let place = places[ask.element as usize];
    let mut elements = chain(queue, ask.inv, ask.res, |v| places[v] > place);
    elements.push(ask.element);
    Suspects { elements, empties: Vec::new() }
}
