//! Each anomaly by hand, and what looks like one and is none.

use danso_vocab::Verdict;

use super::*;

/// A broker's delivery.
fn rich(value: i64, delivery: i64, offset: i64, attempt: i64) -> Value {
    Value::of([
        ("value", value.into()),
        ("delivery", delivery.into()),
        ("offset", offset.into()),
        ("attempt", attempt.into()),
    ])
}

fn broker() -> Delivery {
    delivery(Guarantee::AtLeastOnce).acknowledged().order(Order::PerPartition)
}

/// The end of a history of a broker: it is empty.
fn emptied() -> Vec<Event> {
    drained(Vec::new(), Vec::new())
}

/// The end of a history of a broker: what the drain got, and what it left.
fn drained(values: Vec<Value>, left: Vec<Value>) -> Vec<Event> {
    let all = Value::of([("values", Value::List(values)), ("left", Value::List(left))]);
    [did("drain", (), all), did("dead-letters", (), Vec::<i64>::new())].concat()
}

#[track_caller]
fn finds(promise: Delivery, events: Vec<Event>, want: &str) -> Finding {
    let finding = check(promise, &history(events));
    match want {
        "valid" => assert_eq!(finding.verdict, Verdict::Valid, "{finding:?}"),
        "unknown" => assert_eq!(finding.verdict, Verdict::Unknown, "{finding:?}"),
        name => assert_eq!(names(&finding), [name], "{finding:?}"),
    }
    finding
}

const MOST: Guarantee = Guarantee::AtMostOnce;
const LEAST: Guarantee = Guarantee::AtLeastOnce;
const EXACTLY: Guarantee = Guarantee::ExactlyOnce;

#[test]
fn lost() {
    let events = || {
        [
            did("enqueue", 1, ()),
            did("enqueue", 2, ()),
            did("dequeue", (), 2),
            did("drain", (), [0; 0]),
        ]
        .concat()
    };
    let finding = finds(delivery(LEAST), events(), "lost-message");
    assert_eq!(
        finding.reason,
        "1 was acknowledged to #0 at 0.000 s and never came: the drain #6 at 0.000 s came to an end without it"
    );
    assert_eq!(finding.stats["lost-message"], 1);
    finds(delivery(EXACTLY), events(), "lost-message");
    finds(delivery(MOST), events(), "valid");
}

#[test]
fn without_a_drain_nothing_is_lost() {
    let two = || [did("enqueue", 1, ()), did("enqueue", 2, ()), did("dequeue", (), 2)].concat();
    finds(delivery(LEAST), two(), "unknown");
    // The queue says that it is empty, and nothing comes after that.
    finds(delivery(LEAST), [two(), did("dequeue", (), ()).into()].concat(), "lost-message");
    finds(delivery(LEAST), [two(), did("dequeue", (), "empty").into()].concat(), "lost-message");
    // It was wrong once, so it may be wrong again.
    let late = [two(), did("dequeue", (), ()).into(), did("dequeue", (), 2).into()].concat();
    finds(delivery(LEAST), late, "unknown");
    // A drain that began before the message was in.
    let early = [vec![call(1, "drain", ())], two(), vec![ok(1, [0; 0])]].concat();
    finds(delivery(LEAST), early, "unknown");
}

#[test]
fn what_crashed_may_have_taken_it() {
    let sent =
        |count: i64| -> Vec<Event> { (1..=count).flat_map(|v| did("enqueue", v, ())).collect() };
    let crashed = || vec![call(1, "dequeue", ()), info(1)];
    let drain = |values: &[i64]| did("drain", (), values.to_vec()).to_vec();
    finds(delivery(LEAST), [sent(2), crashed(), drain(&[2])].concat(), "unknown");
    finds(delivery(LEAST), [sent(2), crashed(), drain(&[1, 2])].concat(), "valid");
    let finding =
        finds(delivery(LEAST), [sent(3), crashed(), drain(&[2])].concat(), "lost-message");
    assert!(finding.reason.contains("2 messages are missing, and only 1 dequeue"), "{finding:?}");
    // One that began when the queue was empty took nothing.
    finds(delivery(LEAST), [sent(2), drain(&[2]), crashed()].concat(), "lost-message");
    // A drain may have taken all; one that failed took none.
    let drains = |end: Event| vec![call(1, "drain", ()), end];
    finds(delivery(LEAST), [sent(3), drains(info(1)), drain(&[2])].concat(), "unknown");
    finds(delivery(LEAST), [sent(3), drains(fail(1)), drain(&[2])].concat(), "lost-message");
    // What a broker's crashed consumer had comes again.
    let end = drained([2.into()].into(), Vec::new());
    finds(broker(), [sent(2), crashed(), end].concat(), "lost-message");
}

