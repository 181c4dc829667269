//! Workload `queue`: producers and consumers of a queue with partitions, judged by what the
//! queue promises.
//!
//! **Roles.** Of each four workers one only produces, one only consumes, and two do both as `mix`
//! says. Its default makes as many messages come out as go in, since an acknowledgement is a call
//! too. Every value is sent once: worker *w* of *n* sends *w*, *w* + *n*, *w* + 2*n*…
//!
//! **Consumers.** Of the messages a consumer gets, it acknowledges `ack` percent, gives `nack`
//! percent back, and forgets the rest, as a consumer that dies does.
//!
//! **Closing.** Every partition is drained until nothing is left, and its dead letters are
//! listed. Only that tells a lost message from one that is still on its way. A drain that leaves
//! something is repeated for `patience` seconds; what is left then is stuck. So `patience` must be
//! longer than a message stays invisible.
//!
//! **Promises.** `guarantee` says how often a message is delivered. With `at-most-once` a message
//! is acknowledged as it is handed out, and losses are not looked for; otherwise it is delivered
//! until acknowledged. Whether an `enqueue` that was retried may have put its message in twice is
//! said by `idempotent`; with `exactly-once` it never may.

use std::collections::VecDeque;
use std::time::Duration;

use danso_checkers::delivery::{Delivery, Guarantee, Order, delivery};
use danso_vocab::{
    Call, Generator, OpSpec, Outcome, ParamError, ParamSpec, Params, Rng, Seat, Step, Value,
    Workload,
};

use crate::generators::weighted;
use crate::mix;

/// The workload.
pub const WORKLOAD: Workload = Workload {
    name: "queue",
    about: "lost, doubled, invented and overtaking messages: what goes in comes out as promised",
    ops: OPS,
    params: PARAMS,
    generator: |params, seat| Ok(Box::new(Load::new(params, seat)?)),
    closing: |params, seat| Ok(Box::new(Closing::new(params, seat)?)),
    checkers: |params| vec![Box::new(promise(params).unwrap_or(delivery(Guarantee::AtLeastOnce)))],
};

const OPS: &[OpSpec] = &[
    OpSpec { f: "enqueue", about: "put a message into the partition", reads: false },
    OpSpec {
        f: "dequeue",
        about: "get the next message; nil if there is none; `auto` acknowledges it at once",
        reads: false,
    },
    OpSpec { f: "ack", about: "be done with a delivery", reads: false },
    OpSpec { f: "nack", about: "give a delivery back", reads: false },
    OpSpec { f: "drain", about: "take all there is, and say what is left", reads: false },
    OpSpec { f: "dead-letters", about: "list what was given up", reads: true },
];

const PARAMS: &[ParamSpec] = &[
    ParamSpec { name: "partitions", about: "partitions in use", default: || 4.into() },
    ParamSpec {
        name: "mix",
        about: "how often workers that do both enqueue and dequeue, relative to each other",
        default: || Value::of([("enqueue", 2.into()), ("dequeue", 5.into())]),
    },
    ParamSpec {
        name: "ack",
        about: "how many of 100 deliveries are acknowledged",
        default: || 90.into(),
    },
    ParamSpec {
        name: "nack",
        about: "how many of 100 deliveries are given back; the rest is forgotten",
        default: || 5.into(),
    },
    ParamSpec {
        name: "guarantee",
        about: "`at-most-once`, `at-least-once` or `exactly-once`",
        default: || "at-least-once".into(),
    },
    ParamSpec {
        name: "order",
        about: "what is first delivered in the order sent: all of a `partition`, those of a `producer`, or `none`",
        default: || "partition".into(),
    },
    ParamSpec {
        name: "idempotent",
        about: "whether a message sent once is in the queue once, however often that was retried",
        default: || true.into(),
    },
    ParamSpec {
        name: "patience",
        about: "seconds after which what the queue has but does not deliver is stuck",
        default: || 8.into(),
    },
];

/// Pause between drains of a partition.
const AGAIN: Duration = Duration::from_millis(250);

/// Drains or listings of one partition that may fail before the next one's turn.
const FAILURES: u32 = 40;

fn guarantee(params: &Params) -> Result<Guarantee, ParamError> {
    match params.get("guarantee").str() {
        Some("at-most-once") => Ok(Guarantee::AtMostOnce),
        Some("at-least-once") => Ok(Guarantee::AtLeastOnce),
        Some("exactly-once") => Ok(Guarantee::ExactlyOnce),
        _ => {
            let want = "`at-most-once`, `at-least-once` or `exactly-once`";
            Err(mix::bad(params, "guarantee", want))
        }
    }
}

/// What the queue promises.
fn promise(params: &Params) -> Result<Delivery, ParamError> {
    let order = match params.get("order").str() {
        Some("partition") => Order::PerPartition,
        Some("producer") => Order::PerProducer,
        Some("none") => Order::Any,
        _ => return Err(mix::bad(params, "order", "`partition`, `producer` or `none`")),
    };
    let guarantee = guarantee(params)?;
    let promise = delivery(guarantee).order(order);
    let promise = match params.get("idempotent").bool() {
        Some(true) => promise.idempotent(),
        Some(false) => promise,
        None => return Err(mix::bad(params, "idempotent", "true or false")),
    };
    Ok(if guarantee == Guarantee::AtMostOnce { promise } else { promise.acknowledged() })
}

