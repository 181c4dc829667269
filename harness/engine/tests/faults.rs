//! Kill and pause, seen from inside a node: a script that prints the time, again and again.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use danso_engine::means::Means;
use danso_engine::nemesis::{Ground, Request, draw};
use danso_engine::network::{self, Backend, Choice, Spec};
use danso_engine::progress::{Interrupt, Monitor};
use danso_engine::schedule::{Seen, Source};
use danso_engine::site::Site;
use danso_engine::target::{Client, Fut, Member, NodeCommand, Target};
use danso_engine::{Facts, RunError, Setup, run};
use danso_vocab::codec::jsonl;
use danso_vocab::event::note;
use danso_vocab::plan::{Expect, Load, TargetPlan, WorkloadPlan};
use danso_vocab::{
    Call, Fault, FaultId, Generator, History, Injection, NodeId, Nodes, Outcome, Plan, Process,
    Rng, Schedule, Start, Step, Time, Value,
};

/// Nodes that print their start and then a tick every 10 ms, in ns of the real clock.
struct Ticker {
    script: &'static str,
}

const TICK: &str = "echo started; while true; do date +%s%N; sleep 0.01; done";

impl Target for Ticker {
    fn name(&self) -> &str {
        "ticker"
    }

    fn ports(&self) -> &[u16] {
        &[7000]
    }

    fn command(&self, _: &Member) -> Result<Option<NodeCommand>, String> {
        let args = vec!["-c".to_owned(), self.script.to_owned()];
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
        Box::pin(async { vec![NodeId(2)] })
    }

    fn connect(&self, _: &[Member], _: NodeId, _: Process) -> Box<dyn Client> {
        Box::new(Slow)
    }
}

/// Answers after a millisecond; a `hang` never.
struct Slow;

impl Client for Slow {
    fn invoke<'a>(&'a mut self, call: &'a Call) -> Fut<'a, Outcome> {
        Box::pin(async move {
            if call.f == "hang" {
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
            Outcome::Ok(Value::Nil)
        })
    }
}

/// Calls `f` so many times.
struct Calls(&'static str, u32);

impl Generator for Calls {
    fn next(&mut self, _: &mut Rng) -> Step {
        match self.1.checked_sub(1) {
            Some(left) => {
                self.1 = left;
                Step::Invoke(Call::new(self.0, ()))
            }
            None => Step::Done,
        }
    }
}

struct Case {
    script: &'static str,
    time: Duration,
    faults: Vec<(&'static str, Vec<(&'static str, Value)>)>,
    load: (&'static str, u32),
    interrupt_after: Option<Duration>,
    source: Option<Box<dyn Source>>,
}

impl Default for Case {
    fn default() -> Self {
        Case {
            script: TICK,
            time: Duration::from_millis(1500),
            faults: Vec::new(),
            load: ("ping", u32::MAX),
            interrupt_after: None,
            source: None,
        }
    }
}

fn plan(case: &Case) -> Plan {
    let (nodes, means) = (NodeId::all(3), Means::new(Backend::None, true, Vec::new()));
    let mut injections = Vec::new();
    for (kind, args) in &case.faults {
        let args = args.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect();
        let request = Request { kind: (*kind).to_owned(), args };
        let ground = Ground { nodes: &nodes, means: &means, load: case.time };
        injections.extend(draw(&request, &ground, &mut Rng::new(1)).unwrap());
    }
    Plan {
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
            time: case.time,
            timeout: Duration::from_millis(200),
            streams: vec![1, 2],
            resilience: Default::default(),
        },
        network: "none".to_owned(),
        ipv6: false,
        schedule: Schedule::new(injections),
        left_out: Vec::new(),
        expect: Expect::default(),
    }
}

fn go(case: Case) -> (Result<Facts, RunError>, History, Site, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let site = Site::create(dir.path(), "ticker", "now").unwrap();
    let spec = Spec::new(NodeId::all(3), vec![7000]);
    let network = network::prepare(Choice::None).unwrap().open(&spec).unwrap();
    let interrupt = Interrupt::default();
    let (f, count) = case.load;
    let plan = plan(&case);
    let setup = Setup {
        connect: None,
        target: Arc::new(Ticker { script: case.script }),
        network,
        site: site.clone(),
        exe: env!("CARGO_BIN_EXE_danso-internal").into(),
        load: Box::new(move |_| Box::new(Calls(f, count))),
        closing: Box::new(|_| Box::new(Calls("ping", 3))),
        reads: BTreeSet::from(["peek"]),
        interrupt: interrupt.clone(),
        observer: None,
        enough: Interrupt::default(),
        source: std::sync::Mutex::new(case.source),
        monitor: Arc::new(Monitor::default()),
    };
    if let Some(after) = case.interrupt_after {
        std::thread::spawn(move || {
            std::thread::sleep(after);
            interrupt.raise("test");
        });
    }
    let facts = run(&plan, setup);
    let bytes = std::fs::read(site.history()).unwrap();
    let history = jsonl::read(&bytes, jsonl::Tail::Strict).unwrap().history;
    (facts, history, site, dir)
}

fn ticks(site: &Site, node: u16) -> Vec<u64> {
    let log = std::fs::read_to_string(site.node(NodeId(node)).join("stdout.log")).unwrap();
    log.lines().filter_map(|l| l.parse().ok()).collect()
}

fn longest_gap_ms(ticks: &[u64]) -> u64 {
    ticks.windows(2).map(|w| w[1].saturating_sub(w[0])).max().unwrap_or(0) / 1_000_000
}

fn starts(site: &Site, node: u16) -> usize {
    let log = std::fs::read_to_string(site.node(NodeId(node)).join("stdout.log")).unwrap();
    log.lines().filter(|l| *l == "started").count()
}

fn notes<'h>(history: &'h History, f: &str) -> Vec<&'h danso_vocab::Note> {
    history.notes().map(|(_, _, n)| n).filter(|n| n.f == f).collect()
}

