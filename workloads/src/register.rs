//! Workload `register`: read, write and compare-and-set registers, judged for linearizability,
//! or for what their replicas come to in the end.
//!
//! **Keys.** There are `keys` registers at a time. A worker that has made its share of
//! `ops-per-key` calls on each moves on to the next `keys` of them, so that no object's history
//! grows without bound.
//!
//! **Values.** With `values = "unique"` no value is ever written twice: worker *w* of *n* writes
//! *w*, *w* + *n*, *w* + 2*n*… That makes a violation obvious and checking fast. With a number,
//! values are drawn from `0..values`: harder to check, and the only way to see a target that
//! confuses equal values.
//!
//! **Consistency.** With `consistency = "eventual"` registers need only converge: when everything
//! has healed and had `settle` ms, one worker of each node reads every register there,
//! and all nodes must answer the same value, one that was written. `"last-write"` asks besides
//! that it is the one written last in real time. Then the same `keys` stay in use throughout. How
//! stale reads were is told in figures. This makes sense only if the target's client asks the
//! node it was given and no other.
//!
//! **Compare-and-set.** It expects the value this worker saw last, on the register it touched
//! last, so that it succeeds about as often as not. A worker that has seen nothing reads instead.

use danso_checkers::eventual::{Object, eventual};
use danso_checkers::models::cas_register;
use danso_vocab::{
    Call, Checker, Generator, OpSpec, Outcome, ParamError, ParamSpec, Params, Rng, Seat, Step,
    Value, Workload,
};

use crate::generators::weighted;
use crate::mix;
use crate::replicas::{self, SETTLE};
use crate::rounds::{Closing, Rounds, key, keys};

/// The workload.
pub const WORKLOAD: Workload = Workload {
    name: "register",
    about: "stale reads, lost writes, split brain: single registers that must be linearizable, \
            or whose replicas must converge",
    ops: OPS,
    params: PARAMS,
    generator: |params, seat| Ok(Box::new(Load::new(params, seat)?)),
    closing,
    checkers,
};

/// What must hold.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Consistency {
    Linearizable,
    /// Replicas come to agree on this.
    Eventual(Object),
}

impl Consistency {
    fn of(params: &Params) -> Result<Consistency, ParamError> {
        match params.get("consistency").str() {
            Some("linearizable") => Ok(Consistency::Linearizable),
            Some("eventual") => Ok(Consistency::Eventual(Object::Register)),
            Some("last-write") => Ok(Consistency::Eventual(Object::LastWriteRegister)),
            _ => Err(mix::bad(params, "consistency", "`linearizable`, `eventual` or `last-write`")),
        }
    }
}

fn closing(params: &Params, seat: Seat) -> Result<Box<dyn Generator>, ParamError> {
    Ok(match Consistency::of(params)? {
        Consistency::Linearizable => Box::new(Closing::new(params)?),
        Consistency::Eventual(_) => {
            let keys = (0..keys(params)?).map(key).collect();
            Box::new(replicas::Closing::new(keys, replicas::settle(params)?, seat))
        }
    })
}

fn checkers(params: &Params) -> Vec<Box<dyn Checker>> {
    match (Consistency::of(params), replicas::settle(params)) {
        (Ok(Consistency::Eventual(object)), Ok(settle)) => {
            vec![Box::new(eventual(object, Value::Nil).grace(settle))]
        }
        _ => vec![cas_register(Value::Nil)],
    }
}

const OPS: &[OpSpec] = &[
    OpSpec { f: "read", about: "the value; nil if there is none", reads: true },
    OpSpec { f: "write", about: "replace the value", reads: false },
    OpSpec { f: "cas", about: "[old new]: replace the value if it is old", reads: false },
];

const PARAMS: &[ParamSpec] = &[
    ParamSpec { name: "keys", about: "registers in use at a time", default: || 8.into() },
    ParamSpec {
        name: "ops-per-key",
        about: "calls on a register before a fresh one replaces it; 0 for never, as with any \
                consistency but linearizable",
        default: || 5_000.into(),
    },
    ParamSpec {
        name: "values",
        about: "`unique`, or how many different values to write",
        default: || "unique".into(),
    },
    ParamSpec {
        name: "mix",
        about: "how often to read, write and cas, relative to each other",
        default: || Value::of([("read", 2.into()), ("write", 1.into()), ("cas", 1.into())]),
    },
    ParamSpec {
        name: "consistency",
        about: "`linearizable`; `eventual`: replicas converge to a written value; `last-write`: \
                to the last one",
        default: || "linearizable".into(),
    },
    SETTLE,
];

