//! Workload `txn-list-append`: transactions that append to lists and read them.
//!
//! A transaction is a list of `[append key element]` and `[r key nil]`; its answer is the same
//! with what the reads saw. No element is appended to a list twice, so every read tells which
//! appends came before it, and in which order. A list is in use until some `writes-per-key`
//! elements were appended to it; then another takes its place.

use danso_checkers::list_append::ListAppend;
use danso_vocab::{
    Call, Generator, OpSpec, ParamError, ParamSpec, Params, Rng, Seat, Step, Value, Workload,
};

use crate::closing::AskHome;

/// The workload.
pub const WORKLOAD: Workload = Workload {
    name: "txn-list-append",
    about: "transactions that see or lose what they must not: appends to lists, and reads of them",
    ops: &[OpSpec {
        f: "txn",
        about: "[[append k v] [r k nil] …], answered with what was read",
        reads: false,
    }],
    params: PARAMS,
    generator: |params, seat| Ok(Box::new(Load::new(params, seat)?)),
    closing: |params, seat| {
        let keys = params.int("keys", 1..=1_000)?;
        let read = |key| Value::List(vec!["r".into(), Value::Int(key), Value::Nil]);
        let reads: Vec<Value> = (0..keys).map(read).collect();
        Ok(Box::new(AskHome::once(seat, Call::new("txn", reads))))
    },
    checkers: |_| vec![Box::new(ListAppend)],
};

const PARAMS: &[ParamSpec] = &[
    ParamSpec { name: "keys", about: "lists in use at a time", default: || 5.into() },
    ParamSpec { name: "length", about: "the most a transaction does", default: || 4.into() },
    ParamSpec {
        name: "writes-per-key",
        about: "how many elements a worker's share of a list is, before another list is used",
        default: || 16.into(),
    },
];

/// What a worker does during the load.
struct Load {
    keys: u64,
    length: u64,
    /// Own appends before all lists are replaced.
    share: u64,
    appended: u64,
    next: i64,
    step: i64,
}

impl Load {
    fn new(params: &Params, seat: Seat) -> Result<Load, ParamError> {
        let keys = params.int("keys", 1..=1_000)? as u64;
        let each = params.int("writes-per-key", 1..=100_000)? as u64;
        Ok(Load {
            keys,
            length: params.int("length", 1..=100)? as u64,
            share: (each * keys / u64::from(seat.workers.max(1))).max(1),
            appended: 0,
            next: i64::from(seat.worker) + 1,
            step: seat.workers.max(1).into(),
        })
    }
}

impl Generator for Load {
    fn next(&mut self, rng: &mut Rng) -> Step {
        let mut parts = Vec::new();
        for _ in 0..rng.between(1, self.length) {
            let round = self.appended / self.share;
            let key = Value::Int((round * self.keys + rng.below(self.keys)) as i64);
            parts.push(Value::List(if rng.chance(1, 2) {
                vec!["r".into(), key, Value::Nil]
            } else {
                let element = self.next;
                self.next += self.step;
                self.appended += 1;
                vec!["append".into(), key, element.into()]
            }));
        }
        Step::Invoke(Call::new("txn", parts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_element_is_appended_twice_and_lists_are_replaced() {
        let params = Params::complete(PARAMS, &Default::default()).unwrap();
        let (mut elements, mut keys) = (Vec::new(), std::collections::BTreeSet::new());
        for worker in 0..3 {
            let mut load = Load::new(&params, Seat { worker, workers: 3, nodes: 3 }).unwrap();
            let mut rng = Rng::new(worker.into());
            for _ in 0..200 {
                let Step::Invoke(call) = load.next(&mut rng) else { panic!("it never ends") };
                for part in call.arg.list().unwrap() {
                    let part = part.list().unwrap();
                    keys.insert(part[1].int().unwrap());
                    elements.extend(part[2].int());
                }
            }
        }
        let all = elements.len();
        elements.sort_unstable();
        elements.dedup();
        assert_eq!(elements.len(), all);
        assert!(keys.len() > 20, "{}", keys.len());
    }
}
