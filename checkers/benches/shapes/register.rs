//! Registers on which every value is written once.

use danso_vocab::{Call, History, Value};

use super::turns::{Size, turns};

/// Half writes, half reads; or with `swaps` a quarter of each and the rest compare-and-sets,
/// most of which succeed.
pub fn register(size: Size, swaps: bool) -> History {
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
