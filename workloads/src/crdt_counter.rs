//! Workload `crdt-counter`: add to counters and read them, at every replica; judged by what the
//! replicas come to once everything has healed and had `settle` ms.
//!
//! With `object = "pn-counter"` a third of the additions is negative; a `"g-counter"` only grows.
//! Amounts differ, from 1 to 9, so that a sum that is off tells by how much. This makes sense
//! only if the target's client asks the node it was given and no other.

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
    name: "crdt-counter",
    about: "additions lost or doubled between replicas: counters whose replicas must come to \
            agree on the sum",
    ops: OPS,
    params: PARAMS,
    generator: |params, _| Ok(Box::new(Load::new(params)?)),
    closing: |params, seat| Ok(Box::new(closing(params, seat)?)),
    checkers,
};

const OPS: &[OpSpec] = &[
    OpSpec { f: "add", about: "add the number, which may be negative", reads: false },
    OpSpec { f: "read", about: "the number it stands at here; {value, seen} if told", reads: true },
];

const PARAMS: &[ParamSpec] = &[
    ParamSpec { name: "keys", about: "counters", default: || 4.into() },
    ParamSpec {
        name: "object",
        about: "`pn-counter`, or `g-counter` to add no negative numbers",
        default: || "pn-counter".into(),
    },
    ParamSpec {
        name: "mix",
        about: "how often to add and read, relative to each other",
        default: || Value::of([("add", 2.into()), ("read", 1.into())]),
    },
    SETTLE,
];

/// The counter with this number.
fn key(number: u64) -> Value {
    Value::Str(format!("counter-{number}"))
}

fn keys(params: &Params) -> Result<u64, ParamError> {
    params.int("keys", 1..=1_000).map(|keys| keys as u64)
}

fn object(params: &Params) -> Result<Object, ParamError> {
    match params.get("object").str() {
        Some("pn-counter") => Ok(Object::PnCounter),
        Some("g-counter") => Ok(Object::GCounter),
        _ => Err(mix::bad(params, "object", "`pn-counter` or `g-counter`")),
    }
}

fn closing(params: &Params, seat: Seat) -> Result<replicas::Closing, ParamError> {
    let keys = (0..keys(params)?).map(key).collect();
    Ok(replicas::Closing::new(keys, replicas::settle(params)?, seat))
}

fn checkers(params: &Params) -> Vec<Box<dyn Checker>> {
    let judge = object(params).and_then(|object| Ok((object, replicas::settle(params)?)));
    let judge = judge.map(|(object, settle)| eventual(object, Value::Nil).grace(settle));
    judge.into_iter().map(|judge| Box::new(judge) as Box<dyn Checker>).collect()
}

/// What a worker does during the load.
struct Load {
    keys: u64,
    negative: bool,
    weights: Vec<u64>,
}

impl Load {
    fn new(params: &Params) -> Result<Load, ParamError> {
        let negative = object(params)? == Object::PnCounter;
        Ok(Load { keys: keys(params)?, negative, weights: mix::weights(params, OPS)? })
    }
}

impl Generator for Load {
    fn next(&mut self, rng: &mut Rng) -> Step {
        let key = key(rng.below(self.keys));
        if weighted(&self.weights, rng) != Some(0) {
            return Step::Invoke(Call::new("read", ()).on(key));
        }
        let amount = rng.between(1, 9) as i64;
        let sign = if self.negative && rng.chance(1, 3) { -1 } else { 1 };
        Step::Invoke(Call::new("add", sign * amount).on(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_shrink_is_shrunk() {
        let least = |object: &str| {
            let given = [("object".to_owned(), object.into())].into();
            let mut load = Load::new(&Params::complete(PARAMS, &given).unwrap()).ok()?;
            let mut rng = Rng::new(2);
            let calls = (0..500).filter_map(|_| match load.next(&mut rng) {
                Step::Invoke(call) => call.arg.int(),
                _ => None,
            });
            calls.min()
        };
        assert_eq!((least("pn-counter"), least("g-counter")), (Some(-9), Some(1)));
        assert_eq!(least("counter"), None);
    }
}
