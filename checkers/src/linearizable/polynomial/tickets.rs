//! [`Tickets`]: fetch-and-increment, in linear time.
//!
//! The answers *are* the order. An operation comes after all that got less, so it must not have
//! ended before one of these began. A number below the greatest that nobody got was taken by an
//! operation of unknown outcome: the first missing one by the first that began, and so on, since
//! the first missing one is due first.

#[cfg(test)]
mod tests;

use danso_vocab::{Op, Status};

use super::tell::{before, who};
use super::{Decision, How, Part, Polynomial, Refutation};
use crate::models::fetch_and_increment::fetches;

const NONE: u32 = u32::MAX;

/// Decides a [`FetchAndIncrement`](crate::models::FetchAndIncrement), always exactly. O(n), four
/// bytes an operation.
#[derive(Clone, Debug)]
pub struct Tickets {
    initial: i64,
}

impl Tickets {
    /// For one whose first answer is `initial`.
    pub fn new(initial: i64) -> Self {
        Tickets { initial }
    }
}

/// Who got which number.
struct Taken {
    /// Rows by number, the initial one first; [`NONE`] for those of unknown outcome.
    rows: Vec<u32>,
    /// Rows of operations of unknown outcome.
    unknown: Vec<u32>,
}

impl Polynomial for Tickets {
    fn name(&self) -> &'static str {
        "tickets"
    }

    fn decide(&self, part: &Part<'_>, how: &How) -> Decision {
        let mut taken = match self.taken(part, how) {
            Ok(taken) => taken,
            Err(decision) => return decision,
        };
        // What began last among those with smaller numbers.
        let (mut latest, mut unknown) = (None::<Op<'_>>, taken.unknown.iter());
        for number in 0..taken.rows.len() {
            if number & 0xffff == 0 && how.stop.is_tripped() {
                return Decision::Stopped;
            }
            let known = taken.rows[number] != NONE;
            let row = if known { Some(taken.rows[number]) } else { unknown.next().copied() };
            let Some(row) = row else { return self.missing(part, &taken, number) };
            let op = part.history.row(row as usize);
            if let Some(latest) = latest.filter(|latest| op.res_rank() < latest.inv_rank()) {
                return match latest.is_ok() {
                    true => reordered(op, latest),
                    false => self.missing(part, &taken, number),
                };
            }
            latest = latest.filter(|latest| latest.inv_rank() > op.inv_rank()).or(Some(op));
        }
        let mut unknown = taken.unknown.iter();
        for row in taken.rows.iter_mut().filter(|row| **row == NONE) {
            *row = unknown.next().copied().unwrap_or(NONE);
        }
        Decision::Linearizable(how.witness.then_some(taken.rows))
    }
}

impl Tickets {
    fn taken(&self, part: &Part<'_>, how: &How) -> Result<Taken, Decision> {
        if self.initial.checked_add_unsigned(part.rows.len() as u64).is_none() {
            return Err(Decision::Unfit("numbers that large wrap around".to_owned()));
        }
        let mut taken = Taken { rows: Vec::new(), unknown: Vec::new() };
        let knows: Vec<bool> = part.history.fs().map(fetches).collect();
        for (i, &row) in part.rows.iter().enumerate() {
            if i & 0xffff == 0 && how.stop.is_tripped() {
                return Err(Decision::Stopped);
            }
            let op = part.history.row(row as usize);
            if op.status() == Status::Fail {
                continue;
            }
            if !knows[usize::from(op.f_id())] || !op.arg().is_nil() {
                return Err(Decision::Unfit(format!("a ticket counter does not know {op}")));
            }
            let Some(ret) = op.ret() else {
                taken.unknown.push(row);
                continue;
            };
            let Some(value) = ret.int() else {
                return Err(Decision::Unfit(format!("{op} is no number")));
            };
            let number = i128::from(value) - i128::from(self.initial);
            let Ok(number) = usize::try_from(number) else {
                let because = format!("{} although it began at {}", who(op), self.initial);
                return Err(refuted("thin-air", vec![row], because));
            };
            if number >= part.rows.len() {
                let because = format!(
                    "{} although there were only {} calls and it began at {}",
                    who(op),
                    part.rows.len(),
                    self.initial
                );
                return Err(refuted("thin-air", vec![row], because));
            }
            if number >= taken.rows.len() {
                taken.rows.resize(number + 1, NONE);
            }
            if taken.rows[number] != NONE {
                let first = part.history.row(taken.rows[number] as usize);
                let because = format!("{} and {} got the same number", who(op), who(first));
                return Err(refuted("lost-update", vec![row, first.row() as u32], because));
            }
            taken.rows[number] = row;
        }
        Ok(taken)
    }

    /// Refutes: up to `number`, more numbers are missing than there are operations of unknown
    /// outcome that began before somebody with a greater one ended.
    fn missing(&self, part: &Part<'_>, taken: &Taken, number: usize) -> Decision {
        let missing = taken.rows[..number + 1].iter().filter(|row| **row == NONE).count();
        let op = |row: &u32| part.history.row(*row as usize);
        let greater = taken.rows[number..].iter().filter(|row| **row != NONE).map(op);
        // There is one, since the last number is somebody's.
        let Some(first) = greater.min_by_key(|op| op.res_rank()) else {
            return Decision::Unfit("it has no end".to_owned());
        };
        let began = |op: &Op<'_>| op.inv_rank() < first.res_rank();
        let unknown: Vec<u32> =
            taken.unknown.iter().map(op).filter(began).map(|op| op.row() as u32).collect();
        let nobody = match missing {
            1 => {
                let place = taken.rows.iter().position(|row| *row == NONE).unwrap_or(number);
                format!("nobody got {}", self.initial + place as i64)
            }
            n => format!("nobody got {n} of the numbers before"),
        };
        let could = match unknown.len() {
            0 => "no call of unknown outcome".to_owned(),
            1 => "only 1 call of unknown outcome".to_owned(),
            n => format!("only {n} calls of unknown outcome"),
        };
        let because =
            format!("{} although {nobody}, and {could} began before it ended", who(first));
        let rows = [&[first.row() as u32], unknown.as_slice()].concat();
        refuted("skipped", rows, because)
    }
}

/// Refutes: `early` got more than `late`, which began after it had ended.
fn reordered(early: Op<'_>, late: Op<'_>) -> Decision {
    let because = format!(
        "{} although {}, which got more, had finished {} it began",
        who(late),
        who(early),
        before(early, late)
    );
    refuted("reordered", vec![late.row() as u32, early.row() as u32], because)
}

fn refuted(name: &'static str, rows: Vec<u32>, because: String) -> Decision {
    Decision::Refuted(Refutation { rows, name: name.into(), because })
}
