//! The breadth-first engine against the oracle, with each reduction alone and with any of them.

use danso_vocab::{Event, History, Limits, Model, Rng, Stop, Verdict};

use super::fuzz::{env, reductions, shape, show};
use super::objects::{self, Counter, Queue};
use super::simulate::{self, Shape};
use super::{Reductions, call, ok, oracle};
use crate::linearizable::linearizable;
use crate::linearizable::machine::Machine;
use crate::linearizable::object::Object;
use crate::linearizable::portfolio::decide;
use crate::linearizable::reduce::reduce;
use crate::linearizable::search::{Bound, Budget, Outcome, Searched, frontier, search};
use crate::linearizable::split;
use crate::linearizable::timeline::Timeline;
use crate::linearizable::witness::replays;
use crate::models::CasRegister;

/// What the engine finds out about every object of `history`. Linearizations are replayed.
fn sweep<M: Model>(
    model: &M,
    history: &History,
    reductions: Reductions,
    limits: &Limits,
) -> Vec<Searched> {
    let mut all = Vec::new();
    for rows in split(history, model).unwrap().rows {
        let object = Object::new(history, &rows, model).unwrap();
        let mut machine = Machine::new(model, &object.classes);
        let items = reduce(&object, &object.items, reductions);
        let line = Timeline::new(&object, &items, reductions.pools);
        let Limits { states, memory, stop, progress, .. } = limits.clone();
        let budget = Budget { states, memory, stop, progress };
        let searched = frontier(&object, &line, &mut machine, reductions, &budget);
        if let Outcome::Linearizable(order) = &searched.outcome {
            let rows: Vec<u32> = order.iter().map(|i| items[*i as usize].row).collect();
            assert!(replays(&object, &rows, model), "{}", show(history));
        }
        all.push(searched);
    }
    all
}

pub(super) fn verdict<M: Model>(model: &M, history: &History, reductions: Reductions) -> Verdict {
    let searched = sweep(model, history, reductions, &Limits::default());
    let of = |s: &Searched| match s.outcome {
        Outcome::Linearizable(_) => Verdict::Valid,
        Outcome::Refuted => Verdict::Invalid,
        Outcome::OutOf(_) => Verdict::Unknown,
    };
    searched.iter().map(of).max().unwrap_or_default()
}

fn fuzz<M: Model>(name: &str, model: &M, shape: impl Fn(&mut Rng) -> Shape) {
    let mut rng = Rng::new(env("DANSO_FUZZ_SEED", 1)).split("frontier").split(name);
    let mut seen = [0; 2];
    for case in 0..env("DANSO_FUZZ_CASES", 4_000) {
        let shape = shape(&mut rng);
        let history = simulate::history(&mut rng, &shape);
        let valid = oracle::linearizable(model, &history);
        let want = if valid { Verdict::Valid } else { Verdict::Invalid };
        seen[usize::from(valid)] += 1;
        let (some, alone) = (reductions(rng.bits()), reductions(1 << rng.below(11)));
        for reductions in [Reductions::NONE, Reductions::ALL, alone, some] {
            let got = verdict(model, &history, reductions);
            assert_eq!(got, want, "{name} case {case} with {reductions:?}\n{}", show(&history));
        }
    }
    println!("{name}: {} valid, {} invalid", seen[1], seen[0]);
    assert!(seen.iter().all(|n| *n > 0), "a test that sees one verdict only shows nothing");
}

fn many_unknowns(rng: &mut Rng) -> Shape {
    Shape {
        crash: *rng.pick(&[20, 40, 60]).unwrap(),
        domain: rng.between(2, 4),
        unique: false,
        ops: rng.between(6, 14) as usize,
        processes: rng.between(3, 6) as usize,
        keys: 0,
        lies: rng.below(3),
        ..shape(rng)
    }
}

#[test]
fn registers() {
    fuzz("register", &CasRegister::default(), shape);
    let strict = |rng: &mut Rng| Shape { behaviour: objects::strict_register, ..shape(rng) };
    fuzz("strict", &CasRegister::default(), strict);
    let swaps = |rng: &mut Rng| Shape { draw: objects::swap_call, ..many_unknowns(rng) };
    fuzz("unknowns", &CasRegister::default(), swaps);
}

#[test]
fn queues() {
    let queue = |shape| Shape { behaviour: objects::queue, draw: objects::queue_call, ..shape };
    fuzz("queue", &Queue, |rng| queue(shape(rng)));
    fuzz("queue with unknowns", &Queue, |rng| queue(many_unknowns(rng)));
}