enum Values {
    /// The next value, and the distance to the one after it.
    Unique(i64, i64),
    Below(u64),
}

impl Values {
    fn new(params: &Params, seat: Seat) -> Result<Values, ParamError> {
        if params.get("values").str() == Some("unique") {
            return Ok(Values::Unique(seat.worker.into(), seat.workers.max(1).into()));
        }
        match params.int("values", 1..=i64::MAX) {
            Ok(count) => Ok(Values::Below(count as u64)),
            Err(_) => Err(mix::bad(params, "values", "`unique` or an integer from 1")),
        }
    }

    fn next(&mut self, rng: &mut Rng) -> Value {
        match self {
            Values::Unique(next, step) => {
                let value = *next;
                *next += *step;
                Value::Int(value)
            }
            Values::Below(count) => Value::Int(rng.below(*count) as i64),
        }
    }
}

/// What a worker does during the load.
struct Load {
    rounds: Rounds,
    values: Values,
    weights: Vec<u64>,
    /// The register touched last and what it then held, unless that is unknown.
    seen: Option<(Value, Value)>,
}

impl Load {
    fn new(params: &Params, seat: Seat) -> Result<Load, ParamError> {
        let mut rounds = Rounds::new(params, seat)?;
        if Consistency::of(params)? != Consistency::Linearizable {
            rounds = rounds.endless();
        }
        let (values, weights) = (Values::new(params, seat)?, mix::weights(params, OPS)?);
        Ok(Load { rounds, values, weights, seen: None })
    }
}

impl Generator for Load {
    fn next(&mut self, rng: &mut Rng) -> Step {
        let key = self.rounds.next(rng);
        let op = weighted(&self.weights, rng).map_or("read", |op| OPS[op].f);
        Step::Invoke(match (op, self.seen.take()) {
            ("write", _) => Call::new("write", self.values.next(rng)).on(key),
            ("cas", Some((key, old))) => {
                Call::new("cas", Value::List(vec![old, self.values.next(rng)])).on(key)
            }
            _ => Call::new("read", ()).on(key),
        })
    }

