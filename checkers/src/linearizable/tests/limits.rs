//! Bounds, widths and depths.

use danso_vocab::{History, Limits, Verdict};

use super::objects::Queue;
use super::*;
use crate::linearizable;

fn check(history: &History, limits: &Limits) -> danso_vocab::Finding {
    linearizable(CasRegister::default()).check(history, limits)
}

#[test]
fn an_empty_history_is_unknown_and_one_in_which_nothing_is_known_is_valid() {
    let empty = check(&History::default(), &Limits::default());
    assert_eq!(empty.verdict, Verdict::Unknown);
    let failed = history([call(0, "write", 1), fail(0), call(1, "read", ()), info(1)]);
    assert_eq!(register(&failed), Verdict::Valid);
}

#[test]
fn foreign_operations_are_unknown() {
    let h = history([call(0, "write", 1), ok(0, ()), call(0, "enqueue", 1), ok(0, ())]);
    let finding = check(&h, &Limits::default());
    assert_eq!(finding.verdict, Verdict::Unknown);
    assert!(
        finding.reason.contains("does not know the operation #2 p0 enqueue 1"),
        "{}",
        finding.reason
    );
}

/// `n` writes at once, then reads that see the last of them, or `wrong`.
fn wide(n: u32, wrong: Option<i64>) -> History {
    let mut events: Vec<Event> = (0..n).map(|p| call(p, "write", i64::from(p))).collect();
    events.extend((0..n).map(|p| ok(p, ())));
    for p in 0..3 {
        events.extend([call(p, "read", ()), ok(p, i64::from(n) - 1)]);
    }
    if let Some(wrong) = wrong {
        events.extend([call(0, "read", ()), ok(0, wrong)]);
    }
    history(events)
}

#[test]
fn many_open_operations() {
    for n in [63, 64, 65, 127, 128, 129, 300, 1000] {
        assert_eq!(register(&wide(n, None)), Verdict::Valid, "{n}");
    }
}

#[test]
fn a_deep_history_needs_no_deep_stack() {
    let mut events = Vec::new();
    for i in 0..150_000 {
        events.extend([call(0, "write", i), call(1, "read", ()), ok(1, i), ok(0, ())]);
    }
    let valid = history(events.clone());
    assert_eq!(register(&valid), Verdict::Valid);
    events.extend([call(0, "read", ()), ok(0, 17)]);
    assert_eq!(register(&history(events)), Verdict::Invalid);
}

/// Many insertions at once, then a removal that makes no sense: every order must be tried.
fn hard(n: u32) -> History {
    let mut events: Vec<Event> = (0..n).map(|p| call(p, "enqueue", i64::from(p))).collect();
    events.extend((0..n).map(|p| ok(p, ())));
    events.extend([call(0, "dequeue", ()), ok(0, -1)]);
    history(events)
}

#[test]
fn limits_end_in_unknown_with_the_place() {
    let h = hard(14);
    let check = |h: &History, limits: &Limits| linearizable(Queue).check(h, limits);
    let limits = Limits { states: 1_000, ..Limits::default() };
    let finding = check(&h, &limits);
    assert_eq!(finding.verdict, Verdict::Unknown);
    assert!(finding.reason.contains("the limit of 1000 states was reached"), "{}", finding.reason);
    let limits = Limits { memory: 1 << 20, ..Limits::default() };
    let finding = check(&h, &limits);
    assert_eq!(finding.verdict, Verdict::Unknown);
    assert!(
        finding.reason.ends_with("the memory limit of 1 MiB was reached"),
        "{}",
        finding.reason
    );
    let limits = Limits::default();
    limits.stop.trip();
    assert_eq!(check(&h, &limits).verdict, Verdict::Unknown);
}
