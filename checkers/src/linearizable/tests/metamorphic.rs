//! Changes to a history that keep the verdict, or that keep it valid: on histories too large for
//! the oracle.

use danso_vocab::{Call, Checker, Event, Limits, Outcome, Process, Rng, Value, Verdict};

use super::fuzz::{env, shape, show};
use super::simulate::{self, Shape};
use super::{Linearizable, Reductions, call, ok, register, verdict};
use crate::models::CasRegister;

/// Registers with 15 to 60 operations and at most one lie, so that both verdicts are common.
fn medium(rng: &mut Rng) -> Shape {
    Shape {
        ops: rng.between(15, 60) as usize,
        processes: rng.between(2, 7) as usize,
        lies: rng.below(2),
        keys: 0,
        touch: 0,
        crash: *rng.pick(&[0, 3, 10]).unwrap(),
        ..shape(rng)
    }
}

/// Draws histories and changes each; `check` gets the verdicts before and after.
fn change(
    name: &str,
    change: impl Fn(&mut Rng, Vec<Event>) -> Vec<Event>,
    check: impl Fn(Verdict, Verdict) -> bool,
) {
    let mut rng = Rng::new(env("DANSO_FUZZ_SEED", 1)).split(name);
    let mut seen = [0; 3];
    for case in 0..env("DANSO_FUZZ_CASES", 4_000) / 4 {
        let shape = medium(&mut rng);
        let events = simulate::events(&mut rng, &shape);
        let before = simulate::stamped(&mut rng, &shape, events.clone());
        let changed = change(&mut rng, events);
        let after = simulate::stamped(&mut rng, &shape, changed);
        let verdicts = (register(&before), register(&after));
        seen[verdicts.0 as usize] += 1;
        if verdicts.0 == Verdict::Unknown || verdicts.1 == Verdict::Unknown {
            continue;
        }
        assert!(
            check(verdicts.0, verdicts.1),
            "{name} case {case}: {verdicts:?}\n{}\n{}",
            show(&before),
            show(&after)
        );
    }
    println!("{name}: {} valid, {} invalid", seen[0], seen[2]);
    assert!(seen[0] > 0 && seen[2] > 0);
}

fn renamed(event: Event, name: impl Fn(u32) -> u32) -> Event {
    match event {
        Event::Invoke { process, node, call } => {
            Event::Invoke { process: Process(name(process.0)), node, call }
        }
        Event::Complete { process, outcome } => {
            Event::Complete { process: Process(name(process.0)), outcome }
        }
        note @ Event::Note(_) => note,
    }
}

#[test]
fn names_of_processes_do_not_matter() {
    let rename = |_: &mut Rng, events: Vec<Event>| {
        events.into_iter().map(|event| renamed(event, |p| 1_000_003 - p * 7)).collect()
    };
    change("rename", rename, |before, after| before == after);
}

/// The same event with other values.
fn revalued(event: Event, value: &impl Fn(Value) -> Value) -> Event {
    match event {
        Event::Invoke { process, node, mut call } => {
            call.arg = each(call.arg, value);
            Event::Invoke { process, node, call }
        }
        Event::Complete { process, outcome: Outcome::Ok(ret) } => {
            Event::Complete { process, outcome: Outcome::Ok(each(ret, value)) }
        }
        other => other,
    }
}

fn each(old: Value, value: &impl Fn(Value) -> Value) -> Value {
    match old {
        Value::List(all) => Value::List(all.into_iter().map(|v| each(v, value)).collect()),
        other => value(other),
    }
}

#[test]
fn names_of_values_do_not_matter() {
    let name = |value: Value| match value {
        Value::Int(i) if i % 3 == 0 => Value::Int(i64::MAX - i),
        Value::Int(i) => Value::Str(format!("v{i}")),
        other => other,
    };
    let rename = |_: &mut Rng, events: Vec<Event>| {
        events.into_iter().map(|event| revalued(event, &name)).collect()
    };
    change("revalue", rename, |before, after| before == after);
}