fn bits(history: &History) -> Vec<bool> {
    notes(history, note::HEAL)
        .iter()
        .map(|n| n.value.get("bit").and_then(Value::bool).unwrap())
        .collect()
}

#[test]
fn a_paused_node_misses_time_and_does_not_know() {
    let args = vec![("nodes", "n1".into()), ("at", ["400ms"].into()), ("for", "700ms".into())];
    let (facts, history, site, _dir) =
        go(Case { faults: vec![("pause", args)], ..Case::default() });
    facts.unwrap();
    assert!(
        longest_gap_ms(&ticks(&site, 1)) >= 650,
        "n1 lost {} ms",
        longest_gap_ms(&ticks(&site, 1))
    );
    assert!(longest_gap_ms(&ticks(&site, 2)) < 650, "n2 was not paused");
    assert_eq!(starts(&site, 1), 1, "it never ended");
    assert_eq!(bits(&history), [true]);
    assert_eq!(notes(&history, "pause")[0].nodes, [NodeId(1)]);
}

#[test]
fn a_killed_node_starts_again_in_the_same_place() {
    let args =
        vec![("nodes", "primaries".into()), ("at", ["300ms"].into()), ("for", "400ms".into())];
    let (facts, history, site, _dir) = go(Case { faults: vec![("kill", args)], ..Case::default() });
    facts.unwrap();
    assert_eq!((starts(&site, 1), starts(&site, 2)), (1, 2), "n2 leads, so n2 was killed");
    assert!(longest_gap_ms(&ticks(&site, 2)) >= 350);
    assert_eq!(bits(&history), [true]);
    assert!(notes(&history, note::NODE_CRASHED).is_empty(), "it was asked for");
    let undo = std::fs::read_to_string(site.undo()).unwrap();
    assert!(undo.contains("\"undo\":\"open\"") && undo.contains("\"undo\":\"done\""));
}

