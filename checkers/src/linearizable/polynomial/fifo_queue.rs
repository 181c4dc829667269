//! Queues: first in, first out.
//!
//! Without `peek`, a queue is linearizable exactly if no element is certainly inside both before
//! another one could be and after that one was gone (and every answer that there was nothing has
//! its instant; see [`container`](super::container)). With `peek`, exactly if *x must come before
//! y* has no cycle: what put *x* in ended before what put *y* in began, or something saw or took
//! *x* and ended before something that saw or took *y* began. Both orders are interval orders,
//! so a linear extension falls out of peeling; and along it, putting every operation as early as
//! it and its predecessors allow never misses a deadline.
//!
//! Dequeues of unknown result take what was left, the *k*-th that was put in the *k*-th that was
//! invoked: what was left and is in the way of another element or answer must be gone by an
//! instant that is the later, the later it was put in, so that this is as good as any choice.
//!
//! After Henzinger, Sezgin and Vafeiadis, *Aspect-oriented linearizability proofs* (2013), and
//! Gibbons, Bruno and Phillips (2002), who do not treat unknown results. O(n).

mod order;
mod schedule;
#[cfg(test)]
mod tests;

use danso_vocab::History;

use super::container::sweep::{Swept, cover, sweep};
use super::container::{self, Blame, Container, Discipline, NONE, Solved, Suspects};
use super::{Decision, How, Part, Polynomial};
use crate::models::FifoQueue as Model;
use crate::models::words::Word;

/// Decides [`FifoQueue`](crate::models::FifoQueue) where no element is enqueued twice. Exact but
/// for `peek` together with dequeues of unknown result, where it decides what it can. Gives a
/// linearization. 1 M operations take some 50 ms and 40 bytes each.
#[derive(Clone, Copy, Debug, Default)]
pub struct FifoQueue;

impl Polynomial for FifoQueue {
    fn name(&self) -> &'static str {
        "fifo-queue"
    }

    fn decide(&self, part: &Part<'_>, how: &How) -> Decision {
        container::decide(self, part, how)
    }
}

impl Discipline for FifoQueue {
    fn word(&self, f: &str) -> Option<Word> {
        Model::word(f)
    }

    fn counts_crashed(&self, container: &Container) -> bool {
        container.peeks.is_empty()
    }

    fn solve(&self, queue: &mut Container, how: &How) -> Solved {
        queue.give_to_crashed();
        let peeks = !queue.peeks.is_empty();
        let instants = match sweep(queue, !peeks, how) {
            Swept::Free(instants) => instants,
            Swept::Empty(empty) => return Solved::No(cover(queue, empty)),
            Swept::Around(first, second) => return Solved::No(around(queue, first, second)),
            Swept::Stopped => return Solved::Stopped,
        };
        if !peeks && !how.witness {
            return Solved::Yes(None);
        }
        match order::extension(queue, how) {
            order::Order::Linear(order) if how.witness => {
                Solved::Yes(Some(schedule::schedule(queue, order, &instants)))
            }
            order::Order::Linear(_) => Solved::Yes(None),
            order::Order::Cycle(elements) => Solved::No(Suspects { elements, empties: vec![] }),
            order::Order::Stopped => Solved::Stopped,
        }
    }

    fn explain(&self, history: &History, core: &Container) -> Blame {
        explain(history, core)
    }
}

/// The second is gone while the first is still inside, although it came later; if the first was
/// never taken, it shares the dequeues of unknown result with all that were left before it.
fn around(queue: &Container, first: u32, second: u32) -> Suspects {
    let Container { a, b, taken, .. } = queue;
    let mut elements = vec![second];
    if taken[first as usize] == NONE && !queue.crashed.is_empty() {
        let left = (0..queue.len()).filter(|v| taken[*v] == NONE && b[*v] < a[second as usize]);
        elements.extend(left.map(|v| v as u32));
    } else {
        elements.push(first);
    }
    Suspects { elements, empties: Vec::new() }
}

fn explain(history: &History, core: &Container) -> Blame {
    let say = |row: u32| container::say(history, row);
    if !core.empties.is_empty() {
        return core.non_empty(history);
    }
    let Container { a, b, c, d, put, taken, .. } = core;
    let value = |v: usize| history.value(core.id[v]);
    // The one around which another is inside.
    let inner = |v: usize, w: usize| v != w && b[v] < a[w] && d[w] < c[v];
    let pair = (0..core.len())
        .flat_map(|v| (0..core.len()).map(move |w| (v, w)))
        .find(|(v, w)| taken[*w] != NONE && inner(*v, *w));
    match pair {
        Some((v, w)) if core.peeks.is_empty() && taken[v] != NONE => Blame {
            row: taken[w],
            name: "reordered",
            because: format!(
                "{} had ended before {} began, although {} had ended before {} began",
                say(taken[w]),
                say(taken[v]),
                say(put[v]),
                say(put[w]),
            ),
        },
        Some((v, w)) if core.peeks.is_empty() && core.crashed.is_empty() => Blame {
            row: put[v],
            name: "lost-element",
            because: format!(
                "{} was never taken out, although {} had ended before {} began and {} took {}",
                value(v),
                say(put[v]),
                say(put[w]),
                say(taken[w]),
                value(w),
            ),
        },
        Some((v, w)) if core.peeks.is_empty() => Blame {
            row: put[v],
            name: "lost-element",
            because: format!(
                "{} took {}, but before it {} had been put in and never came out{}",
                say(taken[w]),
                value(w),
                core.lives(history, Some(w)),
                core.and_crashed(),
            ),
        },
        _ => core.out_of_order(history, "first in, first out"),
    }
}
