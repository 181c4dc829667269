use danso_vocab::{Call, Rng, Value};

use super::super::container::testing::{Subject, refuted, shape, timed, units};
use super::Stack;
use crate::linearizable::tests::simulate::Shape;
use crate::models::Stack as Model;

const STACK: Subject<'_, Model> = Subject { model: Model, procedure: &Stack, units };

fn act(state: &mut Vec<i64>, call: &Call) -> Option<Value> {
    let top = state.last().map_or(Value::Nil, |v| Value::Int(*v));
    match &*call.f {
        "push" => {
            state.extend(call.arg.int());
            Some(Value::Nil)
        }
        "pop" => {
            state.pop();
            Some(top)
        }
        _ => Some(top),
    }
}

fn draw(rng: &mut Rng, _: &Shape, fresh: &mut i64) -> Call {
    match rng.below(5) {
        0..=2 => {
            *fresh += 1;
            Call::new("push", *fresh)
        }
        _ => Call::new("pop", ()),
    }
}

fn draw_peeks(rng: &mut Rng, shape: &Shape, fresh: &mut i64) -> Call {
    match rng.below(3) {
        0 => Call::new("top", ()),
        _ => draw(rng, shape, fresh),
    }
}

#[test]
fn agrees_with_the_oracle() {
    let counts = STACK.fuzz("stack", |rng| shape(rng, act, draw));
    assert!(counts.unfit * 20 < counts.valid && counts.silent == 0, "{counts:?}");
}

#[test]
fn agrees_with_the_oracle_on_peeks() {
    let counts = STACK.fuzz("stack-peeks", |rng| shape(rng, act, draw_peeks));
    assert!(counts.unfit * 20 < counts.valid && counts.silent == 0, "{counts:?}");
}

const NIL: Value = Value::Nil;

#[test]
fn the_last_in_leaves_first() {
    let history = timed(&[
        (0, 1, "push", 1.into(), NIL),
        (2, 3, "push", 2.into(), NIL),
        (4, 5, "pop", NIL, 1.into()),
        (6, 7, "pop", NIL, 2.into()),
    ]);
    let refutation = refuted(&Stack, &history);
    assert_eq!((&*refutation.name, refutation.rows.len()), ("reordered", 4));
    // A pop of unknown result cannot have taken what another one took later.
    let history = timed(&[
        (0, 1, "push", 1.into(), NIL),
        (2, 3, "push", 2.into(), NIL),
        (4, 9, "pop", NIL, "info".into()),
        (5, 6, "pop", NIL, 1.into()),
        (7, 8, "pop", NIL, 2.into()),
    ]);
    assert_eq!(refuted(&Stack, &history).rows.len(), 4);
}

/// 2 is above 1 and never leaves, unless a pop of unknown result took it.
#[test]
fn an_element_that_never_leaves() {
    let mut ops = vec![
        (0, 1, "push", 1.into(), NIL),
        (2, 3, "push", 2.into(), NIL),
        (5, 6, "pop", NIL, 1.into()),
    ];
    let refutation = refuted(&Stack, &timed(&ops));
    assert_eq!((&*refutation.name, refutation.rows.len()), ("lost-element", 3));
    ops.push((4, 9, "pop", NIL, "info".into()));
    let mut counts = Default::default();
    STACK.check("unknown", &timed(&ops), &mut counts);
    assert_eq!(counts.valid, 1);
}

#[test]
fn a_peek_that_sees_what_is_below() {
    let history = timed(&[
        (0, 1, "push", 1.into(), NIL),
        (2, 3, "push", 2.into(), NIL),
        (4, 5, "top", NIL, 1.into()),
        (6, 7, "pop", NIL, 2.into()),
    ]);
    let refutation = refuted(&Stack, &history);
    assert_eq!((&*refutation.name, refutation.rows[0]), ("stale-read", 2));
}