/// What is noted of this node between the start of the load and the end.
fn story(history: &History, node: u16) -> Vec<&str> {
    let words = [note::NODE_UP, note::NODE_DOWN, note::NODE_PAUSED, note::NODE_RESUMED];
    let notes = history.notes().map(|(_, _, n)| n);
    let load = notes.skip_while(|n| n.f != note::PHASE);
    let about = load.filter(|n| n.nodes == [NodeId(node)]);
    about.map(|n| &*n.f).filter(|f| words.contains(f)).collect()
}

#[test]
fn what_faults_do_to_nodes_is_noted_in_its_order() {
    let args = |node: &str, from: &str, long: &str| {
        vec![("nodes", node.into()), ("at", [from].into()), ("for", long.into())]
    };
    let mut crash = args("n3", "300ms", "900ms");
    crash.push(("period", "200ms".into()));
    let mut slow = args("n1", "100ms", "1200ms");
    slow.push(("takes", "300ms".into()));
    let faults = vec![
        ("slow-start", slow),
        ("pause", args("n2", "0ms", "1400ms")),
        // A pause within a pause is none, nor is its end.
        ("pause", args("n2", "500ms", "100ms")),
        ("crash-loop", crash),
    ];
    let (facts, history, ..) = go(Case { faults, ..Case::default() });
    facts.unwrap();
    assert_eq!(story(&history, 1), [note::NODE_DOWN, note::NODE_UP], "slow-start");
    assert_eq!(story(&history, 2), [note::NODE_PAUSED, note::NODE_RESUMED], "pause");
    let looped = story(&history, 3);
    assert!(!looped.is_empty());
    for round in looped.chunks(2) {
        assert_eq!(round, [note::NODE_DOWN, note::NODE_UP], "crash-loop: {looped:?}");
    }
    let down = notes(&history, note::NODE_DOWN);
    assert!(down.iter().all(|n| n.value == "signal 9 (SIGKILL)".into()), "{down:?}");
    assert!(down.iter().all(|n| n.fault.is_none()), "it is no injection");
    let leads = notes(&history, note::LEADER);
    assert_eq!(leads.len(), 1, "n2 leads all the time");
    assert_eq!(leads[0].nodes, [NodeId(2)]);
    assert_eq!(notes(&history, note::NODE_UP).len(), 3 + 1 + looped.len() / 2);
    let ended = history.notes().position(|(_, _, n)| n.value == "end".into()).unwrap();
    assert_eq!(ended + 1, history.notes().count(), "nothing is noted of the nodes' last end");
}

#[test]
fn a_follower_is_the_one_behind_whoever_leads() {
    let args =
        vec![("nodes", "follower".into()), ("at", ["300ms"].into()), ("for", "200ms".into())];
    let (facts, history, site, _dir) = go(Case { faults: vec![("kill", args)], ..Case::default() });
    facts.unwrap();
    assert_eq!(notes(&history, "kill")[0].nodes, [NodeId(3)], "n2 leads");
    assert_eq!((starts(&site, 2), starts(&site, 3)), (1, 2));
}

#[test]
fn a_fault_can_wait_for_a_line_of_log() {
    let args = vec![
        ("nodes", "speaker".into()),
        ("on", "started".into()),
        ("for", "200ms".into()),
        ("at", ["0s"].into()),
    ];
    // Only n3 starts late enough to be heard by a fault that listens from the load on.
    let script = "case $PWD in */n3/*) sleep 0.5;; esac; echo started; sleep 60";
    let (facts, history, site, _dir) =
        go(Case { faults: vec![("kill", args)], script, ..Case::default() });
    facts.unwrap();
    assert_eq!(notes(&history, "kill")[0].nodes, [NodeId(3)]);
    assert_eq!(starts(&site, 3), 2);
}

