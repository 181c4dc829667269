//! Stacks: last in, first out.
//!
//! An element can be the lowest of all exactly if it can be put in, and taken out, while no other
//! one is certainly inside, and everything that saw it can have happened while no other was. Then
//! it does not matter for the rest, which is taken for itself: what can be gone before it comes,
//! what can be inside meanwhile, and what can come after it is gone. So take away any such
//! element until none is left, and it is linearizable; or until none is such, and it is not.
//!
//! Between two events at which an element begins or ceases to be certainly inside, nothing
//! changes: such a stretch is one place. O(n log n).
//!
//! Proven anew; to take away elements one after another is also the idea of Emmi and Enea's
//! *Violin* (2015) and of Lee and Mathur's *PolyLin*.

mod looks;
mod peel;
mod schedule;
#[cfg(test)]
mod tests;
mod trees;

use danso_vocab::History;

use super::container::sweep::{Swept, cover, sweep};
use super::container::{self, Blame, Container, Discipline, Solved, Suspects};
use super::{Decision, How, Part, Polynomial};
use crate::models::Stack as Model;
use crate::models::words::Word;

/// Decides [`Stack`](crate::models::Stack) where no element is pushed twice. Exact but for pops of
/// unknown result, where it decides what it can. Gives a linearization. O(n log n); 1 M
/// operations take some 180 ms.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stack;

impl Polynomial for Stack {
    fn name(&self) -> &'static str {
        "stack"
    }

    fn decide(&self, part: &Part<'_>, how: &How) -> Decision {
        container::decide(self, part, how)
    }
}

impl Discipline for Stack {
    fn word(&self, f: &str) -> Option<Word> {
        Model::word(f)
    }

    fn counts_crashed(&self, _: &Container) -> bool {
        false
    }

    fn solve(&self, stack: &mut Container, how: &How) -> Solved {
        let instants = match sweep(stack, false, how) {
            Swept::Free(instants) => instants,
            Swept::Empty(empty) => return Solved::No(cover(stack, empty)),
            Swept::Around(first, second) => unreachable!("nobody asked for {first} and {second}"),
            Swept::Stopped => return Solved::Stopped,
        };
        let line = Line::new(stack);
        let Some(peeled) = peel::peel(stack, &line, how) else { return Solved::Stopped };
        let left = |v: &usize| stack.is_inside(*v) && !peeled.is_gone(*v);
        let elements: Vec<u32> = (0..stack.len()).filter(left).map(|v| v as u32).collect();
        if !elements.is_empty() {
            return Solved::No(Suspects { elements, empties: Vec::new() });
        }
        let witness = || schedule::schedule(stack, &line, &peeled, &instants);
        Solved::Yes(how.witness.then(witness))
    }

    fn guess(&self, stack: &mut Container) -> bool {
        // What is above leaves before what is below.
        let (comes, under) = (stack.a.clone(), stack.b.clone());
        stack.give_if_needed(&comes, &under)
    }

    fn explain(&self, history: &History, core: &Container) -> Blame {
        match core.empties.is_empty() {
            false => core.non_empty(history),
            true => core.out_of_order(history, "last in, first out"),
        }
    }
}

/// The places of a stack's history.
struct Line {
    /// The events at which an element begins or ceases to be certainly inside, in order. The
    /// place *p* is what comes before the *p*-th of them.
    cuts: Vec<u32>,
    /// By event: how many cuts there are up to it, itself included.
    place: Vec<u32>,
}

impl Line {
    fn new(stack: &Container) -> Line {
        let mut place = vec![0; stack.events as usize];
        for v in (0..stack.len()).filter(|v| stack.is_inside(*v)) {
            place[stack.b[v] as usize] = 1;
            if let Some(cut) = place.get_mut(stack.c[v] as usize) {
                *cut = 1;
            }
        }
        let mut cuts = Vec::new();
        for (event, place) in place.iter_mut().enumerate() {
            if *place == 1 {
                cuts.push(event as u32);
            }
            *place = cuts.len() as u32;
        }
        Line { cuts, place }
    }

    /// How many places there are.
    fn len(&self) -> usize {
        self.cuts.len() + 1
    }

    /// The first place of an operation that begins with this event.
    fn from(&self, inv: u32) -> usize {
        self.place[inv as usize] as usize
    }

    /// The last place of an operation that ends with this event.
    fn upto(&self, res: u32) -> usize {
        match res.checked_sub(1) {
            Some(last) => self.place.get(last as usize).map_or(self.cuts.len(), |p| *p as usize),
            None => 0,
        }
    }

    /// The places where an element is certainly inside.
    fn inside(&self, stack: &Container, v: usize) -> std::ops::Range<usize> {
        let end = stack.c[v].min(self.place.len() as u32);
        self.from(stack.b[v])..self.upto(end) + 1
    }

    /// The last event of what a place comes after: an operation there may happen after it.
    fn start(&self, place: usize) -> u32 {
        place.checked_sub(1).map_or(0, |cut| self.cuts[cut])
    }

    /// The last event of a place.
    fn end(&self, place: usize) -> u32 {
        match self.cuts.get(place) {
            Some(cut) => cut.saturating_sub(1),
            None => self.place.len() as u32,
        }
    }
}
