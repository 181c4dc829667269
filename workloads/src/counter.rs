//! Workload `counter`: add to one number and read it, judged for linearizability.
//!
//! **Steps.** With `step = 1` (or any other one size) the checker decides in nearly linear time.
//! With `step = "mixed"` each add draws from 1 to 5: that shows a target that confuses additions,
//! and is hard to decide (subset sum): bounds refute, small histories are searched.

use danso_checkers::models;
use danso_vocab::{
    Call, Checker, Generator, OpSpec, ParamError, ParamSpec, Params, Rng, Seat, Step, Value,
    Workload,
};

use crate::closing::AskHome;
use crate::generators::weighted;
use crate::mix;

/// The workload.
pub const WORKLOAD: Workload = Workload {
    name: "counter",
    about: "lost, doubled and stale additions: one counter that must be linearizable",
    ops: OPS,
    params: PARAMS,
    generator: |params, seat| Ok(Box::new(Load::new(params, seat)?)),
    closing: |_, seat| Ok(Box::new(AskHome::once(seat, Call::new("read", ())))),
    checkers: |_| {
        let counter = models::find("counter").map(|model| (model.checker)(0.into()));
        counter.into_iter().map(|checker| checker as Box<dyn Checker>).collect()
    },
};

const OPS: &[OpSpec] = &[
    OpSpec { f: "add", about: "add the number", reads: false },
    OpSpec { f: "read", about: "the number it stands at; 0 at first", reads: true },
];

const PARAMS: &[ParamSpec] = &[
    ParamSpec {
        name: "step",
        about: "what each add adds, or `mixed` for 1 to 5",
        default: || 1.into(),
    },
    ParamSpec {
        name: "mix",
        about: "how often to add and read, relative to each other",
        default: || Value::of([("add", 2.into()), ("read", 1.into())]),
    },
];

/// What a worker does during the load.
struct Load {
    weights: Vec<u64>,
    /// What each add adds; `None` if it is drawn.
    step: Option<i64>,
}

impl Load {
    fn new(params: &Params, _: Seat) -> Result<Load, ParamError> {
        let weights = mix::weights(params, OPS)?;
        let mixed = params.get("step").str() == Some("mixed");
        let one = || {
            let sane = params.int("step", 1..=1_000_000);
            sane.map_err(|_| mix::bad(params, "step", "`mixed` or an integer from 1 to 1000000"))
        };
        let step = if mixed { None } else { Some(one()?) };
        Ok(Load { weights, step })
    }
}

impl Generator for Load {
    fn next(&mut self, rng: &mut Rng) -> Step {
        if weighted(&self.weights, rng) != Some(0) {
            return Step::Invoke(Call::new("read", ()));
        }
        let step = self.step.unwrap_or_else(|| rng.between(1, 5) as i64);
        Step::Invoke(Call::new("add", step))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_as_asked_for() {
        let seat = Seat { worker: 0, workers: 1, nodes: 1 };
        let steps = |step: Value| {
            let params = Params::complete(PARAMS, &[("step".to_owned(), step)].into()).unwrap();
            let mut load = Load::new(&params, seat).ok()?;
            let mut rng = Rng::new(4);
            let mut seen = std::collections::BTreeSet::new();
            for _ in 0..300 {
                if let Step::Invoke(call) = load.next(&mut rng)
                    && call.f == "add"
                {
                    seen.insert(call.arg.int().unwrap());
                }
            }
            Some(seen.into_iter().collect::<Vec<_>>())
        };
        assert_eq!(steps(7.into()), Some(vec![7]));
        assert_eq!(steps("mixed".into()), Some(vec![1, 2, 3, 4, 5]));
        assert_eq!((steps(0.into()), steps("many".into())), (None, None));
    }
}
