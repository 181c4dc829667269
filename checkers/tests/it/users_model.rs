//! What a user writes to check an object nobody has thought of.

use std::collections::BTreeSet;

use danso_checkers::linearizable;
use danso_vocab::{
    AnyOf, Call, Event, History, Limits, Model, Nondeterministic, Outcome, Process, Ret, Time,
    Value, Verdict,
};

/// A register that keeps the greatest value written.
struct MaxRegister;

impl Model for MaxRegister {
    type State = i64;

    fn name(&self) -> &'static str {
        "max-register"
    }

    fn init(&self) -> i64 {
        0
    }

    fn step(&self, max: &i64, f: &str, arg: &Value, ret: Ret<'_>) -> Option<i64> {
        match (f, ret) {
            ("write", _) => Some(arg.int()?.max(*max)),
            ("read", Ret::Saw(value)) => (value.int() == Some(*max)).then_some(*max),
            ("read", Ret::Unknown) => Some(*max),
            _ => None,
        }
    }
}

/// A register whose reads may miss the latest write, but no more.
struct Stale;

impl Nondeterministic for Stale {
    /// The value before the latest write, and the value.
    type State = (Value, Value);

    fn name(&self) -> &'static str {
        "stale-register"
    }

    fn init(&self) -> Vec<Self::State> {
        vec![(Value::Nil, Value::Nil)]
    }

    fn steps(&self, state: &Self::State, f: &str, arg: &Value, ret: Ret<'_>) -> Vec<Self::State> {
        let (before, now) = state;
        let right = |saw: &Value| saw == before || saw == now;
        match (f, ret) {
            ("write", _) => vec![(now.clone(), arg.clone())],
            ("read", Ret::Saw(saw)) if !right(saw) => vec![],
            ("read", _) => vec![state.clone()],
            _ => vec![],
        }
    }
}

/// A register that loses every other write, nobody knows which of two.
struct Lossy;

impl Nondeterministic for Lossy {
    /// The value, and whether the write before was lost.
    type State = (i64, bool);

    fn name(&self) -> &'static str {
        "lossy-register"
    }

    fn init(&self) -> Vec<Self::State> {
        vec![(0, true), (0, false)]
    }

    fn steps(&self, state: &Self::State, f: &str, arg: &Value, ret: Ret<'_>) -> Vec<Self::State> {
        let (value, lost) = *state;
        match (f, ret, arg.int()) {
            ("write", _, Some(new)) => vec![(if lost { new } else { value }, !lost)],
            ("read", Ret::Saw(saw), _) if saw.int() != Some(value) => vec![],
            ("read", ..) => vec![*state],
            _ => vec![],
        }
    }
}

/// What, with which argument, and the result, if it returned.
type Done = (&'static str, Option<i64>, Option<Option<i64>>);

/// One process after another.
fn in_turn(ops: &[Done]) -> History {
    let value = |v: Option<i64>| v.map_or(Value::Nil, Value::Int);
    let mut events = Vec::new();
    for (i, (f, arg, ret)) in ops.iter().enumerate() {
        let process = Process(i as u32);
        events.push(Event::Invoke { process, node: None, call: Call::new(*f, value(*arg)) });
        if let Some(ret) = ret {
            events.push(Event::Complete { process, outcome: Outcome::Ok(value(*ret)) });
        }
    }
    History::of((1..).map(Time).zip(events)).unwrap()
}

fn verdict<M: Model + 'static>(model: M, history: &History) -> Verdict {
    let finding = linearizable(model).check(history, &Limits::default());
    let named: BTreeSet<_> = finding.anomalies.iter().flat_map(|anomaly| &anomaly.ops).collect();
    assert_eq!(finding.verdict == Verdict::Invalid, !named.is_empty(), "{}", finding.reason);
    finding.verdict
}

const DONE: Option<Option<i64>> = Some(None);

#[test]
fn a_model_in_twenty_lines() {
    let write = |v| ("write", Some(v), DONE);
    let read = |v| ("read", None, Some(Some(v)));
    let right = in_turn(&[write(3), write(2), read(3), ("write", Some(7), None), read(3), read(7)]);
    assert_eq!(verdict(MaxRegister, &right), Verdict::Valid);
    let wrong = in_turn(&[write(3), write(2), read(2)]);
    assert_eq!(verdict(MaxRegister, &wrong), Verdict::Invalid);
    let shrunk = in_turn(&[("write", Some(7), None), read(7), read(0)]);
    assert_eq!(verdict(MaxRegister, &shrunk), Verdict::Invalid);
}

#[test]
fn a_model_with_several_answers() {
    let write = |v| ("write", Some(v), DONE);
    let read = |v| ("read", None, Some(Some(v)));
    let right = in_turn(&[write(1), write(2), read(1), read(2), read(1)]);
    assert_eq!(verdict(AnyOf(Stale), &right), Verdict::Valid);
    let wrong = in_turn(&[write(1), write(2), write(3), read(1)]);
    assert_eq!(verdict(AnyOf(Stale), &wrong), Verdict::Invalid);
}

#[test]
fn what_was_open_may_be_settled_later() {
    let write = |v| ("write", Some(v), DONE);
    let read = |v| ("read", None, Some(Some(v)));
    let right = in_turn(&[write(1), write(2), read(2), write(3), read(2)]);
    assert_eq!(verdict(AnyOf(Lossy), &right), Verdict::Valid);
    // If the second was kept, the first was lost, and so is the third.
    let wrong = in_turn(&[write(1), write(2), read(2), write(3), read(3)]);
    assert_eq!(verdict(AnyOf(Lossy), &wrong), Verdict::Invalid);
}