#[test]
fn unexpected() {
    let events = [did("enqueue", 1, ()), did("dequeue", (), 2), did("drain", (), [1])].concat();
    let finding = finds(delivery(LEAST), events, "unexpected-message");
    assert_eq!(finding.reason, "2 came out of #2 at 0.000 s, and nobody ever sent it");
    // Sent, but not yet.
    let early = [did("dequeue", (), 1), did("enqueue", 1, ()), did("drain", (), [0; 0])].concat();
    let finding = check(delivery(LEAST), &history(early));
    assert_eq!(names(&finding), ["lost-message", "unexpected-message"]);
    // Sent, but to another partition.
    let other =
        vec![on(0, "enqueue", Some(1), 7), ok(0, ()), on(0, "dequeue", Some(2), ()), ok(0, 7)];
    finds(delivery(MOST), other, "unexpected-message");
    let dead = [did("enqueue", 1, ()), did("dead-letters", (), [2])].concat();
    finds(broker(), dead, "unexpected-message");
}

#[test]
fn aborted() {
    let events = |end: Event| {
        [
            vec![call(1, "enqueue", 1), end],
            did("enqueue", 2, ()).into(),
            did("drain", (), [2, 1]).into(),
        ]
        .concat()
    };
    finds(delivery(LEAST), events(fail(1)), "aborted-delivered");
    finds(delivery(LEAST), events(ok(1, false)), "aborted-delivered");
    let finding = finds(delivery(LEAST), events(info(1)), "valid");
    assert_eq!(finding.stats["recovered"], 1);
}

#[test]
fn duplicate() {
    let twice = || [did("enqueue", 1, ()), did("dequeue", (), 1), did("drain", (), [1])].concat();
    finds(delivery(EXACTLY), twice(), "duplicate-delivery");
    finds(delivery(MOST), twice(), "duplicate-delivery");
    let finding = finds(delivery(LEAST), twice(), "valid");
    assert_eq!(finding.stats["duplicated"], 1);
    // Sent twice, but the second time after it had come twice.
    let late = || [twice(), did("enqueue", 1, ()).into(), did("drain", (), [0; 0]).into()].concat();
    let finding = check(delivery(EXACTLY), &history(late()));
    assert_eq!(names(&finding), ["duplicate-delivery", "lost-message"]);
    finds(delivery(LEAST), late(), "lost-message");
    let fair = [did("enqueue", 1, ()), did("enqueue", 1, ()), did("drain", (), [1, 1])].concat();
    finds(delivery(EXACTLY), fair, "valid");
}

#[test]
fn copies() {
    let events = [
        did("enqueue", 1, ()),
        did("dequeue", (), rich(1, 10, 0, 1)),
        did("ack", 10, ()),
        did("dequeue", (), rich(1, 11, 5, 1)),
        did("ack", 11, ()),
    ];
    let events = || [events.concat(), emptied()].concat();
    let finding = finds(broker().idempotent(), events(), "duplicate-delivery");
    assert!(finding.reason.ends_with("at offsets 0 and 5"), "{finding:?}");
    finds(broker(), events(), "valid");
    finds(delivery(EXACTLY).acknowledged(), events(), "duplicate-delivery");
}

#[test]
fn after_ack() {
    let events = |offset: i64, acked: Event| {
        let begin = [did("enqueue", 1, ()), did("dequeue", (), rich(1, 10, 0, 1))].concat();
        let again = did("dequeue", (), rich(1, 11, offset, 2)).to_vec();
        let end = did("ack", 11, ()).to_vec();
        [begin, vec![call(1, "ack", 10), acked], again, end, emptied()].concat()
    };
    let finding = finds(broker(), events(0, ok(1, ())), "delivered-after-ack");
    assert_eq!(finding.anomalies[0].ops.len(), 3);
    finds(broker(), events(3, ok(1, ())), "valid");
    finds(broker(), events(0, fail(1)), "valid");
    finds(broker(), events(0, info(1)), "valid");
    finds(broker(), events(0, ok(1, "sent")), "valid");
    // Begun before the acknowledgement came back.
    let meanwhile = [
        did("enqueue", 1, ()).to_vec(),
        did("dequeue", (), rich(1, 10, 0, 1)).to_vec(),
        vec![call(1, "ack", 10), call(2, "dequeue", ()), ok(1, ()), ok(2, rich(1, 11, 0, 2))],
        emptied(),
    ];
    finds(broker(), meanwhile.concat(), "valid");
}

