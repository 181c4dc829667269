use danso_vocab::{AnyOf, Call, Rng, Value};

use super::super::container::testing::{Subject, shape, units};
use super::Bag;
use crate::linearizable::tests::simulate::Shape;
use crate::models::Bag as Model;

fn act(state: &mut Vec<i64>, call: &Call) -> Option<Value> {
    match call.arg.int() {
        Some(v) => {
            state.push(v);
            // Now and then another one comes first.
            if v % 3 == 0 {
                state.rotate_left(1);
            }
            Some(Value::Nil)
        }
        None => Some(state.pop().map_or("empty".into(), Value::Int)),
    }
}

fn draw(rng: &mut Rng, _: &Shape, fresh: &mut i64) -> Call {
    if rng.chance(1, 2) {
        return Call::new("remove", ());
    }
    *fresh += 1;
    Call::new("add", *fresh)
}

#[test]
fn agrees_with_the_oracle() {
    let bag = Subject { model: AnyOf(Model), procedure: &Bag, units };
    let counts = bag.fuzz("bag", |rng| shape(rng, act, draw));
    assert!(counts.unfit == 0 && counts.silent == 0, "{counts:?}");
}
