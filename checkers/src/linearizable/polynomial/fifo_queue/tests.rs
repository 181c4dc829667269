use danso_vocab::{Call, Rng, Value};

use super::super::container::testing::{Kind, Subject, refuted, shape, timed, units};
use super::FifoQueue;
use crate::linearizable::polynomial::{Decision, How, Part, Polynomial};
use crate::linearizable::tests::fuzz::env;
use crate::linearizable::tests::simulate::Shape;
use crate::models::FifoQueue as Model;

const QUEUE: Subject<'_, Model> = Subject { model: Model, procedure: &FifoQueue, units };

fn act(state: &mut Vec<i64>, call: &Call) -> Option<Value> {
    let first = state.first().map_or(Value::Nil, |v| Value::Int(*v));
    match &*call.f {
        "enqueue" => {
            state.extend(call.arg.int());
            Some(Value::Nil)
        }
        "dequeue" => {
            state.drain(..state.len().min(1));
            Some(first)
        }
        _ => Some(first),
    }
}

fn draw(rng: &mut Rng, _: &Shape, fresh: &mut i64) -> Call {
    match rng.below(5) {
        0..=2 => {
            *fresh += 1;
            Call::new("enqueue", *fresh)
        }
        _ => Call::new("dequeue", ()),
    }
}

fn draw_peeks(rng: &mut Rng, shape: &Shape, fresh: &mut i64) -> Call {
    match rng.below(3) {
        0 => Call::new("peek", ()),
        _ => draw(rng, shape, fresh),
    }
}

#[test]
fn agrees_with_the_oracle() {
    let counts = QUEUE.fuzz("fifo-queue", |rng| shape(rng, act, draw));
    assert!(counts.unfit == 0 && counts.silent == 0, "{counts:?}");
}

#[test]
fn agrees_with_the_oracle_on_peeks() {
    let counts = QUEUE.fuzz("fifo-queue-peeks", |rng| shape(rng, act, draw_peeks));
    assert!(counts.unfit * 20 < counts.valid && counts.silent == 0, "{counts:?}");
}

/// `DANSO_EXHAUSTIVE_OPS` says how many operations; four take minutes.
#[test]
fn every_small_history() {
    let kind =
        |f: &'static str, arg: Value, ret: Option<Value>| -> Kind { (Call::new(f, arg), ret) };
    let mut kinds = vec![
        kind("dequeue", ().into(), Some(().into())),
        kind("dequeue", ().into(), None),
        kind("peek", ().into(), Some("empty".into())),
    ];
    for v in [1_i64, 2] {
        kinds.push(kind("enqueue", v.into(), Some(().into())));
        kinds.push(kind("enqueue", v.into(), None));
        kinds.push(kind("dequeue", ().into(), Some(v.into())));
        kinds.push(kind("peek", ().into(), Some(v.into())));
    }
    QUEUE.exhaust(env("DANSO_EXHAUSTIVE_OPS", 3) as usize, &kinds);
}

const NIL: Value = Value::Nil;

#[test]
fn the_first_in_leaves_first() {
    let history = timed(&[
        (0, 1, "enqueue", 1.into(), NIL),
        (2, 3, "enqueue", 2.into(), NIL),
        (4, 5, "dequeue", NIL, 2.into()),
        (6, 7, "dequeue", NIL, 1.into()),
    ]);
    let refutation = refuted(&FifoQueue, &history);
    assert_eq!(refutation.name, "reordered");
    assert_eq!(
        refutation.because,
        "p2's dequeue -> 2 (#4) had ended before p3's dequeue -> 1 (#6) began, although p0's \
         enqueue 1 (#0) had ended before p1's enqueue 2 (#2) began"
    );
}

#[test]
fn an_element_that_never_leaves() {
    let history = timed(&[
        (0, 1, "enqueue", 1.into(), NIL),
        (2, 3, "enqueue", 2.into(), NIL),
        (4, 5, "dequeue", NIL, 2.into()),
    ]);
    let refutation = refuted(&FifoQueue, &history);
    assert_eq!(refutation.name, "lost-element");
    assert_eq!(
        refutation.because,
        "1 was never taken out, although p0's enqueue 1 (#0) had ended before p1's enqueue 2 \
         (#2) began and p2's dequeue -> 2 (#4) took 2"
    );
}