#[test]
fn never_acknowledged() {
    let begin = || [did("enqueue", 1, ()), did("dequeue", (), rich(1, 10, 0, 1))].concat();
    let finding = finds(broker(), [begin(), emptied()].concat(), "lost-message");
    assert!(
        finding.reason.contains("never acknowledged, yet it did not come again"),
        "{finding:?}"
    );
    let again = drained([rich(1, 11, 0, 2)].into(), Vec::new());
    finds(broker(), [begin(), again].concat(), "valid");
    let stuck = drained(Vec::new(), [1.into()].into());
    let finding = finds(broker(), [begin(), stuck].concat(), "stuck-message");
    assert_eq!(finding.anomalies[0].ops.len(), 3);
    // Nobody looked at the dead letters.
    finds(broker(), [begin(), did("drain", (), [0; 0]).into()].concat(), "unknown");
    let dead = [did("drain", (), [0; 0]), did("dead-letters", (), [1])].concat();
    let finding = finds(broker(), [begin(), dead].concat(), "valid");
    assert_eq!(finding.stats["dead"], 1);
}

#[test]
fn stuck() {
    let events = [did("enqueue", 1, ()), did("enqueue", 2, ())].concat();
    let events = [events, drained([1.into()].into(), [2.into()].into())].concat();
    finds(broker(), events.clone(), "stuck-message");
    finds(delivery(MOST), events.clone(), "valid");
    // A later drain gets it, or finds that it is gone.
    finds(broker(), [events.clone(), drained([2.into()].into(), Vec::new())].concat(), "valid");
    finds(broker(), [events, emptied()].concat(), "lost-message");
}

#[test]
fn reordered() {
    let sent = || [did("enqueue", 1, ()), did("enqueue", 2, ())].concat();
    let got = |a: i64, b: i64| [did("dequeue", (), a), did("dequeue", (), b)].concat();
    let ordered = |order| delivery(EXACTLY).order(order);
    for order in [Order::PerProducer, Order::PerPartition] {
        finds(ordered(order), [sent(), got(1, 2)].concat(), "valid");
        finds(ordered(order), [sent(), got(2, 1)].concat(), "reordered");
        finds(ordered(order), [sent(), did("drain", (), [2, 1]).into()].concat(), "reordered");
        finds(ordered(order), [sent(), did("drain", (), [1, 2]).into()].concat(), "valid");
    }
    finds(ordered(Order::Any), [sent(), got(2, 1)].concat(), "valid");
    // Two producers, one after the other.
    let others = || vec![call(1, "enqueue", 1), ok(1, ()), call(2, "enqueue", 2), ok(2, ())];
    finds(ordered(Order::PerPartition), [others(), got(2, 1)].concat(), "reordered");
    finds(ordered(Order::PerProducer), [others(), got(2, 1)].concat(), "valid");
    // At the same time.
    let both = || vec![call(1, "enqueue", 1), call(2, "enqueue", 2), ok(1, ()), ok(2, ())];
    finds(ordered(Order::PerPartition), [both(), got(2, 1)].concat(), "valid");
    let racing = || vec![call(1, "dequeue", ()), call(2, "dequeue", ()), ok(1, 2), ok(2, 1)];
    finds(ordered(Order::PerPartition), [sent(), racing()].concat(), "valid");
}

#[test]
fn redelivery_is_no_reordering() {
    let sent = || [did("enqueue", 1, ()), did("enqueue", 2, ())].concat();
    let got = |v, d, o, a| [did("dequeue", (), rich(v, d, o, a)), did("ack", d, ())].concat();
    // A consumer that nobody heard of again had been given the first one.
    let again = [sent(), got(2, 11, 1, 1), got(1, 12, 0, 2), emptied()].concat();
    finds(broker(), again, "valid");
    let first = [sent(), got(2, 11, 1, 1), got(1, 12, 0, 1), emptied()].concat();
    finds(broker(), first, "reordered");
}

#[test]
fn nothing_is_nothing() {
    finds(delivery(LEAST), Vec::new(), "unknown");
    finds(delivery(MOST), did("enqueue", 1, ()).into(), "unknown");
    finds(delivery(LEAST), did("dequeue", (), ()).into(), "unknown");
    finds(delivery(LEAST), [did("enqueue", 1, ()), did("drain", (), 5)].concat(), "unknown");
    finds(delivery(EXACTLY), did("read", (), 3).into(), "unknown");
}
