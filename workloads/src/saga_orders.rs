//! Workload `saga-orders`: orders that touch three services, judged as sagas.
//!
//! **Orders.** Worker *w* places orders `sW-N`, each a saga: reserve a quantity of an item, charge a
//! customer, arrange shipping. A share of them (`refused` percent) cannot be fulfilled, for one of
//! three reasons: nobody has the item, the card will not bear the amount, or nobody ships to the
//! address. So the first, the second or the third step is refused and what was done must be undone.
//!
//! **Reads.** Now and then a worker reads a page of a service's journal, where it last left off, or
//! a service's state: journals must only grow, and states must add up at any time.
//!
//! **The end.** After everything healed one worker reads the coordinator's journal until no saga is
//! open, or for `recovery` milliseconds, then the journals of all services to their ends, their
//! states, and the coordinator's journal once more. In that order nothing that a saga did can be
//! missed by the time its end was read.

use std::collections::BTreeSet;
use std::time::Duration;

use danso_checkers::saga::{Definition, sagas};
use danso_vocab::{
    Call, Generator, OpSpec, Outcome, ParamError, ParamSpec, Params, Rng, Seat, Step, Value,
    Workload,
};

use crate::generators::weighted;
use crate::mix;

/// The workload.
pub const WORKLOAD: Workload = Workload {
    name: "saga-orders",
    about: "missing, double or misplaced compensations, lost and stuck sagas: orders over three services",
    ops: OPS,
    params: PARAMS,
    generator: |params, seat| Ok(Box::new(Load::new(params, seat)?)),
    closing: |params, seat| Ok(Box::new(Closing::new(params, seat)?)),
    checkers: |params| {
        // Parameters were checked when the generators were made.
        vec![sagas(Definition::orders(recovery(params).unwrap_or_default()))]
    },
};

const OPS: &[OpSpec] = &[
    OpSpec {
        f: "order",
        about: "{saga, item, quantity, amount, customer, address} -> {outcome: committed or aborted}",
        reads: false,
    },
    OpSpec { f: "journal", about: "{service, from} -> [entry …]: a page", reads: true },
    OpSpec { f: "state", about: "service -> what it holds", reads: true },
];

const PARAMS: &[ParamSpec] = &[
    ParamSpec { name: "items", about: "different items on offer", default: || 8.into() },
    ParamSpec { name: "customers", about: "different customers", default: || 8.into() },
    ParamSpec {
        name: "refused",
        about: "percent of orders that some service must refuse",
        default: || 40.into(),
    },
    ParamSpec {
        name: "recovery",
        about: "ms after everything healed until no saga may be open",
        default: || 8_000.into(),
    },
    ParamSpec {
        name: "mix",
        about: "how often to order, read a page and read a state, relative to each other",
        default: || Value::of([("order", 60.into()), ("journal", 2.into()), ("state", 1.into())]),
    },
];

/// Whose journals and states there are.
const SERVICES: [&str; 3] = ["inventory", "payment", "shipping"];
const COORDINATOR: &str = "coordinator";

/// The item nobody has, and the address nobody ships to.
const NO_ITEM: &str = "unicorn";
const NO_ADDRESS: &str = "nowhere";

/// More than any customer has.
const TOO_MUCH: i64 = 1_000_000_000_000;

fn recovery(params: &Params) -> Result<Duration, ParamError> {
    params.int("recovery", 100..=15_000).map(|ms| Duration::from_millis(ms as u64))
}

fn page(service: &str, from: usize) -> Call {
    let from = Value::from(from as i64);
    Call::new("journal", Value::of([("service", service.into()), ("from", from)]))
}

/// The entries of a page that was read.
fn entries(outcome: &Outcome) -> Option<&[Value]> {
    if let Outcome::Ok(value) = outcome { value.list() } else { None }
}

/// What a worker does during the load.
struct Load {
    items: u64,
    customers: u64,
    refused: u64,
    weights: Vec<u64>,
    worker: u32,
    orders: u64,
    /// How far this worker has read each journal.
    read: [usize; 3],
    /// The journal it reads just now.
    reading: usize,
}

impl Load {
    fn new(params: &Params, seat: Seat) -> Result<Load, ParamError> {
        recovery(params)?;
        Ok(Load {
            items: params.int("items", 1..=100_000)? as u64,
            customers: params.int("customers", 1..=100_000)? as u64,
            refused: params.int("refused", 0..=100)? as u64,
            weights: mix::weights(params, OPS)?,
            worker: seat.worker,
            orders: 0,
            read: [0; 3],
            reading: 0,
        })
    }

