//! Locks that one client has at a time.

use danso_vocab::{Model, Ret, Unit, Value};

use crate::linearizable::polynomial::lock::alphabet::{Answer, Word, of_lock, token};

/// A lock: `acquire` (also `lock`, `try-acquire`, `try-lock`) takes it if it is free, `release`
/// (also `unlock`) gives it back if it is held. As in Knossos nobody asks who releases. An answer
/// `false` says that the lock was held (or, to a release, free); any other says that it was done.
/// All other operations are none of its business.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mutex;

impl Model for Mutex {
    /// Whether it is held.
    type State = bool;

    fn name(&self) -> &'static str {
        "mutex"
    }

    fn init(&self) -> bool {
        false
    }

    fn step(&self, held: &bool, f: &str, _: &Value, ret: Ret<'_>) -> Option<bool> {
        let takes = of_lock(f)? == Word::Take;
        Answer::of(ret).applied(held, (*held != takes).then_some(takes))
    }

    fn unit<'a>(&self, _: &str, _: &'a Value, ret: Ret<'a>) -> Unit<'a> {
        refusal(ret)
    }

    fn ignores(&self, f: &str) -> bool {
        of_lock(f).is_none()
    }

    fn describe(&self, held: &bool) -> String {
        if *held { "held" } else { "free" }.to_owned()
    }
}

/// An operation that was refused changed nothing.
pub(super) fn refusal(ret: Ret<'_>) -> Unit<'static> {
    match Answer::of(ret) {
        Answer::Refused => Unit::Observer,
        _ => Unit::Fixed,
    }
}

/// A [`Mutex`] whose `acquire` answers a fencing token, `7` or `{token: 7}`, greater than all
/// before it. A holder that was taken for dead can then be told from its successor. An answer
/// without a token says nothing of tokens.
#[derive(Clone, Copy, Debug, Default)]
pub struct FencedMutex;

impl Model for FencedMutex {
    /// Whether it is held, and the last token anybody saw.
    type State = (bool, Option<i64>);

    fn name(&self) -> &'static str {
        "fenced-mutex"
    }

    fn init(&self) -> Self::State {
        (false, None)
    }

    fn step(&self, state: &Self::State, f: &str, _: &Value, ret: Ret<'_>) -> Option<Self::State> {
        let (held, last) = *state;
        let takes = of_lock(f)? == Word::Take;
        let answer = Answer::of(ret);
        let next = (held != takes).then_some((takes, last));
        match ret {
            Ret::Saw(ret) if takes && answer == Answer::Done => match token(ret) {
                Some(token) if last.is_some_and(|last| last >= token) => None,
                Some(token) => next.map(|(held, _)| (held, Some(token))),
                None => next,
            },
            _ => answer.applied(state, next),
        }
    }

    fn unit<'a>(&self, _: &str, _: &'a Value, ret: Ret<'a>) -> Unit<'a> {
        refusal(ret)
    }

    fn ignores(&self, f: &str) -> bool {
        of_lock(f).is_none()
    }

    fn describe(&self, (held, last): &Self::State) -> String {
        let held = Mutex.describe(held);
        last.map_or(held.clone(), |last| format!("{held}, last token {last}"))
    }
}

/// A [`Mutex`] that its owner may acquire again, and must release as often. Only the owner
/// can release it; nobody is refused what it holds.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReentrantMutex;

impl Model for ReentrantMutex {
    /// The owner and how often it has it.
    type State = Option<(i64, u32)>;

    fn name(&self) -> &'static str {
        "reentrant-mutex"
    }

    fn init(&self) -> Self::State {
        None
    }

    fn step(&self, state: &Self::State, f: &str, arg: &Value, ret: Ret<'_>) -> Option<Self::State> {
        let (caller, _) = caller(arg)?;
        let next = match (of_lock(f)?, state) {
            (Word::Take, None) => Some(Some((caller, 1))),
            (_, Some((owner, _))) if *owner != caller => None,
            (Word::Take, Some((_, times))) => Some(Some((caller, times.saturating_add(1)))),
            (_, Some((_, times))) => Some((*times > 1).then(|| (caller, times - 1))),
            (_, None) => None,
        };
        Answer::of(ret).applied(state, next)
    }

    fn unit<'a>(&self, _: &str, _: &'a Value, ret: Ret<'a>) -> Unit<'a> {
        refusal(ret)
    }

    fn ignores(&self, f: &str) -> bool {
        of_lock(f).is_none()
    }

    fn by_process(&self) -> bool {
        true
    }

    fn describe(&self, state: &Self::State) -> String {
        match state {
            None => "free".to_owned(),
            Some((owner, 1)) => format!("held by p{owner}"),
            Some((owner, times)) => format!("held by p{owner} {times} times"),
        }
    }
}

