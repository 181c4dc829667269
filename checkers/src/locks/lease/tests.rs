//! Locks by hand, locks that work, and all against the definition read aloud.

use std::collections::{BTreeMap, BTreeSet};

use danso_vocab::{
    Call, Checker, Finding, History, Limits, Op, OpId, Process, Rng, Status, Value, Verdict,
};

use super::LeaseLock;
use crate::testing::{self, Script, Shape};

fn check(lease: u64, history: &History) -> Finding {
    LeaseLock::new(lease).check(history, &Limits::default())
}

fn names(finding: &Finding) -> Vec<&str> {
    finding.anomalies.iter().map(|a| &*a.name).collect()
}

fn acquire() -> Call {
    Call::new("acquire", ()).on("lock")
}

fn release(token: i64) -> Call {
    Call::new("release", token).on("lock")
}

fn write(token: i64, value: i64) -> Call {
    Call::new("write", pair(token, value)).on("lock")
}

fn read() -> Call {
    Call::new("read", ()).on("lock")
}

fn pair(token: i64, value: i64) -> Value {
    Value::of([("token", token.into()), ("value", value.into())])
}

fn granted(token: i64) -> Value {
    Value::of([("token", token.into())])
}

fn token(value: &Value) -> Option<i64> {
    value.get("token").unwrap_or(value).int()
}

/// The definition, read aloud: names and the operation that should not be.
fn oracle(lease: u64, history: &History) -> BTreeSet<(&'static str, OpId)> {
    let ops: Vec<Op<'_>> = history.ops().collect();
    let acquires: Vec<Op<'_>> =
        ops.iter().copied().filter(|op| op.f() == "acquire" && op.is_ok()).collect();
    let given = |op: &Op<'_>| op.ret().and_then(|ret| token(&ret));
    // Each release with the acquisition that it ends.
    let mut releases = Vec::<(OpId, u32)>::new();
    for release in ops.iter().filter(|op| op.f() == "release") {
        let of = token(&release.arg());
        let before = |a: &&Op<'_>| a.inv_rank() < release.inv_rank();
        let own = acquires.iter().filter(before).rfind(|a| a.process() == release.process());
        let own = own.filter(|own| of.is_none() || given(own) == of);
        let other = acquires.iter().filter(before).rfind(|a| of.is_some() && given(a) == of);
        releases.extend(own.or(other).map(|hold| (hold.id(), release.inv_rank())));
    }
    let released = |hold: &Op<'_>| {
        let of = releases.iter().filter(|(id, _)| *id == hold.id());
        of.map(|(_, rank)| *rank).min().unwrap_or(u32::MAX)
    };
    let over = |hold: &Op<'_>| match lease {
        0 => u64::MAX,
        _ => hold.inv_time().0 + lease - lease / 1_000,
    };
    let mut wrong = BTreeSet::new();
    for b in &acquires {
        let since = b.res_time().unwrap().0;
        for a in &acquires {
            let both = a.res_rank() < b.res_rank()
                && b.res_rank() < released(a)
                && since < over(a)
                && since < over(b);
            if both && a.process() != b.process() {
                wrong.insert(("two-holders", b.id()));
            }
            let earlier = a.res_rank() < b.inv_rank() && given(a) >= given(b);
            if earlier || a.id() < b.id() && given(a) == given(b) {
                wrong.insert(("token-regression", b.id()));
            }
        }
    }
    let shown = |op: &Op<'_>| match op.f() {
        "write" if op.is_ok() => token(&op.arg()),
        "read" => given(op),
        _ => None,
    };
    for op in &ops {
        let Some(token) = shown(op) else { continue };
        let greater = ops.iter().filter(|b| b.res_rank() < op.inv_rank() && shown(b) > Some(token));
        let most = greater.clone().map(&shown).max();
        // The first to end of those with the greatest token speaks for them.
        let speaker = greater.filter(|b| Some(shown(b)) == most).min_by_key(|b| b.res_rank());
        let Some(speaker) = speaker else { continue };
        let mut writes = ops.iter().filter(|w| {
            w.f() == "write" && w.status() != Status::Fail && Some(w.arg_id()) == op.ret_id()
        });
        let old = writes.clone().count() > 0 && writes.all(|w| w.res_rank() < speaker.inv_rank());
        let stale = op.f() == "read" && old;
        wrong.insert((if stale { "stale-read" } else { "stale-holder-accepted" }, op.id()));
    }
    wrong
}

