//! What queues, stacks, priority queues and bags have in common: elements that are put in once
//! and taken out at most once, and answers that there was nothing.
//!
//! An element is *certainly inside* from `b`, the first event that proves that it was put in, to
//! `c`, the last event before which it was not taken out; both strictly. It can be inside only
//! between `a`, the invocation of what put it in, and `d`, the response of what took it out.
//! Everything here is decided by these four ranks. To take an element out of a history with all
//! that happened to it never makes the rest illegal.
//!
//! **Nothing.** If the history without its answers that there was nothing is linearizable, the
//! whole is exactly if each of them has an instant at which no element is certainly inside. At
//! such an instant every element can be thought of as gone before or coming after: play the
//! former, the answers, the latter.

mod explain;
mod minimal;
mod parse;
mod ranks;
pub(super) mod sweep;
#[cfg(test)]
pub(super) mod testing;

use danso_vocab::{History, Stop};

use super::{Decision, How, Part};
use crate::models::words::Word;

pub(super) use explain::say;
pub(super) use parse::parse;

/// No row, no rank.
pub(super) const NONE: u32 = u32::MAX;

/// The elements of one container, in columns, and what else was answered.
#[derive(Clone, Default)]
pub(super) struct Container {
    /// By element: its value id.
    pub(super) id: Vec<u32>,
    /// The row of what put it in.
    pub(super) put: Vec<u32>,
    /// The row of what took it out; [`NONE`] if nothing did.
    pub(super) taken: Vec<u32>,
    /// The row of the removal of unknown result that takes it, in a solution; may be empty.
    pub(super) lost: Vec<u32>,
    /// The invocation of what put it in.
    pub(super) a: Vec<u32>,
    /// From here on it is certainly inside.
    pub(super) b: Vec<u32>,
    /// Up to here it is; [`NONE`] if it was never taken out.
    pub(super) c: Vec<u32>,
    /// The response of what took it out.
    pub(super) d: Vec<u32>,
    /// Answers that there was nothing.
    pub(super) empties: Vec<Seen>,
    /// Answers that did not take an element out.
    pub(super) peeks: Vec<Seen>,
    /// Removals of unknown result, by invocation.
    pub(super) crashed: Vec<Seen>,
    /// Ranks are below this.
    pub(super) events: u32,
}

/// An operation that saw something.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    pub(super) row: u32,
    /// The element; [`NONE`] if it saw that there was none.
    pub(super) element: u32,
    pub(super) inv: u32,
    pub(super) res: u32,
}

impl Container {
    /// The number of elements.
    pub(super) fn len(&self) -> usize {
        self.id.len()
    }

    /// The row of what takes an element out, in a solution.
    pub(super) fn taker(&self, v: usize) -> Option<u32> {
        let lost = self.lost.get(v).copied().unwrap_or(NONE);
        [self.taken[v], lost].into_iter().find(|row| *row != NONE)
    }

    /// Lets removals of unknown result take what was left: the element that was inside *k*-th the
    /// *k*-th of them. They may do so at any time later.
    pub(super) fn give_to_crashed(&mut self) {
        if self.crashed.is_empty() {
            return;
        }
        let mut left: Vec<usize> = (0..self.len()).filter(|v| self.taken[*v] == NONE).collect();
        left.sort_unstable_by_key(|v| self.b[*v]);
        let mut seen = vec![0; self.len()];
        for peek in &self.peeks {
            let last = &mut seen[peek.element as usize];
            *last = peek.inv.max(*last);
        }
        self.lost = vec![NONE; self.len()];
        for (v, crashed) in left.into_iter().zip(&self.crashed) {
            self.lost[v] = crashed.row;
            self.c[v] = crashed.inv.max(self.a[v]).max(seen[v]);
        }
    }

    /// Whether there is an instant at which it is certainly inside.
    pub(super) fn is_inside(&self, element: usize) -> bool {
        self.b[element] < self.c[element]
    }
}

/// A kind of container.
pub(super) trait Discipline {
    /// What an operation does.
    fn word(&self, f: &str) -> Option<Word>;

    /// Decides a container whose elements are each put in once and taken out at most once, by
    /// operations that can come in this order, and peeked at in between.
    fn solve(&self, container: &mut Container, how: &How) -> Solved;

    /// Whether removals of unknown result are taken into account by [`Discipline::solve`].
    /// Otherwise it must ignore them.
    fn counts_crashed(&self, container: &Container) -> bool;

    /// Says why these few elements and answers cannot be: the row to blame, the anomaly's name
    /// and a sentence.
    fn explain(&self, history: &History, core: &Container) -> Blame;
}

/// The answer about a [`Container`].
pub(super) enum Solved {
    /// It is linearizable; the rows in order, if asked for.
    Yes(Option<Vec<u32>>),
    /// It is not, because of these most likely.
    No(Suspects),
    /// It was told to stop.
    Stopped,
}

/// Elements and answers that may be enough to show that a container is not linearizable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Suspects {
    pub(super) elements: Vec<u32>,
    /// Places in [`Container::empties`].
    pub(super) empties: Vec<u32>,
}

/// What to say of a core.
pub(super) struct Blame {
    pub(super) row: u32,
    pub(super) name: &'static str,
    pub(super) because: String,
}

/// Decides a history of a container of this kind.
///
/// Where removals of unknown result are not taken into account, the answer is exact all the same
/// in two cases: it is linearizable as if they had not happened; or it is not even if everything
/// that they may have taken had never been there.
pub(super) fn decide<D: Discipline>(kind: &D, part: &Part<'_>, how: &How) -> Decision {
    let mut whole = match parse(kind, part.history, part.rows) {
        Ok(container) => container,
        Err(decision) => return decision,
    };
    let exact = whole.crashed.is_empty() || kind.counts_crashed(&whole);
    match kind.solve(&mut whole, how) {
        Solved::Yes(order) => Decision::Linearizable(order),
        Solved::Stopped => Decision::Stopped,
        Solved::No(suspects) if exact => {
            minimal::refutation(kind, part.history, &whole, &suspects, &how.stop)
        }
        Solved::No(_) => {
            let crashed = whole.crashed[0].row;
            let mut certain = whole.without_left();
            match kind.solve(&mut certain, &How { witness: false, stop: how.stop.clone() }) {
                Solved::No(suspects) => {
                    minimal::refutation(kind, part.history, &certain, &suspects, &how.stop)
                }
                Solved::Stopped => Decision::Stopped,
                Solved::Yes(_) => Decision::Unfit(format!(
                    "{} of unknown result may have taken any of several elements",
                    say(part.history, crashed)
                )),
            }
        }
    }
}

/// Whether to give up, asked at every event; looks at the flag now and then.
pub(super) fn stopped(stop: &Stop, at: usize) -> bool {
    at & 0xffff == 0 && stop.is_tripped()
}

/// Elements by rank, those that have none last. Ranks are unique.
pub(super) fn by_rank(events: u32, ranks: &[u32]) -> Vec<u32> {
    let mut at = vec![NONE; events as usize];
    let mut last = Vec::new();
    for (v, rank) in ranks.iter().enumerate() {
        match at.get_mut(*rank as usize) {
            Some(at) => *at = v as u32,
            None => last.push(v as u32),
        }
    }
    at.retain(|v| *v != NONE);
    at.append(&mut last);
    at
}
