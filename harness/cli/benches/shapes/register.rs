//! Registers.

use danso_vocab::{Call, History, Value};

use super::turns::{Size, turns};

/// Half writes, half reads; or with `swaps` a quarter of each and the rest compare-and-sets,
/// most of which succeed.
pub(crate) fn register(size: Size, swaps: bool) -> History {
    turns(
        size,
        (0_i64, 0_i64),
        move |(fresh, now), rng| {
            let kind = rng.below(4);
            if kind % 2 == 0 {
                return Call::new("read", ());
            }
            *fresh += 1;
            match swaps && kind == 1 {
                true => Call::new("cas", [*now, *fresh]),
                false => Call::new("write", *fresh),
            }
        },
        |(_, now), call| {
            match (&*call.f, call.arg.pair()) {
                ("read", _) => return Some(Value::Int(*now)),
                ("cas", Some((old, _))) if old.int() != Some(*now) => return None,
                ("cas", Some((_, new))) => *now = new.int()?,
                _ => *now = call.arg.int()?,
            }
            Some(Value::Nil)
        },
    )
}

/// A register of ten values whose answers carry versions.
pub(crate) fn versioned(size: Size) -> History {
    turns(
        size,
        (0_i64, 0_i64),
        |_, rng| match rng.below(4) {
            0 | 1 => Call::new("read", ()),
            2 => Call::new("write", rng.below(10) as i64),
            _ => Call::new("cas", [rng.below(10) as i64, rng.below(10) as i64]),
        },
        |(now, version), call| {
            match (&*call.f, call.arg.pair()) {
                ("read", _) => {
                    let value = ("value", Value::Int(*now));
                    return Some(Value::of([value, ("version", Value::Int(*version))]));
                }
                ("cas", Some((old, _))) if old.int() != Some(*now) => return None,
                ("cas", Some((_, new))) => *now = new.int()?,
                _ => *now = call.arg.int()?,
            }
            *version += 1;
            Some(Value::of([("version", Value::Int(*version))]))
        },
    )
}
