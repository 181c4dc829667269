//! [`run`]: from a plan to a history. Start, load under faults, heal, closing operations, stop.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use danso_vocab::event::note;
use danso_vocab::{Event, Generator, NodeId, Note, Plan, Rng, Seat};
use futures_util::future::join_all;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::cluster::Cluster;
use crate::collect::collect;
use crate::interpreter::{Bench, Pace, Worker};
use crate::network::{Network, Party};
use crate::observe;
use crate::progress::{Interrupt, Monitor, lock};
use crate::recorder::{Observer, Recorder};
use crate::resilience::Manners;
use crate::schedule::{self, Context, Source};
use crate::site::Site;
use crate::target::{Connect, Member, Printed, Target};
use crate::undo::{self, UndoLog};

/// The most a kernel lets pass between two retransmissions (RFC 6298 with Linux' TCP_RTO_MAX).
const LONGEST_SILENCE: Duration = Duration::from_secs(120);
/// How long what a target sets up may take, and how long to take it down.
const SETUP: Duration = Duration::from_secs(120);
/// How long the closing operations may take beyond their own timeouts.
const CLOSING: Duration = Duration::from_secs(20);

/// Makes the generator of a worker.
pub type Generators = Box<dyn Fn(Seat) -> Box<dyn Generator> + Send + Sync>;

/// What a run needs beside its plan.
pub struct Setup {
    /// The recipe for the system under test.
    pub target: Arc<dyn Target>,
    /// The network, open.
    pub network: Arc<dyn Network>,
    /// The run folder.
    pub site: Site,
    /// The danso binary, for bundled nodes.
    pub exe: PathBuf,
    /// Who speaks to it; `None` is the target's own clients.
    pub connect: Option<Connect>,
    /// What workers do during the load.
    pub load: Generators,
    /// What they do after everything healed.
    pub closing: Generators,
    /// Operations without effect.
    pub reads: BTreeSet<&'static str>,
    /// How to end it early.
    pub interrupt: Interrupt,
    /// Who is told of every event as it is recorded.
    pub observer: Option<Observer>,
    /// How to end the load early, as if its time were up: everything after it goes on as usual.
    pub enough: Interrupt,
    /// Who decides what goes wrong; `None` is the plan's schedule.
    pub source: Mutex<Option<Box<dyn Source>>>,
    /// Where to show what is going on.
    pub monitor: Arc<Monitor>,
}

/// What is known of a run beside its history.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Time 0 of the history.
    pub base: Instant,
    /// From the first start of a process until all nodes served.
    pub ready: Duration,
    /// From the end of the closing operations until no process was left.
    pub teardown: Duration,
    /// CPU time of this process, and operations, during the load.
    pub cpu: Duration,
    /// How each node's processes were kept together.
    pub isolation: String,
    /// What clients did about nodes that do not answer, if they were asked to do anything.
    pub clients: Option<String>,
    /// What could not be removed from other machines.
    pub left: Option<String>,
    /// Why it ended early, if it did.
    pub interrupted: Option<String>,
}

/// Why there is no history, or no whole one.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The cluster did not come up.
    #[error("the cluster did not come up: {0}")]
    Start(String),
    /// The run folder cannot be written.
    #[error("{path}: {error}")]
    Folder {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        error: std::io::Error,
    },
    /// The history could not be written to its end.
    #[error("the end of the history could not be written: {0}; what came before is whole")]
    Recording(std::io::Error),
    /// danso is at fault.
    #[error("danso itself failed: {0}; please report this")]
    Internal(String),
}

