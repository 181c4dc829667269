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

use danso_vocab::{History, Op, Status, Value};

use super::{Decision, How, Part, Polynomial};
use crate::models::counter::added;
use crate::numbering::integer;
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

/// What an operation of some name does to a counter.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Read,
    /// It adds its argument, or this if it has none, times this.
    Step(i64),
    /// It adds its argument.
    Add,
    Foreign,
}

/// Tells what operations do.
struct Reader<'h> {
    history: &'h History,
    /// By name.
    kinds: Vec<Kind>,
}

impl<'h> Reader<'h> {
    fn new(history: &'h History) -> Reader<'h> {
        let kind = |f| match (f, added(f, &Value::Nil), added(f, &1.into())) {
            ("read", ..) => Kind::Read,
            (_, Some(by), _) => Kind::Step(by),
            (_, None, Some(_)) => Kind::Add,
            _ => Kind::Foreign,
        };
        Reader { history, kinds: history.fs().map(kind).collect() }
    }

    /// What `op` does.
    ///
    /// # Errors
    /// If nobody can say.
    fn act(&self, op: Op<'_>) -> Result<Act, String> {
        if op.status() == Status::Fail {
            return Ok(Act::Nothing);
        }
        let arg = || integer(self.history, op.arg_id());
        let by = match self.kinds[usize::from(op.f_id())] {
            Kind::Read => {
                let Some(ret) = op.ret_id() else { return Ok(Act::Nothing) };
                let seen = integer(self.history, ret).map(Act::Read);
                return seen.ok_or_else(|| format!("{op} is no number"));
            }
            Kind::Add => arg(),
            Kind::Step(by) => match arg() {
                None => op.arg().is_nil().then_some(by),
                Some(times) => times.checked_mul(by),
            },
            Kind::Foreign => None,
        };
        by.map(Act::Add).ok_or_else(|| format!("a counter does not know {op}"))
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
        let reader = Reader::new(part.history);
        for (i, &row) in part.rows.iter().enumerate() {
            if i & 0xffff == 0 && how.stop.is_tripped() {
                return Decision::Stopped;
            }
            match reader.act(part.history.row(row as usize)) {
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
