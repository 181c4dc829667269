//! Locks against an oracle, and the traps.

mod exhaustive;
mod fuzz;

use std::collections::BTreeMap;

use danso_vocab::{Call, Event, History, Model, Outcome, Process, Stop, Time, Value};

use super::super::{Decision, How, Part, Polynomial, Refutation};
use super::Lock;
use crate::linearizable::tests::clients::{self, show};

use crate::models::{FencedMutex, Mutex, ReentrantMutex, RwLock, Semaphore};

/// What became of many histories.
#[derive(Debug, Default)]
struct Tally {
    valid: u64,
    unfit: u64,
    refuted: BTreeMap<String, u64>,
}

fn decide(lock: Lock, history: &History, witness: bool) -> Decision {
    let rows: Vec<u32> = (0..history.len() as u32).collect();
    lock.decide(&Part { history, rows: &rows }, &How { witness, stop: Stop::new() })
}

/// Compares a decision with the oracle.
fn compare<M: Model + Clone>(model: &M, lock: Lock, history: &History, tally: &mut Tally) {
    let rows: Vec<u32> = (0..history.len() as u32).collect();
    let decision = decide(lock, history, true);
    let told = clients::telling(model, history);
    let why = || format!("{decision:#?}\n{}", show(history));
    match &decision {
        Decision::Unfit(_) => tally.unfit += 1,
        Decision::Linearizable(witness) => {
            assert!(clients::linearizable(model, &told, &rows), "{}", why());
            assert!(clients::replays(model, &told, witness.as_ref().unwrap()), "{}", why());
            assert_eq!(decide(lock, history, false), Decision::Linearizable(None));
            tally.valid += 1;
        }
        Decision::Refuted(refutation) => {
            assert!(!clients::linearizable(model, &told, &rows), "{}", why());
            convinces(model, &told, refutation, &why);
            *tally.refuted.entry(refutation.name.to_string()).or_default() += 1;
        }
        Decision::Stopped => panic!("nobody stopped it"),
    }
}

/// The core is refuted by itself, and no longer if anything is taken away.
fn convinces<M: Model + Clone>(
    model: &M,
    told: &History,
    refutation: &Refutation,
    why: &dyn Fn() -> String,
) {
    let core = &refutation.rows;
    assert!(!clients::linearizable(model, told, core), "{}", why());
    let op = |row: u32| told.row(row as usize);
    assert!(refutation.because.contains(&op(core[0]).id().to_string()), "{}", why());
    let refused = |row: u32| op(row).ret().as_deref() == Some(&Value::Bool(false));
    for &row in core {
        // A hold goes as a whole: what follows in the same process, up to its release.
        let takes = !op(row).f().contains("release") && !refused(row);
        let belongs = |other: &u32| {
            *other == row || takes && *other > row && op(*other).process() == op(row).process()
        };
        let crashed = takes && !op(row).is_ok();
        let rest: Vec<u32> = core.iter().copied().filter(|other| !belongs(other)).collect();
        let alone = op(row).f().contains("release") && rest.len() + 1 < core.len().max(2);
        if takes && !crashed || refused(row) || alone {
            assert!(clients::linearizable(model, told, &rest), "without {row} {}", why());
        }
    }
}

