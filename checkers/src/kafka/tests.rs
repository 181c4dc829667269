mod oracle;

use danso_vocab::{
    Call, Checker, Event, History, Limits, Note, Outcome, Process, Time, Value, Verdict,
};

use super::*;

fn log(pairs: &[(i64, i64)]) -> Value {
    let pairs: Vec<Value> = pairs.iter().map(|(o, m)| Value::from([*o, *m])).collect();
    Value::of([("k", Value::List(pairs))])
}

fn at(offset: i64) -> Value {
    Value::of([("k", offset.into())])
}

fn send(message: i64, offset: i64) -> (Call, Outcome) {
    (Call::new("send", message).on("k"), Outcome::Ok(offset.into()))
}

fn poll(from: i64, shown: &[(i64, i64)]) -> (Call, Outcome) {
    (Call::new("poll", at(from)), Outcome::Ok(log(shown)))
}

/// One operation after the other.
fn found(ops: Vec<(Call, Outcome)>) -> (Verdict, Vec<String>) {
    let mut events = Vec::new();
    for (n, (call, outcome)) in ops.into_iter().enumerate() {
        // Whose outcome is unknown does no more.
        let process = Process(if matches!(outcome, Outcome::Info(_)) { 100 + n as u32 } else { 0 });
        events.push(Event::Invoke { process, node: None, call });
        events.push(Event::Complete { process, outcome });
    }
    let history = History::of((0..).map(Time).zip(events)).unwrap();
    let finding = Kafka::default().check(&history, &Limits::default());
    let mut names: Vec<_> = finding.anomalies.iter().map(|a| a.name.to_string()).collect();
    names.sort();
    names.dedup();
    (finding.verdict, names)
}

fn finds(ops: Vec<(Call, Outcome)>, want: &[&str]) {
    let (verdict, names) = found(ops);
    assert_eq!(
        (verdict, &names[..]),
        (Verdict::Invalid, &want.iter().map(ToString::to_string).collect::<Vec<_>>()[..])
    );
}

#[test]
fn a_log_that_works() {
    let commit = |offset| (Call::new("commit-offsets", at(offset)), Outcome::Ok(Value::Nil));
    let list = |offset| (Call::new("list-committed-offsets", ["k"]), Outcome::Ok(at(offset)));
    let ops = vec![
        send(10, 0),
        send(11, 3),
        poll(0, &[(0, 10)]),
        commit(0),
        list(0),
        poll(1, &[(3, 11)]),
        commit(3),
        list(0),
        poll(0, &[(0, 10), (3, 11)]),
        poll(4, &[]),
    ];
    assert_eq!(found(ops), (Verdict::Valid, vec![]));
    // What was never looked for may be there.
    assert_eq!(found(vec![send(10, 0)]).0, Verdict::Unknown);
    assert_eq!(found(vec![send(10, 0), poll(1, &[])]).0, Verdict::Unknown);
    // A server may keep back what it has, as long as others send.
    assert_eq!(found(vec![poll(0, &[]), send(10, 0), poll(0, &[(0, 10)])]).0, Verdict::Valid);
}

#[test]
fn messages_that_are_gone() {
    finds(vec![send(10, 0), poll(0, &[])], &["lost-write"]);
    finds(vec![send(10, 0), send(11, 1), poll(0, &[(1, 11)])], &["lost-write"]);
    finds(vec![send(10, 0), send(11, 1), poll(0, &[(0, 10)]), poll(0, &[(1, 11)])], &["poll-skip"]);
}

#[test]
fn offsets_that_do_not_grow() {
    let both = || vec![send(10, 0), send(11, 1)];
    let with = |more: Vec<(Call, Outcome)>| both().into_iter().chain(more).collect::<Vec<_>>();
    finds(with(vec![poll(0, &[(1, 11), (0, 10)])]), &["nonmonotonic-poll"]);
    finds(with(vec![poll(1, &[(0, 10), (1, 11)])]), &["nonmonotonic-poll"]);
    finds(vec![send(10, 5), send(11, 4), poll(0, &[(4, 11), (5, 10)])], &["nonmonotonic-send"]);
}

