//! Records to render: a simulated cluster with a partition, a kill and, if asked for, one stale
//! read; and the same run in its less fortunate shapes.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::Duration;

use danso_reports::{NodeLog, Record};
use danso_vocab::event::note;
use danso_vocab::plan::{Expect, Load, TargetPlan, WorkloadPlan};
use danso_vocab::results::FaultReport;
use danso_vocab::{
    Anomaly, Fault, FaultId, Finding, History, HistoryBuilder, Injection, NodeId, Nodes, Note,
    OpId, Outcome, Plan, Process, Results, Rng, Schedule, Start, Time, Value, Verdict,
};

const MS: u64 = 1_000_000;
const KEYS: u64 = 4;
const PARTITION: (u64, u64) = (5_000 * MS, 9_500 * MS);
const KILL: (u64, u64) = (12_000 * MS, 14_500 * MS);

/// Everything a record borrows.
pub(crate) struct Sample {
    pub(crate) title: String,
    pub(crate) plan: Option<Plan>,
    pub(crate) history: History,
    pub(crate) results: Results,
    pub(crate) logs: Vec<NodeLog>,
}

impl Sample {
    pub(crate) fn record(&self) -> Record<'_> {
        Record {
            title: &self.title,
            plan: self.plan.as_ref(),
            history: &self.history,
            results: &self.results,
            logs: &self.logs,
        }
    }

    pub(crate) fn html(&self) -> String {
        danso_reports::html(&self.record())
    }

    pub(crate) fn text(&self) -> String {
        danso_reports::text(&self.record())
    }
}

enum Happens {
    Invoke,
    Effect,
    Complete(bool),
}

struct Worker {
    process: u32,
    node: u16,
    key: u64,
    call: (&'static str, Value),
    id: OpId,
    result: Outcome,
    stale: bool,
}

/// A simulated register cluster.
struct Cluster {
    rng: Rng,
    builder: HistoryBuilder,
    workers: Vec<Worker>,
    agenda: BinaryHeap<Reverse<(u64, u64, usize, u8)>>,
    drawn: u64,
    processes: u32,
    values: [i64; KEYS as usize],
    old: [i64; KEYS as usize],
    changed: [u64; KEYS as usize],
    writer: [OpId; KEYS as usize],
    written: i64,
    stale: Option<(OpId, OpId, i64, i64)>,
    end: u64,
}

impl Cluster {
    fn new(seed: u64, workers: u32, end: u64) -> Cluster {
        let worker = |i| Worker {
            process: i,
            node: 1 + (i % 3) as u16,
            key: 0,
            call: ("read", Value::Nil),
            id: OpId(0),
            result: Outcome::Ok(Value::Nil),
            stale: false,
        };
        let mut cluster = Cluster {
            rng: Rng::new(seed).split("sample"),
            builder: HistoryBuilder::new(),
            workers: (0..workers).map(worker).collect(),
            agenda: BinaryHeap::new(),
            drawn: 0,
            processes: workers,
            values: [0; KEYS as usize],
            old: [0; KEYS as usize],
            changed: [0; KEYS as usize],
            writer: [OpId(0); KEYS as usize],
            written: 0,
            stale: None,
            end,
        };
        for i in 0..workers as usize {
            let at = cluster.rng.below(20 * MS);
            cluster.at(at, i, Happens::Invoke);
        }
        cluster
    }

    fn at(&mut self, time: u64, worker: usize, what: Happens) {
        self.drawn += 1;
        let code = match what {
            Happens::Invoke => 0,
            Happens::Effect => 1,
            Happens::Complete(false) => 2,
            Happens::Complete(true) => 3,
        };
        self.agenda.push(Reverse((time, self.drawn, worker, code)));
    }

    fn note(&mut self, time: u64, note: Note) {
        self.builder.note(Time(time), note).unwrap();
    }

