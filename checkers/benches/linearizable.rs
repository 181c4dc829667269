//! How long it takes to decide histories of one register. Prints one line a shape.

use std::time::Instant;

use danso_checkers::linearizable;
use danso_checkers::models::CasRegister;
use danso_vocab::{Call, Event, History, Limits, Outcome, Process, Rng, Time, Value};

/// A history to make.
struct Shape {
    name: &'static str,
    ops: usize,
    processes: usize,
    /// Different values; 0 for never the same twice.
    domain: u64,
    /// Percent of operations of unknown outcome.
    crash: u64,
    /// Give one read near 90 % of the history a wrong result.
    wrong: bool,
}

const BASE: Shape =
    Shape { name: "", ops: 10_000, processes: 10, domain: 5, crash: 0, wrong: false };

const SHAPES: &[Shape] = &[
    Shape { name: "5 values, 10 processes", ..BASE },
    Shape { name: "5 values, 20 processes", processes: 20, ..BASE },
    Shape { name: "5 values, 30 processes", processes: 30, ..BASE },
    Shape { name: "5 values, 10 processes, wrong read", wrong: true, ..BASE },
    Shape { name: "5 values, 20 processes, wrong read", processes: 20, wrong: true, ..BASE },
    Shape { name: "5 values, 10 processes, 1 % unknown", crash: 1, ..BASE },
    Shape {
        name: "5 values, 10 processes, 1 % unknown, wrong read",
        crash: 1,
        wrong: true,
        ..BASE
    },
    Shape { name: "5 values, 20 processes, 1 % unknown", processes: 20, crash: 1, ..BASE },
    Shape { name: "30 values, 10 processes, 5 % unknown", domain: 30, crash: 5, ..BASE },
    Shape { name: "5 values, 10 processes, 5 % unknown", domain: 5, crash: 5, ..BASE },
    Shape {
        name: "5 values, 10 processes, 5 % unknown, wrong",
        domain: 5,
        crash: 5,
        wrong: true,
        ..BASE
    },
    Shape { name: "30 values, 10 processes, 20 % unknown", domain: 30, crash: 20, ..BASE },
    Shape { name: "1000 values, 10 processes, 5 % unknown", domain: 1000, crash: 5, ..BASE },
    Shape {
        name: "1000 values, 10 processes, 5 % unknown, wrong",
        domain: 1000,
        crash: 5,
        wrong: true,
        ..BASE
    },
    Shape {
        name: "30 values, 2k ops, 10 processes, 2 % unknown, wrong",
        domain: 30,
        crash: 2,
        wrong: true,
        ops: 2000,
        ..BASE
    },
    Shape {
        name: "30 values, 10 processes, 5 % unknown, wrong read",
        domain: 30,
        crash: 5,
        wrong: true,
        ..BASE
    },
    Shape { name: "unique values, 10 processes", domain: 0, ..BASE },
    Shape {
        name: "unique values, 30 processes, 1 % unknown",
        processes: 30,
        domain: 0,
        crash: 1,
        ..BASE
    },
    Shape { name: "unique values, 10 processes, wrong read", domain: 0, wrong: true, ..BASE },
    Shape {
        name: "unique values, 30 processes, wrong read",
        processes: 30,
        domain: 0,
        wrong: true,
        ..BASE
    },
    Shape {
        name: "unique values, 100 processes, 1 % unknown, wrong read",
        processes: 100,
        domain: 0,
        crash: 1,
        wrong: true,
        ..BASE
    },
    Shape { name: "unique values, 10 processes, 1 M ops", ops: 1_000_000, domain: 0, ..BASE },
];