/// A lock service with fencing that keeps its promises, with its resource. `lease` ns, or for ever.
fn draw(rng: &mut Rng, lease: u64) -> Vec<(danso_vocab::Time, danso_vocab::Event)> {
    let shape = Shape { ops: rng.between(4, 10) as u32, ..Shape::small(rng) };
    let call = |rng: &mut Rng| match rng.below(6) {
        0..2 => acquire(),
        2 => release(rng.between(1, 4) as i64),
        3..5 => write(rng.between(1, 2) as i64, rng.below(2) as i64),
        _ => read(),
    };
    let (mut last, mut holder, mut resource) = (0, None::<(i64, u64, Process)>, Value::Nil);
    testing::events(rng, shape, call, |_, call, at| {
        let held = holder.filter(|(_, over, _)| at.time < *over);
        let arg = token(&call.arg);
        match &*call.f {
            "acquire" if held.is_some() => None,
            "acquire" => {
                last += 1;
                let over = if lease == 0 { u64::MAX } else { at.time + lease };
                holder = Some((last, over, at.process));
                Some(granted(last))
            }
            "release" => {
                let own = |(token, _, process)| Some(token) == arg && process == at.process;
                let (token, ..) = held.filter(|held| own(*held))?;
                holder = None;
                Some(token.into())
            }
            "write" => {
                let enough = arg >= token(&resource) && arg <= Some(last);
                enough.then(|| resource = call.arg.clone()).map(Value::from)
            }
            _ => Some(resource.clone()),
        }
    })
}

#[test]
fn locks_that_work_are_valid() {
    let mut rng = Rng::new(1).split("lock");
    let mut valid = 0;
    for case in 0..testing::cases(20_000) {
        let lease = if rng.chance(1, 2) { 0 } else { rng.between(1, 12) };
        let history = testing::history(draw(&mut rng, lease));
        let told = testing::show(&history);
        let finding = check(lease, &history);
        assert_ne!(finding.verdict, Verdict::Invalid, "case {case}: {}\n{told}", finding.reason);
        valid += u32::from(finding.verdict == Verdict::Valid);
    }
    assert!(valid > 10_000 || testing::cases(20_000) != 20_000, "{valid}");
}

#[test]
fn anomalies_are_those_of_the_definition() {
    let mut rng = Rng::new(1).split("lock");
    let mut tally = BTreeMap::<&str, u32>::new();
    for case in 0..testing::cases(20_000) {
        let lease = if rng.chance(1, 2) { 0 } else { rng.between(1, 12) };
        let mut events = draw(&mut rng, lease);
        for _ in 0..rng.below(6) {
            testing::mutate(&mut rng, &mut events, |rng, value| match value.get("value") {
                Some(_) => {
                    *value = pair(rng.between(1, 4) as i64, rng.below(2) as i64);
                    true
                }
                None if value.get("token").is_some() => {
                    *value = granted(rng.between(1, 4) as i64);
                    true
                }
                None => false,
            });
        }
        // A service that forgets its holders.
        let lease = if rng.chance(1, 3) { lease * 2 } else { lease };
        let history = testing::history(events);
        let told = testing::show(&history);
        let wanted = oracle(lease, &history);
        let finding = check(lease, &history);
        let found: BTreeSet<(&str, OpId)> =
            finding.anomalies.iter().map(|a| (&*a.name, a.ops[0])).collect();
        assert_eq!(found, wanted, "case {case}, lease {lease}: {told}");
        *tally.entry(finding.verdict.word()).or_default() += 1;
        for (name, _) in wanted {
            *tally.entry(name).or_default() += 1;
        }
    }
    println!("{tally:?}");
    assert!(tally.len() == 7 && tally.values().all(|count| *count > 20), "{tally:?}");
}

