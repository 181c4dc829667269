//! [`RegisterZones`]: registers on which every value is written once, in linear time.
//!
//! Gibbons and Korach (1997) decide a register of unique values by *zones*: all operations of one
//! value must happen without another write between them, so each value occupies a stretch of
//! time, and the question is whether the stretches fit beside each other. Here compare-and-sets
//! join values to *chains* that stay together in the same way, and operations of unknown outcome
//! are dropped if nobody can have seen them. `chains.rs` has the algorithm and why it is exact.

mod chains;
mod order;
mod refute;
#[cfg(test)]
mod tests;

use danso_vocab::{Op, Value};

use super::register_acts::Alphabet;
use super::{Decision, How, Part, Polynomial};
use crate::models::register::versioned;
use chains::{Chains, Stuck};

/// Decides a register (`read`, `write`, and with [`RegisterZones::cas_register`] also `cas` and
/// `delete`) where no value is written twice, nor the initial one again. A write of unknown
/// outcome counts as one, a failed one does not.
///
/// O(n) if the operations are a fair part of their history, O(n log n) otherwise; about 30 bytes
/// an operation. Every answer is exact. With compare-and-sets that were *refused* and vouched for
/// it can be [`Decision::Unfit`]: there it refutes what cannot be in any order, and accepts what
/// the one order it builds explains.
#[derive(Clone, Debug)]
pub struct RegisterZones {
    alphabet: Alphabet,
}

impl RegisterZones {
    /// For a register that holds `initial` before the first operation.
    pub fn register(initial: Value) -> Self {
        RegisterZones { alphabet: Alphabet { initial, swaps: false } }
    }

    /// For one that also knows `cas` and `delete`.
    pub fn cas_register(initial: Value) -> Self {
        RegisterZones { alphabet: Alphabet { initial, swaps: true } }
    }
}

impl Polynomial for RegisterZones {
    fn name(&self) -> &'static str {
        "register-zones"
    }

    fn decide(&self, part: &Part<'_>, how: &How) -> Decision {
        let of = &self.alphabet;
        if versioned(&of.initial).is_some() {
            return Decision::Unfit("the initial value carries a version".to_owned());
        }
        match Chains::of(of, part, &how.stop) {
            Err(Stuck::Stopped) => Decision::Stopped,
            Err(Stuck::Unfit(reason)) => Decision::Unfit(reason),
            Err(Stuck::Refuted(chains, conflict)) => {
                Decision::Refuted(refute::refute(of, part, &chains, conflict))
            }
            Ok(chains) => order::linearize(of, part, &chains, how),
        }
    }
}

/// Where an operation begins and ends on the time line of this procedure: event ranks from 1, so
/// that 0 is before everything. The end of an operation of unknown outcome is never.
fn begins(op: Op<'_>) -> u32 {
    op.inv_rank() + 1
}

fn ends(op: Op<'_>) -> u32 {
    op.res_rank().saturating_add(1)
}
