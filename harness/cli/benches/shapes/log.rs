//! Append-only logs.

use danso_vocab::{Call, History, Value};

use super::turns::{Size, turns};

/// Half appends that answer their offsets, half reads around the end.
pub(crate) fn append_log(size: Size) -> History {
    turns(
        size,
        (0_i64, Vec::new()),
        |(fresh, items), rng| {
            if rng.chance(1, 2) {
                *fresh += 1;
                return Call::new("append", *fresh);
            }
            let end = items.len() as i64;
            Call::new("read", (end - rng.below(100) as i64 + 3).max(0))
        },
        |(_, items), call| {
            let arg = call.arg.int()?;
            if call.f == "append" {
                items.push(arg);
                return Some(Value::Int(items.len() as i64 - 1));
            }
            Some(items.get(arg as usize).map_or(Value::Nil, |item| Value::Int(*item)))
        },
    )
}