#[test]
fn offsets_that_are_not_what_they_were() {
    finds(
        vec![send(10, 0), send(11, 1), poll(0, &[(0, 10), (1, 11)]), poll(0, &[(0, 10), (1, 10)])],
        &["duplicate", "inconsistent-offsets"],
    );
    finds(vec![send(10, 0), poll(0, &[(0, 10), (1, 10)])], &["duplicate"]);
    finds(vec![send(10, 0), poll(0, &[(0, 10), (1, 12)])], &["invented-value"]);
    let failed = (Call::new("send", 12).on("k"), Outcome::Fail("full".into()));
    finds(vec![send(10, 0), failed, poll(0, &[(0, 10), (1, 12)])], &["aborted-read"]);
    let open = (Call::new("send", 12).on("k"), Outcome::Info("timeout".into()));
    assert_eq!(found(vec![send(10, 0), open, poll(0, &[(0, 10), (1, 12)])]).0, Verdict::Valid);
}

#[test]
fn commits_that_nobody_made() {
    let list = |offset| (Call::new("list-committed-offsets", ["k"]), Outcome::Ok(at(offset)));
    let commit = |offset, outcome| (Call::new("commit-offsets", at(offset)), outcome);
    let ok = || Outcome::Ok(Value::Nil);
    finds(vec![list(0)], &["invented-commit"]);
    finds(vec![commit(2, ok()), list(3)], &["invented-commit"]);
    finds(vec![commit(2, Outcome::Fail("no".into())), list(2)], &["invented-commit"]);
    finds(vec![list(2), commit(2, ok())], &["invented-commit"]);
    let unknown = commit(2, Outcome::Info("timeout".into()));
    assert_eq!(found(vec![unknown, list(2)]).0, Verdict::Valid);
    assert_eq!(found(vec![commit(2, ok()), commit(1, ok()), list(2)]).0, Verdict::Valid);
}

#[test]
fn only_after_the_time_to_settle_is_a_message_lost() {
    let history = |poll_at: u64| {
        let process = Process(0);
        let (sent, offset) = send(10, 0);
        let (polled, nothing) = poll(0, &[]);
        let times = [0, 1, 5, poll_at, poll_at + 1];
        let events = [
            Event::Invoke { process, node: None, call: sent },
            Event::Complete { process, outcome: offset },
            Event::Note(Note::new(note::PHASE, "closing")),
            Event::Invoke { process, node: None, call: polled },
            Event::Complete { process, outcome: nothing },
        ];
        History::of(times.map(Time).into_iter().zip(events)).unwrap()
    };
    let verdict = |at| {
        let settle = Duration::from_nanos(10);
        Kafka::settle(settle).check(&history(at), &Limits::default()).verdict
    };
    assert_eq!((verdict(14), verdict(15)), (Verdict::Unknown, Verdict::Invalid));
}

#[test]
fn what_makes_no_sense_is_unknown() {
    let odd = |call: Call, ret: Value| found(vec![(call, Outcome::Ok(ret))]).0;
    assert_eq!(odd(Call::new("send", 1), 0.into()), Verdict::Unknown);
    assert_eq!(odd(Call::new("send", 1).on("k"), Value::Nil), Verdict::Unknown);
    assert_eq!(odd(Call::new("poll", 1), log(&[])), Verdict::Unknown);
    assert_eq!(odd(Call::new("poll", at(0)), 7.into()), Verdict::Unknown);
    assert_eq!(odd(Call::new("list-committed-offsets", ["k"]), [1].into()), Verdict::Unknown);
    assert_eq!(found(vec![send(10, 0), send(10, 1)]).0, Verdict::Unknown);
}
