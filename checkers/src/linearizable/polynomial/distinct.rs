//! [`Distinct`]: unique ids.

#[cfg(test)]
mod tests;

use danso_vocab::Status;

use super::tell::who;
use super::{Decision, How, Part, Polynomial, Refutation};
use crate::numbering::Numbering;

/// Decides a [`UniqueIds`](crate::models::UniqueIds), always exactly: it is linearizable exactly
/// if no id was given out twice, in any order. O(n), eight bytes an operation.
#[derive(Clone, Debug, Default)]
pub struct Distinct;

impl Polynomial for Distinct {
    fn name(&self) -> &'static str {
        "distinct"
    }

    fn decide(&self, part: &Part<'_>, how: &How) -> Decision {
        let mut ids = Numbering::new(part.rows.len());
        let mut order = Vec::new();
        for (i, &row) in part.rows.iter().enumerate() {
            if i & 0xffff == 0 && how.stop.is_tripped() {
                return Decision::Stopped;
            }
            let op = part.history.row(row as usize);
            if op.status() == Status::Fail {
                continue;
            }
            if op.f() != "generate" {
                return Decision::Unfit(format!("a source of ids does not know {op}"));
            }
            let Some(ret) = op.ret_id() else { continue };
            let known = ids.len();
            if (ids.id(part.history, ret) as usize) < known {
                return Decision::Refuted(twice(part, row, ret));
            }
            if how.witness {
                order.push(row);
            }
        }
        Decision::Linearizable(how.witness.then_some(order))
    }
}

/// The id `ret` was answered before `row`.
fn twice(part: &Part<'_>, row: u32, ret: u32) -> Refutation {
    let ops = part.rows.iter().map(|row| part.history.row(*row as usize));
    let first = ops.filter(|op| op.ret_id() == Some(ret)).map(|op| op.row() as u32).next();
    let first = first.unwrap_or(row);
    let op = |row: u32| part.history.row(row as usize);
    Refutation {
        rows: vec![row, first],
        name: "duplicate-id".into(),
        because: format!("{} and {} got the same id", who(op(row)), who(op(first))),
    }
}
