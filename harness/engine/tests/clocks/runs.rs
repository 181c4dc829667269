//! The nemesis in whole runs: nodes that print the time, again and again, by a program that is
//! started anew each time.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use danso_engine::means::Means;
use danso_engine::nemesis::{Ground, Request, draw};
use danso_engine::network::{self, Backend, Choice, Spec};
use danso_engine::progress::{Interrupt, Monitor};
use danso_engine::site::Site;
use danso_engine::target::{Client, Fut, Member, NodeCommand, Target};
use danso_engine::{Setup, run};
use danso_vocab::codec::jsonl;
use danso_vocab::event::note;
use danso_vocab::plan::{Expect, Load, TargetPlan, WorkloadPlan};
use danso_vocab::{
    Call, Generator, History, NodeId, Outcome, Plan, Process, Rng, Schedule, Step, Value,
};
use nix::time::ClockId;

use super::node::{SECOND, can_somehow, true_clock};

struct Ticker;

const TICK: &str = "echo started; while true; do date +%s%N; sleep 0.02; done";

impl Target for Ticker {
    fn name(&self) -> &str {
        "ticker"
    }

    fn ports(&self) -> &[u16] {
        &[7000]
    }

    fn command(&self, _: &Member) -> Result<Option<NodeCommand>, String> {
        let args = vec!["-c".to_owned(), TICK.to_owned()];
        Ok(Some(NodeCommand {
            program: "/bin/sh".into(),
            args,
            env: Vec::new(),
            ..NodeCommand::default()
        }))
    }

    fn ready<'a>(&'a self, _: &'a Member) -> Fut<'a, Result<(), String>> {
        Box::pin(async { Ok(()) })
    }

    fn primaries<'a>(&'a self, _: &'a [Member]) -> Fut<'a, Vec<NodeId>> {
        Box::pin(async { vec![NodeId(1)] })
    }

    fn connect(&self, _: &[Member], _: NodeId, _: Process) -> Box<dyn Client> {
        Box::new(Idle)
    }
}

struct Idle;

impl Client for Idle {
    fn invoke<'a>(&'a mut self, _: &'a Call) -> Fut<'a, Outcome> {
        Box::pin(async { Outcome::Ok(Value::Nil) })
    }
}

struct Nothing;

impl Generator for Nothing {
    fn next(&mut self, _: &mut Rng) -> Step {
        Step::Done
    }
}

