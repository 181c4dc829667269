//! Workload `set`: add elements that nobody else adds, read them all in the end.
//!
//! **Elements.** Worker *w* of *n* adds *w*, *w* + *n*, *w* + 2*n*…: no element twice, so what is
//! missing or too many is known by itself. The set only grows, and so do its reads: `mix` asks for
//! one read among 20 adds. Load tests of a minute hold tens of thousands of elements; a target
//! should answer that many.
//!
//! **The end.** After everything has healed, every node is read until it answers, and once more
//! after `settle` milliseconds: that last read is the node's final one.
//!
//! **What is judged** says `judge`: the `final` reads (as Jepsen's `set`), `all` reads
//! (`set-full`), or all reads as `linearizable` ones, none of which may be stale.

use std::time::Duration;

use danso_checkers::accounting::{Set, SetFull};
use danso_vocab::{
    Call, Checker, Generator, OpSpec, ParamError, ParamSpec, Params, Rng, Seat, Step, Value,
    Workload,
};

use crate::closing::AskHome;
use crate::generators::weighted;
use crate::mix;

/// The workload.
pub const WORKLOAD: Workload = Workload {
    name: "set",
    about: "acknowledged elements lost, invented, or on some replicas only: one set that grows",
    ops: OPS,
    params: PARAMS,
    generator: |params, seat| Ok(Box::new(Load::new(params, seat)?)),
    closing: |params, seat| {
        let settle = Duration::from_millis(params.int("settle", 0..=10_000)? as u64);
        Ok(Box::new(AskHome::twice(seat, Call::new("read", ()), settle)))
    },
    checkers: |params| judges(params).into_iter().collect(),
};

const OPS: &[OpSpec] = &[
    OpSpec { f: "add", about: "put in the value", reads: false },
    OpSpec { f: "read", about: "[value …]: all there are", reads: true },
];

const PARAMS: &[ParamSpec] = &[
    ParamSpec {
        name: "settle",
        about: "ms between a node's first read in the end and its final one",
        default: || 1_000.into(),
    },
    ParamSpec {
        name: "judge",
        about: "which reads: `final`, `all`, or all as `linearizable`",
        default: || "final".into(),
    },
    ParamSpec {
        name: "mix",
        about: "how often to add and read, relative to each other",
        default: || Value::of([("add", 20.into()), ("read", 1.into())]),
    },
];

/// Who judges the reads that the parameter `judge` names.
fn judges(params: &Params) -> Option<Box<dyn Checker>> {
    match params.get("judge").str() {
        Some("final") => Some(Box::new(Set)),
        Some("all") => Some(Box::new(SetFull::new())),
        Some("linearizable") => Some(Box::new(SetFull::new().linearizable())),
        _ => None,
    }
}

/// What a worker does during the load.
struct Load {
    weights: Vec<u64>,
    next: i64,
    step: i64,
}

impl Load {
    fn new(params: &Params, seat: Seat) -> Result<Load, ParamError> {
        let weights = mix::weights(params, OPS)?;
        if judges(params).is_none() {
            return Err(mix::bad(params, "judge", "`final`, `all` or `linearizable`"));
        }
        Ok(Load { weights, next: seat.worker.into(), step: seat.workers.max(1).into() })
    }
}

impl Generator for Load {
    fn next(&mut self, rng: &mut Rng) -> Step {
        if weighted(&self.weights, rng) != Some(0) {
            return Step::Invoke(Call::new("read", ()));
        }
        let element = self.next;
        self.next += self.step;
        Step::Invoke(Call::new("add", element))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_element_is_added_twice() {
        let params = Params::complete(PARAMS, &Default::default()).unwrap();
        let mut added = Vec::new();
        for worker in 0..3 {
            let mut load = Load::new(&params, Seat { worker, workers: 3, nodes: 3 }).unwrap();
            let mut rng = Rng::new(worker.into());
            for _ in 0..500 {
                if let Step::Invoke(call) = load.next(&mut rng)
                    && call.f == "add"
                {
                    added.push(call.arg.int().unwrap());
                }
            }
        }
        let all = added.len();
        assert!((1_300..1_500).contains(&all), "{all} of 1500");
        added.sort_unstable();
        added.dedup();
        assert_eq!(added.len(), all);
    }
}
