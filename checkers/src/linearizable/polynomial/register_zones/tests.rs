//! Against the oracle, at random and exhaustively, and the traps one by one.

use danso_vocab::{Call, Event, History, Model, Op, Outcome, Process, Rng, Time, Value};

use super::super::trial::{self, Tally, Trial, interleavings};
use super::super::{Decision, How, Part, Polynomial};
use super::RegisterZones;
use crate::linearizable::tests::fuzz::env;
use crate::linearizable::tests::simulate::{self, Shape};
use crate::models::{CasRegister, Register};

/// The value an operation leaves and the one it needs or misses, without regard to versions.
fn touch(op: Op<'_>) -> (Option<Value>, Option<Value>) {
    let refused = op.ret().as_deref().and_then(Value::str) == Some("mismatch");
    match (op.f(), op.arg().pair()) {
        ("write", _) => (Some(op.arg().into_owned()), None),
        ("delete", _) => (Some(Value::Nil), None),
        ("read", _) => (None, op.ret().map(|ret| ret.get("value").unwrap_or(&ret).clone())),
        ("cas", Some((old, new))) if !refused && old != new => {
            (Some(new.clone()), Some(old.clone()))
        }
        ("cas", Some((old, _))) => (None, Some(old.clone())),
        _ => (None, None),
    }
}

/// Observers, and the tails of chains. Whoever was refused may depend on anything written.
fn units(core: &[Op<'_>]) -> Vec<Vec<u32>> {
    let mut units = Vec::new();
    let refused = |op: &&Op<'_>| op.ret().as_deref().and_then(Value::str) == Some("mismatch");
    if let Some(op) = core.iter().find(refused) {
        return vec![vec![op.row() as u32]];
    }
    for op in core {
        let Some(value) = touch(*op).0 else {
            units.push(vec![op.row() as u32]);
            continue;
        };
        let (mut tail, mut values) = (Vec::new(), vec![value]);
        for _ in 0..core.len() {
            for other in core {
                let (left, needed) = touch(*other);
                let hangs = needed.is_some_and(|v| values.contains(&v));
                let row = other.row() as u32;
                if (hangs || left.as_ref().is_some_and(|v| values.contains(v)))
                    && !tail.contains(&row)
                {
                    tail.push(row);
                    values.extend(left);
                }
            }
        }
        units.push(tail);
    }
    units
}

fn trial(procedure: &RegisterZones, initial: Value) -> Trial<'_, CasRegister> {
    Trial { model: CasRegister::new(initial), procedure, units }
}

/// State of the simulated register: empty for nil.
fn behave(state: &mut Vec<i64>, call: &Call) -> Option<Value> {
    let now = state.first().map_or(Value::Nil, |v| Value::Int(*v));
    match &*call.f {
        "read" => return Some(now),
        "write" => *state = call.arg.int().into_iter().collect(),
        "delete" => state.clear(),
        _ => {
            let (old, new) = call.arg.pair()?;
            if now != *old {
                return None;
            }
            *state = new.int().into_iter().collect();
        }
    }
    Some(Value::Nil)
}

fn strict(state: &mut Vec<i64>, call: &Call) -> Option<Value> {
    behave(state, call).or_else(|| Some("mismatch".into()))
}

fn draw(rng: &mut Rng, _: &Shape, fresh: &mut i64) -> Call {
    *fresh += 1;
    let old = *fresh - 1 - rng.below(4) as i64;
    let old = if old <= 100 { Value::Int(0) } else { Value::Int(old) };
    match rng.below(16) {
        0..=6 => {
            *fresh -= 1;
            Call::new("read", ())
        }
        7..=9 => Call::new("write", *fresh),
        10 if rng.chance(1, 8) => Call::new("delete", ()),
        11 if rng.chance(1, 2) => Call::new("cas", [old.clone(), old]),
        _ => Call::new("cas", [old, Value::Int(*fresh)]),
    }
}

fn shape(rng: &mut Rng) -> Shape {
    Shape {
        behaviour: behave,
        init: vec![0],
        draw,
        domain: 3,
        unique: true,
        processes: rng.between(2, 5) as usize,
        ops: rng.between(2, 12) as usize,
        crash: *rng.pick(&[0, 10, 30, 50]).unwrap(),
        keys: 0,
        touch: *rng.pick(&[0, 20, 60]).unwrap(),
        lies: rng.below(7),
    }
}

#[test]
fn agrees_with_the_oracle() {
    let procedure = RegisterZones::cas_register(0.into());
    let draw = |rng: &mut Rng| {
        let shape = shape(rng);
        simulate::history(rng, &shape)
    };
    let tally = trial(&procedure, 0.into()).fuzz("register-zones", 8_000, draw);
    tally.shows_both();
    assert!(tally.unfit * 10 < tally.valid + tally.refuted, "{tally:?}");
}

