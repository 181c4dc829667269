//! [`KnownOrder`]: registers whose answers carry versions.
//!
//! Where a system says in which order changes happened, that order only has to be replayed and
//! compared with real time. Let *m₁, m₂, …* be the changes by version. The earliest instant of
//! *mᵢ* is the latest of its own beginning, that of *mᵢ₋₁*, and the beginnings of those who saw
//! the state before it; if that is not after its end, nor after the end of anybody who saw the
//! state after it, for all *i*, the order is a linearization, and observers go between.
//!
//! Values need not be unique. A claim that does not hold refutes the claim, not the register: the
//! versions may be wrong and the values right. So this procedure accepts, with proof, or is unfit.

#[cfg(test)]
mod tests;

use danso_vocab::{Op, Value};
use rustc_hash::FxHashMap;

use super::register_acts::{Act, Alphabet, INITIAL, Reader};
use super::{Decision, How, Part, Polynomial};
use crate::models::register::{version, versioned};

/// Accepts a register (`read`, `write`, and with [`KnownOrder::cas_register`] also `cas` and
/// `delete`) whose answers carry versions that explain everything: `{version: 7}` from a change,
/// `{value: 3, version: 7}` from a read. It is unfit otherwise, and never refutes.
///
/// A version seen that no change reported belongs to one of unknown outcome if it goes with
/// another value, and else to a counter shared with other objects. A read of the initial value
/// needs no version. O(n log n).
#[derive(Clone, Debug)]
pub struct KnownOrder {
    alphabet: Alphabet,
}

impl KnownOrder {
    /// For a register that holds `initial` before the first operation.
    pub fn register(initial: Value) -> Self {
        KnownOrder { alphabet: Alphabet { initial, swaps: false } }
    }

    /// For one that also knows `cas` and `delete`.
    pub fn cas_register(initial: Value) -> Self {
        KnownOrder { alphabet: Alphabet { initial, swaps: true } }
    }
}

impl Polynomial for KnownOrder {
    fn name(&self) -> &'static str {
        "known-order"
    }

    fn decide(&self, part: &Part<'_>, how: &How) -> Decision {
        if versioned(&self.alphabet.initial).is_some() {
            return Decision::Unfit("the initial value carries a version".to_owned());
        }
        match Claims::of(&self.alphabet, part, how).and_then(|claims| claims.replay(part)) {
            Ok(line) if how.witness => Decision::Linearizable(Some(line.order())),
            Ok(_) => Decision::Linearizable(None),
            Err(not) => not,
        }
    }
}

/// An operation and what it did, at a version.
#[derive(Clone, Copy, Debug)]
struct Claim {
    version: i64,
    /// A change comes before those who saw it.
    observes: bool,
    row: u32,
    act: Act,
}

/// What the operations say of themselves.
struct Claims {
    /// By version.
    known: Vec<Claim>,
    /// Changes of unknown outcome by the value they leave, the earliest last.
    unknown: FxHashMap<u32, Vec<(u32, Act)>>,
}

impl Claims {
    fn of(alphabet: &Alphabet, part: &Part<'_>, how: &How) -> Result<Claims, Decision> {
        let mut reader = Reader::new(alphabet, part.history, part.rows.len());
        let mut claims = Claims { known: Vec::new(), unknown: FxHashMap::default() };
        for (i, &row) in part.rows.iter().enumerate() {
            if i & 0xffff == 0 && how.stop.is_tripped() {
                return Err(Decision::Stopped);
            }
            let op = part.history.row(row as usize);
            let act = reader.act(op).map_err(Decision::Unfit)?;
            match (act, act.leaves()) {
                (Act::Nothing, _) => {}
                (_, Some(value)) if !op.is_ok() => {
                    claims.unknown.entry(value).or_default().push((row, act));
                }
                (_, left) => {
                    let version = claimed(op, act)
                        .ok_or_else(|| Decision::Unfit(format!("{op} carries no version")))?;
                    claims.known.push(Claim { version, observes: left.is_none(), row, act });
                }
            }
        }
        for candidates in claims.unknown.values_mut() {
            candidates.reverse();
        }
        claims.known.sort_unstable_by_key(|claim| (claim.version, claim.observes, claim.row));
        Ok(claims)
    }

    /// Goes through the changes in their order.
    fn replay(mut self, part: &Part<'_>) -> Result<Line, Decision> {
        let mut line = Line::EMPTY;
        let mut last = None;
        for i in 0..self.known.len() {
            let claim = self.known[i];
            let op = part.history.row(claim.row as usize);
            if !claim.observes && last.replace(claim.version) == Some(claim.version) {
                let version = claim.version;
                return Err(Decision::Unfit(format!("two changes have version {version}")));
            }
            // Perhaps somebody changed it and never heard of it.
            if let Some(needed) = claim.act.needs().filter(|v| *v != line.state) {
                self.explain(needed, &mut line, part);
            }
            line.take(op, claim.act).ok_or_else(|| contradiction(op))?;
        }
        Ok(line)
    }

    /// Puts a change of unknown outcome that leaves `value` here, if there is one.
    fn explain(&mut self, value: u32, line: &mut Line, part: &Part<'_>) {
        let Some(candidates) = self.unknown.get_mut(&value) else { return };
        let fits = |(_, act): &(u32, Act)| act.needs().is_none_or(|old| old == line.state);
        if let Some(place) = candidates.iter().rposition(fits) {
            let (row, act) = candidates.remove(place);
            // It fits and never ends.
            let _ = line.take(part.history.row(row as usize), act);
        }
    }
}

/// The version of an operation.
fn claimed(op: Op<'_>, act: Act) -> Option<i64> {
    let known = op.ret().as_deref().and_then(version);
    known.or((act == Act::Reads(INITIAL)).then_some(i64::MIN))
}

fn contradiction(op: Op<'_>) -> Decision {
    Decision::Unfit(format!("the versions contradict values or real time, at {op}"))
}

/// The order so far.
struct Line {
    state: u32,
    /// The earliest instant of the last change: an event rank and one, 0 before all.
    now: u32,
    /// The latest beginning of those who saw the state since then.
    seen: u32,
    /// The number of the last change.
    change: u32,
    /// By change, the change first: its number, whether it is an observer, its row.
    entries: Vec<(u32, bool, u32)>,
}

impl Line {
    const EMPTY: Line = Line { state: INITIAL, now: 0, seen: 0, change: 0, entries: Vec::new() };

    /// Appends an operation; `None` if it is not possible here, or had ended before.
    fn take(&mut self, op: Op<'_>, act: Act) -> Option<()> {
        let fits = match act {
            Act::Reads(value) | Act::Swaps(value, _) => value == self.state,
            Act::Misses(value) => value != self.state,
            Act::Writes(_) | Act::Nothing => true,
        };
        let begins = op.inv_rank() + 1;
        match act.leaves() {
            Some(value) => {
                self.now = self.now.max(self.seen).max(begins);
                self.state = value;
                self.change += 1;
            }
            None => self.seen = self.seen.max(begins),
        }
        self.entries.push((self.change, act.leaves().is_none(), op.row() as u32));
        (fits && op.res_rank().saturating_add(1) >= self.now).then_some(())
    }

    /// The rows in order. Observers between two changes go by their beginnings, since their
    /// versions, if they have other objects' changes in them, need not.
    fn order(mut self) -> Vec<u32> {
        self.entries.sort_unstable();
        self.entries.into_iter().map(|(.., row)| row).collect()
    }
}
