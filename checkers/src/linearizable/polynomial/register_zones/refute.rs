//! From a conflict to a handful of operations and a sentence.
//!
//! The operations that attain the ends and beginnings in conflict, with those that their values
//! come from, are refuted by themselves. Then whole units are taken away, an observer or the tail
//! of a chain, as long as the rest stays refuted: taking such a unit out of a linearizable history
//! leaves it linearizable, so one pass gives a core from which no unit can be taken. (With a
//! compare-and-set that was refused this is not so; it is shown with what keeps its value there.)

use std::collections::BTreeSet;

use danso_vocab::Stop;

use super::super::register_acts::{Act, Alphabet, Reader};
use super::super::{Part, Refutation};
use super::chains::{Chains, Conflict, NEVER, NONE, Stuck};
use super::{begins, ends};

mod sentence;

/// Values whose origin is followed; a longer chain of compare-and-sets is cut, and not shrunk.
const FOLLOWED: usize = 48;

/// Why these operations are not linearizable.
pub(super) fn refute(
    of: &Alphabet,
    part: &Part<'_>,
    chains: &Chains,
    conflict: Conflict,
) -> Refutation {
    let mut core = Core { of, part, chains, rows: BTreeSet::new(), values: BTreeSet::new() };
    let closed = core.gather(conflict);
    let mut rows: Vec<u32> = core.rows.into_iter().collect();
    // Whoever was refused may depend on anything written, so there nothing can be taken away.
    let shrinks = closed && !matches!(conflict, Conflict::Held { .. });
    if shrinks {
        shrink(of, part, &mut rows);
    }
    let small = Part { history: part.history, rows: &rows };
    // What is left may conflict in a simpler way; the sentence names only what is left.
    let told = match Chains::of(of, &small, &Stop::new()) {
        Err(Stuck::Refuted(chains, conflict)) if shrinks => {
            sentence::tell(of, part, &small, &chains, conflict)
        }
        _ => sentence::tell(of, part, part, chains, conflict),
    };
    let blamed = told.blamed.into_iter().chain(rows.iter().copied());
    let mut listed = Vec::with_capacity(rows.len());
    for row in blamed.filter(|row| rows.contains(row)) {
        if !listed.contains(&row) {
            listed.push(row);
        }
    }
    Refutation { rows: listed, name: told.name.into(), because: told.because }
}

/// What the operations do that `want` picks.
fn scan(
    of: &Alphabet,
    part: &Part<'_>,
    want: impl Fn(danso_vocab::Op<'_>, Act) -> bool,
) -> Vec<(u32, Act)> {
    let mut reader = Reader::new(of, part.history, part.rows.len());
    let acts = part.rows.iter().filter_map(|&row| {
        let op = part.history.row(row as usize);
        let act = reader.act(op).ok().filter(|act| *act != Act::Nothing)?;
        want(op, act).then_some((row, act))
    });
    acts.collect()
}

/// A core in the making.
struct Core<'c> {
    of: &'c Alphabet,
    part: &'c Part<'c>,
    chains: &'c Chains,
    rows: BTreeSet<u32>,
    /// Values whose origin is in it.
    values: BTreeSet<u32>,
}