#[test]
fn agrees_with_the_oracle_on_refusals() {
    let procedure = RegisterZones::cas_register(0.into());
    let draw = |rng: &mut Rng| {
        let shape = Shape { behaviour: strict, ..shape(rng) };
        simulate::history(rng, &shape)
    };
    let tally = trial(&procedure, 0.into()).fuzz("register-zones refusals", 6_000, draw);
    tally.shows_both();
    assert!(tally.unfit * 5 < tally.valid + tally.refuted, "{tally:?}");
    assert!(tally.names.contains_key("wrong-refusal"), "{tally:?}");
}

/// All small histories with unique values. `DANSO_EXHAUSTIVE_OPS` says how small.
#[test]
fn every_small_history() {
    let ops = env("DANSO_EXHAUSTIVE_OPS", 3) as usize;
    let procedure = RegisterZones::cas_register(0.into());
    let (tried, mut tally) = (trial(&procedure, 0.into()), Tally::default());
    let mut kinds: Vec<(Call, Option<Value>)> = Vec::new();
    for a in 0..4_i64 {
        kinds.push((Call::new("read", ()), Some(a.into())));
        if a > 0 {
            kinds.push((Call::new("write", a), Some(Value::Nil)));
            kinds.push((Call::new("write", a), None));
        }
        for b in (1..4).filter(|b| *b != a) {
            kinds.push((Call::new("cas", [a, b]), Some(Value::Nil)));
            kinds.push((Call::new("cas", [a, b]), None));
        }
        kinds.push((Call::new("cas", [a, 9]), Some("mismatch".into())));
    }
    for order in interleavings(ops) {
        for choice in 0..kinds.len().pow(ops as u32) {
            let pick = |i: usize| &kinds[choice / kinds.len().pow(i as u32) % kinds.len()];
            let left = |i: usize| match pick(i).0.arg.pair() {
                Some((_, new)) if pick(i).1 != Some("mismatch".into()) => new.int(),
                Some(_) => None,
                None => pick(i).0.arg.int(),
            };
            // What is not unique is unfit, and is most of them.
            let twice = |i: usize| left(i).is_some_and(|v| (0..i).any(|j| left(j) == Some(v)));
            // Values are alike, so the second is not used before the first.
            let most = |i: usize| {
                let (call, ret) = pick(i);
                let said = call.arg.pair().map_or(call.arg.int(), |(a, b)| a.max(b).int());
                said.or(ret.as_ref().and_then(Value::int)).filter(|v| *v != 9).unwrap_or(0)
            };
            let in_turn = |i: usize| most(i) <= 1 + (0..i).map(most).max().unwrap_or(0).max(1);
            if (0..ops).any(twice) || !(0..ops).all(in_turn) {
                continue;
            }
            tried.one(&trial::history(&order, pick), &mut tally);
        }
    }
    println!("{ops} operations: {tally:?}");
    assert!(tally.valid > 0 && tally.refuted > 0);
}

/// `history(&["0 write 1", "1 read", "1 -> 1", "0 info"])`
fn history(lines: &[(u32, &str, Value)]) -> History {
    let event = |(process, word, value): &(u32, &str, Value)| {
        let process = Process(*process);
        match *word {
            "ok" => Event::Complete { process, outcome: Outcome::Ok(value.clone()) },
            "info" => Event::Complete { process, outcome: Outcome::Info("timeout".into()) },
            "fail" => Event::Complete { process, outcome: Outcome::Fail("refused".into()) },
            f => {
                Event::Invoke { process, node: None, call: Call::new(f.to_owned(), value.clone()) }
            }
        }
    };
    History::of((1..).map(Time).zip(lines.iter().map(event))).unwrap()
}

fn decide(procedure: &RegisterZones, history: &History) -> Decision {
    let rows: Vec<u32> = (0..history.len() as u32).collect();
    procedure.decide(&Part { history, rows: &rows }, &How::default())
}

fn refuted(history: &History) -> (String, Vec<u32>, String) {
    match decide(&RegisterZones::cas_register(0.into()), history) {
        Decision::Refuted(refuted) => (refuted.name.into_owned(), refuted.rows, refuted.because),
        other => panic!("{other:?}"),
    }
}

const NIL: Value = Value::Nil;

#[test]
fn a_stale_read_names_what_it_missed() {
    let history = history(&[
        (0, "write", 1.into()),
        (0, "ok", NIL),
        (0, "write", 2.into()),
        (0, "ok", NIL),
        (1, "read", NIL),
        (1, "ok", 1.into()),
    ]);
    let (name, rows, because) = refuted(&history);
    assert_eq!((name.as_str(), rows), ("stale-read", vec![2, 1, 0]));
    assert_eq!(
        because,
        "p1's read -> 1 (#4) although p0's write 2 (#2) had finished 1 ns before it began, and 1 cannot have come after 2, since p0's write 1 (#0) had finished before that began"
    );
}

