//! Counters, ticket counters, and sources of ids.

use danso_vocab::{Call, History, Value};

use super::turns::{Size, turns};

/// Half increments by one, half reads.
pub(crate) fn counter(size: Size) -> History {
    turns(
        size,
        0_i64,
        |_, rng| Call::new(if rng.chance(1, 2) { "inc" } else { "read" }, ()),
        |count, call| {
            let step = call.f == "inc";
            *count += i64::from(step);
            Some(if step { Value::Nil } else { Value::Int(*count) })
        },
    )
}

/// Nothing but `fetch-and-increment`, or `generate` for ids.
pub(crate) fn tickets(size: Size, f: &'static str) -> History {
    turns(
        size,
        0_i64,
        move |_, _| Call::new(f, ()),
        |count, _| {
            *count += 1;
            Some(Value::Int(*count - 1))
        },
    )
}
