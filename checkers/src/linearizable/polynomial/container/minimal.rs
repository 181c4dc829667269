//! Small counterexamples: as few elements and answers as possible.

use std::borrow::Cow;

use danso_vocab::{History, Stop};

use super::{Container, Discipline, NONE, Seen, Solved, Suspects, parse};
use crate::linearizable::polynomial::{Decision, How, Refutation};

/// What can be taken out of a container without making it illegal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    /// An element, with all that happened to it.
    Element(u32),
    /// An answer that there was nothing.
    Empty(u32),
    /// An answer that took nothing out; it goes with its element.
    Peek(u32),
}

/// The refutation of a container that is not linearizable.
///
/// From its units one after another is found that is necessary: the last one of the shortest
/// beginning that, with those already found, is not linearizable (after Junker, *QuickXplain*,
/// 2004). With *k* of them that takes *k* log *n* decisions, most of them small.
pub(super) fn refutation<D: Discipline>(
    kind: &D,
    history: &History,
    whole: &Container,
    suspects: &Suspects,
    stop: &Stop,
) -> Decision {
    let mut case = Case { kind, history, whole, stop, stopped: false };
    let mut units = case.units(suspects);
    if !case.refuted(&units) {
        units = case.units(&Suspects {
            elements: (0..whole.len() as u32).collect(),
            empties: (0..whole.empties.len() as u32).collect(),
        });
    }
    let mut core: Vec<Unit> = Vec::new();
    while !case.stopped && !units.is_empty() && !case.refuted(&core) {
        // Between a beginning that is linearizable with the core and one that is not.
        let (mut yes, mut no) = (0, units.len());
        while no - yes > 1 {
            let half = usize::midpoint(yes, no);
            let tried: Vec<Unit> = core.iter().chain(&units[..half]).copied().collect();
            if case.refuted(&tried) {
                no = half;
            } else {
                yes = half;
            }
        }
        core.push(units[no - 1]);
        units.truncate(no - 1);
    }
    if case.stopped {
        return Decision::Stopped;
    }
    let rows = case.rows(&core);
    let few = match parse(kind, history, &rows) {
        Ok(few) => few,
        Err(decision) => return decision,
    };
    let blame = kind.explain(history, &few);
    let rows = std::iter::once(blame.row).chain(rows.into_iter().filter(|row| *row != blame.row));
    Decision::Refuted(Refutation {
        rows: rows.collect(),
        name: Cow::Borrowed(blame.name),
        because: blame.because,
    })
}

struct Case<'c, D> {
    kind: &'c D,
    history: &'c History,
    whole: &'c Container,
    stop: &'c Stop,
    stopped: bool,
}

impl<D: Discipline> Case<'_, D> {
    fn units(&self, suspects: &Suspects) -> Vec<Unit> {
        let Suspects { elements, empties } = suspects;
        let mut suspected = vec![false; self.whole.len()];
        elements.iter().for_each(|v| suspected[*v as usize] = true);
        let peeks = self.whole.peeks.iter().enumerate();
        let peeks = peeks.filter(|(_, peek)| suspected[peek.element as usize]);
        let peeks = peeks.map(|(at, _)| Unit::Peek(at as u32));
        let elements = elements.iter().map(|v| Unit::Element(*v));
        empties.iter().map(|e| Unit::Empty(*e)).chain(elements).chain(peeks).collect()
    }

    /// Whether these alone are not linearizable.
    fn refuted(&mut self, units: &[Unit]) -> bool {
        self.stopped |= self.stop.is_tripped();
        if self.stopped {
            return false;
        }
        let Ok(mut few) = parse(self.kind, self.history, &self.rows(units)) else { return true };
        let how = How { witness: false, stop: self.stop.clone() };
        match self.kind.solve(&mut few, &how) {
            Solved::No(_) => true,
            Solved::Yes(_) => false,
            Solved::Stopped => {
                self.stopped = true;
                false
            }
        }
    }

    /// The rows of these, by invocation, with the removals of unknown result that could make a
    /// difference: if an element is left, those that could have taken it in time.
    fn rows(&self, units: &[Unit]) -> Vec<u32> {
        let whole = self.whole;
        let mut rows = Vec::new();
        let (mut elements, mut left) = (Vec::new(), false);
        for unit in units {
            match *unit {
                Unit::Element(v) => {
                    let (put, taken) = (whole.put[v as usize], whole.taken[v as usize]);
                    rows.push(put);
                    rows.extend(Some(taken).filter(|row| *row != NONE));
                    left |= taken == NONE;
                    elements.push(v);
                }
                Unit::Empty(e) => rows.push(whole.empties[e as usize].row),
                Unit::Peek(_) => {}
            }
        }
        elements.sort_unstable();
        for unit in units {
            if let Unit::Peek(peek) = unit {
                let Seen { row, element, .. } = whole.peeks[*peek as usize];
                rows.extend(elements.binary_search(&element).map(|_| row));
            }
        }
        if left {
            let end = |row: &u32| Some(self.history.row(*row as usize).res_rank());
            let end = rows.iter().filter_map(end).filter(|end| *end != NONE).max().unwrap_or(0);
            let crashed = whole.crashed.iter().map(|crashed| crashed.row);
            let before = |row: &u32| self.history.row(*row as usize).inv_rank() < end;
            rows.extend(crashed.take_while(before));
        }
        rows.sort_unstable();
        rows
    }
}