impl Core<'_> {
    /// Gathers what the conflict is about. Whether it has the origin of all its values.
    fn gather(&mut self, conflict: Conflict) -> bool {
        let chains = self.chains;
        match conflict {
            Conflict::Nowhere(value) => {
                let happened = |act: Act| match act.leaves() {
                    Some(left) => chains.slots[left as usize].retained(),
                    None => true,
                };
                let needs =
                    |_: danso_vocab::Op<'_>, act: Act| act.needs() == Some(value) && happened(act);
                let all = scan(self.of, self.part, needs);
                let sure = |(row, _): &&(u32, Act)| self.part.history.row(*row as usize).is_ok();
                let first = all.iter().find(sure).or(all.first()).copied();
                self.add(first)
            }
            Conflict::Circle(value) => self.close(&[value]),
            Conflict::Twice(a, b) => self.close(&[a, b]),
            Conflict::Inverted { began, ended } => self.add_at(&[began, ended]),
            Conflict::Clash(a, b) => {
                self.add_at(&[a.first_end, a.last_begin, b.first_end, b.last_begin])
            }
            Conflict::Held { row, value, from, to } => {
                self.rows.insert(row);
                let closed = self.close(&[value]);
                // No operation ever ends or begins at 0 or never.
                self.add_at(&[from, to]) && closed
            }
        }
    }

    /// Adds the operations that begin or end at these instants.
    fn add_at(&mut self, instants: &[u32]) -> bool {
        let at = |op: danso_vocab::Op<'_>, _: Act| {
            instants.contains(&begins(op)) || op.is_ok() && instants.contains(&ends(op))
        };
        let all = scan(self.of, self.part, at);
        self.add(all)
    }

    fn add(&mut self, acts: impl IntoIterator<Item = (u32, Act)>) -> bool {
        let mut touched = Vec::new();
        for (row, act) in acts {
            self.rows.insert(row);
            touched.extend(act.leaves().or(act.needs()));
        }
        self.close(&touched)
    }

    /// Adds where these values come from, and who proves that it happened.
    fn close(&mut self, touched: &[u32]) -> bool {
        let mut followed = 0;
        let mut proofs = Vec::new();
        for &value in touched {
            let mut at = value;
            while self.values.insert(at) {
                let slot = &self.chains.slots[at as usize];
                if slot.row != NONE {
                    self.rows.insert(slot.row);
                }
                if slot.old == NONE {
                    break;
                }
                followed += 1;
                if followed > FOLLOWED {
                    break;
                }
                at = slot.old;
            }
        }
        // An unknown operation at the end of what is known needs somebody who saw it.
        let unproven: Vec<u32> = self.values.iter().copied().collect();
        for value in unproven {
            let mut at = value;
            for _ in 0..FOLLOWED {
                let slot = &self.chains.slots[at as usize];
                if !slot.exists || slot.ends != NEVER {
                    break;
                }
                if slot.first != NEVER {
                    proofs.push(slot.first);
                    break;
                }
                if slot.next == NONE {
                    break;
                }
                at = slot.next;
                self.values.insert(at);
                self.rows.insert(self.chains.slots[at as usize].row);
            }
        }
        let readers = scan(self.of, self.part, |op, _| op.is_ok() && proofs.contains(&ends(op)));
        self.rows.extend(readers.iter().map(|(row, _)| *row));
        followed <= FOLLOWED
    }
}

/// Takes away whatever is not needed.
fn shrink(of: &Alphabet, part: &Part<'_>, rows: &mut Vec<u32>) {
    let units = units(of, &Part { history: part.history, rows });
    for unit in units {
        let rest: Vec<u32> = rows.iter().copied().filter(|row| !unit.contains(row)).collect();
        let small = Part { history: part.history, rows: &rest };
        if rest.len() < rows.len()
            && matches!(Chains::of(of, &small, &Stop::new()), Err(Stuck::Refuted(..)))
        {
            *rows = rest;
        }
    }
}

/// What can be taken out of these operations: the tails of chains with all who saw them, the
/// longest first, and single observers.
fn units(of: &Alphabet, part: &Part<'_>) -> Vec<Vec<u32>> {
    let acts = scan(of, part, |_, _| true);
    let made = |value: u32| {
        let maker = acts.iter().find(|(_, act)| act.leaves() == Some(value));
        maker.and_then(|(_, act)| act.needs())
    };
    // Whether `value` is `from` or made from it, in how ever many steps.
    let stems = |value: u32, from: u32| {
        let steps = std::iter::successors(Some(value), |value| made(*value));
        steps.take(acts.len() + 1).any(|value| value == from)
    };
    let mut units = Vec::new();
    for from in acts.iter().filter_map(|(_, act)| act.leaves()) {
        let of_tail = |act: &Act| match act {
            Act::Misses(_) | Act::Nothing => false,
            Act::Reads(value) | Act::Writes(value) | Act::Swaps(_, value) => stems(*value, from),
        };
        units.push(acts.iter().filter(|(_, act)| of_tail(act)).map(|(row, _)| *row).collect());
    }
    units.sort_by_key(|unit: &Vec<u32>| std::cmp::Reverse(unit.len()));
    let observes = |act: &Act| matches!(act, Act::Reads(_));
    units.extend(acts.iter().filter(|(_, act)| observes(act)).map(|(row, _)| vec![*row]));
    units
}
