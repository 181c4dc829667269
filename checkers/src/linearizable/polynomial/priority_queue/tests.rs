use danso_vocab::{Call, Rng, Value};

use super::super::container::testing::{Subject, shape, units};
use super::PriorityQueue;
use crate::linearizable::tests::simulate::Shape;
use crate::models::PriorityQueue as Model;

fn act<const MAX: bool>(state: &mut Vec<i64>, call: &Call) -> Option<Value> {
    state.sort_by_key(|v| if MAX { *v } else { -*v });
    let foremost = state.last().map_or(Value::Nil, |v| Value::Int(*v));
    match &*call.f {
        "insert" => {
            state.extend(call.arg.int());
            Some(Value::Nil)
        }
        "poll" => {
            state.pop();
            Some(foremost)
        }
        _ => Some(foremost),
    }
}

fn draw(rng: &mut Rng, _: &Shape, fresh: &mut i64) -> Call {
    match rng.below(5) {
        0..=2 => {
            // All of 101 to 199, in no order.
            *fresh += 1;
            Call::new("insert", 101 + (*fresh - 101) * 37 % 99)
        }
        _ => Call::new("poll", ()),
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
    let (min, max) = (Model::min(), Model::max());
    let procedure = PriorityQueue::new(min);
    let queue = Subject { model: min, procedure: &procedure, units };
    let counts = queue.fuzz("priority-queue", |rng| shape(rng, act::<false>, draw));
    assert!(counts.unfit * 20 < counts.valid && counts.silent == 0, "{counts:?}");
    let procedure = PriorityQueue::new(max);
    let queue = Subject { model: max, procedure: &procedure, units };
    queue.fuzz("max-priority-queue", |rng| shape(rng, act::<true>, draw));
}

#[test]
fn agrees_with_the_oracle_on_peeks() {
    let procedure = PriorityQueue::default();
    let queue = Subject { model: Model::min(), procedure: &procedure, units };
    let counts = queue.fuzz("priority-queue-peeks", |rng| shape(rng, act::<false>, draw_peeks));
    assert!(counts.silent * 20 < counts.valid, "{counts:?}");
}
