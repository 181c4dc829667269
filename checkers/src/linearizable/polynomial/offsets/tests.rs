//! Against the oracle, at random and exhaustively, and the traps one by one.

use danso_vocab::{Call, Event, History, Op, Outcome, Process, Rng, Time, Value};

use super::super::testing::{Tally, Trial, every};
use super::super::{Decision, How, Part, Polynomial};
use super::Offsets;
use crate::linearizable::tests::fuzz::env;
use crate::linearizable::tests::simulate::{self, Shape};
use crate::models::AppendLog;

fn trial() -> Trial<'static, AppendLog> {
    // Offsets depend on all that is before them, so only reads can be taken out.
    let units = |core: &[Op<'_>]| {
        let reads = core.iter().filter(|op| op.f() == "read");
        let alone = |op: &Op<'_>| {
            // Without an append at 0 nobody can have seen anything.
            core.iter().all(|other| other.row() == op.row() || other.f() == "read")
        };
        reads.filter(|op| alone(op) && core.len() == 1).map(|op| vec![op.row() as u32]).collect()
    };
    Trial { model: AppendLog, procedure: &Offsets, units }
}

fn behave(state: &mut Vec<i64>, call: &Call) -> Option<Value> {
    match (&*call.f, call.arg.int()) {
        ("append", _) => {
            state.extend(call.arg.int());
            let at = state.len() as i64 - 1;
            // Now and then it does not say where.
            Some(if at % 5 == 3 { Value::Nil } else { at.into() })
        }
        (_, None) => Some(state.clone().into()),
        (_, Some(at)) => Some(state.get(at as usize).map_or(Value::Nil, |v| Value::Int(*v))),
    }
}

fn draw(rng: &mut Rng, _: &Shape, fresh: &mut i64) -> Call {
    match rng.below(8) {
        0..=3 => {
            *fresh += 1;
            Call::new("append", *fresh)
        }
        4 => Call::new("read", ()),
        _ => Call::new("read", rng.below(5) as i64),
    }
}

fn shape(rng: &mut Rng) -> Shape {
    Shape {
        behaviour: behave,
        init: vec![],
        draw,
        domain: 5,
        unique: rng.chance(1, 2),
        processes: rng.between(2, 5) as usize,
        ops: rng.between(2, 12) as usize,
        crash: *rng.pick(&[0, 10, 30]).unwrap(),
        keys: 0,
        touch: *rng.pick(&[0, 20, 60]).unwrap(),
        lies: rng.below(5),
    }
}

#[test]
fn agrees_with_the_oracle() {
    let tally = trial().fuzz("offsets", 8_000, |rng| {
        let shape = shape(rng);
        simulate::history(rng, &shape)
    });
    tally.shows_both();
    assert!(tally.unfit * 4 < tally.valid + tally.refuted, "{tally:?}");
}

#[test]
fn agrees_with_the_search_on_longer_histories() {
    trial().longer("offsets longer", 100, |rng| {
        let behaviour = |state: &mut Vec<i64>, call: &Call| {
            state.extend(call.arg.int().filter(|_| call.f == "append"));
            match call.f == "append" {
                true => Some(Value::Int(state.len() as i64 - 1)),
                false => behave(state, call),
            }
        };
        let shape = Shape {
            behaviour,
            ops: rng.between(30, 100) as usize,
            processes: rng.between(3, 8) as usize,
            crash: *rng.pick(&[0, 2]).unwrap(),
            lies: rng.below(3),
            ..shape(rng)
        };
        simulate::history(rng, &shape)
    });
}

#[test]
fn agrees_with_the_oracle_on_values_that_recur() {
    let tally = trial().fuzz("offsets recurring", 4_000, |rng| {
        let draw = |rng: &mut Rng, shape: &Shape, fresh: &mut i64| match rng.below(2) {
            0 => Call::new("append", rng.below(3) as i64),
            _ => super::tests::draw(rng, shape, fresh),
        };
        let shape = Shape { draw, ..shape(rng) };
        simulate::history(rng, &shape)
    });
    tally.shows_both();
}

/// All small histories; `DANSO_EXHAUSTIVE_OPS` says how small.
#[test]
fn every_small_history() {
    let mut kinds = Vec::new();
    for v in ["a", "b"] {
        kinds.push((Call::new("append", v), None));
        kinds.extend((0..3).map(|at| (Call::new("append", v), Some(Value::from(at)))));
        kinds.extend((0..2).map(|at| (Call::new("read", at), Some(Value::from(v)))));
        kinds.push((Call::new("read", ()), Some([v].into())));
    }
    kinds.push((Call::new("append", "a"), Some(Value::Nil)));
    kinds.extend((0..2).map(|at| (Call::new("read", at), Some(Value::Nil))));
    kinds.push((Call::new("read", ()), Some(Value::List(vec![]))));
    kinds.push((Call::new("read", ()), Some(["a", "b"].into())));
    let mut tally = Tally::default();
    every(env("DANSO_EXHAUSTIVE_OPS", 3) as usize, &kinds, |history| {
        trial().one(history, &mut tally);
    });
    println!("{tally:?}");
    tally.shows_both();
}

/// Operations one after another: argument and result, an append unless it is a read.
fn refuted(ops: &[(&'static str, Value, Option<Value>)]) -> (String, Vec<u32>, String) {
    let events = (0..).zip(ops).flat_map(|(i, (f, arg, ret))| {
        let process = Process(i);
        let call = Call::new(*f, arg.clone());
        let outcome = match ret {
            Some(ret) => Outcome::Ok(ret.clone()),
            None => Outcome::Info("timeout".into()),
        };
        [Event::Invoke { process, node: None, call }, Event::Complete { process, outcome }]
    });
    let history = History::of((1..).map(Time).zip(events)).unwrap();
    let rows: Vec<u32> = (0..history.len() as u32).collect();
    match Offsets.decide(&Part { history: &history, rows: &rows }, &How::default()) {
        Decision::Refuted(refuted) => (refuted.name.into_owned(), refuted.rows, refuted.because),
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_way_to_be_wrong_has_its_name() {
    let append = |v: i64, at: Option<i64>| ("append", Value::from(v), at.map(Value::from));
    let read = |at: i64, v: Value| ("read", Value::from(at), Some(v));
    let case = |ops: &[_]| {
        let (name, rows, _) = refuted(ops);
        (name, rows)
    };
    assert_eq!(
        case(&[append(1, Some(0)), append(2, Some(0))]),
        ("divergent-offset".into(), vec![1, 0])
    );
    assert_eq!(case(&[append(1, Some(1)), append(2, Some(0))]), ("reordered".into(), vec![1, 0]));
    assert_eq!(case(&[append(1, Some(0)), read(0, Value::Nil)]), ("stale-read".into(), vec![1, 0]));
    assert_eq!(
        case(&[append(1, Some(0)), read(0, 2.into())]),
        ("divergent-offset".into(), vec![1, 0])
    );
    assert_eq!(case(&[append(1, None), read(0, 2.into())]), ("thin-air".into(), vec![1]));
    assert_eq!(case(&[read(0, 1.into()), append(1, Some(0))]), ("future-read".into(), vec![0, 1]));
    assert_eq!(
        case(&[append(1, None), append(2, Some(2)), append(3, None)]),
        ("skipped".into(), vec![1, 0])
    );
    let twice = [append(1, None), read(0, 1.into()), read(1, 1.into())];
    assert_eq!(case(&twice), ("duplicate-delivery".into(), vec![2, 1, 0]));
}
