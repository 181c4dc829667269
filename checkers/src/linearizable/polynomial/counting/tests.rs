//! Against the oracle, at random and exhaustively, and the traps one by one.

use danso_vocab::{Call, Event, History, Op, Outcome, Process, Rng, Time, Value};

use super::super::trial::{Tally, Trial, every};
use super::super::{Decision, How, Part, Polynomial};
use super::Counting;
use crate::linearizable::tests::fuzz::env;
use crate::linearizable::tests::simulate::{self, Shape};
use crate::models::Counter;

fn trial(procedure: &Counting, initial: i64) -> Trial<'_, Counter> {
    // Reads can be taken out; steps cannot, since reads depend on how many there are.
    let units = |core: &[Op<'_>]| {
        let reads = core.iter().filter(|op| op.f() == "read");
        reads.map(|op| vec![op.row() as u32]).collect()
    };
    Trial { model: Counter::new(initial), procedure, units }
}

#[expect(clippy::ptr_arg, reason = "all behaviours have one type")]
fn behave(state: &mut Vec<i64>, call: &Call) -> Option<Value> {
    match crate::models::counter::added(&call.f, &call.arg) {
        None => return Some(state[0].into()),
        Some(by) => state[0] += by,
    }
    Some(Value::Nil)
}

fn up(rng: &mut Rng, _: &Shape, _: &mut i64) -> Call {
    match rng.below(3) {
        0 => Call::new("read", ()),
        1 => Call::new("add", 1),
        _ => Call::new("inc", ()),
    }
}

fn down(rng: &mut Rng, _: &Shape, _: &mut i64) -> Call {
    match rng.below(3) {
        0 => Call::new("read", ()),
        1 => Call::new("add", -2),
        _ => Call::new("dec", 2),
    }
}

fn mixed(rng: &mut Rng, _: &Shape, _: &mut i64) -> Call {
    match rng.below(3) {
        0 => Call::new("read", ()),
        1 => Call::new("add", rng.below(5) as i64 - 2),
        _ => Call::new("decrement", ()),
    }
}

fn shape(rng: &mut Rng) -> Shape {
    Shape {
        behaviour: behave,
        init: vec![2],
        draw: up,
        domain: 6,
        unique: false,
        processes: rng.between(2, 6) as usize,
        ops: rng.between(2, 12) as usize,
        crash: *rng.pick(&[0, 10, 30]).unwrap(),
        keys: 0,
        touch: *rng.pick(&[0, 20, 60]).unwrap(),
        lies: rng.below(6),
    }
}

#[test]
fn agrees_with_the_oracle() {
    for (name, draw) in
        [("counting up", up as fn(&mut Rng, &Shape, &mut i64) -> Call), ("counting down", down)]
    {
        let procedure = Counting::new(2);
        let tally = trial(&procedure, 2).fuzz(name, 6_000, |rng| {
            let shape = Shape { draw, ..shape(rng) };
            simulate::history(rng, &shape)
        });
        tally.shows_both();
        assert_eq!(tally.unfit, 0, "{tally:?}");
    }
}

#[test]
fn bounds_agree_with_the_oracle() {
    let procedure = Counting::new(2);
    let tally = trial(&procedure, 2).fuzz("counting mixed", 6_000, |rng| {
        let shape = Shape { draw: mixed, ..shape(rng) };
        simulate::history(rng, &shape)
    });
    tally.shows_both();
}

/// All small histories; `DANSO_EXHAUSTIVE_OPS` says how small.
#[test]
fn every_small_history() {
    let mut kinds = vec![(Call::new("inc", ()), Some(Value::Nil)), (Call::new("inc", ()), None)];
    kinds.extend((0..4).map(|v| (Call::new("read", ()), Some(Value::from(v)))));
    let (procedure, mut tally) = (Counting::new(0), Tally::default());
    every(env("DANSO_EXHAUSTIVE_OPS", 4) as usize, &kinds, |history| {
        trial(&procedure, 0).one(history, &mut tally);
    });
    tally.shows_both();
    assert_eq!(tally.unfit, 0, "{tally:?}");
}

fn history(lines: &[(u32, &'static str, Option<i64>)]) -> History {
    let event = |(process, word, value): &(u32, &'static str, Option<i64>)| {
        let process = Process(*process);
        let value = value.map_or(Value::Nil, Value::Int);
        match *word {
            "ok" => Event::Complete { process, outcome: Outcome::Ok(value) },
            f => Event::Invoke { process, node: None, call: Call::new(f, value) },
        }
    };
    History::of((1..).map(Time).zip(lines.iter().map(event))).unwrap()
}

fn decide(history: &History, initial: i64) -> Decision {
    let rows: Vec<u32> = (0..history.len() as u32).collect();
    Counting::new(initial).decide(&Part { history, rows: &rows }, &How::default())
}

/// Each read is within its bounds.
#[test]
fn bounds_are_not_enough() {
    let history = history(&[
        (0, "read", None),
        (1, "inc", None),
        (0, "ok", Some(1)),
        (2, "inc", None),
        (2, "ok", None),
        (3, "read", None),
        (3, "ok", Some(1)),
        (1, "ok", None),
    ]);
    let Decision::Refuted(refuted) = decide(&history, 0) else { panic!() };
    assert_eq!((&*refuted.name, refuted.rows), ("stale-read", vec![3, 0, 2, 1]));
    assert_eq!(
        refuted.because,
        "p3's read -> 1 (#5) although 1 step had ended before it began, and what p0's read -> 1 (#0) saw must have been counted beyond these"
    );
}

#[test]
fn steps_of_two_need_even_distances() {
    let lines = [(0, "add", Some(2)), (0, "ok", None), (0, "read", None), (0, "ok", Some(4))];
    let Decision::Refuted(refuted) = decide(&history(&lines), 1) else { panic!() };
    assert_eq!((&*refuted.name, refuted.rows), ("thin-air", vec![1, 0]));
}

#[test]
fn the_unusual_is_unfit_or_trivial() {
    let add = |by| history(&[(0, "add", by), (0, "ok", None)]);
    assert!(matches!(decide(&add(None), 0), Decision::Unfit(_)));
    assert_eq!(decide(&add(Some(i64::MIN)), -5), Decision::Linearizable(None));
    assert_eq!(decide(&History::default(), 0), Decision::Linearizable(None));
    let lines = [(0, "add", Some(i64::MIN)), (1, "add", Some(i64::MAX)), (0, "ok", None)];
    let reads = [(0, "read", None), (0, "ok", Some(i64::MAX))];
    // Out of range: only the search knows how the model wraps.
    let decision = decide(&history(&[&lines[..], &reads].concat()), i64::MAX);
    assert_eq!(decision, Decision::Unfit("numbers that large wrap around".to_owned()));
}
