//! Workload `kafka`: send messages to logs, poll them from an offset on, commit how far one came.
//!
//! No message is sent twice. A worker polls all logs, each from behind the last offset it saw; it
//! commits what it saw, and now and then it asks what was committed and goes on from there, as
//! one who takes another's place would.
//!
//! **The end.** After everything has healed, each node is polled from the beginning until it
//! shows nothing more, and once again after `settle` ms.

use std::collections::BTreeMap;
use std::time::Duration;

use danso_checkers::kafka::Kafka;
use danso_vocab::{
    Call, Generator, OpSpec, Outcome, ParamError, ParamSpec, Params, Rng, Seat, Step, Value,
    Workload,
};

use crate::generators::weighted;
use crate::mix;

/// The workload.
pub const WORKLOAD: Workload = Workload {
    name: "kafka",
    about: "messages lost, doubled, or passed over by who reads on: logs with offsets",
    ops: OPS,
    params: PARAMS,
    generator: |params, seat| Ok(Box::new(Load::new(params, seat)?)),
    closing: |params, seat| Ok(Box::new(Closing::new(params, seat)?)),
    checkers: |params| {
        let judge = settle(params).map(|settle| Box::new(Kafka::settle(settle)));
        judge.into_iter().map(|judge| judge as Box<dyn danso_vocab::Checker>).collect()
    },
};

const OPS: &[OpSpec] = &[
    OpSpec { f: "send", about: "append the message; its offset", reads: false },
    OpSpec {
        f: "poll",
        about: "{log: offset …}: what follows from there; {log: [[offset message] …] …}",
        reads: true,
    },
    OpSpec {
        f: "commit-offsets", about: "{log: offset …}: up to there all is done", reads: false
    },
    OpSpec {
        f: "list-committed-offsets",
        about: "[log …]: up to where all is done; {log: offset …}",
        reads: true,
    },
];

const PARAMS: &[ParamSpec] = &[
    ParamSpec { name: "keys", about: "logs", default: || 4.into() },
    ParamSpec {
        name: "mix",
        about: "how often to send, poll, commit and list, relative to each other",
        default: || {
            Value::of([
                ("send", 8.into()),
                ("poll", 8.into()),
                ("commit-offsets", 3.into()),
                ("list-committed-offsets", 1.into()),
            ])
        },
    },
    ParamSpec {
        name: "settle",
        about: "ms after everything healed until what a node does not show is lost",
        default: || 2_000.into(),
    },
];

fn settle(params: &Params) -> Result<Duration, ParamError> {
    params.int("settle", 0..=10_000).map(|ms| Duration::from_millis(ms as u64))
}

fn keys(params: &Params) -> Result<Vec<String>, ParamError> {
    let count = params.int("keys", 1..=1_000)?;
    Ok((0..count).map(|number| format!("log-{number}")).collect())
}

/// Where to poll each log from next.
#[derive(Clone, Default)]
struct Positions(BTreeMap<String, i64>);

impl Positions {
    fn start(keys: &[String]) -> Positions {
        Positions(keys.iter().map(|key| (key.clone(), 0)).collect())
    }

    fn poll(&self) -> Call {
        Call::new("poll", map(self.0.iter().map(|(key, offset)| (key, *offset))))
    }

    /// Goes behind what an answer shows; whether it shows anything.
    fn advance(&mut self, shown: &Value) -> bool {
        let mut any = false;
        for (key, position) in &mut self.0 {
            let offsets = shown.get(key).and_then(Value::list).unwrap_or_default().iter();
            let last = offsets.filter_map(|pair| pair.pair()?.0.int()).max();
            if let Some(next) = last.and_then(|last| last.checked_add(1)) {
                any = true;
                *position = next.max(*position);
            }
        }
        any
    }
}

fn map<'a>(offsets: impl Iterator<Item = (&'a String, i64)>) -> Value {
    Value::Map(offsets.map(|(key, offset)| (key.clone(), offset.into())).collect())
}

/// What a worker does during the load.
struct Load {
    keys: Vec<String>,
    weights: Vec<u64>,
    next: i64,
    step: i64,
    positions: Positions,
}

impl Load {
    fn new(params: &Params, seat: Seat) -> Result<Load, ParamError> {
        settle(params)?;
        let keys = keys(params)?;
        Ok(Load {
            weights: mix::weights(params, OPS)?,
            next: seat.worker.into(),
            step: seat.workers.max(1).into(),
            positions: Positions::start(&keys),
            keys,
        })
    }
}