/// Who calls, and the argument proper, of `[process arg]`.
pub(super) fn caller(arg: &Value) -> Option<(i64, &Value)> {
    let (process, arg) = arg.pair()?;
    Some((process.int()?, arg))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NIL: &Value = &Value::Nil;
    const NO: Ret<'_> = Ret::Saw(&Value::Bool(false));
    const DONE: Ret<'_> = Ret::Saw(NIL);

    #[test]
    fn a_lock_alternates() {
        let step = |held, f, ret| Mutex.step(&held, f, NIL, ret);
        for f in ["acquire", "lock", "try-acquire", "try-lock"] {
            assert_eq!(step(false, f, DONE), Some(true));
            assert_eq!(step(false, f, Ret::Saw(&Value::Bool(true))), Some(true));
            assert_eq!(step(true, f, DONE), None);
            assert_eq!(step(true, f, NO), Some(true));
            assert_eq!(step(false, f, NO), None);
            assert_eq!(step(false, f, Ret::Unknown), Some(true));
            assert_eq!(step(true, f, Ret::Unknown), Some(true));
        }
        for f in ["release", "unlock"] {
            assert_eq!(step(true, f, DONE), Some(false));
            assert_eq!(step(false, f, DONE), None);
            assert_eq!(step(false, f, NO), Some(false));
            assert_eq!(step(true, f, NO), None);
            assert_eq!(step(false, f, Ret::Unknown), Some(false));
        }
        assert_eq!(step(false, "add", DONE), None);
        assert!(Mutex.ignores("add") && !Mutex.ignores("unlock"));
    }

    #[test]
    fn tokens_grow() {
        let step = |state, ret: &Value| FencedMutex.step(&state, "acquire", NIL, Ret::Saw(ret));
        assert_eq!(step((false, None), &0.into()), Some((true, Some(0))));
        assert_eq!(
            step((false, Some(3)), &Value::of([("token", 4.into())])),
            Some((true, Some(4)))
        );
        assert_eq!(step((false, Some(3)), &3.into()), None);
        assert_eq!(step((true, Some(3)), &4.into()), None);
        assert_eq!(step((false, Some(3)), NIL), Some((true, Some(3))));
        assert_eq!(step((true, Some(3)), &false.into()), Some((true, Some(3))));
        let unknown = |state| FencedMutex.step(&state, "acquire", NIL, Ret::Unknown);
        assert_eq!(unknown((false, Some(3))), Some((true, Some(3))));
        let release = FencedMutex.step(&(true, Some(3)), "release", NIL, DONE);
        assert_eq!(release, Some((false, Some(3))));
    }

    #[test]
    fn an_owner_comes_in_again() {
        let step = |state, f, p: i64, ret| {
            ReentrantMutex.step(&state, f, &Value::List(vec![p.into(), Value::Nil]), ret)
        };
        assert_eq!(step(None, "acquire", 1, DONE), Some(Some((1, 1))));
        assert_eq!(step(Some((1, 1)), "acquire", 1, DONE), Some(Some((1, 2))));
        assert_eq!(step(Some((1, 1)), "acquire", 2, DONE), None);
        assert_eq!(step(Some((1, 1)), "acquire", 2, NO), Some(Some((1, 1))));
        assert_eq!(step(Some((1, 1)), "acquire", 1, NO), None);
        assert_eq!(step(Some((1, 2)), "release", 1, DONE), Some(Some((1, 1))));
        assert_eq!(step(Some((1, 1)), "release", 1, DONE), Some(None));
        assert_eq!(step(Some((1, 1)), "release", 2, DONE), None);
        assert_eq!(step(None, "release", 2, DONE), None);
        assert_eq!(step(None, "release", 2, Ret::Unknown), Some(None));
        assert_eq!(ReentrantMutex.step(&None, "acquire", NIL, DONE), None);
    }
}