#[test]
fn a_value_of_a_failed_write_is_an_aborted_read() {
    let history =
        history(&[(0, "write", 1.into()), (0, "fail", NIL), (1, "read", NIL), (1, "ok", 1.into())]);
    let (name, rows, because) = refuted(&history);
    assert_eq!((name.as_str(), rows), ("aborted-read", vec![1]));
    assert_eq!(
        because,
        "p1's read -> 1 (#2), but only p0's write 1 (#0) would have written 1, and that failed"
    );
}

#[test]
fn two_swaps_from_one_value_lose_an_update() {
    let history = history(&[
        (0, "cas", [0, 1].into()),
        (1, "cas", [0, 2].into()),
        (0, "ok", NIL),
        (1, "ok", NIL),
    ]);
    let (name, rows, because) = refuted(&history);
    assert_eq!((name.as_str(), rows), ("lost-update", vec![1, 0]));
    assert!(because.ends_with("both replaced 0, which was only the initial value"), "{because}");
}

#[test]
fn values_made_only_from_each_other_come_from_nowhere() {
    let history = history(&[
        (0, "cas", [1, 2].into()),
        (1, "cas", [2, 1].into()),
        (0, "ok", NIL),
        (1, "ok", NIL),
    ]);
    let (name, rows, because) = refuted(&history);
    assert_eq!((name.as_str(), rows), ("thin-air", vec![0, 1]));
    assert!(because.contains("only came from"), "{because}");
}

#[test]
fn an_unknown_swap_that_was_seen_needs_its_own_value() {
    let history = history(&[
        (0, "cas", [7, 8].into()),
        (0, "info", NIL),
        (1, "read", NIL),
        (1, "ok", 8.into()),
    ]);
    let (name, rows, because) = refuted(&history);
    assert_eq!((name.as_str(), rows), ("thin-air", vec![1, 0]));
    assert!(because.ends_with("took effect, but nobody ever wrote 7"), "{because}");
}

#[test]
fn unfit_is_said_with_the_reason() {
    let twice =
        history(&[(0, "write", 1.into()), (0, "ok", NIL), (0, "write", 1.into()), (0, "ok", NIL)]);
    let initial = history(&[(0, "write", 0.into()), (0, "ok", NIL)]);
    let foreign = history(&[(0, "enqueue", 0.into()), (0, "ok", NIL)]);
    let swap = history(&[(0, "cas", [0, 1].into()), (0, "ok", NIL)]);
    let odd = history(&[(0, "cas", 1.into()), (0, "ok", NIL)]);
    for history in [&twice, &initial, &foreign, &odd] {
        let decision = decide(&RegisterZones::cas_register(0.into()), history);
        assert!(matches!(decision, Decision::Unfit(_)), "{decision:?}");
    }
    assert!(matches!(decide(&RegisterZones::register(0.into()), &swap), Decision::Unfit(_)));
}

#[test]
fn empty_and_stopped() {
    let (procedure, how) = (RegisterZones::register(NIL), How { witness: true, ..How::default() });
    let history = History::default();
    let part = Part { history: &history, rows: &[] };
    assert_eq!(procedure.decide(&part, &how), Decision::Linearizable(Some(vec![])));
    let one = self::history(&[(0, "write", 1.into()), (0, "ok", NIL)]);
    how.stop.trip();
    assert_eq!(procedure.decide(&Part { history: &one, rows: &[0] }, &how), Decision::Stopped);
}

#[test]
fn a_long_chain_of_swaps_is_not_shown_in_full() {
    let mut lines = Vec::new();
    for i in 0..500 {
        lines.push((0, "cas", [i, i + 1].into()));
        lines.push((0, "ok", NIL));
    }
    lines.extend([(1, "read", NIL), (1, "ok", 400.into())]);
    let history = history(&lines);
    let (name, rows, because) = refuted(&history);
    assert_eq!(name, "stale-read");
    assert!(rows.len() <= 60, "{rows:?}");
    assert!(because.contains("(#1000)"), "{because}");
    let ops: Vec<Op<'_>> = rows.iter().map(|row| history.row(*row as usize)).collect();
    let model = CasRegister::new(0.into());
    assert!(!crate::linearizable::tests::oracle::object(&model, &ops));
}

#[test]
fn versions_and_plain_values_mix() {
    let versioned = Value::of([("value", 1.into()), ("version", 5.into())]);
    let history = history(&[
        (0, "write", 1.into()),
        (0, "ok", Value::of([("version", 5.into())])),
        (1, "read", NIL),
        (1, "ok", versioned),
        (1, "read", NIL),
        (1, "ok", 0.into()),
    ]);
    assert_eq!(refuted(&history).0, "stale-read");
    let model = Register::new(0.into());
    let ops: Vec<Op<'_>> = history.ops().take(2).collect();
    assert!(crate::linearizable::tests::oracle::object(&model, &ops));
    assert_eq!(model.name(), "register");
}