    fn invoke(&mut self, now: u64, i: usize, pause: u64) {
        if now >= self.end {
            return;
        }
        let key = self.rng.below(KEYS);
        let call = match self.rng.below(5) {
            0 | 1 => {
                self.written += 1;
                ("write", Value::Int(self.written))
            }
            2 => {
                self.written += 1;
                ("cas", Value::from([self.values[key as usize], self.written]))
            }
            _ => ("read", Value::Nil),
        };
        let worker = &mut self.workers[i];
        (worker.key, worker.call) = (key, call.clone());
        let (process, node) = (Process(worker.process), NodeId(worker.node));
        let name = Value::from(format!("k{key}"));
        let id = self.builder.invoke(Time(now), process, Some(node), call.0, Some(name), call.1);
        self.workers[i].id = id.unwrap();
        let cut = node.0 == 1 && (PARTITION.0..PARTITION.1).contains(&now);
        let dead = node.0 == 3 && (KILL.0..KILL.1).contains(&now);
        let slow = if self.rng.chance(1, 40) { 30 } else { 1 };
        let took = if dead {
            self.workers[i].result = Outcome::Fail("connection refused".into());
            self.rng.between(MS / 10, MS / 2)
        } else if cut {
            self.workers[i].result = Outcome::Info("timed out after 1 s".into());
            1_000 * MS + self.rng.below(3 * MS)
        } else {
            self.workers[i].result = Outcome::Ok(Value::Nil);
            (MS + self.rng.below(4 * MS) + self.rng.below(3 * MS)) * slow
        };
        if !dead {
            self.at(now + took / 2, i, Happens::Effect);
        }
        self.at(now + took, i, Happens::Complete(cut));
        let _ = pause;
    }

    fn effect(&mut self, now: u64, i: usize, stale_wanted: bool) {
        let worker = &mut self.workers[i];
        let (key, known) = (worker.key as usize, matches!(worker.result, Outcome::Ok(_)));
        let (f, arg) = worker.call.clone();
        match (f, arg.pair()) {
            ("write", _) => self.set(now, i, key, arg.int().unwrap()),
            ("cas", Some((old, new))) if old.int() == Some(self.values[key]) => {
                self.set(now, i, key, new.int().unwrap());
            }
            ("cas", _) if known => worker.result = Outcome::Fail("precondition failed".into()),
            ("read", _) if known => {
                let quiet = now > self.changed[key] + 25 * MS;
                let due = stale_wanted && key == 3 && now > 8_000 * MS && quiet;
                let value = if due && self.stale.is_none() {
                    worker.stale = true;
                    let (new, old) = (self.values[key], self.old[key]);
                    self.stale = Some((worker.id, self.writer[key], old, new));
                    old
                } else {
                    self.values[key]
                };
                worker.result = Outcome::Ok(value.into());
            }
            _ => {}
        }
    }

    fn set(&mut self, now: u64, i: usize, key: usize, value: i64) {
        self.old[key] = self.values[key];
        self.values[key] = value;
        self.changed[key] = now;
        self.writer[key] = self.workers[i].id;
    }