    fn order(&mut self, rng: &mut Rng) -> Call {
        self.orders += 1;
        let refused = rng.chance(self.refused, 100).then(|| rng.below(3));
        let item = format!("widget-{}", rng.below(self.items));
        let (quantity, amount) = (rng.between(1, 3) as i64, rng.between(1, 50) as i64);
        let customer = format!("c{}", rng.below(self.customers));
        Call::new(
            "order",
            Value::of([
                ("saga", format!("s{}-{}", self.worker, self.orders).into()),
                ("item", if refused == Some(0) { NO_ITEM.into() } else { item.into() }),
                ("quantity", quantity.into()),
                ("customer", customer.into()),
                ("amount", if refused == Some(1) { TOO_MUCH } else { amount }.into()),
                ("address", if refused == Some(2) { NO_ADDRESS } else { "home" }.into()),
            ]),
        )
    }
}

impl Generator for Load {
    fn next(&mut self, rng: &mut Rng) -> Step {
        let op = weighted(&self.weights, rng).map_or("order", |op| OPS[op].f);
        Step::Invoke(match op {
            "journal" => {
                self.reading = rng.below(3) as usize;
                page(SERVICES[self.reading], self.read[self.reading])
            }
            "state" => Call::new("state", *rng.pick(&SERVICES).unwrap_or(&SERVICES[0])),
            _ => self.order(rng),
        })
    }

    fn observe(&mut self, call: &Call, outcome: &Outcome) {
        if call.f == "journal" {
            self.read[self.reading] += entries(outcome).map_or(0, <[Value]>::len);
        }
    }
}

/// What is read in the end, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Task {
    /// The coordinator's journal until no saga is open.
    Quiescence,
    /// A journal to its end.
    Journal(usize),
    State(usize),
    /// The coordinator's journal once more.
    Tail,
    Done,
}

impl Task {
    fn next(self) -> Task {
        match self {
            Task::Quiescence => Task::Journal(0),
            Task::Journal(i) if i + 1 < SERVICES.len() => Task::Journal(i + 1),
            Task::Journal(_) => Task::State(0),
            Task::State(i) if i + 1 < SERVICES.len() => Task::State(i + 1),
            Task::State(_) => Task::Tail,
            Task::Tail | Task::Done => Task::Done,
        }
    }
}

/// The pause before a question is asked again.
const AGAIN: Duration = Duration::from_millis(100);

/// Failures of one question before it is given up; what is then missing makes the run unknown.
const PATIENCE: u32 = 60;

/// What the first worker does in the end.
struct Closing {
    task: Task,
    /// How far the journal of this task has been read.
    from: usize,
    /// How far the coordinator's has.
    decided: usize,
    open: BTreeSet<String>,
    waited: Duration,
    /// How long to wait for open sagas: a little longer than they may take.
    limit: Duration,
    failures: u32,
    pause: bool,
}

impl Closing {
    fn new(params: &Params, seat: Seat) -> Result<Closing, ParamError> {
        Ok(Closing {
            task: if seat.worker == 0 { Task::Quiescence } else { Task::Done },
            from: 0,
            decided: 0,
            open: BTreeSet::new(),
            waited: Duration::ZERO,
            limit: recovery(params)? + 5 * AGAIN,
            failures: 0,
            pause: false,
        })
    }

    fn advance(&mut self) {
        self.task = self.task.next();
        (self.from, self.failures) = (0, 0);
    }

    /// A page of the coordinator's journal.
    fn decided(&mut self, entries: &[Value]) {
        self.decided += entries.len();
        for entry in entries {
            let text = |field| entry.get(field).and_then(Value::str).unwrap_or_default();
            match text("kind") {
                "begin" => drop(self.open.insert(text("saga").to_owned())),
                "end" => drop(self.open.remove(text("saga"))),
                _ => {}
            }
        }
        if !entries.is_empty() {
            return;
        }
        match self.task {
            Task::Quiescence if !self.open.is_empty() && self.waited < self.limit => {
                self.pause = true;
            }
            _ => self.advance(),
        }
    }
}

impl Generator for Closing {
    fn next(&mut self, _: &mut Rng) -> Step {
        if std::mem::take(&mut self.pause) {
            self.waited += AGAIN;
            return Step::Wait(AGAIN);
        }
        match self.task {
            Task::Quiescence | Task::Tail => Step::Invoke(page(COORDINATOR, self.decided)),
            Task::Journal(i) => Step::Invoke(page(SERVICES[i], self.from)),
            Task::State(i) => Step::Invoke(Call::new("state", SERVICES[i])),
            Task::Done => Step::Done,
        }
    }