fn partitions(params: &Params) -> Result<u64, ParamError> {
    params.int("partitions", 1..=10_000).map(|partitions| partitions as u64)
}

fn partition(number: u64) -> Value {
    Value::Int(number as i64)
}

/// What a worker does during the load.
struct Load {
    partitions: u64,
    /// Weights of `enqueue` and `dequeue`.
    weights: [u64; 2],
    /// Of 100 deliveries: how many are acknowledged, and how many given back.
    shares: [u64; 2],
    auto: bool,
    /// The next value, and the distance to the one after it.
    next: i64,
    step: i64,
    /// The delivery that it holds.
    held: Option<(Value, Value)>,
}

impl Load {
    fn new(params: &Params, seat: Seat) -> Result<Load, ParamError> {
        promise(params)?;
        let both = mix::weights(params, &OPS[..2])?;
        let weights = match seat.worker % 4 {
            _ if seat.workers < 4 => [both[0], both[1]],
            0 => [1, 0],
            1 => [0, 1],
            _ => [both[0], both[1]],
        };
        let ack = params.int("ack", 0..=100)?;
        let nack = params.int("nack", 0..=100 - ack)?;
        Ok(Load {
            partitions: partitions(params)?,
            weights,
            shares: [ack as u64, nack as u64],
            auto: guarantee(params)? == Guarantee::AtMostOnce,
            next: seat.worker.into(),
            step: seat.workers.max(1).into(),
            held: None,
        })
    }

    /// What becomes of the delivery it holds, unless it is forgotten.
    fn settle(&mut self, rng: &mut Rng) -> Option<Call> {
        let (partition, delivery) = self.held.take()?;
        let [ack, nack] = self.shares;
        let f = match rng.below(100) {
            drawn if drawn < ack => "ack",
            drawn if drawn < ack + nack => "nack",
            _ => return None,
        };
        Some(Call::new(f, delivery).on(partition))
    }
}

impl Generator for Load {
    fn next(&mut self, rng: &mut Rng) -> Step {
        if let Some(call) = self.settle(rng) {
            return Step::Invoke(call);
        }
        let partition = partition(rng.below(self.partitions));
        let call = if weighted(&self.weights, rng) == Some(0) {
            let value = self.next;
            self.next += self.step;
            Call::new("enqueue", value)
        } else if self.auto {
            Call::new("dequeue", "auto")
        } else {
            Call::new("dequeue", ())
        };
        Step::Invoke(call.on(partition))
    }

    fn observe(&mut self, call: &Call, outcome: &Outcome) {
        if let (Outcome::Ok(ret), "dequeue", Some(partition)) = (outcome, &*call.f, &call.key) {
            self.held = ret.get("delivery").map(|delivery| (partition.clone(), delivery.clone()));
        }
    }
}

/// What a worker does in the end: drains its share of the partitions, one after the other.
struct Closing {
    partitions: VecDeque<u64>,
    /// Drains of one partition that may leave something.
    patience: u32,
    drained: u32,
    failures: u32,
    /// The next thing to ask is what died.
    empty: bool,
    pause: bool,
}

impl Closing {
    fn new(params: &Params, seat: Seat) -> Result<Closing, ParamError> {
        let workers = u64::from(seat.workers.max(1));
        let mine = |p: &u64| p % workers == u64::from(seat.worker);
        let seconds = params.int("patience", 0..=3_600)? as u64;
        let patience = Duration::from_secs(seconds).as_millis() / AGAIN.as_millis();
        Ok(Closing {
            partitions: (0..partitions(params)?).filter(mine).collect(),
            patience: patience as u32,
            drained: 0,
            failures: 0,
            empty: false,
            pause: false,
        })
    }

    fn next_partition(&mut self) {
        self.partitions.pop_front();
        (self.drained, self.failures, self.empty) = (0, 0, false);
    }
}

impl Generator for Closing {
    fn next(&mut self, _: &mut Rng) -> Step {
        if std::mem::take(&mut self.pause) {
            return Step::Wait(AGAIN);
        }
        let Some(number) = self.partitions.front() else { return Step::Done };
        let f = if self.empty { "dead-letters" } else { "drain" };
        Step::Invoke(Call::new(f, ()).on(partition(*number)))
    }

