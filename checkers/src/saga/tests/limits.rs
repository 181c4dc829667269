//! What makes a finding unknown, and what a million entries cost.

use std::time::Duration;

use danso_vocab::{Call, Event, History, Limits, Outcome, Value, Verdict};

use super::story::{Heard, Story, entry};
use crate::saga::evidence::Evidence;
use crate::saga::{Definition, sagas};

#[test]
fn nothing_observed_is_unknown() {
    assert_eq!(Story::default().finding().verdict, Verdict::Unknown);
    let lost = Story::default().order("s1", Heard::Nothing);
    assert_eq!(lost.finding().verdict, Verdict::Unknown);
}

#[test]
fn a_journal_not_read_is_unknown_but_hides_no_anomaly() {
    let history = |story: &Story, service: &str| {
        let whole = story.history();
        let keep = |arg: &Value| {
            arg.str() != Some(service) && arg.get("service").and_then(Value::str) != Some(service)
        };
        let events = whole.ops().filter(|op| keep(&op.arg())).flat_map(|op| {
            let call = Call { f: op.f().to_owned().into(), key: None, arg: op.arg().into_owned() };
            let process = op.process();
            let outcome = Outcome::Ok(op.ret().unwrap().into_owned());
            [
                (op.inv_time(), Event::Invoke { process, node: None, call }),
                (op.res_time().unwrap(), Event::Complete { process, outcome }),
            ]
        });
        History::of(events.collect::<Vec<_>>()).unwrap()
    };
    let check = |history: &History| {
        sagas(Definition::orders(Duration::from_secs(1))).check(history, &Limits::default())
    };
    let story = Story::default().committed("s1").aborted("s2", 1);
    let finding = check(&history(&story, "shipping"));
    assert_eq!(finding.verdict, Verdict::Unknown);
    assert_eq!(finding.reason, "nobody read the journal of shipping");
    let finding = check(&history(&story.effect(1, "s1", "apply"), "shipping"));
    assert_eq!(finding.verdict, Verdict::Invalid);
}

#[test]
fn what_cannot_be_read_is_named() {
    let odd = |change: fn(&mut Value)| {
        let mut story = Story::default().committed("s1");
        change(&mut story.journals[1][0]);
        story.finding()
    };
    for (finding, says) in [
        (odd(|v| *v = 3.into()), "journal of payment, position 0: 3 is no map"),
        (odd(|v| *v = entry(0, "s1", "apply", 0)), "its step is reserve, which is none of this"),
        (odd(|v| *v = Value::of([("saga", "s1".into())])), "its kind none is none of apply"),
    ] {
        assert_eq!(finding.verdict, Verdict::Unknown);
        assert!(finding.reason.contains(says), "{}", finding.reason);
    }
}

#[test]
fn it_stops_when_told() {
    let limits = Limits::default();
    limits.stop.trip();
    let story = Story::default().committed("s1");
    let finding = sagas(Definition::orders(Duration::ZERO)).check(&story.history(), &limits);
    assert_eq!(finding.reason, "stopped after 0 of 1 sagas");
}

/// Many sagas, two of three committed; nine or so entries each.
fn many(count: usize) -> History {
    let names: Vec<String> = (0..count).map(|i| format!("s{i}")).collect();
    let mut story = Story::default();
    for (i, name) in names.iter().enumerate() {
        story = if i % 3 == 0 { story.aborted(name, i % 4) } else { story.committed(name) };
    }
    story.history()
}

#[test]
fn a_million_entries() {
    // SAGAS=160000 makes it a million; the numbers are printed for `--nocapture`.
    let count = std::env::var("SAGAS").ok().and_then(|s| s.parse().ok()).unwrap_or(2_000);
    let history = many(count);
    let definition = Definition::orders(Duration::from_secs(1));
    let evidence = Evidence::read(&history, &definition).unwrap();
    let entries = evidence.effects.saga.len() + evidence.decisions.saga.len();
    let bytes = evidence.bytes() / entries;
    println!("{count} sagas, {entries} entries, {bytes} bytes an entry");
    assert!(bytes <= 100, "{bytes} bytes an entry");
    drop(evidence);
    // Time on the CPU: the machine may be busy with other things.
    let ns = || -> u64 {
        let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
        stat.split_whitespace().next().and_then(|ns| ns.parse().ok()).unwrap_or(0)
    };
    let began = ns();
    let finding = sagas(definition).check(&history, &Limits::default());
    println!("checked in {} ms", (ns() - began) / 1_000_000);
    assert_eq!(finding.verdict, Verdict::Valid, "{finding:?}");
}
