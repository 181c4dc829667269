//! Sets by hand, and against the definition read aloud.

use std::collections::{BTreeMap, BTreeSet};

use danso_vocab::{
    Call, Checker, Finding, History, Limits, Op, OpId, Rng, Status, Stop, Value, Verdict,
};

use super::super::elements::Speaker;
use super::Set;
use crate::testing::{self, Script, Shape};

fn check(history: &History) -> Finding {
    Set.check(history, &Limits::default())
}

fn add(value: i64) -> Call {
    Call::new("add", value)
}

fn read() -> Call {
    Call::new("read", ())
}

fn list(values: &[i64]) -> Value {
    Value::List(values.iter().map(|v| Value::Int(*v)).collect())
}

/// What is wrong with a history, by name: which read, and which elements.
pub(in crate::accounting) type Wrong = BTreeSet<(&'static str, OpId, Vec<Value>)>;

/// The definition, read aloud.
pub(in crate::accounting) fn oracle(history: &History) -> (Verdict, Wrong) {
    let ops: Vec<Op<'_>> = history.ops().collect();
    let adds: Vec<&Op<'_>> = ops.iter().filter(|op| op.f() == "add").collect();
    let reads: Vec<&Op<'_>> = ops.iter().filter(|op| op.f() == "read").collect();
    let acked: Vec<&&Op<'_>> = adds.iter().filter(|op| op.is_ok()).collect();
    let shows = |read: &Op<'_>, value: &Value| read.ret().unwrap().list().unwrap().contains(value);
    let mut wrong = Wrong::new();
    let mut reported = BTreeSet::new();
    for read in reads.iter().filter(|read| read.is_ok()) {
        for value in read.ret().unwrap().list().unwrap() {
            let of = || adds.iter().filter(|add| *add.arg() == *value);
            let possible =
                of().any(|add| add.status() != Status::Fail && add.inv_rank() < read.res_rank());
            if possible || !reported.insert(value.clone()) {
                continue;
            }
            let failed = of().count() > 0 && of().all(|add| add.status() == Status::Fail);
            let name = if failed { "aborted-read" } else { "unexpected-element" };
            wrong.insert((name, read.id(), vec![value.clone()]));
        }
    }
    // Final: begun when all acknowledged adds had ended; of each speaker the last.
    let quiet = |read: &Op<'_>| acked.iter().all(|add| add.res_rank() < read.inv_rank());
    let mut finals = BTreeMap::<Speaker, &Op<'_>>::new();
    for read in reads.iter().filter(|read| read.is_ok() && quiet(read)) {
        finals.insert(Speaker::of(**read), read);
    }
    let mut doubt = false;
    for read in reads.iter().filter(|read| quiet(read) && read.node().is_some()) {
        doubt |= !finals.contains_key(&Speaker::of(**read));
    }
    let mut finals: Vec<&Op<'_>> = finals.into_values().collect();
    if finals.is_empty() {
        finals.extend(reads.iter().rfind(|read| read.is_ok()));
    }
    doubt |= finals.is_empty() || acked.is_empty();
    for last in &finals {
        let due = |add: &&&&Op<'_>| add.res_rank() < last.inv_rank();
        let lost: BTreeSet<Value> = acked
            .iter()
            .filter(due)
            .map(|add| add.arg().into_owned())
            .filter(|value| !shows(last, value))
            .collect();
        if !lost.is_empty() {
            wrong.insert(("lost-element", last.id(), lost.into_iter().collect()));
        }
        let later: Vec<_> = acked
            .iter()
            .filter(|add| !shows(last, &add.arg()) && add.res_rank() >= last.inv_rank())
            .filter(|add| {
                acked.iter().all(|a| a.arg() != add.arg() || a.res_rank() >= last.inv_rank())
            })
            .collect();
        doubt |= !later.is_empty();
        let mut lacks = BTreeSet::new();
        for other in &finals {
            for value in other.ret().unwrap().list().unwrap() {
                let known = acked.iter().filter(due).any(|add| *add.arg() == *value)
                    || reads.iter().any(|read| {
                        read.is_ok() && shows(read, value) && read.res_rank() < last.inv_rank()
                    });
                if known && !shows(last, value) {
                    lacks.insert(value.clone());
                }
            }
        }
        if !lacks.is_empty() {
            wrong.insert(("divergence", last.id(), Vec::new()));
        }
    }
    let verdict = match (wrong.is_empty(), doubt) {
        (false, _) => Verdict::Invalid,
        (true, true) => Verdict::Unknown,
        (true, false) => Verdict::Valid,
    };
    (verdict, wrong)
}

pub(in crate::accounting) fn draw(rng: &mut Rng) -> History {
    let shape = Shape::small(rng);
    let elements = rng.between(1, 5);
    let (mut set, weight) = (BTreeSet::new(), rng.between(1, 3));
    let call = |rng: &mut Rng| match rng.chance(weight, 4) {
        true => read(),
        false => add(rng.below(elements) as i64),
    };
    let mut events = testing::events(rng, shape, call, |_, call, _| match call.arg.int() {
        Some(value) => {
            set.insert(value);
            Some(Value::Nil)
        }
        None => Some(Value::List(set.iter().map(|v| Value::Int(*v)).collect())),
    });
    for _ in 0..rng.below(3) {
        testing::mutate(rng, &mut events, |rng, value| {
            let Value::List(list) = value else { return false };
            match rng.below(3) {
                0 if !list.is_empty() => drop(list.remove(rng.below(list.len() as u64) as usize)),
                1 => list.push(Value::Int(rng.below(elements + 1) as i64)),
                _ => list.clear(),
            }
            true
        });
    }
    testing::history(events)
}

#[test]
fn verdicts_are_those_of_the_definition() {
    let mut rng = Rng::new(1).split("set");
    let mut tally = BTreeMap::<String, u32>::new();
    for case in 0..testing::cases(20_000) {
        let history = draw(&mut rng);
        let told = testing::show(&history);
        let (verdict, wrong) = oracle(&history);
        let finding = check(&history);
        assert_eq!(finding.verdict, verdict, "case {case}: {}\n{told}", finding.reason);
        let found: BTreeSet<(&str, OpId)> =
            finding.anomalies.iter().map(|a| (&*a.name, a.ops[0])).collect();
        let wanted: BTreeSet<(&str, OpId)> = wrong.iter().map(|w| (w.0, w.1)).collect();
        assert_eq!(found, wanted, "case {case}: {told}");
        let lost: usize = wrong.iter().filter(|w| w.0 == "lost-element").map(|w| w.2.len()).sum();
        assert_eq!(finding.stats.get("lost").copied().unwrap_or(0), lost as u64, "case {case}");
        *tally.entry(verdict.to_string()).or_default() += 1;
        for (name, _) in found {
            *tally.entry(name.to_owned()).or_default() += 1;
        }
    }
    println!("{tally:?}");
    let each =
        ["valid", "unknown", "lost-element", "divergence", "aborted-read", "unexpected-element"];
    assert!(each.iter().all(|what| tally.get(*what) > Some(&20)), "{tally:?}");
}

#[test]
fn what_was_acknowledged_is_there() {
    let mut script = Script::default();
    script.op(0, 1, add(1), Status::Ok, ()).op(1, 2, add(2), Status::Info, ());
    script.op(0, 1, read(), Status::Ok, list(&[1, 2])).op(2, 2, read(), Status::Ok, list(&[2, 1]));
    let finding = check(&script.history());
    assert_eq!(finding.verdict, Verdict::Valid, "{}", finding.reason);
    assert_eq!(finding.reason, "each of 2 final reads has all 1 acknowledged elements");
    assert_eq!((finding.stats["recovered"], finding.stats["attempted"]), (1, 2));
}

#[test]
fn one_replica_that_lacks_an_element_lost_it_and_diverges() {
    let mut script = Script::default();
    for value in 1..=4 {
        script.op(0, 1, add(value), Status::Ok, ());
    }
    script.op(0, 1, read(), Status::Ok, list(&[1, 2, 3, 4]));
    script.op(1, 2, read(), Status::Ok, list(&[1]));
    // Caught up late: the last read of a node counts.
    script.op(2, 3, read(), Status::Ok, list(&[]));
    script.op(2, 3, read(), Status::Ok, list(&[4, 3, 2, 1]));
    let finding = check(&script.history());
    let names: Vec<&str> = finding.anomalies.iter().map(|a| &*a.name).collect();
    assert_eq!(names, ["lost-element", "divergence"]);
    assert_eq!(finding.anomalies[0].ops[..2], [OpId(10), OpId(2)]);
    assert!(
        finding.reason.contains("it lacks 3 of 4 acknowledged elements: 2..4"),
        "{}",
        finding.reason
    );
    assert_eq!(finding.stats["lost"], 3);
    println!("{:#?}", finding.anomalies);
}

#[test]
fn an_unknown_add_may_arrive_late_but_not_be_taken_back_by_a_replica() {
    let late = |first: &[i64], second: &[i64]| {
        let mut script = Script::default();
        script.op(0, 1, add(1), Status::Ok, ()).op(1, 1, add(2), Status::Info, ());
        script.op(2, 1, read(), Status::Ok, list(first));
        script.op(3, 2, read(), Status::Ok, list(second));
        check(&script.history())
    };
    assert_eq!(late(&[1], &[1, 2]).verdict, Verdict::Valid);
    assert_eq!(late(&[1, 2], &[1]).anomalies[0].name, "divergence");
}

#[test]
fn what_nobody_added_and_what_failed_cannot_be_read() {
    let mut script = Script::default();
    script.op(0, 0, add(1), Status::Fail, ()).op(0, 0, add(2), Status::Ok, ());
    script.op(0, 0, read(), Status::Ok, list(&[1, 2, 3, 4]));
    script.op(0, 0, add(4), Status::Ok, ());
    script.op(0, 0, read(), Status::Ok, list(&[1, 2, 3, 4]));
    let finding = check(&script.history());
    let names: Vec<&str> = finding.anomalies.iter().map(|a| &*a.name).collect();
    assert_eq!(names, ["aborted-read", "unexpected-element", "unexpected-element"]);
    assert_eq!(finding.anomalies[2].ops, [OpId(4), OpId(6)]);
}

#[test]
fn nothing_read_nothing_acknowledged_or_nothing_read_late_is_unknown() {
    let verdict = |script: &mut Script, says: &str| {
        let finding = check(&script.history());
        assert!(finding.reason.contains(says), "{}", finding.reason);
        assert_eq!(finding.verdict, Verdict::Unknown);
    };
    verdict(&mut Script::default(), "no add and no read");
    verdict(Script::default().op(0, 0, add(1), Status::Ok, ()), "no read succeeded");
    let mut script = Script::default();
    script.op(0, 0, add(1), Status::Ok, ()).op(0, 0, read(), Status::Fail, ());
    verdict(&mut script, "no read succeeded");
    let mut script = Script::default();
    script.op(0, 0, add(1), Status::Info, ()).op(1, 0, read(), Status::Ok, list(&[]));
    verdict(&mut script, "no add was acknowledged");
    let mut script = Script::default();
    script.op(0, 0, add(1), Status::Ok, ()).op(0, 0, read(), Status::Ok, list(&[1]));
    script.op(0, 0, add(2), Status::Ok, ());
    verdict(&mut script, "nobody read them afterwards: 2");
    let mut script = Script::default();
    script.op(0, 1, add(1), Status::Ok, ()).op(0, 1, read(), Status::Ok, list(&[1]));
    script.op(1, 2, read(), Status::Fail, ());
    verdict(&mut script, "no final read of n2 succeeded");
    let mut script = Script::default();
    script.op(0, 0, add(1), Status::Ok, ()).op(0, 0, read(), Status::Ok, 7);
    verdict(&mut script, "shows no list");
    let mut script = Script::default();
    script.op(0, 0, add(1), Status::Ok, ()).op(0, 0, Call::new("remove", 1), Status::Ok, ());
    script.op(0, 0, read(), Status::Ok, list(&[]));
    verdict(&mut script, "taken out again by remove");
}

#[test]
fn keys_are_sets_of_their_own_and_foreign_operations_are_named() {
    let mut script = Script::default();
    script.op(0, 0, add(1).on("a"), Status::Ok, ()).op(0, 0, add(2).on("b"), Status::Ok, ());
    script.op(0, 0, read().on("a"), Status::Ok, list(&[1]));
    script.op(0, 0, read().on("b"), Status::Ok, list(&[1]));
    script.op(0, 0, Call::new("acquire", ()), Status::Ok, ());
    let finding = check(&script.history());
    assert_eq!(finding.verdict, Verdict::Invalid);
    assert!(
        finding.anomalies.iter().all(|a| a.key == Some("b".into())),
        "{:#?}",
        finding.anomalies
    );
    assert!(finding.reason.ends_with("left out, being none of its operations: 1 acquire"));
    let mut script = Script::default();
    script.op(0, 0, add(1).on("a"), Status::Ok, ()).op(0, 0, read(), Status::Ok, list(&[1]));
    assert_eq!(check(&script.history()).verdict, Verdict::Unknown);
}

#[test]
fn a_stopped_check_is_unknown() {
    let mut script = Script::default();
    script.op(0, 0, add(1), Status::Ok, ()).op(0, 0, read(), Status::Ok, list(&[1]));
    let history = script.history();
    let stop = Stop::new();
    stop.trip();
    let limits = Limits { stop, ..Limits::default() };
    assert_eq!(Set.check(&history, &limits).verdict, Verdict::Unknown);
}
