//! [`Offsets`]: append-only logs, in linear time.
//!
//! Offsets are the order of the appends. So first every offset must have one value, and every
//! value one that was appended (`claims.rs`); an offset below the greatest that nobody reported
//! belongs to an append of unknown outcome: the one that appended what was read there, or else the
//! first that began to the first that is missing. Then real time: an append comes after the
//! beginnings of all that have smaller offsets, and of all who saw the log without it; and that
//! must not be after its own end, nor after the end of anybody who saw it.

mod claims;
#[cfg(test)]
mod tests;

use danso_vocab::Op;

use super::tell::{before, who};
use super::{Decision, How, Part, Polynomial, Refutation};
use crate::models::append_log::offset;
use claims::{Claims, NONE, Saw};

/// Decides an [`AppendLog`](crate::models::AppendLog) if every append reports its offset or is
/// read somewhere; appends of unknown outcome need not be. Unfit if one value was appended twice
/// and not every offset of it is known, or if nil was appended. O(n) and the sizes of all lists
/// read; about 30 bytes an operation.
#[derive(Clone, Debug, Default)]
pub struct Offsets;

impl Polynomial for Offsets {
    fn name(&self) -> &'static str {
        "offsets"
    }

    fn decide(&self, part: &Part<'_>, how: &How) -> Decision {
        let claims = match Claims::of(part, how) {
            Ok(claims) => claims,
            Err(decision) => return decision,
        };
        match Schedule::of(part, &claims) {
            Ok(schedule) => {
                Decision::Linearizable(how.witness.then(|| schedule.order(part, &claims)))
            }
            Err(decision) => decision,
        }
    }
}

/// Which append has which offset, and its earliest instant: an event rank and one.
struct Schedule {
    entries: Vec<(u32, u32)>,
}

fn begins(op: Op<'_>) -> u32 {
    op.inv_rank() + 1
}

fn ends(op: Op<'_>) -> u32 {
    op.res_rank().saturating_add(1)
}

impl Schedule {
    fn of(part: &Part<'_>, claims: &Claims) -> Result<Schedule, Decision> {
        let op = |row: u32| part.history.row(row as usize);
        let mut schedule = Schedule { entries: Vec::with_capacity(claims.spots.len()) };
        let (mut unknown, mut now, mut latest) = (claims.unknown.iter(), 0, NONE);
        for (offset, spot) in claims.spots.iter().enumerate() {
            let row = match spot.row {
                NONE => unknown.next().copied(),
                row => Some(row),
            };
            let Some(row) = row else { return Err(missing(part, claims, offset)) };
            for other in [row, spot.late].into_iter().filter(|row| *row != NONE) {
                if begins(op(other)) > now {
                    (now, latest) = (begins(op(other)), other);
                }
            }
            let dues = [row, spot.due].into_iter().filter(|row| *row != NONE);
            let due = dues.min_by_key(|row| ends(op(*row))).unwrap_or(row);
            if ends(op(due)) < now {
                return Err(match claims.unknown.contains(&latest) {
                    true => missing(part, claims, offset),
                    false => inverted(part, claims, op(due), op(latest)),
                });
            }
            schedule.entries.push((row, now));
        }
        Ok(schedule)
    }

    /// A linearization: appends by offset, and between them everybody as early as can be.
    fn order(&self, part: &Part<'_>, claims: &Claims) -> Vec<u32> {
        // An append comes before all who saw it at the same instant.
        let mut order: Vec<(u32, bool, u32, u32)> = Vec::with_capacity(part.rows.len());
        for (offset, (row, now)) in (0..).zip(&self.entries) {
            order.push((offset + 1, false, *now, *row));
        }
        let there = |offset: usize| self.entries.get(offset).map_or(0, |(_, now)| *now);
        for &(row, saw) in &claims.saw {
            let begins = begins(part.history.row(row as usize));
            let by = |at: u32| self.entries.partition_point(|(_, now)| *now < at) as u32;
            let (len, at) = match saw {
                // What it has not seen may be there from this very instant on.
                Saw::Nothing => (by(begins), begins),
                Saw::Value(offset) => {
                    let at = begins.max(there(offset as usize));
                    (by(at + 1), at)
                }
                Saw::All(len) => {
                    let last = (len as usize).checked_sub(1).map_or(0, there);
                    (len, begins.max(last))
                }
            };
            order.push((len, true, at, row));
        }
        order.sort_unstable();
        order.into_iter().map(|(.., row)| row).collect()
    }
}

fn refuted(name: &'static str, rows: Vec<u32>, because: String) -> Decision {
    Decision::Refuted(Refutation { rows, name: name.into(), because })
}

/// Refutes: `due` had seen or made what comes after what `late` made or did not see yet.
fn inverted(part: &Part<'_>, claims: &Claims, due: Op<'_>, late: Op<'_>) -> Decision {
    let (name, blamed) = match (due.f(), late.f()) {
        (_, "read") => ("stale-read", late),
        ("read", _) => ("future-read", due),
        _ => ("reordered", late),
    };
    let because = match blamed.row() == late.row() {
        true => format!(
            "{} although {} had finished {} it began",
            who(late),
            who(due),
            before(due, late)
        ),
        false => format!(
            "{} although it had finished {} {} began, which comes no later in the log",
            who(due),
            before(due, late),
            who(late)
        ),
    };
    let other = if blamed.row() == late.row() { due } else { late };
    let rows = proven(part, claims, [blamed.row() as u32, other.row() as u32]);
    refuted(name, rows, because)
}

/// Refutes: up to `offset`, more are missing than there are appends of unknown outcome that began
/// before somebody saw or made what comes after.
fn missing(part: &Part<'_>, claims: &Claims, offset: usize) -> Decision {
    let op = |row: &u32| part.history.row(*row as usize);
    let missing = claims.spots[..offset + 1].iter().filter(|spot| spot.row == NONE).count();
    let after = claims.spots[offset..].iter().flat_map(|spot| [spot.row, spot.due]);
    let Some(first) = after.filter(|row| *row != NONE).min_by_key(|row| ends(op(row))) else {
        return Decision::Unfit("the log has no end".to_owned());
    };
    let began = |row: &&u32| begins(op(row)) < ends(op(&first));
    let unknown: Vec<u32> = claims.unknown.iter().filter(began).copied().collect();
    let nobody = match missing {
        1 => {
            let place = claims.spots.iter().position(|spot| spot.row == NONE).unwrap_or(offset);
            format!("nobody appended anything at {place}")
        }
        n => format!("nobody appended anything at {n} of the offsets up to {offset}"),
    };
    let could = match unknown.len() {
        0 => "no append of unknown outcome".to_owned(),
        1 => "only 1 append of unknown outcome".to_owned(),
        n => format!("only {n} appends of unknown outcome"),
    };
    let because =
        format!("{} although {nobody}, and {could} began before it ended", who(op(&first)));
    refuted("skipped", [proven(part, claims, [first]), unknown].concat(), because)
}

/// These rows, and for appends that did not report their offsets, those who saw them there.
fn proven<const N: usize>(part: &Part<'_>, claims: &Claims, rows: [u32; N]) -> Vec<u32> {
    let silent = |row: &u32| {
        let op = part.history.row(*row as usize);
        op.f() == "append" && op.ret().as_deref().and_then(offset).is_none()
    };
    let spots = claims.spots.iter().filter(|spot| rows.contains(&spot.row) && silent(&spot.row));
    let mut proven = rows.to_vec();
    for claimed in spots.map(|spot| spot.claimed) {
        if !proven.contains(&claimed) {
            proven.push(claimed);
        }
    }
    proven
}
