use danso_vocab::{Call, Rng, Value};

use super::super::container::testing::{Subject, refuted, shape, timed, units};
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

#[test]
fn the_least_leaves_first() {
    let nil = || Value::Nil;
    let history = timed(&[
        (0, 1, "insert", 5.into(), nil()),
        (2, 3, "insert", 3.into(), nil()),
        (4, 5, "poll", nil(), 5.into()),
        (6, 7, "poll", nil(), 3.into()),
    ]);
    let refutation = refuted(&PriorityQueue::default(), &history);
    assert_eq!((&*refutation.name, refutation.rows[0]), ("reordered", 2));
    assert_eq!(
        refutation.because,
        "p2's poll -> 5 (#4), but all the time there was one inside, which comes before it: 3 \
         (p1's insert 3 (#2), p3's poll -> 3 (#6))"
    );
}

/// 3 leaves, 4 never does; something smaller than 5 is there at every moment of its poll.
#[test]
fn several_in_turn_are_in_the_way() {
    let nil = || Value::Nil;
    let history = timed(&[
        (0, 1, "insert", 3.into(), nil()),
        (2, 3, "insert", 5.into(), nil()),
        (4, 9, "poll", nil(), 5.into()),
        (5, 6, "insert", 4.into(), nil()),
        (7, 8, "poll", nil(), 3.into()),
    ]);
    let refutation = refuted(&PriorityQueue::default(), &history);
    assert_eq!((&*refutation.name, refutation.rows.len()), ("lost-element", 5));
}
