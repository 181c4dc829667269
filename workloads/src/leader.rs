//! Workload `leader`: clients stand for election again and again, and ask who leads.
//!
//! A candidate that stands again while it leads goes on leading; one whose lease is over makes room
//! for another, in a greater term.

use danso_checkers::locks::Leader;
use danso_vocab::{
    Call, Generator, OpSpec, ParamError, ParamSpec, Params, Rng, Seat, Step, Value, Workload,
};

use crate::closing::AskEach;
use crate::generators::weighted;
use crate::mix;

/// The workload.
pub const WORKLOAD: Workload = Workload {
    name: "leader",
    about: "two leaders of a term, terms that go back",
    ops: OPS,
    params: PARAMS,
    generator: |params, seat| Ok(Box::new(Load::new(params, seat)?)),
    closing: |params, seat| {
        let asks = (0..elections(params)?).map(|n| Call::new("leader", ()).on(election(n)));
        Ok(Box::new(AskEach::new(seat, asks.collect())))
    },
    checkers: |_| vec![Box::new(Leader::new().linearizable())],
};

const OPS: &[OpSpec] = &[
    OpSpec { f: "campaign", about: "lead, if nobody else does: the term", reads: false },
    OpSpec { f: "leader", about: "who leads which term; nil if nobody does", reads: true },
];

const PARAMS: &[ParamSpec] = &[
    ParamSpec { name: "elections", about: "elections at a time", default: || 2.into() },
    ParamSpec {
        name: "lease-ms",
        about: "how long who has won leads without standing again",
        default: || 300.into(),
    },
    ParamSpec {
        name: "mix",
        about: "how often to campaign and to ask for the leader, relative to each other",
        default: || Value::of([("campaign", 1.into()), ("leader", 2.into())]),
    },
];

fn election(number: u64) -> Value {
    Value::Str(format!("e{number}"))
}

fn elections(params: &Params) -> Result<u64, ParamError> {
    params.int("elections", 1..=10_000).map(|elections| elections as u64)
}

struct Load {
    elections: u64,
    weights: Vec<u64>,
    arg: Value,
}

impl Load {
    fn new(params: &Params, seat: Seat) -> Result<Load, ParamError> {
        let lease = params.int("lease-ms", 1..=600_000)?;
        let candidate = format!("p{}", seat.worker);
        Ok(Load {
            elections: elections(params)?,
            weights: mix::weights(params, OPS)?,
            arg: Value::of([("candidate", candidate.into()), ("ttl-ms", lease.into())]),
        })
    }
}

impl Generator for Load {
    fn next(&mut self, rng: &mut Rng) -> Step {
        let election = election(rng.below(self.elections));
        let op = weighted(&self.weights, rng).map_or("leader", |op| OPS[op].f);
        Step::Invoke(match op {
            "campaign" => Call::new("campaign", self.arg.clone()).on(election),
            _ => Call::new("leader", ()).on(election),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn candidates_stand_in_their_own_name() {
        let params = Params::complete(PARAMS, &BTreeMap::new()).unwrap();
        let seat = Seat { worker: 3, workers: 4, nodes: 3 };
        let mut load = (WORKLOAD.generator)(&params, seat).unwrap();
        let mut rng = Rng::new(5);
        let mut stood = 0;
        for _ in 0..300 {
            let Step::Invoke(call) = load.next(&mut rng) else { panic!("it never ends") };
            if call.f == "campaign" {
                stood += 1;
                assert_eq!(call.arg.get("candidate"), Some(&Value::from("p3")));
            }
        }
        assert!((50..150).contains(&stood), "{stood}");
    }
}