type Faults<'a> = &'a [(&'a str, &'a [(&'a str, Value)])];

fn go(faults: Faults<'_>, time: Duration) -> (History, Site, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let site = Site::create(dir.path(), "ticker", "now").unwrap();
    let nodes = NodeId::all(3);
    let network = network::prepare(Choice::None).unwrap();
    let network = network.open(&Spec::new(nodes.clone(), vec![7000])).unwrap();
    let means = Means::new(Backend::None, true, Vec::new());
    let ground = Ground { nodes: &nodes, means: &means, load: time };
    let mut injections = Vec::new();
    for (kind, args) in faults {
        let args = args.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect();
        let request = Request { kind: (*kind).to_owned(), args };
        injections.extend(draw(&request, &ground, &mut Rng::new(1)).unwrap());
    }
    let plan = Plan {
        name: "ticker".to_owned(),
        seed: 1,
        target: TargetPlan {
            name: "ticker".to_owned(),
            options: Default::default(),
            seeds: vec![1, 2, 3],
        },
        workload: WorkloadPlan { name: "none".to_owned(), params: Default::default() },
        load: Load {
            rate: None,
            time,
            timeout: Duration::from_millis(200),
            streams: vec![1],
            resilience: Default::default(),
        },
        network: "none".to_owned(),
        ipv6: false,
        schedule: Schedule::new(injections),
        left_out: Vec::new(),
        expect: Expect::default(),
    };
    let setup = Setup {
        connect: None,
        target: Arc::new(Ticker),
        network,
        site: site.clone(),
        exe: env!("CARGO_BIN_EXE_danso-internal").into(),
        load: Box::new(|_| Box::new(Nothing)),
        closing: Box::new(|_| Box::new(Nothing)),
        reads: BTreeSet::new(),
        interrupt: Interrupt::default(),
        observer: None,
        enough: Interrupt::default(),
        source: std::sync::Mutex::new(None),
        monitor: Arc::new(Monitor::default()),
    };
    run(&plan, setup).unwrap();
    let bytes = std::fs::read(site.history()).unwrap();
    let history = jsonl::read(&bytes, jsonl::Tail::Strict).unwrap().history;
    (history, site, dir)
}

/// What every start of a node printed.
fn lives(site: &Site, node: u16) -> Vec<Vec<i64>> {
    let log = std::fs::read_to_string(site.node(NodeId(node)).join("stdout.log")).unwrap();
    let lives = log.split("started\n").skip(1);
    lives.map(|life| life.lines().filter_map(|l| l.parse().ok()).collect()).collect()
}

/// Bits and words of all healings, in order of the faults.
fn effects(history: &History) -> Vec<(bool, String)> {
    let mut heals: Vec<_> =
        history.notes().map(|(_, _, n)| n).filter(|n| n.f == note::HEAL).collect();
    heals.sort_by_key(|n| n.fault);
    let bit = |n: &&danso_vocab::Note| n.value.get("bit").and_then(Value::bool).unwrap();
    let words = |n: &&danso_vocab::Note| n.value.get("effect").unwrap().to_string();
    heals.iter().map(|n| (bit(n), words(n))).collect()
}

#[test]
fn a_skewed_node_stays_skewed_when_it_starts_again_until_it_is_healed() {
    if !can_somehow() {
        return;
    }
    let begun = true_clock(ClockId::CLOCK_REALTIME);
    let hour = 3_600 * SECOND;
    let clock: &[_] = &[
        ("nodes", "n1".into()),
        ("mode", "bump".into()),
        ("by", "1h".into()),
        ("at", ["300ms"].into()),
        ("for", "2700ms".into()),
    ];
    let kill: &[_] = &[("nodes", "n1".into()), ("at", ["600ms"].into()), ("for", "100ms".into())];
    let (history, site, _dir) =
        go(&[("clock", clock), ("kill", kill)], Duration::from_millis(3500));
    let ended = true_clock(ClockId::CLOCK_REALTIME);
    let right = |t: &i64| (begun..=ended).contains(t);
    let wrong = |t: &i64| (begun + hour..=ended + hour).contains(t);
    let lives_1 = lives(&site, 1);
    assert_eq!(lives_1.len(), 2);
    assert!(lives_1.iter().flatten().all(|t| right(t) || wrong(t)));
    assert!(lives_1[0].first().is_none_or(right), "it was right at first");
    assert!(lives_1[0].iter().any(wrong), "it was wrong before it was killed");
    assert!(lives_1[1].first().is_some_and(wrong), "it began wrong");
    assert!(lives_1[1].last().is_some_and(right), "it was healed");
    assert!(lives(&site, 2).iter().flatten().all(right), "n2 was left alone");
    let (bit, words) = &effects(&history)[0];
    assert!(bit, "{words}");
    assert!(words.contains("+3600.000 s in") && words.contains("+0.000000 s in"), "{words}");
    assert!(words.contains("a new one"), "{words}");
}

#[test]
fn every_mode_is_seen_and_healed() {
    if !can_somehow() {
        return;
    }
    let at =
        |at: &str| -> [(&'static str, Value); 2] { [("at", [at].into()), ("for", "500ms".into())] };
    let of = |mode: &str, node: &str, start: &str, more: &[(&'static str, Value)]| {
        let mut args = vec![("mode", mode.into()), ("nodes", node.into())];
        args.extend(at(start));
        args.extend_from_slice(more);
        args
    };
    let cases = [
        of("jump-back", "n1", "100ms", &[("by", "1d".into())]),
        of("strobe", "n2", "110ms", &[("by", "5s".into()), ("period", "10ms".into())]),
        of("drift", "n3", "120ms", &[("rate", "1.5".into()), ("monotonic", true.into())]),
        of("freeze", "n1", "800ms", &[]),
        of("slew", "n2", "810ms", &[("by", "-300ms".into()), ("over", "400ms".into())]),
        of("reset", "n3", "820ms", &[]),
    ];
    let faults: Vec<_> = cases.iter().map(|args| ("clock", args.as_slice())).collect();
    let (history, site, _dir) = go(&faults, Duration::from_millis(1700));
    let effects = effects(&history);
    assert_eq!(effects.len(), cases.len());
    for ((bit, words), args) in effects.iter().zip(&cases) {
        assert!(bit, "{args:?}: {words}");
    }
    assert!(effects[0].1.contains("-86400.000 s in"), "{}", effects[0].1);
    assert!(effects[2].1.contains("(monotonic +0."), "{}", effects[2].1);
    // Processes that began after the last change are right again.
    let now = true_clock(ClockId::CLOCK_REALTIME);
    for node in 1..=3 {
        let last = *lives(&site, node)[0].last().unwrap();
        assert!((now - 60 * SECOND..=now).contains(&last), "n{node}: {}", last - now);
    }
}

#[test]
fn a_run_without_clock_faults_traces_nobody() {
    let kill: &[_] = &[("nodes", "n1".into()), ("at", ["100ms"].into()), ("for", "100ms".into())];
    let (_, site, _dir) = go(&[("kill", kill)], Duration::from_millis(300));
    assert!(!site.node(NodeId(1)).join("clock").exists());
}
