use std::time::Duration;

use danso_vocab::plan::{Expect, Load, TargetPlan, WorkloadPlan};
use danso_vocab::{Call, Event, Fault, NodeId, Nodes, Outcome, Process, Schedule, Verdict};

use super::expectation::{expectation, outcome};
use super::*;

const OPS: &[OpSpec] =
    &[OpSpec { f: "read", about: "", reads: true }, OpSpec { f: "write", about: "", reads: false }];

fn plan(starts: Vec<Start>) -> Plan {
    let fault =
        Fault { kind: "kill".into(), nodes: Nodes::These(vec![NodeId(1)]), args: Value::of([]) };
    let injection = |start| Injection {
        id: FaultId(0),
        fault: fault.clone(),
        start,
        lasts: Duration::from_secs(1),
    };
    Plan {
        name: "x".to_owned(),
        seed: 1,
        target: TargetPlan {
            name: "raft-kv".to_owned(),
            options: BTreeMap::new(),
            seeds: vec![1; 3],
        },
        workload: WorkloadPlan { name: "register".to_owned(), params: BTreeMap::new() },
        load: Load {
            rate: None,
            time: Duration::from_secs(5),
            timeout: Duration::from_secs(1),
            streams: vec![1],
            resilience: Default::default(),
        },
        network: "auto".to_owned(),
        ipv6: false,
        schedule: Schedule::new(starts.into_iter().map(injection).collect()),
        left_out: Vec::new(),
        expect: Expect::default(),
    }
}

/// A run in which everything went well: one write, one read, closing reads.
fn good() -> Vec<Event> {
    let op = |f: &'static str| {
        let process = Process(0);
        [
            Event::Invoke { process, node: None, call: Call::new(f, ()) },
            Event::Complete { process, outcome: Outcome::Ok(Value::Nil) },
        ]
    };
    let phase = |name: &str| [Event::Note(Note::new(note::PHASE, name))];
    let mut events = Vec::new();
    events.extend(phase("load"));
    events.extend(op("write"));
    events.extend(op("read"));
    events.extend(phase("closing"));
    events.extend(op("read"));
    events.extend(phase("end"));
    events
}

fn judged(events: Vec<Event>, plan: &Plan) -> Results {
    let timed = events.into_iter().enumerate().map(|(i, e)| (Time(i as u64 + 1), e));
    let history = History::of(timed).unwrap();
    judge(&history, Some(plan), OPS, vec![Finding::valid("linearizable", "fine")], None)
}

#[track_caller]
fn unknown(events: Vec<Event>, plan: &Plan, say: &str) {
    let results = judged(events, plan);
    assert_eq!(results.verdict, Verdict::Unknown, "{}", results.reason);
    assert!(results.reason.contains(say), "{}", results.reason);
}

fn without(events: Vec<Event>, drop: impl Fn(&Event) -> bool) -> Vec<Event> {
    events.into_iter().filter(|e| !drop(e)).collect()
}

#[test]
fn a_good_run_is_valid() {
    let results = judged(good(), &plan(vec![]));
    assert_eq!(results.verdict, Verdict::Valid, "{}", results.reason);
    assert_eq!(results.interrupted, None);
}

#[test]
fn vacuous_runs_are_unknown() {
    unknown(vec![], &plan(vec![]), "no operation");
    unknown(good()[..3].to_vec(), &plan(vec![]), "the controller died");
    let no_write = |e: &Event| matches!(e, Event::Invoke { call, .. } if call.f == "write");
    let mut events = without(good(), no_write);
    events.remove(1);
    unknown(events, &plan(vec![]), "no write ever succeeded, of 0 tried");
    let closing = |e: &Event| matches!(e, Event::Note(n) if n.value.str() == Some("closing"));
    unknown(without(good(), closing), &plan(vec![]), "never came to its closing");
    let mut many = plan(vec![]);
    many.expect.min_ops = 1000;
    unknown(good(), &many, "fewer than 1000");
}

#[test]
fn operations_that_fail_after_healing_make_it_unknown() {
    let mut events = good();
    for event in events.iter_mut().rev() {
        if let Event::Complete { outcome, .. } = event {
            *outcome = Outcome::Fail("no-leader".into());
            break;
        }
    }
    unknown(events, &plan(vec![]), "after healing only 0 of 1");
}

fn with_fault(id: u32, bit: bool) -> Vec<Event> {
    let heal = Value::of([("bit", bit.into()), ("effect", "seen".into())]);
    let mut events = good();
    let inject = Note::new("kill", ()).fault(FaultId(id)).nodes([NodeId(1)]);
    events.insert(1, Event::Note(inject));
    events.insert(2, Event::Note(Note::new(note::HEAL, heal).fault(FaultId(id))));
    events
}

#[test]
fn every_fault_must_have_bitten() {
    let one = plan(vec![Start::At(Time(1))]);
    unknown(good(), &one, "F0 (kill) was not seen to bite: never began");
    let many = plan(vec![Start::At(Time(1)); 3]);
    unknown(good(), &many, "fault F0 (kill) and 2 more were not seen to bite: never began");
    unknown(with_fault(0, false), &one, "not seen to bite");
    let results = judged(with_fault(0, true), &one);
    assert_eq!(results.verdict, Verdict::Valid, "{}", results.reason);
    assert_eq!(results.faults[0].nodes, [NodeId(1)]);
    assert_eq!(results.faults[0].effect, "seen");
}

