//! Workload `broadcast`: give a node a message, which must come to all nodes; judged by what each
//! of them has once everything has healed and had `settle` ms.
//!
//! No message is given twice. This makes sense only if the target's client asks the node it was
//! given and no other.

use danso_checkers::eventual::{Object, eventual};
use danso_vocab::{
    Call, Checker, Generator, OpSpec, ParamError, ParamSpec, Params, Rng, Seat, Step, Value,
    Workload,
};

use crate::generators::weighted;
use crate::mix;
use crate::replicas::{self, SETTLE};

/// The workload.
pub const WORKLOAD: Workload = Workload {
    name: "broadcast",
    about: "messages that do not come to all nodes: what one node was given, all must have",
    ops: OPS,
    params: PARAMS,
    generator: |params, seat| Ok(Box::new(Grow::new(params, seat, OPS)?)),
    closing,
    checkers,
};

const OPS: &[OpSpec] = &[
    OpSpec { f: "broadcast", about: "make the value known to all", reads: false },
    OpSpec { f: "read", about: "[value …]: all that are known here", reads: true },
];

const PARAMS: &[ParamSpec] = &[
    ParamSpec {
        name: "mix",
        about: "how often to broadcast and read, relative to each other",
        default: || Value::of([("broadcast", 5.into()), ("read", 1.into())]),
    },
    SETTLE,
];

/// What one worker of each node does in the end: reads.
pub(crate) fn closing(params: &Params, seat: Seat) -> Result<Box<dyn Generator>, ParamError> {
    Ok(Box::new(replicas::Closing::of_one(replicas::settle(params)?, seat)))
}

/// All nodes come to have all that was put in anywhere.
pub(crate) fn checkers(params: &Params) -> Vec<Box<dyn Checker>> {
    let judge = replicas::settle(params)
        .map(|settle| Box::new(eventual(Object::GSet, Value::Nil).grace(settle)));
    judge.into_iter().map(|judge| judge as Box<dyn Checker>).collect()
}

/// What a worker does during the load: worker *w* of *n* puts in *w*, *w* + *n*, *w* + 2*n*…, and
/// reads.
pub(crate) struct Grow {
    weights: Vec<u64>,
    ops: &'static [OpSpec],
    next: i64,
    step: i64,
}

impl Grow {
    /// The first of `ops` puts in, the second reads.
    pub(crate) fn new(
        params: &Params,
        seat: Seat,
        ops: &'static [OpSpec],
    ) -> Result<Grow, ParamError> {
        let weights = mix::weights(params, ops)?;
        Ok(Grow { weights, ops, next: seat.worker.into(), step: seat.workers.max(1).into() })
    }
}

impl Generator for Grow {
    fn next(&mut self, rng: &mut Rng) -> Step {
        if weighted(&self.weights, rng) != Some(0) {
            return Step::Invoke(Call::new("read", ()));
        }
        let value = self.next;
        self.next += self.step;
        Step::Invoke(Call::new(self.ops[0].f, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_message_is_given_twice() {
        let params = Params::complete(PARAMS, &Default::default()).unwrap();
        let mut given = Vec::new();
        for worker in 0..3 {
            let mut load = Grow::new(&params, Seat { worker, workers: 3, nodes: 3 }, OPS).unwrap();
            let mut rng = Rng::new(worker.into());
            for _ in 0..300 {
                let Step::Invoke(call) = load.next(&mut rng) else { panic!("it never ends") };
                given.extend(call.arg.int());
            }
        }
        let all = given.len();
        given.sort_unstable();
        given.dedup();
        assert_eq!(given.len(), all);
        assert!((650..850).contains(&all), "{all} of 900");
    }
}
