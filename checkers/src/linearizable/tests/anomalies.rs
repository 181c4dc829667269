//! Every name has a history, and the sentence for it.

use danso_vocab::{Anomaly, OpId, Time};

use super::*;

const MS: u64 = 1_000_000;

/// A history of the register `k`, events at these milliseconds.
fn at<const N: usize>(events: [(u64, Event); N]) -> History {
    let keyed = |event| match event {
        Event::Invoke { process, node, call } => {
            Event::Invoke { process, node, call: call.on("k") }
        }
        other => other,
    };
    History::of(events.map(|(ms, event)| (Time(ms * MS), keyed(event)))).unwrap()
}

fn only(history: &History) -> Anomaly {
    use danso_vocab::Checker;
    let finding = Linearizable::new(CasRegister::default()).check(history, &Limits::default());
    assert_eq!(finding.verdict, Verdict::Invalid);
    assert_eq!(finding.reason, finding.anomalies[0].because);
    assert_eq!(finding.anomalies[0].key, Some("k".into()));
    finding.anomalies.into_iter().next().unwrap()
}

fn says(history: &History, name: &str, ops: &[u32], because: &str) {
    let anomaly = only(history);
    assert_eq!((&*anomaly.name, &*anomaly.because), (name, because));
    assert_eq!(anomaly.ops, ops.iter().map(|id| OpId(*id)).collect::<Vec<_>>());
}

#[test]
fn thin_air() {
    let h = at([(1, call(0, "read", ())), (2, ok(0, 7))]);
    says(&h, "thin-air", &[0], "p0's read of k (#0) returned 7, but nobody ever wrote 7");
    let h =
        at([(1, call(0, "write", 7)), (2, ok(0, ())), (3, call(0, "read", ())), (4, ok(0, "7"))]);
    says(
        &h,
        "thin-air",
        &[2],
        "p0's read of k (#2) returned \"7\", but nobody ever wrote \"7\" (text and numbers are different values)",
    );
}

#[test]
fn aborted_read() {
    let h = at([(1, call(0, "write", 7)), (2, fail(0)), (3, call(1, "read", ())), (4, ok(1, 7))]);
    says(
        &h,
        "aborted-read",
        &[2, 0],
        "p1's read of k (#2) returned 7, but only p0's write (#0) would have written 7, and that failed",
    );
}

#[test]
fn future_read() {
    let h = at([(1, call(1, "read", ())), (2, ok(1, 7)), (5, call(0, "write", 7)), (6, ok(0, ()))]);
    says(
        &h,
        "future-read",
        &[0, 2],
        "p1's read of k (#0) returned 7, although it had ended 3.0 ms before p0's write of 7 (#2) began, the first to write 7",
    );
}

/// 2 is written, then 3; a read long after returns 2.
fn stale(more: Vec<(u64, Event)>) -> History {
    let mut events =
        vec![(0, call(0, "write", 2)), (1, ok(0, ())), (2, call(1, "write", 3)), (3, ok(1, ()))];
    events.extend(more);
    events.sort_by_key(|(ms, _)| *ms);
    let mut events = events.into_iter();
    let mut out = Vec::new();
    for (ms, event) in events.by_ref() {
        out.push((
            Time(ms * MS),
            match event {
                Event::Invoke { process, node, call } => {
                    Event::Invoke { process, node, call: call.on("k") }
                }
                other => other,
            },
        ));
    }
    History::of(out).unwrap()
}

const STALE: &str = "p4's read of k (#4) returned 2 although p1's write of 3 (#2) had finished 1.204 s before it began, and nothing wrote 2 after that";

#[test]
fn stale_read() {
    let h = stale(vec![(1207, call(4, "read", ())), (1208, ok(4, 2))]);
    says(&h, "stale-read", &[4, 2, 0], STALE);
    assert_eq!(
        only(&h).explain,
        [
            "2 was last written by #0, and no order puts that after #2",
            "after #0 p0 write k 2 -> ok, #2 p1 write k 3 -> ok the state is 3, where #4 p4 read k -> 2 is impossible",
        ]
    );
}