#[test]
fn a_fault_that_cannot_bite_says_so() {
    let kill = vec![("nodes", "n1".into()), ("at", ["200ms"].into()), ("for", "900ms".into())];
    let pause = vec![("nodes", "n1".into()), ("at", ["500ms"].into()), ("for", "200ms".into())];
    let faults = vec![("kill", kill), ("pause", pause)];
    let (facts, history, _, _dir) = go(Case { faults, ..Case::default() });
    facts.unwrap();
    assert_eq!(bits(&history), [false, true], "the pause found nobody to pause");
}

#[test]
fn a_node_that_dies_by_itself_is_recorded_with_its_last_words() {
    let script = "case $PWD in */n2/*) sleep 0.4; echo oops >&2; exit 7;; esac; sleep 60";
    let (facts, history, _, _dir) = go(Case { script, ..Case::default() });
    facts.unwrap();
    let crashed = notes(&history, note::NODE_CRASHED);
    assert_eq!(crashed[0].nodes, [NodeId(2)]);
    assert_eq!(crashed[0].value.get("status"), Some(&"exit status 7".into()));
    assert_eq!(crashed[0].value.get("stderr"), Some(&"oops".into()));
    let up = notes(&history, note::NODE_UP);
    assert_eq!(up.len(), 4, "started again after the load");
}

#[test]
fn timeouts_are_info_and_retire_their_process() {
    let case = Case { load: ("hang", 3), time: Duration::from_millis(900), ..Case::default() };
    let (facts, history, _, _dir) = go(case);
    facts.unwrap();
    let hung: Vec<_> = history.ops().filter(|o| o.f() == "hang").collect();
    let processes: BTreeSet<_> = hung.iter().map(|o| o.process()).collect();
    assert_eq!((hung.len(), processes.len()), (6, 6));
    assert!(hung.iter().all(|o| o.reason() == Some("timeout")));
    assert_eq!(history.counts()["ping"].ok, 6, "closing operations by fresh processes");
}

#[test]
fn an_interrupt_heals_stops_and_leaves_a_whole_history() {
    let args = vec![("nodes", "n1".into()), ("at", ["200ms"].into()), ("for", "20s".into())];
    let case = Case {
        faults: vec![("pause", args)],
        time: Duration::from_secs(30),
        interrupt_after: Some(Duration::from_millis(900)),
        ..Case::default()
    };
    let since = std::time::Instant::now();
    let (facts, history, _, _dir) = go(case);
    assert!(since.elapsed() < Duration::from_secs(6));
    assert_eq!(facts.unwrap().interrupted.as_deref(), Some("test"));
    assert_eq!(bits(&history), [true], "healed at once, not after 20 s");
    assert_eq!(notes(&history, note::INTERRUPTED).len(), 1);
    assert!(history.ops().all(|o| o.res_time().is_some()), "nobody was left hanging");
}

