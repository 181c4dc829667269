//! Every anomaly by name, each in the smallest story that has it; and what must not be one.

use std::time::Duration;

use danso_vocab::{Limits, Value, Verdict};

use super::figures;
use super::story::{Heard, Story, entry, record, shown};
use crate::saga::{Definition, StepKind};

fn business() -> Story {
    Story::default().committed("s1").aborted("s2", 2).aborted("s3", 0).committed("s4")
}

/// Asserts that the business with `more` shows exactly these.
fn shows(story: Story, names: &[&str]) {
    let finding = story.finding();
    assert_eq!(story.names(), names, "{finding:#?}");
    for name in names {
        let anomaly = shown(&finding, name);
        assert!(!anomaly.ops.is_empty() && anomaly.because.len() > 20, "{anomaly:?}");
        figures::graph(anomaly);
    }
}

#[test]
fn a_sound_business_is_valid() {
    let finding = business().finding();
    assert_eq!(finding.verdict, Verdict::Valid, "{finding:?}");
    assert_eq!(finding.reason, "2 sagas committed and 2 were undone, with 2 compensations");
}

#[test]
fn missing_compensation() {
    let mut story = business();
    story.journals[1].retain(|e| e.get("kind").and_then(Value::str) != Some("compensate"));
    shows(story, &["missing-compensation"]);
}

#[test]
fn a_compensation_that_did_nothing_is_missing_too() {
    let story = Story::default()
        .order("s1", Heard::Aborted)
        .record("s1", "begin")
        .effect(0, "s1", "apply")
        .record("s1", "abort")
        .effect(0, "s1", "null-compensation")
        .record("s1", "aborted");
    let finding = story.finding();
    shows(story, &["missing-compensation"]);
    let because = &shown(&finding, "missing-compensation").because;
    assert!(because.ends_with("its compensation did nothing"), "{because}");
}

#[test]
fn orphan_compensation() {
    shows(business().effect(1, "s3", "compensate"), &["orphan-compensation"]);
}

#[test]
fn wrong_compensation_order_by_the_decider() {
    let story = Story::default().undone("s1", 2, 0..2);
    let finding = story.finding();
    shows(story, &["wrong-compensation-order"]);
    let anomaly = shown(&finding, "wrong-compensation-order");
    assert_eq!(anomaly.because, "saga s1: release came before refund");
    let edge = |line: &str| anomaly.explain.iter().any(|l| l == line);
    assert!(edge("edge reserve(s1) -> charge(s1): program order (required)"), "{anomaly:#?}");
    assert!(edge("edge refund(s1) -> release(s1): reverse order of compensations (required)"));
    assert!(edge("edge release(s1) -> refund(s1): happens before (observed)"));
}

#[test]
fn an_order_that_nobody_forces_is_no_anomaly() {
    // As above, but the decider did not hear of the release before it asked for the refund.
    let mut story = Story::default().aborted("s1", 2);
    let swap = |v: &mut Vec<Value>, a: usize, b: usize| v.swap(a, b);
    swap(&mut story.decider, 4, 5);
    for journal in &mut story.journals[..2] {
        if let Some(Value::Map(last)) = journal.last_mut() {
            last.insert("after".to_owned(), 4.into());
        }
    }
    assert_eq!(story.finding().verdict, Verdict::Valid, "{:?}", story.finding());
}

#[test]
fn an_order_forced_through_another_saga_is_one() {
    // Nothing says when s1 was undone, but s2's entries around it in both journals do.
    let silent = |step, kind| entry(step, "s1", kind, 0);
    let mut story = Story::default()
        .order("s1", Heard::Aborted)
        .record("s1", "begin")
        .effect(0, "s1", "apply")
        .effect(1, "s1", "apply");
    story.journals[0].push(silent(0, "compensate"));
    story = story.order("s2", Heard::Committed).record("s2", "begin");
    story = story.effect(0, "s2", "apply").record("s2", "reserve");
    story = story.effect(1, "s2", "apply").record("s2", "charge");
    story.journals[1].push(silent(1, "compensate"));
    story = story.effect(2, "s2", "apply").record("s2", "commit").record("s2", "committed");
    story = story.record("s1", "aborted");
    shows(story, &["wrong-compensation-order"]);
}

#[test]
fn double_effect() {
    shows(business().effect(1, "s1", "apply"), &["double-effect"]);
    let finding = business().effect(1, "s2", "compensate").finding();
    let because = &shown(&finding, "double-effect").because;
    assert_eq!(
        because,
        "charge was undone twice in saga s2: positions 2 and 4 of the journal of payment, both \
         with the idempotency key s2/charge/undo"
    );
}

#[test]
fn a_recognized_repetition_is_no_effect() {
    let story = business().effect(1, "s1", "repeated").effect(0, "s3", "refuse");
    assert_eq!(story.finding().verdict, Verdict::Valid);
}