#[test]
fn lost_write() {
    let h = stale(vec![
        (1207, call(4, "read", ())),
        (1208, ok(4, 2)),
        (1209, call(4, "read", ())),
        (1210, ok(4, 2)),
    ]);
    let because = format!("{STALE}; 1 later operation saw 2 as well, and nobody ever saw 3");
    says(&h, "lost-write", &[4, 2, 0], &because);
}

#[test]
fn resurrected_value() {
    let h = stale(vec![
        (1207, call(4, "read", ())),
        (1208, ok(4, 2)),
        (1209, call(4, "read", ())),
        (1210, ok(4, 2)),
        (10, call(5, "read", ())),
        (11, ok(5, 3)),
    ]);
    let because = format!("{STALE}; 1 later operation saw 2 as well, although #4 had seen 3");
    says(&h, "resurrected-value", &[6, 2, 0], &because.replace("(#4)", "(#6)"));
}

#[test]
fn non_monotonic_read() {
    let h = at([
        (0, call(0, "write", 2)),
        (1, ok(0, ())),
        (2, call(1, "write", 3)),
        (3, call(2, "read", ())),
        (4, ok(2, 3)),
        (6, call(4, "read", ())),
        (7, ok(4, 2)),
    ]);
    says(
        &h,
        "non-monotonic-read",
        &[5, 3, 2, 0],
        "p4's read of k (#5) returned 2 although p2's read (#3) had finished 2.0 ms before it began and had seen 3, and nothing wrote 2 after that",
    );
}

#[test]
fn lost_update() {
    let h = at([
        (0, call(0, "write", 2)),
        (1, ok(0, ())),
        (2, call(1, "cas", [2, 5])),
        (2, call(4, "cas", [2, 7])),
        (4, ok(1, ())),
        (5, ok(4, ())),
    ]);
    says(
        &h,
        "lost-update",
        &[3, 2, 0],
        "p4's cas of k from 2 to 7 (#3) and p1's cas from 2 to 5 (#2) both succeeded although 2 was written only once, by p0's write of 2 (#0)",
    );
    let h = stale(vec![(1207, call(4, "cas", [2, 9])), (1208, ok(4, ()))]);
    let because = format!(
        "{}: it replaced 3 unseen",
        STALE.replace("read of k (#4) returned 2", "cas of k from 2 to 9 (#4) succeeded")
    );
    says(&h, "lost-update", &[4, 2, 0], &because);
}

/// Two processes disagree about the order of two writes: no single read is to blame.
#[test]
fn non_linearizable() {
    let h = at([
        (0, call(0, "write", 2)),
        (0, call(1, "write", 3)),
        (20, call(2, "read", ())),
        (25, call(3, "read", ())),
        (30, ok(2, 2)),
        (35, ok(3, 3)),
        (60, call(2, "read", ())),
        (65, call(3, "read", ())),
        (70, ok(2, 3)),
        (80, ok(3, 2)),
        (90, ok(0, ())),
        (91, ok(1, ())),
    ]);
    says(
        &h,
        "non-linearizable",
        &[7, 6, 3, 2, 1, 0],
        "no order of these 6 operations explains p3's read of k (#7) returning 2: by then the state could only be 3",
    );
}

/// Every key is shown by itself, the first violation to come to light first.
#[test]
fn several_keys() {
    use danso_vocab::Checker;
    let mut events = Vec::new();
    for key in 0..12_i64 {
        let call = danso_vocab::Call::new("read", ()).on(key);
        let process = Process(key as u32);
        events.push(Event::Invoke { process, node: None, call });
    }
    events.extend((0..12).rev().map(|p| ok(p, 5)));
    let h = history(events);
    for threads in [1, 3] {
        let limits = Limits { threads, ..Limits::default() };
        let finding = Linearizable::new(CasRegister::default()).check(&h, &limits);
        assert_eq!(finding.anomalies.len(), 10);
        assert_eq!(finding.anomalies[0].key, Some(11.into()));
        assert!(finding.reason.ends_with("(12 keys are violated, the first 10 are shown)"));
        assert_eq!(finding.stats["keys-violated"], 12);
    }
}