#[test]
fn a_cluster_that_does_not_come_up_is_an_error_with_its_last_words() {
    struct Dies;
    impl Target for Dies {
        fn name(&self) -> &str {
            "dies"
        }
        fn ports(&self) -> &[u16] {
            &[7000]
        }
        fn command(&self, _: &Member) -> Result<Option<NodeCommand>, String> {
            let args = vec!["-c".to_owned(), "echo port 7000 is taken >&2; exit 1".to_owned()];
            Ok(Some(NodeCommand {
                program: "/bin/sh".into(),
                args,
                env: Vec::new(),
                ..NodeCommand::default()
            }))
        }
        fn ready<'a>(&'a self, _: &'a Member) -> Fut<'a, Result<(), String>> {
            Box::pin(async { Err("connection refused".to_owned()) })
        }
        fn primaries<'a>(&'a self, _: &'a [Member]) -> Fut<'a, Vec<NodeId>> {
            Box::pin(async { Vec::new() })
        }
        fn connect(&self, _: &[Member], _: NodeId, _: Process) -> Box<dyn Client> {
            Box::new(Slow)
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let site = Site::create(dir.path(), "dies", "now").unwrap();
    let spec = Spec::new(NodeId::all(3), vec![7000]);
    let setup = Setup {
        connect: None,
        target: Arc::new(Dies),
        network: network::prepare(Choice::None).unwrap().open(&spec).unwrap(),
        site,
        exe: env!("CARGO_BIN_EXE_danso-internal").into(),
        load: Box::new(|_| Box::new(Calls("ping", 1))),
        closing: Box::new(|_| Box::new(Calls("ping", 1))),
        reads: BTreeSet::new(),
        interrupt: Interrupt::default(),
        observer: None,
        enough: Interrupt::default(),
        source: Default::default(),
        monitor: Arc::new(Monitor::default()),
    };
    let error = run(&plan(&Case::default()), setup).unwrap_err().to_string();
    assert!(error.contains("port 7000 is taken"), "{error}");
    assert!(Path::new("/bin/sh").exists());
}

/// Kills n1, and n3 once n1 has been healed.
struct OneAfterTheOther(u32);

impl Source for OneAfterTheOther {
    fn next(&mut self, seen: &[Seen]) -> Vec<Injection> {
        let kill = |id, node| Injection {
            id: FaultId(id),
            fault: Fault {
                kind: "kill".into(),
                nodes: Nodes::These(vec![NodeId(node)]),
                args: Value::of([]),
            },
            start: Start::At(Time(0)),
            lasts: Duration::from_millis(200),
        };
        match (seen, self.0) {
            ([], 0) => {
                self.0 = 1;
                vec![kill(0, 1)]
            }
            ([Seen::Healed(FaultId(0), effect)], 1) if effect.bit => {
                self.0 = 2;
                vec![kill(1, 3)]
            }
            _ => Vec::new(),
        }
    }
}

#[test]
fn a_source_decides_by_what_it_has_seen() {
    let source: Option<Box<dyn Source>> = Some(Box::new(OneAfterTheOther(0)));
    let (facts, history, site, _dir) = go(Case { source, ..Case::default() });
    facts.unwrap();
    assert_eq!(bits(&history), [true, true]);
    assert_eq!(notes(&history, "kill")[1].nodes, [NodeId(3)]);
    assert_eq!((starts(&site, 1), starts(&site, 2), starts(&site, 3)), (2, 1, 2));
}

#[test]
fn a_custom_fault_is_the_users_own_commands() {
    let dir = tempfile::tempdir().unwrap();
    let flag = dir.path().join("flag");
    let flag = flag.display();
    let args = |check: &str| {
        vec![
            ("nodes", "all".into()),
            ("at", ["200ms"].into()),
            ("for", "300ms".into()),
            ("inject", format!("echo $DANSO_NODES >{flag}; cat {flag}").into()),
            ("heal", format!("rm -f {flag}").into()),
            ("check", check.into()),
        ]
    };
    let fault = args(&format!("cat {flag}"));
    let (facts, history, ..) = go(Case { faults: vec![("custom", fault)], ..Case::default() });
    facts.unwrap();
    assert_eq!(bits(&history), [true]);
    let said = notes(&history, "custom")[0].value.get("said").cloned();
    assert_eq!(said, Some("n1 n2 n3".into()));
    assert!(!dir.path().join("flag").exists(), "healed");
    let (facts, history, ..) =
        go(Case { faults: vec![("custom", args("echo gone; false"))], ..Case::default() });
    facts.unwrap();
    assert_eq!(bits(&history), [false], "the check did not see it");
    let mut fault = args("true");
    fault[3].1 = format!("touch {flag}; sleep 60").into();
    fault.push(("patience", "100ms".into()));
    let (facts, history, ..) = go(Case { faults: vec![("custom", fault)], ..Case::default() });
    facts.unwrap();
    let failed = notes(&history, note::FAULT_FAILED);
    assert!(failed[0].value.str().unwrap().contains("longer than 100ms"), "{failed:?}");
    assert!(!dir.path().join("flag").exists(), "what was half done is undone");
}
