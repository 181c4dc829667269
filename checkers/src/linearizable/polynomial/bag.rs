//! Bags: elements leave in no particular order.
//!
//! Nothing can be wrong but single elements and answers that there was nothing (see
//! [`container`](super::container)). Removals of unknown result take what was left, the *k*-th
//! that was put in the *k*-th that was invoked: only answers that there was nothing care, and
//! each wants all of a beginning of what was left to be gone. O(n).

#[cfg(test)]
mod tests;

use danso_vocab::History;

use super::container::sweep::{Swept, cover, sweep};
use super::container::{self, Blame, Container, Discipline, Solved};
use super::{Decision, How, Part, Polynomial};
use crate::models::Bag as Model;
use crate::models::words::Word;

/// Decides [`Bag`](crate::models::Bag) where no element is put in twice. Exact, with a
/// linearization, in linear time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bag;

impl Polynomial for Bag {
    fn name(&self) -> &'static str {
        "bag"
    }

    fn decide(&self, part: &Part<'_>, how: &How) -> Decision {
        container::decide(self, part, how)
    }
}

impl Discipline for Bag {
    fn word(&self, f: &str) -> Option<Word> {
        Model::word(f)
    }

    fn counts_crashed(&self, _: &Container) -> bool {
        true
    }

    fn solve(&self, bag: &mut Container, how: &How) -> Solved {
        bag.give_to_crashed();
        match sweep(bag, false, how) {
            Swept::Free(instants) if how.witness => Solved::Yes(Some(schedule(bag, &instants))),
            Swept::Free(_) => Solved::Yes(None),
            Swept::Empty(empty) => Solved::No(cover(bag, empty)),
            Swept::Around(first, second) => unreachable!("nobody asked for {first} and {second}"),
            Swept::Stopped => Solved::Stopped,
        }
    }

    fn explain(&self, history: &History, core: &Container) -> Blame {
        core.non_empty(history)
    }
}

/// An element that is not certainly inside yet where an answer says that there is nothing comes
/// after it, else it is gone. Apart from that everything happens as early as possible.
fn schedule(bag: &Container, instants: &[u32]) -> Vec<u32> {
    let mut cuts = instants.to_vec();
    cuts.sort_unstable();
    cuts.dedup();
    // By event after which it happens; then removals, answers that there is nothing, insertions
    // together with removals that cannot wait.
    let mut steps = Vec::with_capacity(2 * bag.len() + instants.len());
    for v in 0..bag.len() {
        let cut = cuts.partition_point(|cut| *cut < bag.b[v]);
        let start = cut.checked_sub(1).map_or(0, |at| cuts[at]);
        let put = bag.a[v].max(start);
        steps.push((put, 2, v as u32, bag.put[v]));
        if let Some(taker) = bag.taker(v) {
            let taken = bag.c[v].max(start);
            let step = if taken == put { 2 } else { 0 };
            steps.push((taken, step, v as u32, taker));
        }
    }
    let empties = bag.empties.iter().zip(instants);
    steps.extend(empties.map(|(empty, instant)| (*instant, 1, 0, empty.row)));
    // Stable: what puts an element in stays before what takes it out.
    steps.sort_by_key(|(at, step, v, _)| (*at, *step, *v));
    steps.into_iter().map(|(.., row)| row).collect()
}
