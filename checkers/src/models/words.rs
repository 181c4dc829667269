//! What the operations of containers are called, and how they answer.

use danso_vocab::{Ret, Unit, Value};

/// An operation of a container of elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    /// Puts the element in.
    Insert,
    /// Takes one out and answers it.
    Remove,
    /// Answers the one that would be taken next.
    Peek,
}

/// Whether an answer says that there was nothing.
pub(crate) fn nothing(ret: &Value) -> bool {
    ret.is_nil() || ret.str() == Some("empty")
}

/// Whether an insertion may answer so: it may say anything but that it was refused.
pub(crate) fn inserted(ret: Ret<'_>) -> bool {
    ret != Ret::Saw(&Value::Bool(false))
}

/// What may be taken out together with an operation of a container: an element with all that
/// happened to it, or an answer that there was nothing.
pub(crate) fn unit<'a>(word: Option<Word>, arg: &'a Value, ret: Ret<'a>) -> Unit<'a> {
    match (word, ret) {
        (Some(Word::Insert), _) => Unit::Of(arg),
        (Some(Word::Peek), Ret::Unknown) => Unit::Observer,
        (Some(Word::Remove | Word::Peek), Ret::Saw(ret)) if nothing(ret) => Unit::Observer,
        (Some(Word::Remove | Word::Peek), Ret::Saw(ret)) => Unit::Of(ret),
        // Without it, what it may have taken would be in the way of others.
        _ => Unit::Fixed,
    }
}

/// The elements of a container in words: `[1 2]`.
pub(crate) fn listed(elements: &[Value]) -> String {
    let words: Vec<String> = elements.iter().map(Value::to_string).collect();
    format!("[{}]", words.join(" "))
}
