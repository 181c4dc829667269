//! [`Counting`]: counters on which all steps are alike.
//!
//! Steps of one size are counted as late as possible: when their own end forces them, or a read
//! that ends and has seen more. Which ones a read forces is free, and the one that ends first is
//! the best choice (*earliest deadline first*). A read of less than was counted before it began
//! is then impossible in any order, and so is one that ends without enough steps begun.
//!
//! Bounds alone, steps ended before a read and steps begun before its end, would miss much: two
//! reads of 1 with a step between them that ended, and another that began before the first read
//! ended and lasts, are each within their bounds, and together impossible.
//!
//! Steps of several sizes make the problem NP-hard (subset sum): then bounds can refute, and
//! otherwise the search decides.

mod refute;
mod schedule;
#[cfg(test)]
mod tests;

use danso_vocab::{Op, Status};

use super::{Decision, How, Part, Polynomial};
use crate::models::counter::added;
use schedule::{Schedule, Stuck};

/// Decides a counter (the alphabet of [`Counter`](crate::models::Counter)) if all steps have one
/// size, up or down; refutes by bounds if not, or is unfit. A counter that nobody read is always
/// linearizable. O(n log c) for c operations at once, about 20 bytes an operation.
#[derive(Clone, Debug)]
pub struct Counting {
    initial: i64,
}

impl Counting {
    /// For a counter that stands at `initial` before the first operation.
    pub fn new(initial: i64) -> Self {
        Counting { initial }
    }
}

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Nothing,
    Read(i64),
    Add(i64),
}

/// What `op` does.
///
/// # Errors
/// If nobody can say.
fn act(op: Op<'_>) -> Result<Act, String> {
    if op.status() == Status::Fail {
        return Ok(Act::Nothing);
    }
    if op.f() != "read" {
        let by = added(op.f(), &op.arg());
        return by.map(Act::Add).ok_or_else(|| format!("a counter does not know {op}"));
    }
    match op.ret() {
        None => Ok(Act::Nothing),
        Some(ret) => ret.int().map(Act::Read).ok_or_else(|| format!("{op} is no number")),
    }
}

/// The steps of a counter.
enum Steps {
    /// Nobody read it, or nobody changed it.
    Any,
    /// All are of this size.
    Alike(i64),
    /// There are several sizes.
    Mixed,
}

impl Polynomial for Counting {
    fn name(&self) -> &'static str {
        "counting"
    }

    fn decide(&self, part: &Part<'_>, how: &How) -> Decision {
        let (mut steps, mut reads, mut reach) = (Steps::Any, false, 0_i128);
        for (i, &row) in part.rows.iter().enumerate() {
            if i & 0xffff == 0 && how.stop.is_tripped() {
                return Decision::Stopped;
            }
            match act(part.history.row(row as usize)) {
                Err(reason) => return Decision::Unfit(reason),
                Ok(Act::Nothing) => {}
                Ok(Act::Read(_)) => reads = true,
                Ok(Act::Add(by)) => {
                    reach += i128::from(by).abs();
                    steps = match steps {
                        Steps::Any => Steps::Alike(by),
                        Steps::Alike(size) if size == by => Steps::Alike(size),
                        _ => Steps::Mixed,
                    }
                }
            }
        }
        match steps {
            _ if !reads => Decision::Linearizable(how.witness.then(|| as_begun(part))),
            _ if i128::from(self.initial).abs() + reach > i64::MAX.into() => {
                Decision::Unfit("numbers that large wrap around".to_owned())
            }
            Steps::Mixed => refute::by_bounds(self.initial, part, how),
            Steps::Alike(0) => Decision::Unfit("it is never changed".to_owned()),
            Steps::Any => self.alike(1, part, how),
            Steps::Alike(size) => self.alike(size, part, how),
        }
    }
}

impl Counting {
    /// Decides a counter on which all steps are of this size.
    fn alike(&self, size: i64, part: &Part<'_>, how: &How) -> Decision {
        match Schedule::of(self.initial, size, part, how) {
            Ok(schedule) => Decision::Linearizable(how.witness.then(|| schedule.order(part))),
            Err(Stuck::Stopped) => Decision::Stopped,
            Err(Stuck::Unfit(reason)) => Decision::Unfit(reason),
            Err(Stuck::Low(read, forced)) => refute::low(self.initial, size, part, read, &forced),
            Err(Stuck::High(read)) => refute::high(self.initial, size, part, read),
        }
    }
}

/// All that happened, in the order in which it began.
fn as_begun(part: &Part<'_>) -> Vec<u32> {
    let ok = |row: &u32| part.history.row(*row as usize).is_ok();
    part.rows.iter().copied().filter(ok).collect()
}
