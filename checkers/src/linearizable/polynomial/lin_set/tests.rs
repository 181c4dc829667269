use danso_vocab::{Call, Op, Rng, Value};

use super::super::container::testing::{Kind, Subject, refuted, shape, timed};
use super::LinSet;
use crate::linearizable::tests::fuzz::env;
use crate::linearizable::tests::simulate::Shape;
use crate::models::LinSet as Model;

const SET: Subject<'_, Model> = Subject { model: Model, procedure: &LinSet, units };

/// What sees and changes nothing.
fn units(ops: &[Op<'_>]) -> Vec<Vec<u32>> {
    let sees = |op: &&Op<'_>| {
        op.is_ok() && (op.f() == "contains" || op.ret().as_deref() == Some(&Value::Bool(false)))
    };
    ops.iter().filter(sees).map(|op| vec![op.row() as u32]).collect()
}

fn act(state: &mut Vec<i64>, call: &Call) -> Option<Value> {
    let Some(v) = call.arg.int() else {
        return Some(Value::List(state.iter().map(|v| Value::Int(*v)).collect()));
    };
    let is_in = state.contains(&v);
    match &*call.f {
        "contains" => return Some(is_in.into()),
        "add" | "insert" if !is_in => state.push(v),
        "remove" | "delete" => state.retain(|w| *w != v),
        _ => {}
    }
    Some(match &*call.f {
        "insert" | "delete" => Value::Nil,
        f => (is_in == (f == "remove")).into(),
    })
}

fn element(rng: &mut Rng, shape: &Shape) -> i64 {
    rng.below(shape.domain) as i64
}

fn draw(rng: &mut Rng, shape: &Shape, _: &mut i64) -> Call {
    let f = *rng.pick(&["add", "remove", "contains"]).unwrap();
    Call::new(f, element(rng, shape))
}

fn draw_comes(rng: &mut Rng, shape: &Shape, _: &mut i64) -> Call {
    let f = *rng.pick(&["insert", "add", "contains"]).unwrap();
    Call::new(f, element(rng, shape))
}

fn draw_mixed(rng: &mut Rng, shape: &Shape, _: &mut i64) -> Call {
    let f = *rng.pick(&["add", "remove", "insert", "delete", "contains"]).unwrap();
    Call::new(f, element(rng, shape))
}

fn small(rng: &mut Rng, draw: fn(&mut Rng, &Shape, &mut i64) -> Call) -> Shape {
    let domain = rng.between(1, 2);
    Shape { domain, unique: false, lies: rng.below(6), ..shape(rng, act, draw) }
}

#[test]
fn agrees_with_the_oracle() {
    let counts = SET.fuzz("lin-set", |rng| small(rng, draw));
    assert!(counts.unfit == 0 && counts.silent == 0, "{counts:?}");
}

#[test]
fn agrees_with_the_oracle_where_changes_tell_nothing() {
    let comes = |rng: &mut Rng| small(rng, draw_comes);
    let counts = SET.fuzz("lin-set-comes", comes);
    assert!(counts.unfit == 0 && counts.silent == 0, "{counts:?}");
    SET.fuzz("lin-set-mixed", |rng| small(rng, draw_mixed));
}

fn draw_grows(rng: &mut Rng, shape: &Shape, _: &mut i64) -> Call {
    match rng.below(8) {
        0..=2 => Call::new("read", ()),
        3 => Call::new("contains", element(rng, shape)),
        4 => Call::new("add", element(rng, shape)),
        _ => Call::new("insert", element(rng, shape)),
    }
}

/// What reads all may read less or more; other operations see something else.
fn units_grown(ops: &[Op<'_>]) -> Vec<Vec<u32>> {
    let mut all = units(ops);
    let reads = || ops.iter().filter(|op| op.f() == "read");
    all.extend(reads().map(|op| vec![op.row() as u32]));
    for v in (0..4).map(Value::Int) {
        let read = reads()
            .any(|op| op.ret().is_some_and(|r| r.list().is_some_and(|list| list.contains(&v))));
        let mine = ops.iter().filter(|op| *op.arg() == v).map(|op| op.row() as u32);
        all.extend((!read && ops.iter().any(|op| *op.arg() == v)).then(|| mine.collect()));
    }
    all
}

#[test]
fn agrees_with_the_oracle_where_all_is_read() {
    let set = Subject { units: units_grown, ..SET };
    let grows = |rng: &mut Rng| Shape { domain: rng.between(2, 4), ..small(rng, draw_grows) };
    let counts = set.fuzz("lin-set-grows", grows);
    assert!(counts.unfit * 20 < counts.valid && counts.silent == 0, "{counts:?}");
}

/// `DANSO_EXHAUSTIVE_OPS` says how many operations; four take minutes.
#[test]
fn every_small_history() {
    let mut kinds: Vec<Kind> = Vec::new();
    for f in ["add", "remove"] {
        for ret in [Some(true.into()), Some(false.into()), Some(Value::Nil), None] {
            kinds.push((Call::new(f, 1), ret));
        }
    }
    for is in [true, false] {
        kinds.push((Call::new("contains", 1), Some(is.into())));
    }
    kinds.push((Call::new("add", 2), Some(true.into())));
    SET.exhaust(env("DANSO_EXHAUSTIVE_OPS", 3) as usize, &kinds);
}

/// Two reads that each lack what the other has.
#[test]
fn reads_that_contradict_each_other() {
    let list = |elements: &[i64]| Value::from(elements.to_vec());
    let history = timed(&[
        (0, 10, "add", 1.into(), true.into()),
        (1, 11, "add", 2.into(), true.into()),
        (2, 5, "read", Value::Nil, list(&[1])),
        (3, 6, "read", Value::Nil, list(&[2])),
    ]);
    let refutation = refuted(&LinSet, &history);
    assert_eq!(refutation.name, "stale-read");
    assert_eq!(refutation.rows.len(), 4);
}

/// The read of 1 was enough to see 2, which had been added long before.
#[test]
fn an_element_that_was_added_before_one_that_is_read() {
    let history = timed(&[
        (0, 20, "read", Value::Nil, Value::from(vec![1])),
        (1, 2, "add", 2.into(), Value::Nil),
        (3, 4, "add", 1.into(), Value::Nil),
    ]);
    assert_eq!(refuted(&LinSet, &history).rows.len(), 3);
}