/// Runs `plan`. Blocks until everything it started is gone.
///
/// # Errors
/// See [`RunError`]. Whatever was recorded before is in the run folder.
pub fn run(plan: &Plan, mut setup: Setup) -> Result<Facts, RunError> {
    let folder = |path: PathBuf| move |error| RunError::Folder { path, error };
    let site = setup.site.clone();
    let undo = UndoLog::create(&site.undo()).map_err(folder(site.undo()))?;
    for node in NodeId::all(plan.target.nodes()) {
        std::fs::create_dir_all(site.node(node)).map_err(folder(site.node(node)))?;
    }
    let recorder = Recorder::create(&site.history(), setup.interrupt.clone())
        .map_err(folder(site.history()))?;
    if let Ok(now) = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC) {
        let base = Duration::from(now).saturating_sub(recorder.base().elapsed());
        tracing::info!(monotonic_ns = base.as_nanos(), "time 0 of the history");
    }
    if let Some(observer) = setup.observer.take() {
        recorder.observe(observer);
    }
    let members = members(plan, &setup);
    let internal = |error: std::io::Error| RunError::Internal(error.to_string());
    let (target, network) = (setup.target.clone(), setup.network.clone());
    let mut cluster = Cluster::new(target, members, network, site).map_err(internal)?;
    cluster.prepare(&plan.schedule).map_err(|e| RunError::Start(e.to_string()))?;
    let cluster = Arc::new(cluster);
    let control = setup.network.runtime(Party::Control);
    let manners = Arc::new(Manners::new(plan.load.resilience.clone(), plan.target.nodes()));
    let undo = Arc::new(undo);
    let plan = plan.clone();
    let set_up = AtomicBool::new(false);
    let conductor = Conductor { plan, setup, cluster, recorder, undo, manners, set_up };
    // The conductor's sockets belong to the control party, so it lives on that runtime.
    let (tell, told) = mpsc::channel();
    control.spawn(async move {
        let result = conductor.conduct().await;
        let result = match conductor.recorder.finish() {
            Err(error) if result.is_ok() => Err(RunError::Recording(error)),
            _ => result,
        };
        drop(conductor);
        // The receiver waits below; it cannot be gone.
        let _ = tell.send(result);
    });
    told.recv().map_err(|_| RunError::Internal("the conductor panicked".to_owned()))?
}

fn members(plan: &Plan, setup: &Setup) -> Vec<Member> {
    let all = NodeId::all(plan.target.nodes());
    let options = Arc::new(plan.target.options.clone());
    let member = |(id, seed): (&NodeId, &u64)| Member {
        id: *id,
        all: all.clone(),
        data: setup.site.data(*id),
        conf: setup.site.node(*id).join("conf"),
        printed: Printed::new(setup.site.node(*id)),
        seed: *seed,
        exe: setup.exe.clone(),
        options: options.clone(),
        network: setup.network.clone(),
    };
    all.iter().zip(&plan.target.seeds).map(member).collect()
}

struct Conductor {
    plan: Plan,
    setup: Setup,
    cluster: Arc<Cluster>,
    recorder: Arc<Recorder>,
    undo: Arc<UndoLog>,
    manners: Arc<Manners>,
    /// Whether what the target sets up was begun.
    set_up: AtomicBool,
}

impl Conductor {
    async fn conduct(&self) -> Result<Facts, RunError> {
        let elsewhere = self.setup.network.remote().is_some();
        let listener = observe::nodes(elsewhere, self.recorder.clone());
        self.cluster.processes.listen(Some(listener));
        let result = match self.settle().await {
            Ok(()) => self.phases().await,
            Err(error) => Err(RunError::Start(error)),
        };
        let since = Instant::now();
        self.setup.monitor.enter("stopping");
        if self.set_up.load(Ordering::Relaxed) {
            let done = self.setup.target.teardown(&self.cluster.members);
            let done = tokio::time::timeout(SETUP, done).await;
            match done.unwrap_or_else(|_| Err(format!("no end after {SETUP:?}"))) {
                Ok(()) => {}
                Err(error) => {
                    tracing::warn!(error, "teardown");
                    self.note(Note::new("teardown-failed", error));
                }
            }
        }
        self.cluster.down().await;
        collect(&self.cluster, &self.setup.site).await;
        let left = self.leave().await;
        self.cluster.processes.listen(None);
        let mut facts = result?;
        facts.teardown = since.elapsed();
        facts.left = left;
        Ok(facts)
    }

    /// Makes what the run needs on other machines.
    async fn settle(&self) -> Result<(), String> {
        let Some(remote) = self.setup.network.remote() else { return Ok(()) };
        let intended = self.undo.intend(undo::HOSTS, undo::ON_HOSTS, &remote.traces());
        intended.map_err(|e| format!("{}: {e}", self.setup.site.undo().display()))?;
        remote.settle().await
    }

