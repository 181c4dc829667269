//! Whether the values of a history are `[key value]` pairs of independent objects. In EDN and JSON
//! these look like any other pairs, so the operations' arity has to tell.

use crate::{History, Op, Value};

/// What the operations look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Values of one object.
    Plain,
    /// All are `[key value]`, and a read `[key nil]` or a `cas` `[key [old new]]` proves it.
    Keyed,
    /// All are pairs that could be `[key value]`, but nothing proves it.
    Pairs,
}

/// Decides by the arity of all operations.
pub(super) fn shape(history: &History) -> Shape {
    let mut proved = false;
    for op in history.ops() {
        match keyed(op) {
            Some(proves) => proved |= proves,
            None => return Shape::Plain,
        }
    }
    match (history.is_empty(), proved) {
        (true, _) => Shape::Plain,
        (false, true) => Shape::Keyed,
        (false, false) => Shape::Pairs,
    }
}

/// Whether an operation proves that values are keyed; `None` if it proves that they are not.
fn keyed(op: Op<'_>) -> Option<bool> {
    if op.key_id().is_some() {
        return None;
    }
    let arg = op.arg();
    let (key, inner) = arg.pair()?;
    if !matches!(key, Value::Int(_) | Value::Str(_)) {
        return None;
    }
    // A result repeats the key; that of a write may be empty.
    if let Some(ret) = op.ret()
        && !(ret.is_nil() && op.f() != "read")
    {
        ret.pair().filter(|(again, _)| *again == key)?;
    }
    match op.f() {
        "read" => inner.is_nil().then_some(true),
        "cas" => inner.pair().map(|_| true),
        _ => Some(false),
    }
}