    fn observe(&mut self, call: &Call, outcome: &Outcome) {
        let Outcome::Ok(ret) = outcome else { return };
        let value = match &*call.f {
            "read" => Some(ret),
            "write" => Some(&call.arg),
            // A refusal may be recorded as `ok` with a result that says so: nothing was seen then.
            "cas" if ret.str() != Some("mismatch") && *ret != Value::Bool(false) => {
                call.arg.pair().map(|(_, new)| new)
            }
            _ => None,
        };
        self.seen = call.key.clone().zip(value.cloned());
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const SEAT: Seat = Seat { worker: 1, workers: 4, nodes: 3 };

    fn params(given: &[(&str, Value)]) -> Params {
        let given = given.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect();
        Params::complete(PARAMS, &given).unwrap()
    }

    /// The calls of one worker alone on registers that work.
    fn run(params: &Params, calls: usize) -> Vec<Call> {
        let mut load = (WORKLOAD.generator)(params, SEAT).unwrap();
        let (mut rng, mut store) = (Rng::new(11), BTreeMap::<Value, Value>::new());
        let mut made = Vec::new();
        for _ in 0..calls {
            let Step::Invoke(call) = load.next(&mut rng) else { panic!("the load never ends") };
            let now = store.entry(call.key.clone().unwrap()).or_default();
            let outcome = match &*call.f {
                "read" => Outcome::Ok(now.clone()),
                "write" => {
                    *now = call.arg.clone();
                    Outcome::Ok(Value::Nil)
                }
                _ => {
                    let (old, new) = call.arg.pair().unwrap();
                    assert_eq!(now, old, "alone, every compare-and-set must fit");
                    *now = new.clone();
                    Outcome::Ok(Value::Nil)
                }
            };
            load.observe(&call, &outcome);
            made.push(call);
        }
        made
    }

    #[test]
    fn unique_values_are_unique_and_tell_the_worker() {
        let calls = run(&params(&[]), 4_000);
        let mut written: Vec<i64> = calls
            .iter()
            .filter_map(|call| match &*call.f {
                "write" => call.arg.int(),
                "cas" => call.arg.pair().and_then(|(_, new)| new.int()),
                _ => None,
            })
            .collect();
        assert!(written.iter().all(|value| value % 4 == 1));
        let all = written.len();
        written.dedup();
        assert_eq!(written.len(), all);
        let cas = calls.iter().filter(|call| call.f == "cas").count();
        assert!(cas > 900, "{cas} of 4000 although a quarter was asked for");
    }

    #[test]
    fn keys_rotate() {
        let numbers = |calls: &[Call]| {
            let number = |c: &Call| c.key.as_ref()?.str()?.strip_prefix('k')?.parse::<u64>().ok();
            calls.iter().map(|c| number(c).unwrap()).collect::<Vec<_>>()
        };
        let rotating = params(&[("keys", 2.into()), ("ops-per-key", 100.into())]);
        let calls = numbers(&run(&rotating, 200));
        // 100 calls on each of 2 keys by 4 workers: 50 calls each, then one compare-and-set may
        // still follow up on what was seen.
        assert!(calls[..50].iter().all(|k| *k < 2));
        assert!(calls[51..100].iter().all(|k| (2..4).contains(k)));
        assert!(calls[151..].iter().all(|k| (6..8).contains(k)));
        let fixed = params(&[("keys", 2.into()), ("ops-per-key", 0.into())]);
        assert!(numbers(&run(&fixed, 5_000)).iter().all(|k| *k < 2));
    }

    #[test]
    fn the_closing_reads_every_register_that_holds_something() {
        let params = params(&[("keys", 3.into())]);
        let mut closing = (WORKLOAD.closing)(&params, SEAT).unwrap();
        let mut rng = Rng::new(0);
        for number in 0..6 {
            let Step::Invoke(call) = closing.next(&mut rng) else { panic!("stopped at {number}") };
            assert_eq!(call, Call::new("read", ()).on(key(number)));
            // The registers of the first round hold something, those of the second do not.
            let value = if number == 1 { Value::Int(7) } else { Value::Nil };
            closing.observe(&call, &Outcome::Ok(value));
        }
        assert_eq!(closing.next(&mut rng), Step::Done);
    }

    #[test]
    fn replicas_that_must_converge_are_all_read_in_the_end() {
        let params = params(&[
            ("keys", 2.into()),
            ("ops-per-key", 100.into()),
            ("consistency", "eventual".into()),
        ]);
        let calls = run(&params, 1_000);
        assert!(calls.iter().all(|c| [key(0), key(1)].contains(c.key.as_ref().unwrap())));
        let mut closing = (WORKLOAD.closing)(&params, SEAT).unwrap();
        let mut rng = Rng::new(0);
        assert_eq!(closing.next(&mut rng), Step::Invoke(Call::new("read", ()).on(key(0))));
        let idle = Seat { worker: 3, workers: 4, nodes: 3 };
        assert_eq!((WORKLOAD.closing)(&params, idle).unwrap().next(&mut rng), Step::Done);
        assert_eq!((WORKLOAD.checkers)(&params)[0].name(), "eventual-register");
    }

    #[test]
    fn nonsense_is_refused() {
        let map = |f: &str, w: i64| Value::of([(f, w.into())]);
        for (name, value) in [
            ("keys", Value::Int(0)),
            ("ops-per-key", Value::Int(-1)),
            ("values", Value::Int(0)),
            ("values", "few".into()),
            ("mix", Value::Nil),
            ("mix", map("read", -1)),
            ("mix", map("read", 0)),
            ("mix", map("raed", 1)),
            ("consistency", "strong".into()),
        ] {
            let refused = (WORKLOAD.generator)(&params(&[(name, value.clone())]), SEAT);
            assert!(refused.is_err(), "{name} = {value}");
        }
        assert!((WORKLOAD.generator)(&params(&[("values", 5.into())]), SEAT).is_ok());
    }
}
