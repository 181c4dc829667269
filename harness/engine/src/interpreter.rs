//! Workers: each drives one client at a time through its generator's calls.
//!
//! A worker's process is retired after an `info`, since that operation may still take effect; a
//! new process with a new client takes its place.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use danso_vocab::{Call, Event, Generator, NodeId, Outcome, Process, Rng, Step};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::cluster::Cluster;
use crate::progress::Monitor;
use crate::recorder::Recorder;
use crate::resilience::Manners;
use crate::target::{Client, Connect};

/// So many quick failures in a row, and a worker slows down: a dead node must not drown the
/// history in refusals.
const PATIENCE: u32 = 4;
/// What counts as quick.
const QUICK: Duration = Duration::from_millis(5);
/// The longest it then waits.
const SLOWEST: Duration = Duration::from_millis(50);

/// What all workers share.
#[derive(Clone)]
pub(crate) struct Bench {
    pub(crate) cluster: Arc<Cluster>,
    /// Who makes clients, if not the target.
    pub(crate) connect: Option<Connect>,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) monitor: Arc<Monitor>,
    pub(crate) workers: u32,
    pub(crate) timeout: Duration,
    pub(crate) manners: Arc<Manners>,
    /// Operations without effect: indeterminate ones are recorded as `fail`.
    pub(crate) reads: Arc<BTreeSet<&'static str>>,
}

/// How fast, and until when.
#[derive(Clone)]
pub(crate) struct Pace {
    /// Operations per second, all workers together.
    pub(crate) rate: Option<u32>,
    /// Turns true when it is time to stop.
    pub(crate) over: watch::Receiver<bool>,
}

/// One worker: an engine slot that outlives its processes.
pub(crate) struct Worker {
    index: u32,
    bench: Bench,
    process: Process,
    node: NodeId,
    client: Option<Box<dyn Client>>,
    quick_failures: u32,
}

impl Worker {
    pub(crate) fn new(index: u32, bench: Bench) -> Worker {
        let nodes = bench.cluster.nodes();
        let node = nodes[index as usize % nodes.len()];
        Worker { index, bench, process: Process(index), node, client: None, quick_failures: 0 }
    }

    /// Its slot.
    pub(crate) fn index(&self) -> u32 {
        self.index
    }

    /// Works until the generator is done or time is over; gives itself back for the next phase.
    pub(crate) async fn work(
        mut self,
        mut generator: Box<dyn Generator>,
        mut rng: Rng,
        mut pace: Pace,
    ) -> Worker {
        let began = Instant::now();
        let mut calls = 0_u64;
        // Its own stream: how often a client tries again must not shift what it asks.
        let mut chance = rng.split("retries");
        while !*pace.over.borrow() {
            match generator.next(&mut rng) {
                Step::Done => break,
                Step::Wait(time) => {
                    if !rest(&mut pace.over, Instant::now() + time).await {
                        break;
                    }
                }
                Step::Invoke(call) => {
                    if let Some(due) = self.due(began, calls, pace.rate)
                        && !rest(&mut pace.over, due).await
                    {
                        break;
                    }
                    calls += 1;
                    let outcome = self.invoke(&call, &mut chance).await;
                    generator.observe(&call, &outcome);
                }
            }
        }
        self
    }

    /// When call number `calls` of this worker is due: workers take turns.
    fn due(&self, began: Instant, calls: u64, rate: Option<u32>) -> Option<Instant> {
        let turn = calls * u64::from(self.bench.workers) + u64::from(self.index);
        let ns = u128::from(turn) * 1_000_000_000 / u128::from(rate?.max(1));
        Some(began + Duration::from_nanos(u64::try_from(ns).unwrap_or(u64::MAX)))
    }

    async fn invoke(&mut self, call: &Call, chance: &mut Rng) -> Outcome {
        let process = self.process;
        let (cluster, node) = (&self.bench.cluster, self.node);
        let connect = || match &self.bench.connect {
            Some(connect) => connect(&cluster.members, node, process),
            None => cluster.target.connect(&cluster.members, node, process),
        };
        let client = self.client.get_or_insert_with(connect);
        let invoke = Event::Invoke { process, node: Some(node), call: call.clone() };
        let start = self.bench.recorder.record(&invoke);
        let called = self.bench.manners.call(&mut **client, node, call, chance);
        let answer = timeout(self.bench.timeout, called).await;
        let outcome = answer.unwrap_or(Outcome::Info("timeout".into()));
        let (recorded, retire) = match outcome {
            Outcome::Info(reason) if self.bench.reads.contains(&*call.f) => {
                (Outcome::Fail(reason), false)
            }
            Outcome::Info(reason) => (Outcome::Info(reason), true),
            other => (other, false),
        };
        let complete = Event::Complete { process, outcome: recorded.clone() };
        let end = self.bench.recorder.record(&complete);
        self.bench.monitor.count(&recorded);
        if retire {
            self.process = Process(process.0 + self.bench.workers);
            self.client = None;
        }
        self.slow_down(&recorded, end - start).await;
        recorded
    }

    async fn slow_down(&mut self, outcome: &Outcome, took: Duration) {
        if matches!(outcome, Outcome::Ok(_)) || took > QUICK {
            self.quick_failures = 0;
            return;
        }
        self.quick_failures += 1;
        if let Some(excess) = self.quick_failures.checked_sub(PATIENCE) {
            sleep(Duration::from_millis(1 << excess.min(6)).min(SLOWEST)).await;
        }
    }
}

/// Waits until `due`; false if time is over first.
async fn rest(over: &mut watch::Receiver<bool>, due: Instant) -> bool {
    tokio::select! {
        biased;
        _ = over.wait_for(|over| *over) => false,
        () = sleep_until(due) => true,
    }
}