impl Generator for Load {
    fn next(&mut self, rng: &mut Rng) -> Step {
        let op = weighted(&self.weights, rng).map_or("poll", |op| OPS[op].f);
        let read: Vec<_> = self.positions.0.iter().filter(|(_, next)| **next > 0).collect();
        Step::Invoke(match op {
            "send" => {
                let message = self.next;
                self.next += self.step;
                let key = rng.pick(&self.keys).cloned().unwrap_or_default();
                Call::new("send", message).on(key)
            }
            "commit-offsets" if !read.is_empty() => Call::new(
                "commit-offsets",
                map(read.into_iter().map(|(key, next)| (key, next - 1))),
            ),
            "list-committed-offsets" => Call::new("list-committed-offsets", self.keys.clone()),
            _ => self.positions.poll(),
        })
    }

    fn observe(&mut self, call: &Call, outcome: &Outcome) {
        let Outcome::Ok(ret) = outcome else { return };
        match &*call.f {
            "poll" => drop(self.positions.advance(ret)),
            "list-committed-offsets" => {
                for (key, position) in &mut self.positions.0 {
                    let committed = ret.get(key).and_then(Value::int);
                    *position = committed.and_then(|c| c.checked_add(1)).unwrap_or(0).max(0);
                }
            }
            _ => {}
        }
    }
}

/// What one worker of each node does in the end: reads everything, and looks once more.
struct Closing {
    positions: Positions,
    settle: Duration,
    /// Answers that show nothing which are still to come.
    left: u32,
    pause: Option<Duration>,
}

/// The pause before a poll that failed is tried again.
const AGAIN: Duration = Duration::from_millis(100);

impl Closing {
    fn new(params: &Params, seat: Seat) -> Result<Closing, ParamError> {
        Ok(Closing {
            positions: Positions::start(&keys(params)?),
            settle: settle(params)?,
            left: 2 * u32::from(seat.speaks_for_home()),
            pause: None,
        })
    }
}

impl Generator for Closing {
    fn next(&mut self, _: &mut Rng) -> Step {
        match self.pause.take() {
            _ if self.left == 0 => Step::Done,
            Some(pause) => Step::Wait(pause),
            None => Step::Invoke(self.positions.poll()),
        }
    }

    fn observe(&mut self, _: &Call, outcome: &Outcome) {
        match outcome {
            Outcome::Ok(shown) => {
                if !self.positions.advance(shown) {
                    self.left -= 1;
                    // A poll is final if it begins after that time, not with it.
                    self.pause = Some(self.settle + AGAIN);
                }
            }
            _ => self.pause = Some(AGAIN),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEAT: Seat = Seat { worker: 0, workers: 2, nodes: 2 };

    fn params() -> Params {
        Params::complete(PARAMS, &[("keys".to_owned(), 1.into())].into()).unwrap()
    }

    fn shows(pairs: &[[i64; 2]]) -> Value {
        Value::of([("log-0", Value::List(pairs.iter().map(|pair| Value::from(*pair)).collect()))])
    }

    #[test]
    fn a_worker_reads_on_and_goes_back_to_what_was_committed() {
        let mut load = Load::new(&params(), SEAT).unwrap();
        let at = |load: &Load| load.positions.0["log-0"];
        let poll = load.positions.poll();
        load.observe(&poll, &Outcome::Ok(shows(&[[0, 5], [3, 7]])));
        assert_eq!(at(&load), 4);
        load.observe(&poll, &Outcome::Ok(shows(&[])));
        assert_eq!(at(&load), 4);
        let list = Call::new("list-committed-offsets", ["log-0"]);
        load.observe(&list, &Outcome::Ok(Value::of([("log-0", 1.into())])));
        assert_eq!(at(&load), 2);
        load.observe(&list, &Outcome::Ok(Value::of([])));
        assert_eq!(at(&load), 0);
        load.observe(&poll, &Outcome::Ok(shows(&[[i64::MAX, 5]])));
        assert_eq!(at(&load), 0);
    }

    #[test]
    fn in_the_end_everything_is_read_and_looked_for_once_more() {
        let mut closing = Closing::new(&params(), SEAT).unwrap();
        let mut rng = Rng::new(1);
        let answers = [shows(&[[0, 1]]), shows(&[[1, 2]]), shows(&[]), shows(&[])];
        let mut asked = Vec::new();
        let mut waited = Duration::ZERO;
        let mut answers = answers.into_iter();
        loop {
            match closing.next(&mut rng) {
                Step::Invoke(call) => {
                    asked.push(call.arg.get("log-0").and_then(Value::int).unwrap());
                    closing.observe(&call, &Outcome::Ok(answers.next().unwrap()));
                }
                Step::Wait(pause) => waited += pause,
                Step::Done => break,
            }
        }
        assert_eq!(asked, [0, 1, 2, 2]);
        assert!(waited > Duration::from_secs(2), "{waited:?}");
        let mut silent = Closing::new(&params(), Seat { worker: 1, nodes: 1, ..SEAT }).unwrap();
        assert_eq!(silent.next(&mut rng), Step::Done);
    }
}