#[test]
fn compensated_after_commit() {
    shows(business().effect(1, "s1", "compensate"), &["compensated-after-commit"]);
}

#[test]
fn lost_step() {
    let mut story = business();
    story.journals[2].clear();
    shows(story, &["lost-step"]);
}

#[test]
fn orphan_step_after_its_compensation() {
    // A message that was held up arrives after a compensation that found nothing to undo.
    let story = business().effect(1, "s3", "null-compensation").effect(1, "s3", "apply");
    shows(story.clone(), &["orphan-step", "wrong-step-order"]);
    let story = Story::default()
        .order("s1", Heard::Aborted)
        .record("s1", "begin")
        .effect(0, "s1", "apply")
        .record("s1", "reserve")
        .record("s1", "abort")
        .effect(1, "s1", "null-compensation")
        .effect(0, "s1", "compensate")
        .effect(1, "s1", "apply")
        .record("s1", "aborted");
    shows(story, &["orphan-step"]);
}

#[test]
fn orphan_step_after_the_decision() {
    let story = Story::default()
        .order("s1", Heard::Aborted)
        .record("s1", "begin")
        .record("s1", "abort")
        .effect(0, "s1", "apply")
        .effect(0, "s1", "compensate")
        .record("s1", "aborted");
    shows(story, &["orphan-step"]);
}

#[test]
fn a_late_step_that_is_undone_is_none() {
    let mut story = Story::default()
        .order("s1", Heard::Aborted)
        .record("s1", "begin")
        .record("s1", "abort")
        .record("s1", "aborted");
    // It was on its way when the decision fell.
    story.journals[0] = vec![entry(0, "s1", "apply", 1), entry(0, "s1", "compensate", 2)];
    assert_eq!(story.finding().verdict, Verdict::Valid, "{:?}", story.finding());
}

#[test]
fn orphan_step_of_a_saga_nobody_began() {
    shows(business().effect(0, "s9", "apply"), &["orphan-step"]);
    let mut mute = business().effect(0, "s9", "apply");
    mute.mute = true;
    shows(mute, &["orphan-step"]);
}

#[test]
fn incomplete_saga() {
    let begun = business().order("s5", Heard::Nothing).record("s5", "begin");
    shows(begun.clone(), &["incomplete-saga"]);
    shows(begun.effect(0, "s5", "apply").record("s5", "abort"), &["incomplete-saga"]);
    // The decider has forgotten it altogether.
    let forgotten = business().order("s5", Heard::Nothing).effect(0, "s5", "apply");
    shows(forgotten.clone(), &["incomplete-saga"]);
    let mute = Story { mute: true, ..forgotten };
    shows(mute, &["incomplete-saga"]);
}

#[test]
fn an_order_that_never_arrived_is_none() {
    let story = business().order("s5", Heard::Nothing);
    assert_eq!(story.finding().verdict, Verdict::Valid);
    assert_eq!(story.finding().stats["open"], 1);
}

#[test]
fn a_saga_under_way_is_not_judged_for_what_is_missing() {
    let story =
        business().order("s5", Heard::Nothing).record("s5", "begin").effect(0, "s5", "apply");
    let patient = Definition::orders(Duration::from_secs(3_600));
    let finding = story.finding_by(patient);
    assert_eq!(finding.verdict, Verdict::Valid, "{finding:?}");
    assert_eq!(finding.stats["unsettled"], 1);
}

#[test]
fn split_decision() {
    shows(business().record("s1", "abort"), &["split-decision"]);
    let story = business();
    let orders = story.orders.into_iter();
    let orders = orders.map(|(s, h)| if s == "s1" { (s, Heard::Failed) } else { (s, h) }).collect();
    shows(Story { orders, ..business() }, &["split-decision"]);
}

#[test]
fn a_failed_attempt_says_nothing_of_another() {
    let story = business().order("s1", Heard::Failed);
    assert_eq!(story.finding().verdict, Verdict::Valid, "{:?}", story.finding());
}

#[test]
fn wrong_step_order() {
    let story = Story::default()
        .order("s1", Heard::Committed)
        .record("s1", "begin")
        .effect(1, "s1", "apply")
        .record("s1", "charge")
        .effect(0, "s1", "apply")
        .record("s1", "reserve")
        .effect(2, "s1", "apply")
        .record("s1", "commit")
        .record("s1", "committed");
    shows(story, &["wrong-step-order"]);
}

#[test]
fn early_decision() {
    let story = Story::default()
        .order("s1", Heard::Committed)
        .record("s1", "begin")
        .effect(0, "s1", "apply")
        .effect(1, "s1", "apply")
        .record("s1", "commit")
        .effect(2, "s1", "apply")
        .record("s1", "committed");
    shows(story, &["early-decision"]);
}

#[test]
fn idempotency_key_reused() {
    let mut story = business();
    if let Some(Value::Map(entry)) = story.journals[0].last_mut() {
        entry.insert("key".to_owned(), "s1/reserve/do".into());
    }
    shows(story, &["idempotency-key-reused"]);
}