#[test]
fn order_of_keys_and_number_of_threads_do_not_matter() {
    let mut rng = Rng::new(env("DANSO_FUZZ_SEED", 1)).split("keys");
    for _ in 0..env("DANSO_FUZZ_CASES", 4_000) / 8 {
        let drawn = Shape { keys: 4, ops: 60, ..medium(&mut rng) };
        let events = simulate::events(&mut rng, &drawn);
        let other = |key: Value| Value::Int(100 - key.int().unwrap());
        let swapped = events.iter().cloned().map(|event| match event {
            Event::Invoke { process, node, mut call } => {
                call.key = call.key.map(other);
                Event::Invoke { process, node, call }
            }
            event => event,
        });
        let verdicts = [super::history(swapped), super::history(events.clone())].map(|history| {
            [1, 2, 3].map(|threads| {
                let limits = Limits { threads, ..Limits::default() };
                let found = Linearizable::new(CasRegister::default()).check(&history, &limits);
                (found.verdict, found.stats["keys-violated"])
            })
        });
        let same = verdicts.iter().flatten().all(|found| *found == verdicts[0][0]);
        assert!(same, "{verdicts:?}\n{}", show(&super::history(events)));
    }
}

/// Writes of values of their own that are open all the time can always come last, and explain
/// nothing. They take slots, so that the wide masks are compared with the narrow one.
#[test]
fn unrelated_open_writes_do_not_matter() {
    let pad = |rng: &mut Rng, events: Vec<Event>| {
        let n = *rng.pick(&[60, 64, 100, 128, 150]).unwrap();
        let ids = || (0..n).map(|i| 1_000_000 + i);
        let begin = ids().map(|p| call(p, "write", i64::from(p)));
        let end = ids().map(|p| ok(p, ()));
        begin.chain(events).chain(end).collect()
    };
    change("pad", pad, |before, after| before == after);
}

#[test]
fn a_later_response_keeps_it_valid() {
    let delay = |rng: &mut Rng, mut events: Vec<Event>| {
        let mut at = rng.below(events.len() as u64) as usize;
        let far = at + rng.below(12) as usize;
        if !matches!(events[at], Event::Complete { .. }) {
            return events;
        }
        let who = simulate::process(&events[at]);
        while at < far && at + 1 < events.len() && simulate::process(&events[at + 1]) != who {
            events.swap(at, at + 1);
            at += 1;
        }
        events
    };
    change("delay", delay, |before, after| before == Verdict::Invalid || after == Verdict::Valid);
}

#[test]
fn a_read_less_keeps_it_valid() {
    let forget = |rng: &mut Rng, mut events: Vec<Event>| {
        let is_read = |call: &Call| call.f == "read";
        let reads: Vec<usize> = (0..events.len())
            .filter(|i| matches!(&events[*i], Event::Invoke { call, .. } if is_read(call)))
            .collect();
        let Some(&at) = rng.pick(&reads) else { return events };
        let who = simulate::process(&events[at]);
        let end = events[at + 1..].iter_mut().find(|event| simulate::process(event) == who);
        if let Some(Event::Complete { outcome, .. }) = end
            && matches!(outcome, Outcome::Ok(_))
        {
            *outcome = Outcome::Fail("forgotten".into());
        }
        events
    };
    change("forget", forget, |before, after| before == Verdict::Invalid || after == Verdict::Valid);
}

/// The plain search with a memory against all reductions.
#[test]
fn reductions_do_not_matter() {
    let mut rng = Rng::new(env("DANSO_FUZZ_SEED", 1)).split("medium");
    let plain = Reductions { memo: true, eager_observers: true, ..Reductions::NONE };
    for case in 0..env("DANSO_FUZZ_CASES", 4_000) / 4 {
        let shape = Shape { ops: rng.between(12, 30) as usize, ..medium(&mut rng) };
        let history = simulate::history(&mut rng, &shape);
        let verdicts = [plain, Reductions::ALL]
            .map(|reductions| verdict(CasRegister::default(), &history, reductions));
        assert_eq!(verdicts[0], verdicts[1], "case {case}\n{}", show(&history));
    }
}
