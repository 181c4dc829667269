//! Workload `append`: lists that grow at their end and are read whole, judged for linearizability.
//!
//! A list shows more than a register: each read tells of every append before it, so a lost or
//! reordered append stays visible. An append may answer the offset at which its value is, counted
//! from 0, and is judged by that; it must not answer the list's length.
//!
//! **Keys.** There are `keys` lists at a time. A worker that has made its share of `ops-per-key`
//! calls on each moves on to the next `keys` of them, so that lists stay short.
//!
//! **Values.** No value is ever appended twice: worker *w* of *n* appends *w*, *w* + *n*,
//! *w* + 2*n*…

use danso_checkers::models;
use danso_vocab::{
    Call, Checker, Generator, OpSpec, ParamError, ParamSpec, Params, Rng, Seat, Step, Value,
    Workload,
};

use crate::generators::weighted;
use crate::mix;
use crate::rounds::{Closing, Rounds};

/// The workload.
pub const WORKLOAD: Workload = Workload {
    name: "append",
    about: "lost, doubled and reordered appends, stale reads: lists that must be linearizable",
    ops: OPS,
    params: PARAMS,
    generator: |params, seat| Ok(Box::new(Load::new(params, seat)?)),
    closing: |params, _| Ok(Box::new(Closing::new(params)?)),
    checkers: |_| {
        let list = models::find("append-log").map(|model| (model.checker)(Value::Nil));
        list.into_iter().map(|checker| checker as Box<dyn Checker>).collect()
    },
};

const OPS: &[OpSpec] = &[
    OpSpec {
        f: "append",
        about: "put the value at the list's end; nothing, or its offset from 0",
        reads: false,
    },
    OpSpec { f: "read", about: "the whole list; nil if there is none", reads: true },
];

const PARAMS: &[ParamSpec] = &[
    ParamSpec { name: "keys", about: "lists in use at a time", default: || 8.into() },
    ParamSpec {
        name: "ops-per-key",
        about: "calls on a list before a fresh one replaces it; 0 for never",
        default: || 300.into(),
    },
    ParamSpec {
        name: "mix",
        about: "how often to append and read, relative to each other",
        default: || Value::of([("append", 1.into()), ("read", 1.into())]),
    },
];

/// What a worker does during the load.
struct Load {
    rounds: Rounds,
    weights: Vec<u64>,
    /// The next value, and the distance to the one after it.
    value: i64,
    workers: i64,
}

impl Load {
    fn new(params: &Params, seat: Seat) -> Result<Load, ParamError> {
        let weights = mix::weights(params, OPS)?;
        let (value, workers) = (seat.worker.into(), seat.workers.max(1).into());
        Ok(Load { rounds: Rounds::new(params, seat)?, weights, value, workers })
    }
}

impl Generator for Load {
    fn next(&mut self, rng: &mut Rng) -> Step {
        let key = self.rounds.next(rng);
        if weighted(&self.weights, rng) != Some(0) {
            return Step::Invoke(Call::new("read", ()).on(key));
        }
        let value = self.value;
        self.value += self.workers;
        Step::Invoke(Call::new("append", value).on(key))
    }
}

#[cfg(test)]
mod tests {
    use danso_vocab::{Event, History, Limits, Outcome, Process, Time, Verdict};

    use super::*;

    const SEAT: Seat = Seat { worker: 1, workers: 4, nodes: 3 };

    #[test]
    fn values_are_unique_and_lists_stay_short() {
        let given = [("keys".to_owned(), 2.into()), ("ops-per-key".to_owned(), 40.into())];
        let params = Params::complete(PARAMS, &given.into()).unwrap();
        let mut load = Load::new(&params, SEAT).unwrap();
        let mut rng = Rng::new(3);
        let mut last = None;
        for made in 0..200 {
            let Step::Invoke(call) = load.next(&mut rng) else { panic!("the load never ends") };
            let key = call.key.and_then(|k| k.str()?.strip_prefix('k')?.parse::<u64>().ok());
            // 40 calls on each of 2 keys by 4 workers: 20 calls each.
            assert_eq!(key.map(|k| k / 2), Some(made / 20));
            if call.f == "append" {
                let value = call.arg.int();
                assert!(value > last && value.is_some_and(|v| v % 4 == 1), "{value:?}");
                last = value;
            }
        }
    }

    /// One client that appends 1 and 2, and then reads this.
    fn verdict(seen: impl Into<Value>) -> Verdict {
        let calls = [
            (Call::new("append", 1), Value::Nil),
            (Call::new("append", 2), Value::Nil),
            (Call::new("read", ()), seen.into()),
        ];
        let process = Process(0);
        let events = calls.into_iter().flat_map(|(call, ret)| {
            let invoke = Event::Invoke { process, node: None, call: call.on("k0") };
            [invoke, Event::Complete { process, outcome: Outcome::Ok(ret) }]
        });
        let history = History::of((0..).map(Time).zip(events)).unwrap();
        let params = Params::complete(PARAMS, &Default::default()).unwrap();
        (WORKLOAD.checkers)(&params)[0].check(&history, &Limits::default()).verdict
    }

    #[test]
    fn what_was_appended_must_be_there_once_and_in_order() {
        assert_eq!(verdict([1, 2]), Verdict::Valid);
        for wrong in [&[1][..], &[2, 1], &[1, 2, 2], &[1, 2, 3], &[]] {
            let list = Value::List(wrong.iter().map(|v| Value::from(*v)).collect());
            assert_eq!(verdict(list), Verdict::Invalid, "{wrong:?}");
        }
    }
}
