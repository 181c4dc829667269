use danso_vocab::{Call, Rng, Value};

use super::super::container::testing::{Subject, shape, units};
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
