//! Rules that every workload keeps.

use std::collections::BTreeMap;

use danso_vocab::{
    Event, History, Limits, Outcome, Params, Process, Rng, Seat, Step, Time, Value, Verdict,
    Workload,
};

use super::*;

fn defaults(workload: &Workload) -> Params {
    Params::complete(workload.params, &BTreeMap::new()).unwrap()
}

fn kebab(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

/// What a worker calls if every call ends like this.
fn calls(
    workload: &Workload,
    seed: u64,
    outcome: impl Fn(u64) -> Outcome,
) -> Vec<danso_vocab::Call> {
    let seat = Seat { worker: 2, workers: 5, nodes: 3 };
    let mut load = (workload.generator)(&defaults(workload), seat).unwrap();
    let mut rng = Rng::new(seed);
    let mut calls = Vec::new();
    for n in 0..2_000 {
        match load.next(&mut rng) {
            Step::Invoke(call) => {
                load.observe(&call, &outcome(n));
                calls.push(call);
            }
            Step::Wait(_) => {}
            Step::Done => break,
        }
    }
    calls
}

#[test]
fn names_are_unique_and_kebab_case() {
    for (i, workload) in WORKLOADS.iter().enumerate() {
        assert!(kebab(workload.name), "{}", workload.name);
        assert!(WORKLOADS[..i].iter().all(|w| w.name != workload.name), "{}", workload.name);
        assert_eq!(find(workload.name).map(|w| w.about), Some(workload.about));
        assert!(workload.ops.iter().all(|op| kebab(op.f) && !op.about.is_empty()));
        assert!(workload.params.iter().all(|p| kebab(p.name) && !p.about.is_empty()));
        assert!(!(workload.checkers)(&defaults(workload)).is_empty(), "{}", workload.name);
    }
    assert!(find("registre").is_none());
}

#[test]
fn the_same_seed_and_outcomes_make_the_same_calls() {
    for workload in WORKLOADS {
        let outcome = |n: u64| match n % 7 {
            0 => Outcome::Info("timeout".into()),
            1 => Outcome::Fail("refused".into()),
            _ => Outcome::Ok(Value::Int(n as i64)),
        };
        let first = calls(workload, 1, outcome);
        assert_eq!(first, calls(workload, 1, outcome), "{}", workload.name);
        // Where there is only one thing to ask, chance has no say.
        if workload.ops.len() > 1 {
            assert_ne!(first, calls(workload, 2, outcome), "{}", workload.name);
        }
    }
}

/// What a worker calls in the end.
fn closing_calls(workload: &Workload) -> Vec<danso_vocab::Call> {
    let seat = Seat { worker: 0, workers: 1, nodes: 3 };
    let mut closing = (workload.closing)(&defaults(workload), seat).unwrap();
    let mut rng = Rng::new(1);
    let mut calls = Vec::new();
    for _ in 0..100 {
        match closing.next(&mut rng) {
            Step::Invoke(call) => {
                closing.observe(&call, &Outcome::Ok(Value::Nil));
                calls.push(call);
            }
            Step::Wait(_) => {}
            Step::Done => break,
        }
    }
    calls
}

#[test]
fn a_worker_uses_the_whole_alphabet_and_nothing_else() {
    // A number, a message as a broker hands it out, or messages of a log.
    let outcome = |n: u64| {
        let (which, n) = (n % 3, Value::Int(n as i64));
        Outcome::Ok(match which {
            0 => Value::of([("value", n.clone()), ("delivery", n)]),
            1 => Value::of([("log-0", Value::List(vec![Value::List(vec![n.clone(), n])]))]),
            _ => n,
        })
    };
    for workload in WORKLOADS {
        let mut made = calls(workload, 1, outcome);
        made.extend(closing_calls(workload));
        for op in workload.ops {
            assert!(
                made.iter().any(|call| call.f == op.f),
                "{} never calls {}",
                workload.name,
                op.f
            );
        }
        let known = |call: &danso_vocab::Call| workload.ops.iter().any(|op| op.f == call.f);
        assert!(made.iter().all(known), "{}", workload.name);
    }
}

/// A system of which nothing is known but that one client got one answer may well be correct.
#[test]
fn checkers_accept_calls_of_unknown_outcome() {
    for workload in WORKLOADS {
        let made = calls(workload, 3, |n| Outcome::Ok(Value::Int(n as i64)));
        let mut events = Vec::new();
        for (process, call) in (0..).map(Process).zip(made.iter().take(200).cloned()) {
            let outcome = Outcome::Info("timeout".into());
            events.push(Event::Invoke { process, node: None, call });
            events.push(Event::Complete { process, outcome });
        }
        let write =
            made.iter().find(|call| workload.ops.iter().any(|op| op.f == call.f && !op.reads));
        if let Some(call) = write.cloned() {
            let process = Process(10_000);
            // Whoever is asked to repeat something says more than that it is done.
            let said = if call.f == "echo" { call.arg.clone() } else { Value::Nil };
            events.push(Event::Invoke { process, node: None, call });
            events.push(Event::Complete { process, outcome: Outcome::Ok(said) });
        }
        let history = History::of((0..).map(Time).zip(events)).unwrap();
        for checker in (workload.checkers)(&defaults(workload)) {
            let finding = checker.check(&history, &Limits::default());
            assert_ne!(finding.verdict, Verdict::Invalid, "{}: {}", workload.name, finding.reason);
        }
    }
}
