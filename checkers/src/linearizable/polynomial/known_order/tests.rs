//! What it accepts is linearizable, and what works as it says is accepted.

use danso_vocab::{Call, Event, History, Op, Outcome, Process, Rng, Time, Value};

use super::super::trial::Trial;
use super::super::{Decision, How, Part, Polynomial};
use super::KnownOrder;
use crate::linearizable::tests::simulate::{self, Shape};
use crate::models::CasRegister;

/// State of the simulated register: value and version.
fn behave(state: &mut Vec<i64>, call: &Call) -> Option<Value> {
    let [now, version] = [state[0], state[1]];
    let new = match (&*call.f, call.arg.pair()) {
        ("read", _) => {
            return Some(Value::of([("value", now.into()), ("version", version.into())]));
        }
        ("cas", Some((old, _))) if old.int() != Some(now) => {
            let because = Value::of([("value", "mismatch".into()), ("version", version.into())]);
            return Some(because).filter(|_| now % 2 == 0);
        }
        ("cas", Some((_, new))) => new.int()?,
        _ => call.arg.int()?,
    };
    // Versions are shared with other objects, so they have gaps.
    *state = vec![new, version + 1 + now % 3];
    Some(Value::of([("version", state[1].into())]))
}

fn draw(rng: &mut Rng, _: &Shape, _: &mut i64) -> Call {
    let value = |rng: &mut Rng| rng.below(4) as i64;
    match rng.below(6) {
        0..=2 => Call::new("read", ()),
        3 => Call::new("write", value(rng)),
        _ => {
            let (old, step) = (value(rng), rng.below(3) as i64);
            Call::new("cas", [old, (old + 1 + step) % 4])
        }
    }
}

fn shape(rng: &mut Rng) -> Shape {
    Shape {
        behaviour: behave,
        init: vec![0, 0],
        draw,
        domain: 4,
        unique: false,
        processes: rng.between(2, 5) as usize,
        ops: rng.between(2, 12) as usize,
        crash: *rng.pick(&[0, 0, 10, 30]).unwrap(),
        keys: 0,
        touch: *rng.pick(&[0, 20, 60]).unwrap(),
        lies: rng.below(4),
    }
}

fn trial(procedure: &KnownOrder) -> Trial<'_, CasRegister> {
    Trial { model: CasRegister::new(0.into()), procedure, units: |_| Vec::new() }
}

#[test]
fn accepts_only_what_is_linearizable() {
    let procedure = KnownOrder::cas_register(0.into());
    let tally = trial(&procedure).fuzz("known-order", 8_000, |rng| {
        let shape = shape(rng);
        simulate::history(rng, &shape)
    });
    assert!(tally.refuted == 0 && tally.valid > 100 && tally.unfit > 100, "{tally:?}");
}

#[test]
fn accepts_what_works_as_it_says() {
    let procedure = KnownOrder::cas_register(0.into());
    let tally = trial(&procedure).fuzz("known-order truth", 4_000, |rng| {
        let shape = Shape { crash: 0, lies: 0, ..shape(rng) };
        simulate::history(rng, &shape)
    });
    assert!(tally.unfit == 0, "{tally:?}");
    let tally = trial(&procedure).fuzz("known-order unknowns", 4_000, |rng| {
        let shape = Shape { crash: 20, lies: 0, ..shape(rng) };
        simulate::history(rng, &shape)
    });
    // A guess at who left a value can be wrong.
    assert!(tally.unfit * 50 < tally.valid, "{tally:?}");
}

fn decide(ops: &[(&'static str, Value, Value)]) -> Decision {
    let events = ops.iter().flat_map(|(f, arg, ret)| {
        let process = Process(0);
        let call = Call::new(*f, arg.clone());
        let end = Event::Complete { process, outcome: Outcome::Ok(ret.clone()) };
        [Event::Invoke { process, node: None, call }, end]
    });
    let history = History::of((1..).map(Time).zip(events)).unwrap();
    let rows: Vec<u32> = history.ops().map(|op: Op<'_>| op.row() as u32).collect();
    let part = Part { history: &history, rows: &rows };
    KnownOrder::register(Value::Nil).decide(&part, &How { witness: true, ..How::default() })
}

fn at(version: i64) -> Value {
    Value::of([("revision", version.into())])
}

fn saw(value: i64, version: i64) -> Value {
    Value::of([("value", value.into()), ("revision", version.into())])
}

#[test]
fn values_may_recur() {
    let one = || Value::from(1);
    let decision = decide(&[
        ("read", Value::Nil, Value::Nil),
        ("write", one(), at(3)),
        ("write", 2.into(), at(5)),
        ("write", one(), at(9)),
        // The version of another object's change.
        ("read", Value::Nil, saw(1, 11)),
    ]);
    assert_eq!(decision, Decision::Linearizable(Some(vec![0, 1, 2, 3, 4])));
}

#[test]
fn what_contradicts_or_is_silent_is_left_to_others() {
    let reason = |ops: &[_]| match decide(ops) {
        Decision::Unfit(reason) => reason,
        other => panic!("{other:?}"),
    };
    let silent = reason(&[("write", 1.into(), Value::Nil)]);
    assert_eq!(silent, "#0 p0 write 1 -> ok carries no version");
    let late = reason(&[("write", 1.into(), at(3)), ("write", 2.into(), at(2))]);
    assert!(late.starts_with("the versions contradict values or real time"), "{late}");
    let twice = reason(&[("write", 1.into(), at(3)), ("write", 2.into(), at(3))]);
    assert_eq!(twice, "two changes have version 3");
}
