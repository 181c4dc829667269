//! Objects with units and with parts.

use std::collections::BTreeMap;

use danso_vocab::{Call, Model, Parts, Ret, Rng, Unit, Value};

use super::super::objects::Queue;
use super::super::simulate::Shape;

/// A queue that knows its units.
#[derive(Clone)]
pub(super) struct Units;

impl Model for Units {
    type State = Vec<Value>;

    fn name(&self) -> &'static str {
        "queue"
    }

    fn init(&self) -> Vec<Value> {
        Queue.init()
    }

    fn step(&self, state: &Vec<Value>, f: &str, arg: &Value, ret: Ret<'_>) -> Option<Vec<Value>> {
        Queue.step(state, f, arg, ret)
    }

    fn is_read(&self, f: &str) -> bool {
        f == "peek"
    }

    fn unit<'a>(&self, f: &str, arg: &'a Value, ret: Ret<'a>) -> Unit<'a> {
        match (f, ret) {
            ("peek", _) | ("dequeue", Ret::Saw(Value::Nil)) => Unit::Observer,
            ("enqueue", _) => Unit::Of(arg),
            ("dequeue", Ret::Saw(value)) => Unit::Of(value),
            _ => Unit::Fixed,
        }
    }
}

/// Registers by name in one object, some operations on two of them at once.
#[derive(Clone)]
pub(super) struct Registers;

impl Model for Registers {
    type State = BTreeMap<Value, Value>;

    fn name(&self) -> &'static str {
        "registers"
    }

    fn init(&self) -> Self::State {
        BTreeMap::new()
    }

    fn step(&self, state: &Self::State, f: &str, arg: &Value, ret: Ret<'_>) -> Option<Self::State> {
        let (part, value) = arg.pair()?;
        let mut next = state.clone();
        match f {
            "read" => {
                let now = state.get(part).unwrap_or(&Value::Int(0));
                (ret == Ret::Unknown || ret == Ret::Saw(now)).then_some(next)
            }
            "write" => next
                .insert(part.clone(), value.clone())
                .map_or(Some(()), |_| Some(()))
                .map(|()| next),
            // From one part to another.
            "copy" => {
                let now = state.get(part).cloned().unwrap_or(Value::Int(0));
                next.insert(value.clone(), now);
                Some(next)
            }
            _ => None,
        }
    }

    fn is_read(&self, f: &str) -> bool {
        f == "read"
    }

    fn parts<'a>(&self, f: &str, arg: &'a Value, _: Ret<'a>) -> Parts<'a> {
        match (f, arg.pair()) {
            ("copy", Some((a, b))) => Parts::Of(vec![a, b]),
            (_, Some((part, _))) => Parts::Of(vec![part]),
            _ => Parts::All,
        }
    }
}

pub(super) fn registers_call(rng: &mut Rng, shape: &Shape, _: &mut i64) -> Call {
    let part = rng.below(4) as i64;
    match rng.below(8) {
        0..=3 => Call::new("read", [part, 0]),
        4..=6 => Call::new("write", [part, rng.below(shape.domain) as i64]),
        _ => Call::new("copy", [part, (part + 1) % 4]),
    }
}

#[expect(clippy::ptr_arg, reason = "all behaviours have one type")]
pub(super) fn registers(state: &mut Vec<i64>, call: &Call) -> Option<Value> {
    let (part, value) = call.arg.pair()?;
    let (part, value) = (part.int()? as usize, value.int()?);
    match &*call.f {
        "read" => return Some(Value::Int(state[part])),
        "write" => state[part] = value,
        _ => state[value as usize] = state[part],
    }
    Some(Value::Nil)
}