/// One dequeue of unknown result explains one lost element, not two.
#[test]
fn unknown_dequeues_are_counted() {
    let ops = [
        (0, 1, "enqueue", 1.into(), NIL),
        (2, 3, "enqueue", 2.into(), NIL),
        (4, 50, "dequeue", NIL, "info".into()),
        (6, 7, "dequeue", NIL, 2.into()),
        (8, 9, "enqueue", 3.into(), NIL),
        (10, 11, "enqueue", 4.into(), NIL),
        (12, 13, "dequeue", NIL, 4.into()),
    ];
    let few = timed(&ops[..5]);
    let mut counts = Default::default();
    QUEUE.check("one", &few, &mut counts);
    assert_eq!(counts.valid, 1);
    let refutation = refuted(&FifoQueue, &timed(&ops));
    assert_eq!((&*refutation.name, refutation.rows.len()), ("lost-element", 5));
}

/// No two of these elements contradict each other, but all three do: 1 came before 2, 2 left
/// before 3, and 3 was at the head before 1.
#[test]
fn three_elements_in_a_circle() {
    let history = timed(&[
        (0, 5, "enqueue", 3.into(), NIL),
        (1, 2, "enqueue", 1.into(), NIL),
        (3, 4, "enqueue", 2.into(), NIL),
        (6, 8, "peek", NIL, 3.into()),
        (7, 11, "dequeue", NIL, 2.into()),
        (9, 14, "dequeue", NIL, 1.into()),
        (12, 13, "dequeue", NIL, 3.into()),
    ]);
    QUEUE.check("circle", &history, &mut Default::default());
    assert_eq!(refuted(&FifoQueue, &history).rows.len(), 7);
}

#[test]
fn a_queue_that_cannot_be_empty() {
    let history = timed(&[
        (0, 1, "enqueue", 1.into(), NIL),
        (2, 4, "enqueue", 2.into(), NIL),
        (3, 7, "dequeue", NIL, "empty".into()),
        (5, 6, "dequeue", NIL, 1.into()),
        (8, 9, "dequeue", NIL, 2.into()),
    ]);
    let refutation = refuted(&FifoQueue, &history);
    assert_eq!((&*refutation.name, refutation.rows.len()), ("non-empty", 5));
    assert_eq!(refutation.rows[0], 2);
    // Until the other is put in, the one may be gone already.
    let history = timed(&[
        (0, 1, "enqueue", 1.into(), NIL),
        (2, 6, "enqueue", 2.into(), NIL),
        (3, 8, "dequeue", NIL, "empty".into()),
        (4, 7, "dequeue", NIL, 1.into()),
        (5, 9, "dequeue", NIL, 2.into()),
    ]);
    let mut counts = Default::default();
    QUEUE.check("empty", &history, &mut counts);
    assert_eq!(counts.valid, 1);
}

#[test]
fn what_it_cannot_decide() {
    let rows: Vec<u32> = (0..2).collect();
    for (f, arg, ret) in [
        ("enqueue", 1.into(), NIL),
        ("enqueue", NIL, NIL),
        ("enqueue", 2.into(), false.into()),
        ("dequeue", 1.into(), 1.into()),
        ("drain", NIL, Value::from(vec![1])),
    ] {
        let history = timed(&[(0, 1, "enqueue", 1.into(), NIL), (2, 3, f, arg, ret)]);
        let part = Part { history: &history, rows: &rows };
        let decision = FifoQueue.decide(&part, &How::default());
        assert!(matches!(decision, Decision::Unfit(_)), "{decision:?}");
    }
}

#[test]
fn gives_up_when_told_to() {
    let history = timed(&[(0, 1, "enqueue", 1.into(), NIL)]);
    let how = How::default();
    how.stop.trip();
    assert_eq!(FifoQueue.decide(&Part { history: &history, rows: &[0] }, &how), Decision::Stopped);
}