    fn complete(&mut self, now: u64, i: usize, retire: bool, pause: u64) {
        let worker = &mut self.workers[i];
        let process = Process(worker.process);
        self.builder.complete(Time(now), process, None, worker.result.clone()).unwrap();
        if retire {
            worker.process = self.processes;
            self.processes += 1;
        }
        let next = now + pause / 2 + self.rng.below(pause);
        self.at(next, i, Happens::Invoke);
    }
}

/// Runs the cluster for `secs`; each worker pauses for about `pause` between operations.
fn simulate(workers: u32, secs: u64, pause: u64, stale: bool) -> Cluster {
    let mut cluster = Cluster::new(7, workers, secs * 1_000 * MS);
    let mut notes = notes();
    notes.reverse();
    while let Some(Reverse((now, _, worker, what))) = cluster.agenda.pop() {
        while notes.last().is_some_and(|(time, _)| *time <= now) {
            let (time, note) = notes.pop().unwrap();
            cluster.note(time, note);
        }
        match what {
            0 => cluster.invoke(now, worker, pause),
            1 => cluster.effect(now, worker, stale),
            code => cluster.complete(now, worker, code == 3, pause),
        }
    }
    cluster
}

fn notes() -> Vec<(u64, Note)> {
    let up = |n| Note::new(note::NODE_UP, ()).nodes([NodeId(n)]);
    let effect = |words: &str| Value::of([("bit", true.into()), ("effect", words.into())]);
    let crash = Value::of([
        ("status", "signal 6 (SIGABRT)".into()),
        ("stderr", "thread 'raft' panicked at src/log.rs:88:\nterm went backwards: 4 < 5\n".into()),
    ]);
    vec![
        (2 * MS, up(1)),
        (2 * MS, up(2)),
        (3 * MS, up(3)),
        (4 * MS, Note::new(note::PHASE, "load")),
        (
            PARTITION.0,
            Note::new(
                "partition",
                Value::of([("cut", Value::from([[1, 2], [2, 1], [1, 3], [3, 1]]))]),
            )
            .nodes([NodeId(1)])
            .fault(FaultId(0)),
        ),
        (7_100 * MS, Note::new(note::NODE_CRASHED, crash).nodes([NodeId(2)])),
        (7_400 * MS, up(2)),
        (
            PARTITION.1,
            Note::new(note::HEAL, effect("1 204 packets dropped"))
                .nodes([NodeId(1)])
                .fault(FaultId(0)),
        ),
        (KILL.0, Note::new("kill", ()).nodes([NodeId(3)]).fault(FaultId(1))),
        (
            KILL.1,
            Note::new(note::HEAL, effect("pid 4711 gone")).nodes([NodeId(3)]).fault(FaultId(1)),
        ),
        (KILL.1 + MS, up(3)),
        (17_000 * MS, Note::new(note::PHASE, "heal")),
        (17_500 * MS, Note::new(note::PHASE, "closing")),
        (19_900 * MS, Note::new(note::PHASE, "end")),
    ]
}

fn fault(id: u32, kind: &'static str, node: u16, window: (u64, u64), effect: &str) -> FaultReport {
    FaultReport {
        id: FaultId(id),
        kind: kind.into(),
        nodes: vec![NodeId(node)],
        start: Some(Time(window.0)),
        stop: Some(Time(window.1)),
        bit: true,
        effect: effect.to_owned(),
    }
}

fn plan(workers: usize) -> Plan {
    let injection = |kind: &'static str, node, (start, stop): (u64, u64)| Injection {
        id: FaultId(0),
        fault: Fault {
            kind: kind.into(),
            nodes: Nodes::These(vec![NodeId(node)]),
            args: Value::Nil,
        },
        start: Start::At(Time(start)),
        lasts: Duration::from_nanos(stop - start),
    };
    Plan {
        name: "register under partitions".to_owned(),
        seed: 8_214_365_907_112_233,
        target: TargetPlan {
            name: "raft-kv".to_owned(),
            options: [("bug".to_owned(), "read-without-quorum".into())].into(),
            seeds: vec![1, 2, 3],
        },
        workload: WorkloadPlan {
            name: "register".to_owned(),
            params: [("keys".to_owned(), 4.into()), ("cas".to_owned(), 1.into())].into(),
        },
        load: Load {
            rate: Some(200),
            time: Duration::from_secs(17),
            timeout: Duration::from_secs(1),
            streams: vec![9; workers],
        },
        network: "auto".to_owned(),
        schedule: Schedule::new(vec![
            injection("partition", 1, PARTITION),
            injection("kill", 3, KILL),
        ]),
        left_out: vec!["clock-skew: needs CAP_SYS_TIME, which this machine does not grant".into()],
        expect: Expect::default(),
    }
}

fn environment() -> BTreeMap<String, String> {
    [
        ("danso", "0.1.0"),
        ("kernel", "Linux 6.8.0"),
        ("cpus", "8"),
        ("memory", "15.6 GiB"),
        ("network", "proxy"),
    ]
    .map(|(k, v)| (k.to_owned(), v.to_owned()))
    .into()
}

fn logs() -> Vec<NodeLog> {
    let log = |node, name: &str, tail: &str| NodeLog {
        node: NodeId(node),
        name: name.to_owned(),
        tail: tail.to_owned(),
    };
    vec![
        log(
            1,
            "stderr",
            "\u{1b}[32mINFO\u{1b}[0m listening on 127.0.0.1:7001\nINFO lost the lease\n",
        ),
        log(
            2,
            "stderr",
            "INFO listening on 127.0.0.1:7002\nthread 'raft' panicked at src/log.rs:88:\nterm went backwards: 4 < 5\n",
        ),
        log(3, "stderr", ""),
    ]
}

fn results(history: &History, finding: Finding) -> Results {
    let counts = history.counts().into_iter().map(|(f, c)| (f.to_owned(), c)).collect();
    Results {
        verdict: finding.verdict,
        reason: finding.reason.clone(),
        seed: Some(8_214_365_907_112_233),
        reproduce: "danso run raft-kv --workload register --faults partition,kill --time 17s --seed 8214365907112233".to_owned(),
        findings: vec![finding],
        faults: vec![
            fault(0, "partition", 1, PARTITION, "1 204 packets between n1 and n2, n3 dropped"),
            fault(1, "kill", 3, KILL, "pid 4711 gone, restarted as pid 4799"),
        ],
        counts,
        environment: environment(),
        interrupted: None,
    }
}