    fn observe(&mut self, _: &Call, outcome: &Outcome) {
        let Outcome::Ok(_) = outcome else {
            self.failures += 1;
            self.pause = true;
            if self.failures > PATIENCE {
                self.advance();
            }
            return;
        };
        let read = entries(outcome).unwrap_or_default();
        match self.task {
            Task::Quiescence | Task::Tail => self.decided(read),
            Task::Journal(_) if !read.is_empty() => self.from += read.len(),
            Task::Journal(_) | Task::State(_) => self.advance(),
            Task::Done => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Seat = Seat { worker: 0, workers: 4, nodes: 4 };

    fn params(given: &[(&str, Value)]) -> Params {
        let given = given.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect();
        Params::complete(PARAMS, &given).unwrap()
    }

    #[test]
    fn sagas_are_new_and_some_must_be_refused() {
        let (mut names, mut refused) = (BTreeSet::new(), [0; 3]);
        let mut orders = 0;
        for worker in 0..3 {
            let mut load = Load::new(&params(&[]), Seat { worker, ..FIRST }).unwrap();
            let mut rng = Rng::new(worker.into());
            for _ in 0..1_000 {
                let Step::Invoke(call) = load.next(&mut rng) else { panic!("it never ends") };
                if call.f != "order" {
                    continue;
                }
                orders += 1;
                assert!(names.insert(call.arg.get("saga").cloned()));
                let is = |field: &str, value: Value| call.arg.get(field) == Some(&value);
                refused[0] += i32::from(is("item", NO_ITEM.into()));
                refused[1] += i32::from(is("amount", TOO_MUCH.into()));
                refused[2] += i32::from(is("address", NO_ADDRESS.into()));
            }
        }
        assert!(orders > 2_700, "{orders}");
        assert!(refused.iter().all(|n| (280..480).contains(n)), "{refused:?}");
    }

    #[test]
    fn the_end_waits_for_open_sagas_then_reads_everything() {
        let mut closing = Closing::new(&params(&[]), FIRST).unwrap();
        let mut rng = Rng::new(0);
        let entry = |kind: &str| Value::of([("saga", "s1".into()), ("kind", kind.into())]);
        let mut coordinator = vec![entry("begin")];
        let (mut asked, mut waits) = (Vec::new(), 0);
        for _ in 0..100 {
            match closing.next(&mut rng) {
                Step::Done => break,
                Step::Wait(_) => {
                    waits += 1;
                    if waits == 3 {
                        coordinator.push(entry("end"));
                    }
                }
                Step::Invoke(call) => {
                    let service = call.arg.get("service").unwrap_or(&call.arg).clone();
                    let from = call.arg.get("from").and_then(Value::int).unwrap_or(0) as usize;
                    asked.push(format!("{} {service}", call.f));
                    let outcome = match (&*call.f, service.str()) {
                        ("state", _) => Outcome::Ok(Value::of([])),
                        (_, Some(COORDINATOR)) => Outcome::Ok(coordinator[from..].to_vec().into()),
                        _ if from == 0 => Outcome::Ok(vec![Value::Nil].into()),
                        _ => Outcome::Ok(Value::List(Vec::new())),
                    };
                    closing.observe(&call, &outcome);
                }
            }
        }
        assert_eq!(closing.task, Task::Done);
        assert_eq!(waits, 3);
        asked.dedup();
        let order =
            ["coordinator", "inventory", "payment", "shipping"].map(|s| format!("journal {s}"));
        let states = SERVICES.map(|s| format!("state {s}"));
        let tail = ["journal coordinator".to_owned()];
        assert_eq!(asked, order.into_iter().chain(states).chain(tail).collect::<Vec<_>>());
        let other = Seat { worker: 1, ..FIRST };
        assert_eq!(Closing::new(&params(&[]), other).unwrap().next(&mut rng), Step::Done);
    }

    #[test]
    fn nobody_waits_for_ever() {
        let mut closing = Closing::new(&params(&[("recovery", 1_000.into())]), FIRST).unwrap();
        let mut rng = Rng::new(0);
        let mut steps = 0;
        loop {
            match closing.next(&mut rng) {
                Step::Done => break,
                Step::Wait(_) => {}
                Step::Invoke(call) => closing.observe(&call, &Outcome::Fail("refused".into())),
            }
            steps += 1;
            assert!(steps < 2_000);
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for (name, value) in [("items", 0), ("customers", 0), ("refused", 101), ("recovery", 0)] {
            let refused = Load::new(&params(&[(name, value.into())]), FIRST);
            assert!(refused.is_err(), "{name} = {value}");
        }
    }
}