    fn observe(&mut self, call: &Call, outcome: &Outcome) {
        let Outcome::Ok(ret) = outcome else {
            self.failures += 1;
            self.pause = true;
            if self.failures >= FAILURES {
                self.next_partition();
            }
            return;
        };
        if call.f == "dead-letters" {
            return self.next_partition();
        }
        let left = ret.get("left").and_then(Value::list).is_some_and(|left| !left.is_empty());
        self.drained += 1;
        self.empty = !left || self.drained > self.patience;
        self.pause = !self.empty;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    fn params(given: &[(&str, Value)]) -> Params {
        let given = given.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect();
        Params::complete(PARAMS, &given).unwrap()
    }

    fn seat(worker: u32) -> Seat {
        Seat { worker, workers: 6, nodes: 3 }
    }

    /// The calls of a worker whose every dequeue gets a delivery of its own.
    fn run(params: &Params, worker: u32) -> BTreeMap<String, Vec<Call>> {
        let mut load = Load::new(params, seat(worker)).unwrap();
        let mut rng = Rng::new(worker.into());
        let mut calls = BTreeMap::<String, Vec<Call>>::new();
        for n in 0..3_000 {
            let Step::Invoke(call) = load.next(&mut rng) else { panic!("the load never ends") };
            let delivery = Value::of([("value", 1.into()), ("delivery", n.into())]);
            load.observe(&call, &Outcome::Ok(delivery));
            calls.entry(call.f.to_string()).or_default().push(call);
        }
        calls
    }

    #[test]
    fn workers_have_roles_and_values_are_unique() {
        let params = params(&[]);
        let mut sent = BTreeSet::new();
        for worker in 0..6 {
            let calls = run(&params, worker);
            assert_eq!(calls.contains_key("enqueue"), worker % 4 != 1);
            assert_eq!(calls.contains_key("dequeue"), worker % 4 != 0);
            for call in calls.get("enqueue").into_iter().flatten() {
                assert!(sent.insert(call.arg.clone()), "{call:?}");
            }
        }
        let alone = Load::new(&params, Seat { worker: 0, workers: 1, nodes: 1 }).unwrap();
        assert_eq!(alone.weights, [2, 5]);
    }

    #[test]
    fn deliveries_are_settled_in_their_shares() {
        let calls = run(&params(&[("ack", 60.into()), ("nack", 30.into())]), 1);
        let count = |f: &str| calls.get(f).map_or(0, Vec::len);
        let (dequeues, acks, nacks) = (count("dequeue"), count("ack"), count("nack"));
        assert!((50..70).contains(&(acks * 100 / dequeues)), "{acks} of {dequeues}");
        assert!((25..35).contains(&(nacks * 100 / dequeues)), "{nacks} of {dequeues}");
        let deliveries: BTreeSet<&Value> = calls["ack"].iter().map(|call| &call.arg).collect();
        assert_eq!(deliveries.len(), acks);
        let auto = run(&params(&[("guarantee", "at-most-once".into())]), 1);
        assert!(auto["dequeue"].iter().all(|call| call.arg.str() == Some("auto")));
    }

    /// What a closing asks of a queue that leaves something so many times, then nothing.
    fn closing(params: &Params, mut leaves: u32) -> Vec<String> {
        let mut closing = Closing::new(params, seat(1)).unwrap();
        let mut rng = Rng::new(0);
        let mut asked = Vec::new();
        loop {
            match closing.next(&mut rng) {
                Step::Done => return asked,
                Step::Wait(_) => asked.push("wait".to_owned()),
                Step::Invoke(call) => {
                    asked.push(format!("{} {}", call.f, call.key.clone().unwrap_or_default()));
                    let left: Vec<Value> = if leaves > 0 { vec![1.into()] } else { Vec::new() };
                    leaves = leaves.saturating_sub(1);
                    let none = Value::List(Vec::new());
                    let ret = Value::of([("values", none), ("left", left.into())]);
                    closing.observe(&call, &Outcome::Ok(ret));
                }
            }
        }
    }

    #[test]
    fn the_closing_drains_its_partitions_to_the_end() {
        let eight = [("partitions", Value::from(8))];
        let asked = closing(&params(&eight), 1);
        let want = ["drain 1", "wait", "drain 1", "dead-letters 1", "drain 7", "dead-letters 7"];
        assert_eq!(asked, want);
        let impatient = [eight[0].clone(), ("patience", 1.into())];
        let asked = closing(&params(&impatient), u32::MAX);
        assert_eq!(asked.iter().filter(|a| *a == "drain 1").count(), 5);
        assert_eq!(asked.last().map(String::as_str), Some("dead-letters 7"));
        // A partition that does not answer is given up in the end.
        let mut deaf = Closing::new(&params(&[]), seat(1)).unwrap();
        let mut rng = Rng::new(0);
        for _ in 0..200 {
            if let Step::Invoke(call) = deaf.next(&mut rng) {
                deaf.observe(&call, &Outcome::Fail("no-leader".into()));
            }
        }
        assert_eq!(deaf.next(&mut rng), Step::Done);
    }

    #[test]
    fn nonsense_is_refused() {
        for (name, value) in [
            ("partitions", Value::Int(0)),
            ("ack", 101.into()),
            ("nack", 20.into()),
            ("guarantee", "twice".into()),
            ("order", "random".into()),
            ("idempotent", "yes".into()),
            ("mix", Value::of([("ack", 1.into())])),
        ] {
            let refused = Load::new(&params(&[(name, value.clone())]), seat(0));
            assert!(refused.is_err(), "{name} = {value}");
        }
        assert!(Closing::new(&params(&[("patience", (-1).into())]), seat(0)).is_err());
    }
}