    /// Removes it. Says what is left.
    async fn leave(&self) -> Option<String> {
        let remote = self.setup.network.remote()?;
        let left = remote.leave().await;
        let left = left.and_then(|()| self.undo.undone(undo::HOSTS).map_err(|e| e.to_string()));
        let error = left.err()?;
        tracing::warn!(error, "hosts");
        Some(error)
    }

    async fn phases(&self) -> Result<Facts, RunError> {
        let interrupt = &self.setup.interrupt;
        self.setup.monitor.enter("starting");
        let ready = tokio::select! {
            ready = self.start() => ready.map_err(RunError::Start)?,
            () = interrupt.wait() => Duration::ZERO,
        };
        let samples = observe::samples(&self.cluster, &self.recorder);
        let mut workers = self.bench();
        let cpu = cpu_time();
        if interrupt.raised().is_none() {
            workers = self.load(workers).await?;
        }
        let enough = self.setup.enough.raised();
        let cpu = cpu_time().saturating_sub(cpu);
        if interrupt.raised().is_none() {
            self.heal().await;
        }
        if interrupt.raised().is_none() {
            self.closing(workers).await?;
        }
        drop(samples);
        let interrupted = interrupt.raised().or(enough);
        if let Some(reason) = &interrupted {
            self.note(Note::new(note::INTERRUPTED, reason.as_str()));
        }
        self.phase("end");
        let isolation = match self.cluster.processes.isolation() {
            _ if self.setup.network.remote().is_some() => "a mark, on their machines".to_owned(),
            Ok((isolation, None)) => isolation.word().to_owned(),
            Ok((isolation, Some(obstacle))) => format!("{} ({obstacle})", isolation.word()),
            Err(error) => error.to_string(),
        };
        let base = self.recorder.base();
        let clients = self.manners.told();
        let teardown = Duration::ZERO;
        Ok(Facts { base, ready, teardown, cpu, isolation, clients, left: None, interrupted })
    }

    fn bench(&self) -> Vec<Worker> {
        let bench = Bench {
            cluster: self.cluster.clone(),
            connect: self.setup.connect.clone(),
            recorder: self.recorder.clone(),
            monitor: self.setup.monitor.clone(),
            workers: self.plan.load.workers(),
            timeout: self.plan.load.timeout,
            manners: self.manners.clone(),
            reads: Arc::new(self.setup.reads.clone()),
        };
        (0..bench.workers).map(|index| Worker::new(index, bench.clone())).collect()
    }

    async fn start(&self) -> Result<Duration, String> {
        let since = Instant::now();
        let target = &self.setup.target;
        for stage in target.stages(&self.cluster.nodes()) {
            let mut elsewhere = Vec::new();
            for node in &stage {
                if !self.cluster.start(*node)? {
                    elsewhere.push(*node);
                }
            }
            let patience = target.patience();
            for served in join_all(stage.iter().map(|n| self.cluster.ready(*n, patience))).await {
                served?;
            }
            // Of nodes that have no processes of ours nobody else tells.
            for node in elsewhere {
                self.note(Note::new(note::NODE_UP, ()).nodes([node]));
            }
        }
        let took = since.elapsed();
        tracing::info!(after = ?took, "all nodes serve");
        self.set_up.store(true, Ordering::Relaxed);
        let setup = tokio::time::timeout(SETUP, target.setup(&self.cluster.members)).await;
        setup
            .unwrap_or_else(|_| Err(format!("no end after {SETUP:?}")))
            .map_err(|e| format!("setup: {e}"))?;
        Ok(took)
    }