fn main() {
    let only = std::env::args().nth(1).filter(|arg| !arg.starts_with('-')).unwrap_or_default();
    for shape in SHAPES.iter().filter(|shape| shape.name.contains(&only)) {
        let history = history(shape);
        let checker = linearizable(CasRegister::new(Value::Nil));
        let start = Instant::now();
        let limits = Limits { memory: 1 << 30, ..Limits::default() };
        let finding = checker.check(&history, &limits);
        let spent = start.elapsed();
        println!(
            "{:<56} {:>8} {:>10.1?} {:>9} states {:>6} MiB",
            shape.name,
            finding.verdict.word(),
            spent,
            finding.stats["states"],
            finding.stats["bytes"] >> 20
        );
        if std::env::var_os("SHOW").is_some() {
            println!("   {}", finding.reason);
            for anomaly in &finding.anomalies {
                println!("   {} {:?}", anomaly.name, anomaly.ops);
                anomaly.explain.iter().for_each(|line| println!("   | {line}"));
            }
        }
    }
}

/// A linearizable history, unless it shall be wrong.
fn history(shape: &Shape) -> History {
    let mut rng = Rng::new(7);
    let mut value = Value::Nil;
    let mut fresh = 0;
    // Per worker: its process id, and what it does: idle, invoked, done with this result.
    let mut ids: Vec<u32> = (0..shape.processes as u32).collect();
    let mut calls: Vec<Option<(Call, Option<Outcome>)>> = vec![None; shape.processes];
    let (mut events, mut begun) = (Vec::new(), 0);
    let mut wrong = shape.wrong;
    // By value: the last event before which it may have been the register's.
    let mut possible = std::collections::BTreeMap::<Value, usize>::new();
    let mut since = vec![0; shape.processes];
    while begun < shape.ops || calls.iter().any(Option::is_some) {
        let p = rng.below(shape.processes as u64) as usize;
        let process = Process(ids[p]);
        calls[p] = match calls[p].take() {
            None if begun == shape.ops => None,
            None => {
                begun += 1;
                let call = draw(&mut rng, shape, &value, &mut fresh);
                since[p] = events.len();
                events.push(Event::Invoke { process, node: None, call: call.clone() });
                Some((call, None))
            }
            Some((call, None)) => {
                let outcome = act(&mut value, &call);
                Some((call, Some(outcome)))
            }
            Some((call, Some(mut outcome))) => {
                if rng.chance(shape.crash, 100) {
                    outcome = Outcome::Info("timeout".into());
                    ids[p] += shape.processes as u32;
                }
                for open in calls.iter().flatten().map(|(call, _)| call).chain([&call]) {
                    possible.insert(leaves(open).unwrap_or(&value).clone(), events.len());
                }
                possible.insert(value.clone(), events.len());
                if wrong && call.f == "read" && begun * 10 > shape.ops * 9 {
                    let lie = possible.iter().find(|(v, last)| **last < since[p] && !v.is_nil());
                    wrong = lie.is_none();
                    outcome = lie.map_or(outcome, |(lie, _)| Outcome::Ok(lie.clone()));
                }
                events.push(Event::Complete { process, outcome });
                None
            }
        };
    }
    History::of((0..).map(Time).zip(events)).expect("simulated processes take turns")
}

fn draw(rng: &mut Rng, shape: &Shape, now: &Value, fresh: &mut i64) -> Call {
    *fresh += 1;
    let new = if shape.domain == 0 { *fresh } else { rng.below(shape.domain) as i64 };
    match rng.below(4) {
        0 | 1 => Call::new("read", ()),
        2 => Call::new("write", new),
        _ => {
            let old = match shape.domain {
                0 => now.clone(),
                n => Value::Int(rng.below(n) as i64),
            };
            Call::new("cas", Value::List(vec![old, new.into()]))
        }
    }
}

/// The value a call leaves.
fn leaves(call: &Call) -> Option<&Value> {
    match (&*call.f, call.arg.pair()) {
        ("cas", Some((_, new))) => Some(new),
        ("write", _) => Some(&call.arg),
        _ => None,
    }
}

fn act(value: &mut Value, call: &Call) -> Outcome {
    match (&*call.f, call.arg.pair()) {
        ("read", _) => Outcome::Ok(value.clone()),
        ("cas", Some((old, _))) if old != value => Outcome::Fail("mismatch".into()),
        ("cas", Some((_, new))) => {
            *value = new.clone();
            Outcome::Ok(Value::Nil)
        }
        _ => {
            *value = call.arg.clone();
            Outcome::Ok(Value::Nil)
        }
    }
}
