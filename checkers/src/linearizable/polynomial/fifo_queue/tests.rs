use danso_vocab::{Call, Rng, Value};

use super::super::container::testing::{Kind, Subject, shape, units};
use super::FifoQueue;
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