#[test]
fn two_hold_it_at_once() {
    let mut script = Script::default();
    script.op(0, 0, acquire(), Status::Ok, granted(1)).op(1, 0, acquire(), Status::Ok, granted(2));
    let history = script.history();
    let finding = check(0, &history);
    assert_eq!(names(&finding), ["two-holders"]);
    assert_eq!(finding.anomalies[0].ops, [OpId(2), OpId(0)]);
    println!("{}", finding.reason);
    // It took 4 ns from the first's beginning to the second's end.
    assert_eq!(names(&check(4, &history)), ["two-holders"]);
    assert_eq!(check(3, &history).verdict, Verdict::Valid);
    let mut script = Script::default();
    script.op(0, 0, acquire(), Status::Ok, granted(1)).begin(0, 0, release(1));
    script.op(1, 0, acquire(), Status::Ok, granted(2)).end(0, Status::Info, Value::Nil);
    assert_eq!(check(0, &script.history()).verdict, Verdict::Valid);
}

#[test]
fn a_client_is_not_two_holders() {
    let as_owner =
        |owner: &str| Call::new("acquire", Value::of([("owner", owner.into())])).on("lock");
    for (second, verdict) in [("w0", Verdict::Valid), ("w1", Verdict::Invalid)] {
        let mut script = Script::default();
        script.op(0, 0, as_owner("w0"), Status::Ok, granted(1));
        script.op(4, 0, as_owner(second), Status::Ok, granted(2));
        assert_eq!(check(0, &script.history()).verdict, verdict, "{second}");
    }
}

#[test]
fn tokens_grow() {
    let mut script = Script::default();
    for (process, token) in [(0, 5), (1, 7), (0, 6), (2, 7)] {
        script.op(process, 0, acquire(), Status::Ok, granted(token));
        script.op(process, 0, release(token), Status::Ok, ());
    }
    let finding = check(0, &script.history());
    assert_eq!(names(&finding), ["token-regression", "token-regression"]);
    assert!(finding.anomalies[1].because.contains("given twice"), "{}", finding.reason);
}

#[test]
fn a_holder_whose_time_is_over_is_refused() {
    let mut script = Script::default();
    script.op(0, 0, acquire(), Status::Ok, granted(1)).op(1, 0, acquire(), Status::Ok, granted(2));
    script.op(1, 0, write(2, 0), Status::Ok, ()).op(0, 0, write(1, 9), Status::Fail, ());
    assert_eq!(check(1, &script.history()).verdict, Verdict::Valid);
    let mut script = Script::default();
    script.op(0, 0, acquire(), Status::Ok, granted(1)).op(1, 0, acquire(), Status::Ok, granted(2));
    script.op(1, 0, write(2, 0), Status::Ok, ()).op(0, 0, write(1, 9), Status::Ok, ());
    let finding = check(1, &script.history());
    assert_eq!(names(&finding), ["stale-holder-accepted"]);
    println!("{}", finding.reason);
    // The write is on its way while the next holder writes, and comes through.
    let mut script = Script::default();
    script.op(0, 0, acquire(), Status::Ok, granted(1)).begin(0, 0, write(1, 9));
    script.op(1, 0, acquire(), Status::Ok, granted(2)).op(1, 0, write(2, 0), Status::Ok, ());
    script.op(2, 0, read(), Status::Ok, pair(1, 9)).end(0, Status::Info, Value::Nil);
    assert_eq!(names(&check(1, &script.history())), ["stale-holder-accepted"]);
    let mut script = Script::default();
    script.op(0, 0, acquire(), Status::Ok, granted(1)).op(0, 0, write(1, 9), Status::Ok, ());
    script.op(1, 0, acquire(), Status::Ok, granted(2)).op(1, 0, write(2, 0), Status::Ok, ());
    script.op(2, 0, read(), Status::Ok, pair(1, 9));
    assert_eq!(names(&check(1, &script.history())), ["stale-read"]);
}

#[test]
fn nothing_acquired_is_unknown() {
    assert_eq!(check(0, &History::default()).verdict, Verdict::Unknown);
    let mut script = Script::default();
    script.op(0, 0, acquire(), Status::Fail, ()).op(0, 0, acquire(), Status::Info, ());
    let finding = check(0, &script.history());
    assert_eq!(finding.verdict, Verdict::Unknown);
    assert_eq!(finding.reason, "no acquire of lock ever succeeded");
}
