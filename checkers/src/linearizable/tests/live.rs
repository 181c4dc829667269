//! Live checking against the oracle: the first violation is seen at exactly the event that makes
//! the history so far impossible.

use std::collections::BTreeMap;

use danso_vocab::{
    Call, Event, History, HistoryBuilder, Limits, LiveChecker, LiveViolation, Model, Op, OpId,
    Outcome, Process, Rng, Status, Time, Value, Verdict,
};

use super::fuzz::{env, shape, show};
use super::objects::{self, Counter, Queue};
use super::simulate::{self, Shape};
use super::{call, ok, oracle};
use crate::linearizable::live::Live;
use crate::models::CasRegister;

/// The invocations and responses of a history by rank, as operation and whether it ends.
fn ranked(history: &History) -> Vec<(Op<'_>, bool)> {
    let mut events = Vec::new();
    for op in history.ops() {
        events.push((op.inv_rank(), op, false));
        if op.res_rank() != History::NEVER {
            events.push((op.res_rank(), op, true));
        }
    }
    events.sort_by_key(|(rank, _, _)| *rank);
    events.into_iter().map(|(_, op, ends)| (op, ends)).collect()
}

/// The history of these events only.
fn prefix(events: &[(Op<'_>, bool)]) -> History {
    let mut builder = HistoryBuilder::new();
    builder.untimed();
    for (op, ends) in events {
        let process = Process(op.row() as u32);
        if !ends {
            let (key, arg) = (op.key().map(|key| key.into_owned()), op.arg().into_owned());
            builder.invoke(Time::ZERO, process, None, op.f(), key, arg).unwrap();
            continue;
        }
        let outcome = match (op.status(), op.ret()) {
            (Status::Ok, Some(ret)) => Outcome::Ok(ret.into_owned()),
            _ => Outcome::Fail("refused".into()),
        };
        builder.complete(Time::ZERO, process, None, outcome).unwrap();
    }
    builder.finish()
}

/// The operation whose end makes the history so far impossible.
fn first_violation<M: Model>(model: &M, history: &History) -> Option<OpId> {
    let events = ranked(history);
    let bad = |upto: &usize| !oracle::linearizable(model, &prefix(&events[..*upto]));
    let ends = (1..=events.len()).filter(|upto| events[upto - 1].1);
    let first = ends.clone().find(bad)?;
    Some(events[first - 1].0.id())
}

fn watch<M: Model>(live: &mut Live<'_, M>, events: &[(Time, Event)]) -> Option<LiveViolation> {
    let mut events = (0..).zip(events);
    let seen = events.find_map(|(index, (time, event))| live.event(index, *time, event));
    seen.or_else(|| live.finish())
}

/// What watching a history to its end says.
pub(super) fn verdict<M: Model>(model: &M, history: &History) -> Verdict {
    let event = |(op, ends): &(Op<'_>, bool)| {
        let process = Process(op.row() as u32);
        let call = Call { f: op.f().to_owned().into(), key: None, arg: op.arg().into_owned() };
        let outcome = Outcome::Ok(op.ret().map(|ret| ret.into_owned()).unwrap_or_default());
        match ends {
            false => Event::Invoke { process, node: None, call },
            true => Event::Complete { process, outcome },
        }
    };
    let events: Vec<_> = (1..).map(Time).zip(ranked(history).iter().map(event)).collect();
    match watch(&mut Live::new(model, &Limits::default()), &events) {
        Some(_) => Verdict::Invalid,
        None => Verdict::Valid,
    }
}

fn fuzz<M: Model>(name: &str, model: &M, shape: impl Fn(&mut Rng) -> Shape) {
    // Where an operation of unknown result is possible in every state there are many ways.
    let may_leave_out = name.contains("crowded");
    let mut rng = Rng::new(env("DANSO_FUZZ_SEED", 1)).split("live").split(name);
    let (mut seen, mut left_out) = ([0; 2], 0);
    for case in 0..env("DANSO_FUZZ_CASES", 4_000) {
        let shape = shape(&mut rng);
        let events = simulate::timed(&mut rng, &shape);
        let info = |e: &Event| matches!(e, Event::Complete { outcome: Outcome::Info(_), .. });
        let mut times = events.iter().filter(|(_, e)| !info(e)).map(|(time, _)| time);
        if times.next() == times.next_back() {
            // Nobody stamped these.
            continue;
        }
        let history = History::of(events.clone()).unwrap();
        let mut live = Live::new(model, &Limits::default());
        if rng.chance(1, 2) {
            live.worth_forgetting = 0;
        }
        let got = watch(&mut live, &events).map(|violation| violation.op);
        if !live.left_out().is_empty() {
            assert!(may_leave_out, "{name} case {case}: {:?}", live.left_out());
            left_out += 1;
            continue;
        }
        let want = first_violation(model, &history);
        assert_eq!(got, want, "{name} case {case}\n{}", show(&history));
        seen[usize::from(want.is_none())] += 1;
    }
    println!("{name}: {} valid, {} invalid, {left_out} left out", seen[1], seen[0]);
    assert!(left_out < seen[1], "most should not be too much for it");
    assert!(seen.iter().all(|n| *n > 0), "a test that sees one verdict only shows nothing");
}

fn crowded(rng: &mut Rng) -> Shape {
    Shape {
        crash: *rng.pick(&[0, 20, 40]).unwrap(),
        domain: rng.between(2, 4),
        unique: rng.chance(1, 3),
        ops: rng.between(5, 12) as usize,
        processes: rng.between(3, 7) as usize,
        keys: *rng.pick(&[0, 2]).unwrap(),
        lies: rng.below(6),
        ..shape(rng)
    }
}

#[test]
fn registers() {
    fuzz("register", &CasRegister::default(), shape);
    let strict = |rng: &mut Rng| Shape { behaviour: objects::strict_register, ..crowded(rng) };
    fuzz("strict", &CasRegister::default(), strict);
    let swaps = |rng: &mut Rng| Shape { draw: objects::swap_call, ..crowded(rng) };
    fuzz("swaps", &CasRegister::default(), swaps);
}

/// Few values, many writes of the same, and clients that overlap a lot.
#[test]
fn registers_written_again_and_again() {
    let draw = |rng: &mut Rng, shape: &Shape, _: &mut i64| {
        let mut value = || Value::Int(rng.below(shape.domain) as i64);
        let (old, new) = (value(), value());
        match rng.below(8) {
            0..=3 => Call::new("write", new),
            4..=5 => Call::new("read", ()),
            _ => Call::new("cas", Value::List(vec![old, new])),
        }
    };
    let again = |rng: &mut Rng| Shape {
        draw,
        domain: rng.between(2, 3),
        unique: false,
        processes: rng.between(3, 6) as usize,
        ops: rng.between(6, 11) as usize,
        crash: *rng.pick(&[0, 0, 20]).unwrap(),
        keys: 0,
        lies: rng.below(3),
        ..shape(rng)
    };
    fuzz("again", &CasRegister::default(), again);
    let strict = |rng: &mut Rng| Shape { behaviour: objects::strict_register, ..again(rng) };
    fuzz("again, strict", &CasRegister::default(), strict);
}

/// A write that need not be any more, since another hid it, is not used up in place of its twin
/// that must be: the first of them may take effect only until it responds.
#[test]
fn a_hidden_write_may_take_effect_until_it_responds() {
    let events = [
        call(0, "write", 2),
        call(1, "delete", ()),
        call(2, "read", ()),
        ok(1, ()),
        call(3, "write", 2),
        call(4, "cas", [2, 0]),
        ok(0, ()),
        ok(2, 0),
        call(5, "delete", ()),
        ok(5, ()),
        ok(4, ()),
        ok(3, ()),
        call(6, "cas", [2, 2]),
        ok(6, ()),
    ];
    assert_eq!(verdict(&CasRegister::default(), &super::history(events)), Verdict::Valid);
}

#[test]
fn queues() {
    let queue = |shape| Shape { behaviour: objects::queue, draw: objects::queue_call, ..shape };
    fuzz("queue", &Queue, |rng| queue(shape(rng)));
    fuzz("crowded queue", &Queue, |rng| queue(crowded(rng)));
}

#[test]
fn counters() {
    let counter = |shape| Shape {
        behaviour: objects::counter,
        draw: objects::counter_call,
        init: vec![0],
        ..shape
    };
    fuzz("counter", &Counter, |rng| counter(crowded(rng)));
}

/// A long history of one register.
fn long(crash: u64, seed: u64) -> Vec<(Time, Event)> {
    let shape = Shape {
        behaviour: objects::register,
        init: Vec::new(),
        draw: objects::register_call,
        domain: 5,
        unique: true,
        processes: 8,
        ops: 10_000,
        crash,
        keys: 0,
        touch: 0,
        lies: 0,
    };
    simulate::timed(&mut Rng::new(seed), &shape)
}

/// The same, but that operations whose client is gone for good end as unknown at once, as they do
/// in a run.
fn ended(events: Vec<(Time, Event)>) -> Vec<(Time, Event)> {
    let last: BTreeMap<_, _> =
        events.iter().zip(0..).map(|((_, event), at)| (simulate::process(event), at)).collect();
    let mut all = Vec::new();
    for ((time, event), at) in events.into_iter().zip(0..) {
        let process = simulate::process(&event);
        let gone = matches!(event, Event::Invoke { .. }) && last[&process] == at;
        all.push((time, event));
        if let Some(process) = process.filter(|_| gone) {
            let outcome = Outcome::Info("timeout".into());
            all.push((time, Event::Complete { process, outcome }));
        }
    }
    all
}

#[test]
fn memory_is_bounded_by_what_is_open() {
    let model = CasRegister::default();
    for (crash, most) in [(0, 1 << 20), (2, 1 << 21)] {
        let events = ended(long(crash, 4));
        let mut live = Live::new(&model, &Limits::default());
        let (mut peak, since) = (0, std::time::Instant::now());
        for ((time, event), index) in events.iter().zip(0..) {
            assert_eq!(live.event(index, *time, event), None);
            peak = peak.max(live.bytes());
        }
        println!("{crash} % crash: {} events, {peak} bytes, {:?}", events.len(), since.elapsed());
        assert!(peak < most, "{peak} bytes with {crash} % crashed");
        assert_eq!(live.left_out(), Vec::<String>::new());
    }
}

#[test]
fn beyond_the_memory_it_leaves_all_to_the_check_after_the_run() {
    let model = CasRegister::default();
    let mut live = Live::new(&model, &Limits { memory: 10_000, ..Limits::default() });
    assert_eq!(watch(&mut live, &long(0, 4)), None);
    assert_eq!(live.left_out(), ["the memory limit of live checking was reached"]);
}

#[test]
fn what_the_model_does_not_know_is_left_out_by_key() {
    let event = |p: u32, f: &'static str, key: i64, ret: i64| {
        let (process, call) = (Process(p), Call::new(f, ()).on(key));
        let outcome = Outcome::Ok(ret.into());
        [Event::Invoke { process, node: None, call }, Event::Complete { process, outcome }]
    };
    let events = [event(0, "pop", 1, 3), event(1, "read", 1, 9), event(2, "read", 2, 7)].concat();
    let events: Vec<_> = (1..).map(Time).zip(events).collect();
    let model = CasRegister::default();
    let mut live = Live::new(&model, &Limits::default());
    let seen = watch(&mut live, &events).unwrap();
    assert_eq!((seen.op, seen.key), (OpId(4), Some(2.into())));
    assert_eq!(seen.states, ["nil"]);
    let said = "operation #4 p2 read 2 -> 7 fits nowhere in any order of the operations so far; \
                just before, the state was nil";
    assert_eq!(seen.because, said);
    let left = "key 1: the model `cas-register` does not know operation #0 pop 1";
    assert_eq!(live.left_out(), [left]);
}