fn sample(title: &str, cluster: Cluster, finding: Finding) -> Sample {
    let workers = cluster.workers.len();
    let history = cluster.builder.finish();
    let results = results(&history, finding);
    Sample { title: title.to_owned(), plan: Some(plan(workers)), history, results, logs: logs() }
}

/// A run with one stale read on `k3`.
pub(crate) fn invalid() -> Sample {
    let cluster = simulate(10, 19, 40 * MS, true);
    let (read, write, old, new) = cluster.stale.expect("a quiet moment on k3");
    let anomaly = Anomaly {
        name: "stale-read".into(),
        key: Some("k3".into()),
        ops: vec![read, write],
        because: format!(
            "Operation {read} read {old} from k3, although {write} had already replaced {old} by {new} and ended before the read began."
        ),
        explain: vec![
            format!(
                "{write} ended before {read} began, so every order puts the write of {new} first."
            ),
            format!("No operation that may come between them writes {old} again."),
            format!(
                "So {read} can only return {new}, or a value written later; it returned {old}."
            ),
        ],
    };
    let finding = Finding::invalid("linearizable", vec![anomaly])
        .stat("keys", KEYS)
        .stat("states", 18_244)
        .stat("ops", 4_012);
    sample("register under partitions", cluster, finding)
}

pub(crate) fn valid() -> Sample {
    let cluster = simulate(10, 19, 40 * MS, false);
    let finding = Finding::valid(
        "linearizable",
        "Every operation on each of 4 keys fits one order that respects real time.",
    )
    .stat("keys", KEYS)
    .stat("states", 17_911);
    sample("register under partitions", cluster, finding)
}

pub(crate) fn unknown() -> Sample {
    let cluster = simulate(10, 19, 40 * MS, false);
    let finding = Finding::unknown(
        "linearizable",
        "Key k2 was given up after 60 s and 4 GiB; the other 3 keys are linearizable.",
    );
    let mut sample = sample("register under partitions", cluster, finding);
    sample.results.faults[1].bit = false;
    sample.results.faults[1].effect = "the pid was still there after the kill".to_owned();
    sample
}

pub(crate) fn interrupted() -> Sample {
    let cluster = simulate(10, 6, 40 * MS, false);
    let finding = Finding::valid("linearizable", "All 4 keys are linearizable so far.");
    let mut sample = sample("register under partitions", cluster, finding);
    sample.results.interrupted = Some("SIGINT after 6.0 s of 17 s".to_owned());
    sample.results.faults[0].stop = None;
    sample.results.faults[0].effect = "healed by the interruption".to_owned();
    let kill = &mut sample.results.faults[1];
    (kill.start, kill.stop, kill.bit) = (None, None, false);
    kill.effect = "the run ended before its time".to_owned();
    sample
}

/// A history with nothing in it.
pub(crate) fn empty() -> Sample {
    let results = Results {
        verdict: Verdict::Unknown,
        reason: "The history has no operations.".to_owned(),
        reproduce: "danso check empty.jsonl --model register".to_owned(),
        ..Results::default()
    };
    Sample {
        title: "empty.jsonl".to_owned(),
        plan: None,
        history: History::default(),
        results,
        logs: Vec::new(),
    }
}

/// At least `ops` operations, with a stale read.
pub(crate) fn big(ops: usize) -> Sample {
    let cluster = simulate(60, 120, 26 * MS, true);
    let (read, write, ..) = cluster.stale.expect("a quiet moment on k3");
    let mut anomaly = Anomaly {
        name: "stale-read".into(),
        key: Some("k3".into()),
        ops: vec![read, write],
        because: format!("{read} is stale."),
        explain: Vec::new(),
    };
    let mut sample =
        sample("a long run", cluster, Finding::invalid("linearizable", vec![anomaly.clone()]));
    // A third operation on the key, far enough for most between them to be left out.
    let row = sample.history.op(write).expect("the write").row();
    let key = Value::from("k3");
    let far = (0..row - 2_000).rev().find(|r| sample.history.row(*r).key() == Some(&key));
    anomaly.ops.push(sample.history.row(far.expect("an early op")).id());
    sample.results.findings = vec![Finding::invalid("linearizable", vec![anomaly])];
    assert!(sample.history.len() >= ops, "only {} ops", sample.history.len());
    sample
}