fn history(events: Vec<(u32, &'static str, Value)>) -> History {
    let event = |(process, f, value): (u32, &'static str, Value)| {
        let process = Process(process);
        match f {
            "ok" => Event::Complete { process, outcome: Outcome::Ok(value) },
            "info" => Event::Complete { process, outcome: Outcome::Info("timeout".into()) },
            f => Event::Invoke { process, node: None, call: Call::new(f, value) },
        }
    };
    History::of((1..).map(Time).zip(events.into_iter().map(event))).unwrap()
}

const NIL: Value = Value::Nil;

fn name(lock: Lock, history: &History) -> String {
    match decide(lock, history, true) {
        Decision::Refuted(refutation) => refutation.name.into_owned(),
        Decision::Linearizable(_) => "valid".to_owned(),
        Decision::Unfit(reason) => format!("unfit: {reason}"),
        Decision::Stopped => "stopped".to_owned(),
    }
}

#[test]
fn two_holders_at_once_are_named() {
    let h = history(vec![
        (0, "acquire", NIL),
        (0, "ok", NIL),
        (1, "acquire", NIL),
        (1, "ok", NIL),
        (0, "release", NIL),
        (0, "ok", NIL),
    ]);
    let Decision::Refuted(refutation) = decide(Lock::mutex(), &h, false) else { panic!() };
    assert_eq!(refutation.name, "double-grant");
    assert_eq!(refutation.rows, [1, 0, 2]);
    assert_eq!(
        refutation.because,
        "p1's acquire (#2) succeeded although p0 held it: p0's acquire (#0) had succeeded 2 ns \
         earlier and was released no sooner than in #4"
    );
    assert_eq!(name(Lock::semaphore(2), &h), "valid");
    assert_eq!(name(Lock::semaphore(1), &h), "double-grant");
    assert_eq!(name(Lock::reentrant(), &h), "double-grant");
}

#[test]
fn a_release_that_is_open_may_have_been_done() {
    let h = history(vec![
        (0, "acquire", NIL),
        (0, "ok", NIL),
        (0, "release", NIL),
        (0, "info", NIL),
        (1, "acquire", NIL),
        (1, "ok", NIL),
        (2, "try-lock", NIL),
        (2, "ok", false.into()),
        (1, "add", 7.into()),
        (1, "ok", NIL),
    ]);
    assert_eq!(name(Lock::mutex(), &h), "valid");
}

#[test]
fn who_releases_anothers_lock_is_unfit_or_wrong() {
    let h = history(vec![(0, "acquire", NIL), (0, "ok", NIL), (1, "release", NIL), (1, "ok", NIL)]);
    assert!(name(Lock::mutex(), &h).starts_with("unfit: #2 p1 release -> nil gives back"));
    assert_eq!(name(Lock::reentrant(), &h), "release-without-hold");
}

#[test]
fn a_crashed_acquire_excuses_only_the_last_refusal() {
    let with = |last: (u32, &'static str, Value)| {
        history(vec![
            (0, "acquire", NIL),
            (0, "info", NIL),
            (1, "acquire", NIL),
            (1, "ok", false.into()),
            (2, "acquire", NIL),
            last,
        ])
    };
    assert_eq!(name(Lock::mutex(), &with((2, "info", NIL))), "valid");
    assert_eq!(name(Lock::mutex(), &with((2, "ok", false.into()))), "valid");
    assert_eq!(name(Lock::mutex(), &with((2, "ok", NIL))), "refused-while-free");
}

#[test]
fn tokens_are_compared_in_the_order_of_holds() {
    let with = |first: i64, second: i64| {
        history(vec![
            (0, "acquire", NIL),
            (1, "acquire", NIL),
            (0, "ok", first.into()),
            (0, "release", NIL),
            (1, "ok", Value::of([("token", second.into())])),
            (0, "ok", NIL),
        ])
    };
    assert_eq!(name(Lock::fenced(), &with(1, 2)), "valid");
    assert_eq!(name(Lock::fenced(), &with(2, 2)), "fencing-token-not-monotonic");
    assert_eq!(name(Lock::fenced(), &with(2, 1)), "fencing-token-not-monotonic");
    assert_eq!(name(Lock::mutex(), &with(2, 1)), "valid");
}

#[test]
fn an_owner_must_leave_as_often_as_it_came() {
    let with = |releases: usize| {
        let mut events = vec![(0, "lock", NIL), (0, "ok", NIL), (0, "lock", NIL), (0, "ok", NIL)];
        for _ in 0..releases {
            events.extend([(0, "unlock", NIL), (0, "ok", NIL)]);
        }
        events.extend([(1, "lock", NIL), (1, "ok", NIL)]);
        history(events)
    };
    assert_eq!(name(Lock::reentrant(), &with(1)), "double-grant");
    assert_eq!(name(Lock::reentrant(), &with(2)), "valid");
    assert_eq!(name(Lock::reentrant(), &with(3)), "release-without-hold");
    assert_eq!(name(Lock::mutex(), &with(2)), "double-grant");
}

#[test]
fn it_stops_when_told() {
    let stop = Stop::new();
    stop.trip();
    let h = history(vec![(0, "acquire", NIL), (0, "ok", NIL)]);
    let decision =
        Lock::mutex().decide(&Part { history: &h, rows: &[0] }, &How { witness: false, stop });
    assert_eq!(decision, Decision::Stopped);
}
