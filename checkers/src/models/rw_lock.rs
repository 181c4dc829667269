//! A lock for one writer or many readers.

use danso_vocab::{Model, Ret, Unit, Value};

use super::mutex::{caller, refusal};
use crate::linearizable::polynomial::lock::alphabet::{Answer, Word, of_rw_lock};

/// A read-write lock: `acquire-read`/`release-read` (also `read-lock`/`read-unlock`) are shared,
/// `acquire-write`/`release-write` (also `write-lock`/`write-unlock`) exclusive. Only who holds it
/// can release it. A process may hold it for reading several times; nobody who holds it can
/// acquire it for writing, not even who reads, and a writer cannot also read. An answer `false`
/// says that the lock could not be had. All other operations are none of its business.
#[derive(Clone, Copy, Debug, Default)]
pub struct RwLock;

/// Who holds a [`RwLock`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct RwState {
    writer: Option<i64>,
    /// In order; a process is here once for each time it holds it.
    readers: Vec<i64>,
}

impl Model for RwLock {
    type State = RwState;

    fn name(&self) -> &'static str {
        "rw-lock"
    }

    fn init(&self) -> RwState {
        RwState::default()
    }

    fn step(&self, state: &RwState, f: &str, arg: &Value, ret: Ret<'_>) -> Option<RwState> {
        let (caller, _) = caller(arg)?;
        let word = of_rw_lock(f)?;
        let answer = Answer::of(ret);
        if answer == Answer::Refused && word == Word::TakeShared {
            // A reader may be sent away for the sake of a writer that waits for other readers.
            return (*state != RwState::default()).then(|| state.clone());
        }
        let RwState { writer, readers } = state;
        let place = readers.partition_point(|reader| *reader < caller);
        let next = match word {
            Word::Take => (writer.is_none() && readers.is_empty())
                .then(|| RwState { writer: Some(caller), readers: Vec::new() }),
            Word::Give => (*writer == Some(caller)).then(RwState::default),
            Word::TakeShared => writer.is_none().then(|| {
                let mut readers = readers.clone();
                readers.insert(place, caller);
                RwState { writer: None, readers }
            }),
            Word::GiveShared => (readers.get(place) == Some(&caller)).then(|| {
                let mut readers = readers.clone();
                readers.remove(place);
                RwState { writer: None, readers }
            }),
        };
        answer.applied(state, next)
    }

    fn unit<'a>(&self, _: &str, _: &'a Value, ret: Ret<'a>) -> Unit<'a> {
        refusal(ret)
    }

    fn ignores(&self, f: &str) -> bool {
        of_rw_lock(f).is_none()
    }

    fn by_process(&self) -> bool {
        true
    }

    fn describe(&self, state: &RwState) -> String {
        let all: Vec<String> = state.readers.iter().map(|p| format!("p{p}")).collect();
        match state.writer {
            Some(writer) => format!("held by p{writer} for writing"),
            None if all.is_empty() => "free".to_owned(),
            None => format!("held by {} for reading", all.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(steps: &[(&str, i64)]) -> Option<RwState> {
        steps.iter().try_fold(RwState::default(), |state, (f, p)| {
            RwLock.step(
                &state,
                f,
                &Value::List(vec![(*p).into(), ().into()]),
                Ret::Saw(&Value::Nil),
            )
        })
    }

    #[test]
    fn readers_share_and_a_writer_does_not() {
        let read = ("acquire-read", 1);
        assert!(after(&[read, ("read-lock", 2), ("read-unlock", 1)]).is_some());
        assert!(after(&[read, read, ("release-read", 1), ("release-read", 1)]).is_some());
        assert!(after(&[read, ("release-read", 2)]).is_none());
        assert!(after(&[read, ("write-lock", 2)]).is_none());
        assert!(after(&[read, ("write-lock", 1)]).is_none());
        let write = ("acquire-write", 1);
        assert!(after(&[write, ("release-write", 1), read]).is_some());
        assert!(after(&[write, read]).is_none());
        assert!(after(&[write, ("write-unlock", 2)]).is_none());
        assert!(after(&[write, ("read-unlock", 1)]).is_none());
        assert_eq!(after(&[read, ("release-read", 1)]), Some(RwState::default()));
    }

    #[test]
    fn refusals_need_a_reason() {
        let no = |state: &RwState, f| {
            let arg = Value::List(vec![3.into(), ().into()]);
            RwLock.step(state, f, &arg, Ret::Saw(&false.into())).is_some()
        };
        let (free, read) = (RwState::default(), after(&[("read-lock", 1)]).unwrap());
        let write = after(&[("write-lock", 1)]).unwrap();
        assert!(!no(&free, "write-lock") && !no(&free, "read-lock"));
        assert!(no(&read, "write-lock") && no(&read, "read-lock"));
        assert!(no(&write, "write-lock") && no(&write, "read-lock"));
    }
}
