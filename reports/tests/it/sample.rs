//! Records to render: a simulated cluster with a partition, a kill and, if asked for, one stale
//! read; and the same run in its less fortunate shapes.

mod cluster;

use std::collections::BTreeMap;
use std::time::Duration;

use danso_reports::{NodeLog, Record};
use danso_vocab::plan::{Expect, Load, TargetPlan, WorkloadPlan};
use danso_vocab::results::FaultReport;
use danso_vocab::{
    Anomaly, Fault, FaultId, Finding, History, Injection, NodeId, Nodes, Plan, Results, Schedule,
    Start, Time, Value, Verdict,
};

use cluster::{Cluster, KEYS, KILL, MS, PARTITION, simulate};

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
            resilience: Default::default(),
        },
        network: "auto".to_owned(),
        ipv6: false,
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
        around: None,
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
    stale("register under partitions", simulate(10, 19, 40 * MS, true))
}

fn stale(title: &str, cluster: Cluster) -> Sample {
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
        figure: None,
    };
    let finding = Finding::invalid("linearizable", vec![anomaly])
        .stat("keys", KEYS)
        .stat("states", 18_244)
        .stat("ops", 4_012);
    sample(title, cluster, finding)
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

/// Some 20,000 operations, with a stale read.
pub(crate) fn long() -> Sample {
    stale("a longer run", simulate(50, 19, 40 * MS, true))
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
        figure: None,
    };
    let mut sample =
        sample("a long run", cluster, Finding::invalid("linearizable", vec![anomaly.clone()]));
    // A third operation on the key, far enough for most between them to be left out.
    let row = sample.history.op(write).expect("the write").row();
    let key = Value::from("k3");
    let far =
        (0..row - 2_000).rev().find(|r| sample.history.row(*r).key().as_deref() == Some(&key));
    anomaly.ops.push(sample.history.row(far.expect("an early op")).id());
    sample.results.findings = vec![Finding::invalid("linearizable", vec![anomaly])];
    assert!(sample.history.len() >= ops, "only {} ops", sample.history.len());
    sample
}