#[test]
fn of_faults_awaiting_the_same_line_one_is_enough() {
    let on =
        |from| Start::OnLog { from: Time(from), text: "leader".to_owned(), delay: Duration::ZERO };
    let two = plan(vec![on(1), on(2)]);
    assert_eq!(judged(with_fault(0, true), &two).verdict, Verdict::Valid);
    unknown(good(), &two, "no node printed `leader`");
}

#[test]
fn a_node_that_dies_by_itself_is_an_anomaly() {
    let mut events = good();
    let value = Value::of([("status", "exit status 3".into()), ("stderr", "boom\nbang".into())]);
    events.insert(1, Event::Note(Note::new(note::NODE_CRASHED, value).nodes([NodeId(2)])));
    let results = judged(events, &plan(vec![]));
    assert_eq!(results.verdict, Verdict::Invalid);
    assert!(results.reason.contains("n2") && results.reason.contains("exit status 3"));
    let anomaly = &results.findings.iter().find(|f| f.checker == "nodes").unwrap().anomalies[0];
    assert_eq!((anomaly.name.as_ref(), anomaly.explain.len()), ("node-crashed", 2));
}

#[test]
fn an_interruption_is_told_and_never_valid() {
    let mut events = good();
    events.insert(5, Event::Note(Note::new(note::INTERRUPTED, "SIGINT")));
    unknown(events, &plan(vec![]), "cut short: SIGINT");
}

#[test]
fn a_fault_that_was_never_healed_is_never_valid() {
    let on = || Start::OnLog { from: Time(1), text: "leader".to_owned(), delay: Duration::ZERO };
    let two = plan(vec![on(), on()]);
    let id = two.schedule.injections[1].id;
    let mut events = with_fault(0, true);
    let at = events.len() - 1;
    let inject = Note::new("kill", ()).fault(id).nodes([NodeId(1)]);
    events.insert(at, Event::Note(inject));
    let failed = Note::new(note::FAULT_FAILED, "healing failed: it runs on").fault(id);
    events.insert(at + 1, Event::Note(failed));
    unknown(events, &two, "healing failed: it runs on");
}

#[test]
fn a_node_may_end_of_a_fault_that_is_still_being_injected_but_not_before() {
    let mut two = plan(vec![Start::At(Time(1))]);
    two.schedule.injections[0].fault.kind = "bit-flip".into();
    let crash = |took: i64| {
        let mut events = with_fault(0, true);
        if let Event::Note(note) = &mut events[1] {
            note.value = Value::of([(note::TOOK, took.into())]);
        }
        let value = Value::of([("status", "exit status 3".into())]);
        let died = Note::new(note::NODE_CRASHED, value).nodes([NodeId(1)]);
        events.insert(1, Event::Note(died));
        judged(events, &two).verdict
    };
    assert_eq!(crash(1), Verdict::Valid);
    assert_eq!(crash(0), Verdict::Invalid, "it was dead when the fault began");
}

/// A finding of each of these anomalies.
fn found(names: &[&'static str]) -> Results {
    let anomaly = |name: &&'static str| Anomaly {
        name: (*name).into(),
        key: None,
        ops: Vec::new(),
        because: String::new(),
        explain: Vec::new(),
        figure: None,
    };
    let finding = match names {
        [] => Finding::valid("x", ""),
        _ => Finding::invalid("x", names.iter().map(anomaly).collect()),
    };
    Results { verdict: finding.verdict, findings: vec![finding], ..Results::default() }
}

#[test]
fn an_expectation_is_a_verdict_and_one_of_the_named_anomalies() {
    let mut plan = plan(Vec::new());
    assert_eq!(expectation(&plan, &found(&[])), Ok(()));
    let unexpected = expectation(&plan, &found(&["stale-read"]));
    assert_eq!(unexpected, Err("expected valid, got invalid".to_owned()));
    let unknown = Results { verdict: Verdict::Unknown, ..Results::default() };
    assert_eq!(expectation(&plan, &unknown), Err("expected valid, got unknown".to_owned()));

    plan.expect.verdict = Verdict::Invalid;
    assert_eq!(expectation(&plan, &found(&["stale-read"])), Ok(()));
    plan.expect.anomalies = vec!["lost-write".to_owned(), "stale-read".to_owned()];
    assert_eq!(expectation(&plan, &found(&["node-crashed", "stale-read"])), Ok(()));
    let missed = "expected invalid with lost-write or stale-read";
    let valid = expectation(&plan, &found(&[]));
    assert_eq!(valid, Err(format!("{missed}, got valid")));
    let others = expectation(&plan, &found(&["node-crashed", "phantom"]));
    assert_eq!(others, Err(format!("{missed}, found node-crashed, phantom")));
    let met = outcome(&plan, &found(&["stale-read"]));
    assert_eq!(met.as_deref(), Some("invalid with lost-write or stale-read: as expected"));
    plan.expect.verdict = Verdict::Valid;
    assert_eq!(outcome(&plan, &found(&["stale-read"])), None);
}
