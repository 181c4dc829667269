//! What the operations of queues are called and what their results say.

use std::borrow::Cow;

use danso_vocab::{Op, Status, Value};

/// An operation of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    Enqueue,
    Dequeue,
    Ack,
    Drain,
    DeadLetters,
}

/// The operation called `f`; others are none of ours. A `nack` promises nothing that its message
/// is not promised anyhow.
pub(super) fn word(f: &str) -> Option<Word> {
    match f {
        "enqueue" | "enq" => Some(Word::Enqueue),
        "dequeue" | "deq" => Some(Word::Dequeue),
        "ack" => Some(Word::Ack),
        "drain" => Some(Word::Drain),
        "dead-letters" => Some(Word::DeadLetters),
        _ => None,
    }
}

/// How an enqueue ended: one that answers `false` was refused.
pub(super) fn fate(op: Op<'_>) -> Status {
    let refused = op.ret().is_some_and(|ret| *ret == Value::Bool(false));
    if refused { Status::Fail } else { op.status() }
}

/// Whether an acknowledgement was sent and nobody has said that it arrived.
pub(super) fn only_sent(op: Op<'_>) -> bool {
    op.ret().is_some_and(|ret| ret.str() == Some("sent"))
}

/// A value to compare by, without copying it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Atom<'h> {
    Int(i64),
    Other(&'h Value),
}

impl<'h> Atom<'h> {
    pub(super) fn of(value: &'h Value) -> Atom<'h> {
        value.int().map_or(Atom::Other(value), Atom::Int)
    }
}

/// The atom of an operation's argument or result.
pub(super) fn atom(value: Cow<'_, Value>) -> Atom<'_> {
    match value {
        Cow::Borrowed(value) => Atom::of(value),
        Cow::Owned(Value::Int(int)) => Atom::Int(int),
        // A history stores all else.
        Cow::Owned(other) => unreachable!("{other} is not lent by its history"),
    }
}

/// A message as it comes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Item<'h> {
    pub(super) value: Atom<'h>,
    /// Where it stands in its partition, if that is said.
    pub(super) offset: Option<i64>,
    /// Which of its deliveries this is, from 1, if that is said.
    pub(super) attempt: Option<i64>,
    /// What an acknowledgement calls it.
    pub(super) delivery: Option<Atom<'h>>,
}

impl<'h> Item<'h> {
    fn bare(value: Atom<'h>) -> Item<'h> {
        Item { value, offset: None, attempt: None, delivery: None }
    }

    /// An element of a list, or the result of a dequeue: a map with `value` and what else a
    /// broker says, or a bare value.
    fn of(value: &'h Value) -> Item<'h> {
        let rich = value.get("delivery").is_some() || value.get("offset").is_some();
        let Some(inner) = value.get("value").filter(|_| rich) else {
            return Item::bare(Atom::of(value));
        };
        let int = |name| value.get(name).and_then(Value::int);
        Item {
            value: Atom::of(inner),
            offset: int("offset"),
            attempt: int("attempt"),
            delivery: value.get("delivery").map(Atom::of),
        }
    }
}

/// What an `ok` dequeue took, unless it found nothing.
pub(super) fn taken<'h>(op: Op<'h>) -> Option<Item<'h>> {
    match op.ret()? {
        Cow::Borrowed(ret) if ret.is_nil() || ret.str() == Some("empty") => None,
        Cow::Borrowed(ret) => Some(Item::of(ret)),
        owned => Some(Item::bare(atom(owned))),
    }
}

/// The lists of an `ok` drain, or of dead letters: what was taken and what was left.
///
/// # Errors
/// If the result is neither a list nor a map with the list `values`.
pub(super) fn lists<'h>(op: Op<'h>) -> Result<[Vec<Item<'h>>; 2], String> {
    let list = |value: Option<&'h Value>| value.and_then(Value::list);
    let items = |list: &'h [Value]| list.iter().map(Item::of).collect::<Vec<_>>();
    if let Some(Cow::Borrowed(ret)) = op.ret() {
        if let Some(all) = ret.list() {
            return Ok([items(all), Vec::new()]);
        }
        if let Some(values) = list(ret.get("values")) {
            return Ok([items(values), items(list(ret.get("left")).unwrap_or_default())]);
        }
        if ret.is_nil() {
            return Ok([Vec::new(), Vec::new()]);
        }
    }
    Err(format!("{} `{}` answers neither a list nor a map with the list `values`", op.id(), op.f()))
}
