//! Objects beside registers, for the parts of the search that know nothing of values.

use danso_vocab::{Call, Model, Ret, Rng, Value};

use super::simulate::Shape;

fn value(rng: &mut Rng, shape: &Shape, fresh: &mut i64) -> Value {
    if shape.unique {
        *fresh += 1;
        Value::Int(*fresh)
    } else {
        Value::Int(rng.below(shape.domain) as i64)
    }
}

/// A register's next call.
pub(super) fn register_call(rng: &mut Rng, shape: &Shape, fresh: &mut i64) -> Call {
    match rng.below(8) {
        0..=2 => Call::new("read", ()),
        3..=4 => Call::new("write", value(rng, shape, fresh)),
        5 if rng.chance(1, 4) => Call::new("delete", ()),
        _ => {
            let old = match shape.unique {
                // Recent values, so that it succeeds now and then.
                true => Value::Int((*fresh - rng.below(3) as i64).max(100)),
                false => Value::Int(rng.below(shape.domain) as i64),
            };
            Call::new("cas", Value::List(vec![old, value(rng, shape, fresh)]))
        }
    }
}

/// The same with more compare-and-sets and fewer writes.
pub(super) fn swap_call(rng: &mut Rng, shape: &Shape, fresh: &mut i64) -> Call {
    match rng.below(8) {
        0..=2 => Call::new("read", ()),
        3 => Call::new("write", value(rng, shape, fresh)),
        _ => {
            let (old, new) = (value(rng, shape, fresh), value(rng, shape, fresh));
            Call::new("cas", Value::List(vec![old, new]))
        }
    }
}

/// A register: the state is empty for nil.
pub(super) fn register(state: &mut Vec<i64>, call: &Call) -> Option<Value> {
    let now = state.first().map_or(Value::Nil, |v| Value::Int(*v));
    match &*call.f {
        "read" => return Some(now),
        "write" => *state = call.arg.int().into_iter().collect(),
        "delete" => state.clear(),
        _ => {
            let (old, new) = call.arg.pair()?;
            if now != *old {
                return None;
            }
            *state = new.int().into_iter().collect();
        }
    }
    Some(Value::Nil)
}

/// The same, but a refused compare-and-set counts as an observation.
pub(super) fn strict_register(state: &mut Vec<i64>, call: &Call) -> Option<Value> {
    register(state, call).or_else(|| Some("mismatch".into()))
}

/// A first-in-first-out queue; an empty one answers nil.
#[derive(Clone)]
pub(super) struct Queue;

impl Model for Queue {
    type State = Vec<Value>;

    fn name(&self) -> &'static str {
        "queue"
    }

    fn init(&self) -> Vec<Value> {
        Vec::new()
    }

    fn step(&self, state: &Vec<Value>, f: &str, arg: &Value, ret: Ret<'_>) -> Option<Vec<Value>> {
        let first = state.first().unwrap_or(&Value::Nil);
        let fits = ret == Ret::Unknown || ret == Ret::Saw(first);
        match f {
            "enqueue" => Some([state.as_slice(), std::slice::from_ref(arg)].concat()),
            "dequeue" => fits.then(|| state.iter().skip(1).cloned().collect()),
            "peek" => fits.then(|| state.clone()),
            _ => None,
        }
    }

    fn is_read(&self, f: &str) -> bool {
        f == "peek"
    }
}

pub(super) fn queue_call(rng: &mut Rng, shape: &Shape, fresh: &mut i64) -> Call {
    match rng.below(5) {
        0..=1 => Call::new("enqueue", value(rng, shape, fresh)),
        2..=3 => Call::new("dequeue", ()),
        _ => Call::new("peek", ()),
    }
}

pub(super) fn queue(state: &mut Vec<i64>, call: &Call) -> Option<Value> {
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

/// A counter that wraps at four, so that states recur.
#[derive(Clone)]
pub(super) struct Counter;

impl Model for Counter {
    type State = i64;

    fn name(&self) -> &'static str {
        "counter"
    }

    fn init(&self) -> i64 {
        0
    }

    fn step(&self, state: &i64, f: &str, arg: &Value, ret: Ret<'_>) -> Option<i64> {
        match (f, ret) {
            ("read", Ret::Saw(value)) => (value.int() == Some(*state)).then_some(*state),
            ("read", Ret::Unknown) => Some(*state),
            ("add", _) => Some((state + arg.int()?).rem_euclid(4)),
            _ => None,
        }
    }

    fn is_read(&self, f: &str) -> bool {
        f == "read"
    }
}

pub(super) fn counter_call(rng: &mut Rng, _: &Shape, _: &mut i64) -> Call {
    match rng.below(2) {
        0 => Call::new("read", ()),
        _ => Call::new("add", rng.below(3) as i64 + 1),
    }
}

#[expect(clippy::ptr_arg, reason = "all behaviours have one type")]
pub(super) fn counter(state: &mut Vec<i64>, call: &Call) -> Option<Value> {
    match call.arg.int() {
        None => Some(Value::Int(state[0])),
        Some(by) => {
            state[0] = (state[0] + by).rem_euclid(4);
            Some(Value::Nil)
        }
    }
}
