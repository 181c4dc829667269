//! Every element against the definition read aloud.

use std::collections::{BTreeMap, BTreeSet};

use danso_vocab::{Call, Checker, Finding, History, Limits, Op, Rng, Status, Value, Verdict};

use super::super::set::tests::{draw, oracle as final_reads};
use super::SetFull;
use crate::testing::{self, Script};

fn check(history: &History) -> Finding {
    SetFull::new().check(history, &Limits::default())
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

/// What became of each element, and what is there more than once.
#[derive(Debug, Default, PartialEq)]
struct Fates {
    stable: BTreeSet<Value>,
    stale: BTreeSet<Value>,
    lost: BTreeSet<Value>,
    never_read: BTreeSet<Value>,
    unsettled: BTreeSet<Value>,
    twice: BTreeSet<Value>,
}

fn oracle(history: &History) -> Fates {
    let ops: Vec<Op<'_>> = history.ops().collect();
    let adds = || ops.iter().filter(|op| op.f() == "add" && op.status() != Status::Fail);
    let mut reads: Vec<&Op<'_>> = ops.iter().filter(|op| op.f() == "read" && op.is_ok()).collect();
    reads.sort_by_key(|read| read.inv_rank());
    let count = |read: &Op<'_>, value: &Value| {
        read.ret().unwrap().list().unwrap().iter().filter(|v| *v == value).count()
    };
    let mut fates = Fates::default();
    for read in &reads {
        for value in read.ret().unwrap().list().unwrap() {
            if count(read, value) > 1 {
                fates.twice.insert(value.clone());
            }
        }
    }
    for value in adds().map(|add| add.arg().into_owned()).collect::<BTreeSet<_>>() {
        let shows = |read: &&&Op<'_>| count(read, &value) > 0;
        let acked = adds().filter(|add| add.is_ok() && *add.arg() == value).map(|a| a.res_rank());
        let seen = reads.iter().filter(shows).map(|read| read.res_rank());
        let known = acked.chain(seen).min();
        let present = reads.iter().rfind(shows);
        let absent = reads.iter().rfind(|read| !shows(read));
        let missed = reads
            .iter()
            .filter(|read| !shows(read) && known.is_some_and(|known| known < read.inv_rank()));
        let missed: Vec<_> = missed.collect();
        let over = |read: &Op<'_>| {
            reads.iter().filter(shows).all(|shows| shows.res_rank() < read.inv_rank())
        };
        if missed.iter().any(|read| over(read)) {
            fates.lost.insert(value);
        } else if present.is_none() {
            fates.never_read.insert(value);
        } else if absent.is_some_and(|a| a.inv_rank() > present.unwrap().inv_rank())
            && !missed.is_empty()
            && missed.iter().any(|a| a.id() == absent.unwrap().id())
        {
            fates.unsettled.insert(value);
        } else {
            if !missed.is_empty() {
                fates.stale.insert(value.clone());
            }
            fates.stable.insert(value);
        }
    }
    fates
}

#[test]
fn fates_are_those_of_the_definition() {
    let mut rng = Rng::new(1).split("set-full");
    let mut tally = BTreeMap::<&str, u32>::new();
    for case in 0..testing::cases(20_000) {
        let history = draw(&mut rng);
        let told = testing::show(&history);
        let fates = oracle(&history);
        let finding = check(&history);
        let stat = |name: &str| finding.stats.get(name).copied().unwrap_or(0) as usize;
        for (name, set) in [
            ("stable", &fates.stable),
            ("stale", &fates.stale),
            ("vanished", &fates.lost),
            ("never-read", &fates.never_read),
            ("unsettled", &fates.unsettled),
            ("duplicate-element", &fates.twice),
        ] {
            assert_eq!(stat(name), set.len(), "case {case}: {name} {fates:?}\n{told}");
            *tally.entry(name).or_default() += u32::from(!set.is_empty());
        }
        let (_, wrong) = final_reads(&history);
        let invalid = !wrong.is_empty() || !fates.lost.is_empty() || !fates.twice.is_empty();
        assert_eq!(finding.verdict == Verdict::Invalid, invalid, "case {case}:  {told}");
        let doubt = fates.stable.is_empty() || !fates.unsettled.is_empty();
        assert!(!doubt || finding.verdict != Verdict::Valid, "case {case}:  {told}");
        let named = |name: &str| finding.anomalies.iter().any(|a| a.name == name);
        let lost = !fates.lost.is_empty() || wrong.iter().any(|w| w.0 == "lost-element");
        assert_eq!(named("lost-element"), lost, "case {case}:  {told}");
        let strict = SetFull::new().linearizable().check(&history, &Limits::default());
        let stale = strict.anomalies.iter().any(|a| a.name == "stale-read");
        assert_eq!(stale, !fates.stale.is_empty(), "case {case}:  {told}");
        *tally.entry(finding.verdict.word()).or_default() += 1;
    }
    println!("{tally:?}");
    assert!(tally.len() >= 9 && tally.values().all(|count| *count > 20), "{tally:?}");
}

#[test]
fn an_element_read_once_and_never_again_is_lost() {
    let mut script = Script::default();
    script.op(0, 0, add(1), Status::Info, ()).op(1, 0, add(2), Status::Ok, ());
    script.op(1, 0, read(), Status::Ok, list(&[1, 2])).op(1, 0, read(), Status::Ok, list(&[2]));
    let finding = check(&script.history());
    assert_eq!(finding.anomalies.len(), 1, "{finding:#?}");
    assert_eq!(finding.anomalies[0].name, "lost-element");
    println!("{}", finding.reason);
}

#[test]
fn an_element_that_shows_up_late_is_stale_and_stays_valid() {
    let mut script = Script::default();
    script.op(0, 0, add(1), Status::Ok, ()).op(0, 0, read(), Status::Ok, list(&[]));
    script.op(0, 0, read(), Status::Ok, list(&[1]));
    let history = script.history();
    let finding = check(&history);
    assert_eq!(
        (finding.verdict, finding.stats["stale"]),
        (Verdict::Valid, 1),
        "{}",
        finding.reason
    );
    let strict = SetFull::new().linearizable().check(&history, &Limits::default());
    assert_eq!(strict.anomalies[0].name, "stale-read");
    println!("{}", strict.reason);
}

#[test]
fn an_element_shown_twice_is_found() {
    let mut script = Script::default();
    script.op(0, 0, add(1), Status::Ok, ()).op(0, 0, read(), Status::Ok, list(&[1, 1]));
    let finding = check(&script.history());
    assert_eq!(finding.anomalies[0].name, "duplicate-element");
    assert_eq!(finding.verdict, Verdict::Invalid);
}

#[test]
fn nothing_stable_is_unknown() {
    let mut script = Script::default();
    script.op(0, 0, read(), Status::Ok, list(&[])).op(0, 0, add(1), Status::Ok, ());
    let finding = check(&script.history());
    assert_eq!(finding.verdict, Verdict::Unknown, "{}", finding.reason);
    script = Script::default();
    script.op(0, 0, add(1), Status::Ok, ()).op(0, 0, read(), Status::Ok, list(&[1]));
    script.op(0, 0, add(2), Status::Ok, ());
    let finding = check(&script.history());
    assert_eq!((finding.verdict, finding.stats["never-read"]), (Verdict::Valid, 1));
}
