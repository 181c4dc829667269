//! Workload `crdt-set`: add to sets, remove and read, at every replica; judged by what the
//! replicas come to once everything has healed and had `settle` ms: all hold what was
//! added and not removed since, where an addition wins over a removal that had not observed it.
//!
//! The same few elements are added and removed again and again, by everybody. Where the target
//! tells which additions a removal took away (`add` answers a tag, `remove` the tags it removed)
//! every element's fate is known; see [`Object::OrSet`]. This makes sense only if the target's
//! client asks the node it was given and no other.

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
    name: "crdt-set",
    about: "elements lost or back from the dead: sets whose replicas must come to agree on what \
            was added and not removed since",
    ops: OPS,
    params: PARAMS,
    generator: |params, _| Ok(Box::new(Load::new(params)?)),
    closing: |params, seat| Ok(Box::new(closing(params, seat)?)),
    checkers,
};

const OPS: &[OpSpec] = &[
    OpSpec { f: "add", about: "put in the element; its tag if told", reads: false },
    OpSpec { f: "remove", about: "take out the element; the tags removed if told", reads: false },
    OpSpec {
        f: "read", about: "[element …] that are in here; {value, seen} if told", reads: true
    },
];

const PARAMS: &[ParamSpec] = &[
    ParamSpec { name: "keys", about: "sets", default: || 2.into() },
    ParamSpec { name: "elements", about: "different elements of each set", default: || 50.into() },
    ParamSpec {
        name: "mix",
        about: "how often to add, remove and read, relative to each other",
        default: || Value::of([("add", 3.into()), ("remove", 2.into()), ("read", 1.into())]),
    },
    SETTLE,
];

/// The set with this number.
fn key(number: u64) -> Value {
    Value::Str(format!("set-{number}"))
}

fn keys(params: &Params) -> Result<u64, ParamError> {
    params.int("keys", 1..=1_000).map(|keys| keys as u64)
}

fn closing(params: &Params, seat: Seat) -> Result<replicas::Closing, ParamError> {
    let keys = (0..keys(params)?).map(key).collect();
    Ok(replicas::Closing::new(keys, replicas::settle(params)?, seat))
}

fn checkers(params: &Params) -> Vec<Box<dyn Checker>> {
    let judge = replicas::settle(params)
        .map(|settle| Box::new(eventual(Object::OrSet, Value::Nil).grace(settle)));
    judge.into_iter().map(|judge| judge as Box<dyn Checker>).collect()
}

/// What a worker does during the load.
struct Load {
    keys: u64,
    elements: u64,
    weights: Vec<u64>,
}

impl Load {
    fn new(params: &Params) -> Result<Load, ParamError> {
        let elements = params.int("elements", 1..=1_000_000)? as u64;
        Ok(Load { keys: keys(params)?, elements, weights: mix::weights(params, OPS)? })
    }
}

impl Generator for Load {
    fn next(&mut self, rng: &mut Rng) -> Step {
        let key = key(rng.below(self.keys));
        let op = weighted(&self.weights, rng).map_or("read", |op| OPS[op].f);
        let element = match op {
            "read" => Value::Nil,
            _ => Value::Int(rng.below(self.elements) as i64),
        };
        Step::Invoke(Call::new(op, element).on(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_come_again() {
        let mut load = Load::new(&Params::complete(PARAMS, &[].into()).unwrap()).unwrap();
        let mut rng = Rng::new(2);
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..2_000 {
            let Step::Invoke(call) = load.next(&mut rng) else { panic!("the load never ends") };
            seen.extend(call.arg.int().map(|element| (call.key, element)));
        }
        assert_eq!(seen.len(), 100);
        let none = [("elements".to_owned(), 0.into())].into();
        assert!(Load::new(&Params::complete(PARAMS, &none).unwrap()).is_err());
    }
}
