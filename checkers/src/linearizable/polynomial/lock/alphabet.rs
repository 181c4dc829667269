//! The words for taking and giving back locks and permits, shared by the models and the procedure.

use danso_vocab::{Ret, Value};

/// What an operation asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    /// To have it, alone.
    Take,
    /// To give back what was had alone.
    Give,
    /// To have it, with others who read.
    TakeShared,
    /// To give back what was had with others.
    GiveShared,
}

/// The operations of a lock.
pub(crate) fn of_lock(f: &str) -> Option<Word> {
    match f {
        "acquire" | "lock" | "try-acquire" | "try-lock" | "try_acquire" | "try_lock" => {
            Some(Word::Take)
        }
        "release" | "unlock" => Some(Word::Give),
        _ => None,
    }
}

/// The operations of a read-write lock.
pub(crate) fn of_rw_lock(f: &str) -> Option<Word> {
    match f {
        "acquire-write" | "write-lock" | "try-acquire-write" | "try-write-lock"
        | "acquire_write" | "write_lock" => Some(Word::Take),
        "release-write" | "write-unlock" | "release_write" | "write_unlock" => Some(Word::Give),
        "acquire-read" | "read-lock" | "try-acquire-read" | "try-read-lock" | "acquire_read"
        | "read_lock" => Some(Word::TakeShared),
        "release-read" | "read-unlock" | "release_read" | "read_unlock" => Some(Word::GiveShared),
        _ => None,
    }
}

/// The operations of a semaphore.
pub(crate) fn of_semaphore(f: &str) -> Option<Word> {
    match f {
        "acquire" | "try-acquire" | "try_acquire" | "down" | "wait" => Some(Word::Take),
        "release" | "up" | "signal" => Some(Word::Give),
        _ => None,
    }
}

/// The permits an operation of a semaphore is about: its argument, or one.
pub(crate) fn permits(arg: &Value) -> Option<u32> {
    match arg {
        Value::Nil => Some(1),
        Value::Int(n) => u32::try_from(*n).ok(),
        _ => None,
    }
}

/// The fencing token an acquire answered, if it did: `7` or `{token: 7}`.
pub(crate) fn token(ret: &Value) -> Option<i64> {
    ret.int().or_else(|| ret.get("token")?.int())
}

/// How an operation went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It was done.
    Done,
    /// It was not done, and could not have been: the answer was `false`.
    Refused,
    /// Nobody knows.
    Unknown,
}

impl Answer {
    /// What this result means. Anything but `false` says that it was done.
    pub(crate) fn of(ret: Ret<'_>) -> Answer {
        match ret {
            Ret::Saw(Value::Bool(false)) => Answer::Refused,
            Ret::Saw(_) => Answer::Done,
            Ret::Unknown => Answer::Unknown,
        }
    }

    /// The state after an operation that leads to `next`, or is impossible, in `state`. An
    /// operation of unknown outcome that is impossible was refused.
    pub(crate) fn applied<S: Clone>(self, state: &S, next: Option<S>) -> Option<S> {
        match self {
            Answer::Done => next,
            Answer::Refused => next.is_none().then(|| state.clone()),
            Answer::Unknown => Some(next.unwrap_or_else(|| state.clone())),
        }
    }
}
