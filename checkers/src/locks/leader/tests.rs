//! Elections by hand, and against the definition read aloud.

use std::collections::{BTreeMap, BTreeSet};

use danso_vocab::{Call, Checker, Finding, History, Limits, Op, OpId, Rng, Status, Value, Verdict};

use super::Leader;
use crate::testing::{self, Script, Shape};

fn check(leader: Leader, history: &History) -> Finding {
    leader.check(history, &Limits::default())
}

fn campaign() -> Call {
    Call::new("campaign", ())
}

fn leader() -> Call {
    Call::new("leader", ())
}

fn seen(term: i64, leader: &str) -> Value {
    Value::of([("term", term.into()), ("leader", leader.into())])
}

/// The definition, read aloud.
fn oracle(linearizable: bool, history: &History) -> BTreeSet<(&'static str, OpId)> {
    let seen: Vec<(Op<'_>, i64, Value)> = history
        .ops()
        .filter_map(|op| {
            let ret = op.ret()?;
            Some((op, ret.get("term")?.int()?, ret.get("leader")?.clone()))
        })
        .collect();
    let mut wrong = BTreeSet::new();
    for (now, term, leader) in &seen {
        // Who was seen first to lead a term speaks for it.
        let (_, _, first) = seen.iter().find(|(_, t, _)| t == term).unwrap();
        if first != leader {
            wrong.insert(("two-leaders", now.id()));
        }
        let back = seen.iter().any(|(before, t, _)| {
            // Of one client the operations have an order even where they only touch.
            let own = before.process() == now.process() && before.id() < now.id();
            let earlier = linearizable && before.res_rank() < now.inv_rank();
            (own || earlier) && t > term
        });
        if back {
            wrong.insert(("term-regression", now.id()));
        }
    }
    wrong
}

fn draw(rng: &mut Rng) -> History {
    // No more anomalies than are shown.
    let shape = Shape { ops: rng.between(1, 10) as u32, ..Shape::small(rng) };
    let call = |rng: &mut Rng| if rng.chance(1, 3) { campaign() } else { leader() };
    let mut state = Value::Nil;
    let mut term = 0;
    let mut events = testing::events(rng, shape, call, |rng, call, at| {
        if call.f == "campaign" {
            if rng.chance(1, 3) {
                return None;
            }
            term += 1;
            state = seen(term, &at.process.to_string());
        }
        Some(state.clone())
    });
    for _ in 0..rng.below(3) {
        testing::mutate(rng, &mut events, |rng, value| {
            *value = seen(rng.between(1, 4) as i64, &format!("p{}", rng.below(3)));
            true
        });
    }
    testing::history(events)
}

#[test]
fn anomalies_are_those_of_the_definition() {
    let mut rng = Rng::new(1).split("leader");
    let mut tally = BTreeMap::<&str, u32>::new();
    for case in 0..testing::cases(20_000) {
        let history = draw(&mut rng);
        let told = testing::show(&history);
        for linearizable in [false, true] {
            let wanted = oracle(linearizable, &history);
            let checker = if linearizable { Leader::new().linearizable() } else { Leader::new() };
            let finding = check(checker, &history);
            let found: BTreeSet<(&str, OpId)> =
                finding.anomalies.iter().map(|a| (&*a.name, a.ops[0])).collect();
            assert_eq!(found, wanted, "case {case}, {linearizable}: {told}");
            let observed = finding.stats.get("observations") > Some(&0);
            let verdict = match (wanted.is_empty(), observed) {
                (false, _) => Verdict::Invalid,
                (true, false) => Verdict::Unknown,
                (true, true) => Verdict::Valid,
            };
            assert_eq!(finding.verdict, verdict, "case {case}: {told}");
            *tally.entry(verdict.word()).or_default() += 1;
            for (name, _) in wanted {
                *tally.entry(name).or_default() += 1;
            }
        }
    }
    println!("{tally:?}");
    assert!(tally.len() == 5 && tally.values().all(|count| *count > 20), "{tally:?}");
}

#[test]
fn a_term_has_one_leader() {
    let mut script = Script::default();
    script.op(0, 0, campaign(), Status::Ok, seen(1, "p0"));
    script.op(1, 0, campaign(), Status::Ok, seen(1, "p1"));
    let finding = check(Leader::new(), &script.history());
    assert_eq!(finding.anomalies[0].name, "two-leaders");
    assert_eq!(
        finding.reason,
        "p1's campaign (#2) names p1 in term 1, but p0's campaign (#0) names p0 in term 1"
    );
}

#[test]
fn terms_grow_for_each_client_and_for_all_if_promised() {
    let mut script = Script::default();
    script.op(0, 0, leader(), Status::Ok, seen(2, "p0"));
    script.op(1, 0, leader(), Status::Ok, seen(1, "p1")).op(1, 0, leader(), Status::Ok, ());
    let history = script.history();
    assert_eq!(check(Leader::new(), &history).verdict, Verdict::Valid);
    let finding = check(Leader::new().linearizable(), &history);
    assert_eq!(finding.anomalies[0].name, "term-regression");
    println!("{}", finding.reason);
    assert_eq!(check(Leader::new(), &History::default()).verdict, Verdict::Unknown);
}