#[test]
fn dirty_reads_are_figures_unless_isolation_is_declared() {
    let story = Story::default()
        .order("s1", Heard::Aborted)
        .record("s1", "begin")
        .effect(0, "s1", "apply")
        .committed("s2")
        .record("s1", "abort")
        .effect(0, "s1", "compensate")
        .record("s1", "aborted");
    assert_eq!(story.finding().verdict, Verdict::Valid);
    assert_eq!(story.finding().stats["dirty-reads"], 1);
    let isolated = Definition { isolated: true, ..Definition::orders(Duration::from_secs(1)) };
    let finding = story.finding_by(isolated);
    assert_eq!(
        shown(&finding, "dirty-read").because,
        "reserve of saga s2 used widget-1 while saga s1 had changed it, and that change was taken \
         back later"
    );
}

fn stock(initial: i64, free: i64, reserved: i64, journal: i64) -> Value {
    let of = |n: i64| Value::of([("widget-1", n.into())]);
    Value::of([
        ("initial", of(initial)),
        ("stock", of(free)),
        ("reserved", of(reserved)),
        ("journal", journal.into()),
    ])
}

#[test]
fn conservation() {
    // s1 and s4 hold two each; s2 took two and gave them back: four entries.
    let good = business().state("inventory", stock(10, 6, 4, 4));
    assert_eq!(good.finding().verdict, Verdict::Valid, "{:?}", good.finding());
    let earlier = business().state("inventory", stock(10, 6, 4, 3));
    for (story, says) in [
        (business().state("inventory", stock(10, 7, 4, 4)), "which is 11"),
        (business().state("inventory", stock(3, -1, 4, 4)), "gave away more of widget-1"),
        (business().state("inventory", stock(10, 8, 2, 4)), "add up to 4"),
        (earlier, "the first 3 entries of its journal add up to 2"),
        (business().state("shipping", Value::of([("shipments", 3.into())])), "at most 0 more"),
    ] {
        let finding = story.finding();
        let told = finding.anomalies.iter().any(|a| a.because.contains(says));
        assert!(told && finding.anomalies[0].name == "conservation-violated", "{finding:?}");
    }
    let band = business().order("s5", Heard::Nothing);
    let band = band.state("shipping", Value::of([("shipments", 3.into())]));
    assert_eq!(band.finding().verdict, Verdict::Valid, "s5 may have been under way");
}

#[test]
fn an_effect_must_move_what_was_ordered() {
    let mut story = business();
    if let Some(Value::Map(entry)) = story.journals[1].first_mut() {
        entry.insert("amount".to_owned(), 400.into());
    }
    let finding = story.finding();
    assert_eq!(
        shown(&finding, "conservation-violated").because,
        "charge of saga s1 moved 400 c1 (position 0 of the journal of payment), but #0 ordered 40 \
         c1"
    );
}

#[test]
fn after_a_pivot_there_is_no_way_back() {
    let mut definition = Definition::orders(Duration::from_secs(1));
    definition.steps[1].kind = StepKind::Pivot;
    definition.steps[2].kind = StepKind::Retriable;
    let story = Story::default().aborted("s1", 2);
    let finding = story.finding_by(definition.clone());
    for name in ["compensated-after-commit", "split-decision"] {
        shown(&finding, name);
    }
    let finding = Story::default().aborted("s1", 1).finding_by(definition);
    assert_eq!(finding.verdict, Verdict::Valid);
}

#[test]
fn a_journal_must_only_grow() {
    let mut story = business();
    let history = story.history();
    story.decider.truncate(3);
    let sagas = |history| {
        crate::saga::sagas(Definition::orders(Duration::from_secs(1)))
            .check(history, &Limits::default())
    };
    assert_eq!(sagas(&history).verdict, Verdict::Valid);
    // The first read of the decider's journal saw all of it, the last one only three records.
    let mut events = Vec::new();
    for (i, op) in history.ops().enumerate() {
        let call = danso_vocab::Call {
            f: op.f().to_owned().into(),
            key: None,
            arg: op.arg().into_owned(),
        };
        let process = op.process();
        events.push((op.inv_time(), danso_vocab::Event::Invoke { process, node: None, call }));
        let last = i + 1 == history.len();
        let ret = if last { story.decider.clone().into() } else { op.ret().unwrap().into_owned() };
        let outcome = danso_vocab::Outcome::Ok(ret);
        events.push((op.res_time().unwrap(), danso_vocab::Event::Complete { process, outcome }));
    }
    let finding = sagas(&danso_vocab::History::of(events).unwrap());
    let because = &shown(&finding, "journal-rewritten").because;
    assert!(because.ends_with("disagree about position 3"), "{because}");
}

#[test]
fn records_read_back_as_they_were_written() {
    let story = Story::default().record("s1", "-charge");
    assert_eq!(story.decider, [record("s1", "-charge")]);
}
