//! Priority queues: the foremost leaves first.
//!
//! Linearizable exactly if every answer that names an element has an instant at which no element
//! before it is certainly inside (and every answer that there was nothing has one at which none
//! is; see [`container`](super::container)). Such local conditions suffice: put the operations of
//! an element as close to the stretch where it is certainly inside as they find such an instant.
//! Wherever it is inside beyond that stretch, there is none, so something before it is certainly
//! inside; and it is in the way of nothing that could have happened there.
//!
//! Polls of unknown result are taken into account only as [`container::decide`] says.

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
/// Exact but for polls of unknown result, where it decides what it can. Gives a linearization,
/// unless a peek can only have come before its element was certainly inside. O(n log n); 1 M
/// operations take some 110 ms.
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
        let peeks = peeks(queue);
        let Some(good) = first_good(queue, &places, &peeks, how) else { return Solved::Stopped };
        let takes = takes(queue).zip(&good.takes).filter(|(take, _)| take.row != NONE);
        let all = takes.chain(peeks.iter().copied().zip(&good.peeks));
        let bad = all.filter(|(_, good)| **good == NONE).map(|(ask, _)| ask);
        if let Some(ask) = bad.min_by_key(|ask| ask.res) {
            return Solved::No(around(queue, &places, ask));
        }
        if how.witness {
            return Solved::Yes(schedule::schedule(queue, &places, &peeks, &instants, how));
        }
        Solved::Yes(None)
    }

    fn guess(&self, queue: &mut Container) -> bool {
        // What comes before another leaves before it.
        let places = places(self.history, queue, self.model.is_max());
        queue.give_if_needed(&places, &places)
    }

    fn explain(&self, history: &History, core: &Container) -> Blame {
        if !core.empties.is_empty() {
            return core.non_empty(history);
        }
        let places = places(history, core, self.model.is_max());
        // Whatever asked for the last one of all is what the others are in the way of.
        let asks = takes(core).filter(|take| take.row != NONE).chain(peeks(core));
        let Some(ask) = asks.min_by_key(|ask| places[ask.element as usize]) else {
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

/// By element: what took it out, between the ranks between which that can have happened.
fn takes(queue: &Container) -> impl Iterator<Item = Seen> {
    let take = |v| Seen {
        row: queue.taker(v).unwrap_or(NONE),
        element: v as u32,
        inv: queue.c[v],
        res: queue.d[v],
    };
    (0..queue.len()).map(take)
}

/// The peeks, between the ranks between which they can have happened.
fn peeks(queue: &Container) -> Vec<Seen> {
    let peek = |peek: &Seen| {
        let v = peek.element as usize;
        Seen { inv: peek.inv.max(queue.a[v]), res: peek.res.min(queue.d[v]), ..*peek }
    };
    queue.peeks.iter().map(peek).collect()
}

/// The events before the first instants at which nothing before an element is certainly inside;
/// [`NONE`] where there is none.
struct Good {
    /// By element: within what took it out.
    takes: Vec<u32>,
    /// By peek.
    peeks: Vec<u32>,
}

/// Looks for the first good instants; `None` if it was told to stop. O(n log n).
fn first_good(queue: &Container, places: &[u32], peeks: &[Seen], how: &How) -> Option<Good> {
    const TAKEN: u32 = 1 << 31;
    let mut at = vec![NONE; queue.events as usize];
    for v in 0..queue.len() {
        if queue.is_inside(v) {
            at[queue.b[v] as usize] = v as u32;
        }
        if let Some(at) = at.get_mut(queue.c[v] as usize) {
            *at = v as u32 | TAKEN;
        }
    }
    // Several of them may begin with the same event.
    let mut begins: Vec<(u32, u32)> = Vec::with_capacity(peeks.len());
    begins.extend(peeks.iter().enumerate().map(|(i, peek)| (peek.inv, i as u32)));
    begins.sort_unstable();
    let mut begins = begins.into_iter().peekable();
    let mut good = Good { takes: vec![NONE; queue.len()], peeks: vec![NONE; peeks.len()] };
    let mut gone = vec![false; queue.len()];
    // The foremost first. Those that wait are elements that are taken, or peeks, with a mark.
    let mut inside: BinaryHeap<u64> = BinaryHeap::new();
    let mut waiting: BinaryHeap<u64> = BinaryHeap::new();
    let key = |v: u32, i: u32| u64::from(places[v as usize]) << 32 | u64::from(i);
    for (now, event) in at.iter().enumerate() {
        if stopped(&how.stop, now) {
            return None;
        }
        let now = now as u32;
        if *event == NONE && begins.peek().is_none_or(|(inv, _)| *inv > now) {
            continue;
        }
        if *event < TAKEN {
            inside.push(key(*event, *event));
        } else if *event != NONE {
            let v = *event - TAKEN;
            gone[v as usize] = true;
            while inside.peek().is_some_and(|top| gone[*top as u32 as usize]) {
                inside.pop();
            }
            waiting.push(key(v, v));
        }
        while let Some((_, i)) = begins.next_if(|(inv, _)| *inv <= now) {
            waiting.push(key(peeks[i as usize].element, i | TAKEN));
        }
        let foremost = inside.peek().map_or(0, |top| top >> 32);
        while let Some(asks) = waiting.peek().filter(|asks| **asks >> 32 >= foremost) {
            let i = *asks as u32;
            let (good, end) = match i.checked_sub(TAKEN) {
                Some(i) => (&mut good.peeks[i as usize], peeks[i as usize].res),
                None => (&mut good.takes[i as usize], queue.d[i as usize]),
            };
            if now < end {
                *good = now;
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
