mod engine;

use super::*;
use crate::{Call, Event, Outcome};

fn invoke(process: u32, f: &'static str, arg: impl Into<Value>) -> Event {
    Event::Invoke { process: Process(process), node: None, call: Call::new(f, arg).on("k") }
}

fn complete(process: u32, outcome: Outcome) -> Event {
    Event::Complete { process: Process(process), outcome }
}

fn ok(process: u32, value: impl Into<Value>) -> Event {
    complete(process, Outcome::Ok(value.into()))
}

fn history(events: impl IntoIterator<Item = (u64, Event)>) -> Result<History, IllFormed> {
    History::of(events.into_iter().map(|(t, e)| (Time(t), e)))
}

#[test]
fn rows_say_what_was_recorded() {
    let h = history([
        (1, invoke(0, "write", 3)),
        (2, invoke(1, "read", ())),
        (3, ok(0, ())),
        (4, ok(1, 3)),
        (5, invoke(0, "cas", [3, 4])),
        (9, complete(0, Outcome::Info("timeout".into()))),
        (10, invoke(1, "read", ())),
    ])
    .unwrap();
    let shown: Vec<String> = h.ops().map(|op| op.to_string()).collect();
    assert_eq!(
        shown,
        [
            "#0 p0 write k 3 -> ok",
            "#1 p1 read k -> 3",
            "#4 p0 cas k [3 4] -> info (timeout)",
            "#6 p1 read k -> info",
        ]
    );
    let cas = h.op(OpId(4)).unwrap();
    assert_eq!((cas.inv_rank(), cas.res_rank()), (4, History::NEVER));
    assert_eq!(cas.latency(), Some(Duration::from_nanos(4)));
    assert_eq!(h.row(3).res_time(), None);
    assert!(h.op(OpId(2)).is_none());
    assert_eq!(h.counts()["read"], Counts { ok: 1, fail: 0, info: 1 });
    assert_eq!(h.end(), Time(10));
}

#[test]
fn touching_operations_are_concurrent() {
    // p0 ends at 5 just where p1 begins: p1's invocation must rank first.
    let h = history([
        (1, invoke(0, "write", 1)),
        (5, ok(0, ())),
        (5, invoke(1, "read", ())),
        (6, ok(1, ())),
    ])
    .unwrap();
    assert!(h.row(1).inv_rank() < h.row(0).res_rank());
}

#[test]
fn without_stamps_the_order_counts() {
    let events =
        || [(0, invoke(0, "write", 1)), (0, ok(0, ())), (0, invoke(1, "read", ())), (0, ok(1, 1))];
    let h = history(events()).unwrap();
    assert!(h.row(0).res_rank() < h.row(1).inv_rank(), "a clock that never moves is no clock");
    let mut builder = HistoryBuilder::new();
    builder.untimed();
    for (_, event) in events() {
        builder.push(Time(0), event).unwrap();
    }
    assert!(builder.finish().row(0).res_rank() == 1);
}

#[test]
fn ill_formed_histories_are_refused() {
    let two_open = history([(1, invoke(0, "read", ())), (2, invoke(0, "read", ()))]);
    assert!(matches!(two_open, Err(IllFormed::StillOpen { open: OpId(0), .. })));
    assert!(matches!(history([(1, ok(0, 1))]), Err(IllFormed::NotOpen { .. })));
    let info = || complete(0, Outcome::Info("timeout".into()));
    let reused = history([(1, invoke(0, "read", ())), (2, info()), (3, invoke(0, "read", ()))]);
    assert!(matches!(reused, Err(IllFormed::Retired { crashed: OpId(0), .. })));
    let twice = history([(1, invoke(0, "read", ())), (2, info()), (3, info())]);
    assert!(matches!(twice, Err(IllFormed::Retired { .. })));
    let mut builder = HistoryBuilder::new();
    builder.push(Time(0), invoke(0, "read", ())).unwrap();
    let other = builder.complete(Time(1), Process(0), Some("write"), Outcome::Ok(Value::Nil));
    assert!(matches!(other, Err(IllFormed::OtherCall { .. })));
    assert_eq!(builder.index(0), Err(IllFormed::Index { index: 0, last: 0 }));
}

#[test]
fn explicit_indices_may_have_gaps() {
    let mut builder = HistoryBuilder::new();
    builder.index(7).unwrap();
    builder.push(Time(0), invoke(0, "read", ())).unwrap();
    builder.index(9).unwrap();
    builder.push(Time(1), ok(0, 1)).unwrap();
    let h = builder.finish();
    assert_eq!(h.row(0).id(), OpId(7));
    assert_eq!(h.row(0).res_index(), Some(9));
    assert_eq!((h.row(0).inv_rank(), h.row(0).res_rank()), (0, 1));
}

#[test]
fn a_row_is_small() {
    const { assert!(History::ROW_BYTES <= 64) };
}