#[test]
fn counters() {
    let counter = |shape| Shape {
        behaviour: objects::counter,
        draw: objects::counter_call,
        init: vec![0],
        ..shape
    };
    fuzz("counter", &Counter, |rng| counter(shape(rng)));
    fuzz("counter with unknowns", &Counter, |rng| counter(many_unknowns(rng)));
}

/// Whoever answers first: the verdict is the same.
#[test]
fn portfolio() {
    let mut rng = Rng::new(env("DANSO_FUZZ_SEED", 1)).split("portfolio");
    for case in 0..env("DANSO_FUZZ_CASES", 4_000) / 4 {
        let shape = Shape { keys: 0, ..many_unknowns(&mut rng) };
        let shape = Shape { behaviour: objects::queue, draw: objects::queue_call, ..shape };
        let history = simulate::history(&mut rng, &shape);
        let rows: Vec<u32> = (0..history.len() as u32).collect();
        let object = Object::new(&history, &rows, &Queue).unwrap();
        let mut machine = Machine::new(&Queue, &object.classes);
        let line = Timeline::new(&object, &object.items, true);
        let progress = danso_vocab::Progress::default();
        let budget = Budget { states: u64::MAX, memory: 1 << 30, stop: Stop::new(), progress };
        let all = Reductions::ALL;
        let raced = decide(Some(1), &Queue, &object, &line, &mut machine, all, &budget);
        let valid = oracle::linearizable(&Queue, &history);
        assert_eq!(raced.outcome != Outcome::Refuted, valid, "case {case}\n{}", show(&history));
        assert!(!matches!(raced.outcome, Outcome::OutOf(_)));
    }
}

/// Counters that are added to while they are read, and in the end a read of what cannot be. Many
/// orders lead to the same sum and the same additions done, after different reads.
fn reads_amid_additions(adds: u32, reads: u32) -> History {
    let mut events: Vec<Event> = (0..adds).map(|p| call(p, "add", i64::from(p) + 1)).collect();
    events.extend((adds..adds + reads).map(|p| call(p, "read", ())));
    events.extend((0..adds).map(|p| ok(p, ())));
    events.extend((adds..adds + reads).map(|p| ok(p, i64::from(p % 4))));
    events.extend([call(0, "read", ()), ok(0, 17)]);
    super::history(events)
}

/// The same question depth first.
fn dive<M: Model>(model: &M, history: &History, memory: u64) -> Searched {
    let rows: Vec<u32> = (0..history.len() as u32).collect();
    let object = Object::new(history, &rows, model).unwrap();
    let mut machine = Machine::new(model, &object.classes);
    let line = Timeline::new(&object, &object.items, true);
    let progress = danso_vocab::Progress::default();
    let budget = Budget { states: u64::MAX, memory, stop: Stop::new(), progress };
    search(&object, &line, &mut machine, Reductions::ALL, &budget)
}

#[test]
fn it_meets_fewer_configurations_where_observers_differ() {
    let history = reads_amid_additions(10, 8);
    let wide = &sweep(&Counter, &history, Reductions::ALL, &Limits::default())[0];
    let deep = dive(&Counter, &history, 1 << 30);
    println!("{} breadth first, {} depth first", wide.visited, deep.visited);
    assert_eq!((&wide.outcome, &deep.outcome), (&Outcome::Refuted, &Outcome::Refuted));
    assert!(wide.visited * 3 < deep.visited * 2);
}

#[test]
fn it_decides_where_depth_first_runs_out_of_memory() {
    let mut events = Vec::new();
    for round in 0..400 {
        events.extend((0..8).map(|p| call(p, "add", i64::from(p + round) + 1)));
        events.extend((0..8).map(|p| ok(p, ())));
    }
    events.extend([call(0, "read", ()), ok(0, 17)]);
    let history = super::history(events);
    let limits = Limits { memory: 1 << 20, ..Limits::default() };
    assert_eq!(dive(&Counter, &history, limits.memory).outcome, Outcome::OutOf(Bound::Memory));
    let wide = &sweep(&Counter, &history, Reductions::ALL, &limits)[0];
    assert_eq!(wide.outcome, Outcome::Refuted);
    println!("{} states, {} bytes", wide.visited, wide.bytes);
    let finding = linearizable(Counter).check(&history, &limits);
    assert_eq!(finding.verdict, Verdict::Invalid, "{}", finding.reason);
}