    /// The load and the faults, side by side.
    async fn load(&self, workers: Vec<Worker>) -> Result<Vec<Worker>, RunError> {
        self.phase("load");
        let (end, over) = watch::channel(false);
        let context = Context {
            cluster: self.cluster.clone(),
            recorder: self.recorder.clone(),
            undo: self.undo.clone(),
            monitor: self.setup.monitor.clone(),
            start: tokio::time::Instant::now(),
            over: over.clone(),
        };
        let source = lock(&self.setup.source).take();
        let source = source.unwrap_or_else(|| Box::new(self.plan.schedule.clone()));
        let faults = tokio::spawn(async move { schedule::carry_out(source, &context).await });
        let pace = Pace { rate: self.plan.load.rate, over };
        let working = self.employ(workers, &self.setup.load, "load", pace);
        let timer = async {
            tokio::select! {
                () = tokio::time::sleep(self.plan.load.time) => {}
                () = self.setup.interrupt.wait() => {}
                () = self.setup.enough.wait() => {}
            }
            end.send_replace(true);
        };
        let (workers, ()) = tokio::join!(working, timer);
        if let Err(error) = faults.await {
            return Err(RunError::Internal(format!("the schedule panicked: {error}")));
        }
        workers
    }

    /// Runs all workers, each on its own generator and stream, on the clients' runtime.
    async fn employ(
        &self,
        workers: Vec<Worker>,
        generators: &Generators,
        label: &str,
        pace: Pace,
    ) -> Result<Vec<Worker>, RunError> {
        let clients = self.setup.network.runtime(Party::Clients);
        let count = self.plan.load.workers();
        let mut working = JoinSet::new();
        for (index, worker) in workers.into_iter().enumerate() {
            let generator = generators(Seat {
                worker: index as u32,
                workers: count,
                nodes: self.plan.target.nodes(),
            });
            let rng = Rng::new(self.plan.load.streams[index]).split(label);
            working.spawn_on(worker.work(generator, rng, pace.clone()), &clients);
        }
        let mut done = Vec::new();
        while let Some(worker) = working.join_next().await {
            done.push(worker.map_err(|e| RunError::Internal(format!("a worker panicked: {e}")))?);
        }
        done.sort_by_key(Worker::index);
        Ok(done)
    }

    /// Starts what is down and waits until all serve. Faults are healed by now.
    async fn heal(&self) {
        self.phase("heal");
        for node in self.cluster.nodes() {
            if self.cluster.processes.pid(node).is_none()
                && let Err(error) = self.cluster.start(node)
            {
                tracing::warn!(%node, error, "cannot be started again");
            }
        }
        let nodes = self.cluster.nodes();
        let patience = self.recovery();
        let recovering = join_all(nodes.iter().map(|n| self.cluster.ready(*n, patience)));
        let recovered = tokio::select! {
            recovered = recovering => recovered,
            () = self.setup.interrupt.wait() => return,
        };
        for (node, served) in nodes.into_iter().zip(recovered) {
            if let Err(reason) = served {
                self.note(Note::new("not-recovered", reason).nodes([node]));
            }
        }
    }

    /// How long nodes may take to serve after healing. A connection that was cut is silent, once
    /// it is whole again, for up to as long as it had been cut: its kernel doubles the time
    /// between retransmissions, up to two minutes.
    fn recovery(&self) -> Duration {
        let lasted = self.plan.schedule.injections.iter().map(|i| i.lasts).max();
        self.setup.target.patience() + lasted.unwrap_or_default().min(LONGEST_SILENCE)
    }

    async fn closing(&self, workers: Vec<Worker>) -> Result<(), RunError> {
        self.phase("closing");
        let (end, over) = watch::channel(false);
        let pace = Pace { rate: None, over };
        let working = self.employ(workers, &self.setup.closing, "closing", pace);
        tokio::pin!(working);
        tokio::select! {
            done = &mut working => return done.map(drop),
            () = tokio::time::sleep(CLOSING) => {}
            () = self.setup.interrupt.wait() => {}
        }
        end.send_replace(true);
        working.await.map(drop)
    }

    fn phase(&self, name: &'static str) {
        tracing::info!("phase {name}");
        self.setup.monitor.enter(name);
        self.note(Note::new(note::PHASE, name));
    }

    fn note(&self, note: Note) {
        self.recorder.record(&Event::Note(note));
    }
}

/// CPU time this process has used so far, its own threads only.
fn cpu_time() -> Duration {
    use nix::sys::resource::{UsageWho, getrusage};
    let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) else { return Duration::ZERO };
    let time = |t: nix::sys::time::TimeVal| {
        Duration::new(t.tv_sec().unsigned_abs(), t.tv_usec().unsigned_abs() as u32 * 1_000)
    };
    time(usage.user_time()) + time(usage.system_time())
}
