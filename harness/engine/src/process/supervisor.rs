//! [`Supervisor`]: all nodes of a run, through their wardens, and what became of them.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use danso_vocab::NodeId;
use nix::unistd::Pid;
use tokio::sync::{broadcast, watch};

use super::isolation::{self, Isolation};
use super::news::{Listener, Teller, Turn};
use super::order::Order;
use super::output::{LogFile, LogLine, Tail, pump};
use super::said::Ear;
use super::spawn::{Spawner, Warden};
use super::told::{End, Told};
use super::{mark, tree};
use crate::means::Obstacle;
use crate::progress::lock;
use crate::remote::Remote;

mod control;

/// How long it may take until nothing is left of a node that was killed.
const KILL: Duration = Duration::from_secs(5);

/// A node that runs, is paused, or is about to start.
struct Running {
    warden: Pid,
    ear: Arc<Ear>,
    told: Arc<Mutex<Told>>,
    /// Set once all of it is gone: how its main process ended.
    gone: watch::Receiver<Option<ExitStatus>>,
    /// Somebody is ending it on purpose.
    expected: Arc<Mutex<bool>>,
    /// It was told to stand still.
    paused: bool,
    stderr: Tail,
}

impl Running {
    fn is_gone(&self) -> bool {
        self.gone.borrow().is_some()
    }

    /// Its main process; before that is started, whoever is going to start it.
    fn pid(&self) -> Pid {
        let told = lock(&self.told);
        told.main.or(told.keeper).unwrap_or(self.warden)
    }

    fn processes(&self) -> Vec<Pid> {
        lock(&self.told).keeper.map(tree::below).unwrap_or_default()
    }
}

/// Starts, watches, pauses and kills the processes of a run.
pub struct Supervisor {
    exe: PathBuf,
    spawner: Spawner,
    isolation: OnceLock<(Isolation, Option<Obstacle>)>,
    /// Where the nodes' own processes are, if what is started here only stands for them.
    remote: Option<Arc<dyn Remote>>,
    running: Mutex<BTreeMap<NodeId, Running>>,
    teller: Teller,
    lines: broadcast::Sender<LogLine>,
}

impl Supervisor {
    /// One without processes. `exe` is the danso binary, which is the wardens' too. The best
    /// isolation to be had is found out at the first start.
    ///
    /// # Errors
    /// If there can be no thread.
    pub fn new(exe: PathBuf) -> io::Result<Supervisor> {
        Ok(Supervisor {
            spawner: Spawner::new(exe.clone())?,
            exe,
            isolation: OnceLock::new(),
            remote: None,
            running: Mutex::default(),
            teller: Teller::default(),
            lines: broadcast::Sender::new(1024),
        })
    }

    /// The same, with this isolation, whether or not a better one is to be had.
    ///
    /// # Errors
    /// If there can be no thread.
    pub fn with(exe: PathBuf, isolation: Isolation) -> io::Result<Supervisor> {
        let supervisor = Supervisor::new(exe)?;
        supervisor.isolation.get_or_init(|| (isolation, None));
        Ok(supervisor)
    }

    /// The same for nodes on other machines.
    #[must_use]
    pub fn elsewhere(mut self, remote: Option<Arc<dyn Remote>>) -> Supervisor {
        self.remote = remote;
        self
    }

    /// How nodes' processes are kept together, and why no better.
    ///
    /// # Errors
    /// If that cannot be found out.
    pub fn isolation(&self) -> io::Result<(Isolation, Option<Obstacle>)> {
        if let Some(known) = self.isolation.get() {
            return Ok(known.clone());
        }
        let found = isolation::probe(&self.exe)?;
        if let Some(obstacle) = &found.1 {
            tracing::info!(%obstacle, "no PID namespaces");
        }
        Ok(self.isolation.get_or_init(|| found).clone())
    }

    /// Tells `listener`, and no other, what happens to nodes from now on.
    pub fn listen(&self, listener: Option<Listener>) {
        self.teller.listen(listener);
    }

    /// All nodes are about to be stopped for good, which is no news.
    pub(crate) fn close(&self) {
        self.teller.close();
    }

    /// Everything nodes print from now on.
    pub fn lines(&self) -> broadcast::Receiver<LogLine> {
        self.lines.subscribe()
    }

    /// Starts `node` and returns the pid of its main process once that runs, or of its keeper if
    /// the start is delayed. Its output goes to `logs`. Takes some milliseconds.
    ///
    /// # Errors
    /// If it runs already or cannot be started.
    pub fn start(&self, node: NodeId, mut order: Order, logs: &Path) -> io::Result<Pid> {
        if self.pid(node).is_some() {
            return Err(io::Error::other(format!("{node} runs already")));
        }
        let isolation = match self.isolation()?.0 {
            // Nobody else's number is known there.
            Isolation::UserNamespace if order.user.is_some() => Isolation::Tree,
            isolation => isolation,
        };
        let marked = format!("{}-{node}", mark::ours());
        order.env.push((mark::VARIABLE.to_owned(), marked.clone()));
        let Warden { mut child, ear } = self.spawner.spawn(order, isolation)?;
        let mut told = Told::default();
        if let Err(error) = told.hear_start(node, &ear) {
            ear.condemn();
            dismiss(&mut child)?;
            return Err(error);
        }
        // It may end before it is known to run.
        let mut telling = self.teller.hold();
        let started = told.started;
        let (tell, gone) = watch::channel(None);
        let running = Running {
            warden: Pid::from_raw(child.id().cast_signed()),
            ear: Arc::new(ear),
            told: Arc::new(Mutex::new(told)),
            gone,
            expected: Arc::default(),
            paused: false,
            stderr: Tail::default(),
        };
        let pid = running.pid();
        let pumps = self.pump(node, &mut child, logs, &running.stderr)?;
        let end = End {
            node,
            marked,
            isolation,
            child,
            ear: running.ear.clone(),
            told: running.told.clone(),
            expected: running.expected.clone(),
            stderr: running.stderr.clone(),
            pumps,
            teller: self.teller.clone(),
        };
        std::thread::Builder::new().name(format!("{node}-wait")).spawn(move || end.wait(&tell))?;
        lock(&self.running).insert(node, running);
        if started {
            telling.tell(node, Turn::Up);
        }
        Ok(pid)
    }

    /// Threads that carry a child's output.
    fn pump(
        &self,
        node: NodeId,
        child: &mut Child,
        logs: &Path,
        stderr: &Tail,
    ) -> io::Result<Vec<std::thread::JoinHandle<()>>> {
        let mut pumps = Vec::new();
        let err = child.stderr.take().map(|p| Box::new(p) as Box<dyn io::Read + Send>);
        let out = child.stdout.take().map(|p| Box::new(p) as Box<dyn io::Read + Send>);
        let outputs = [("stderr", err, stderr.clone()), ("stdout", out, Tail::default())];
        for (name, pipe, tail) in outputs {
            let Some(pipe) = pipe else { continue };
            let file = Mutex::new(LogFile::open(&logs.join(format!("{name}.log")))?);
            let lines = self.lines.clone();
            let thread = std::thread::Builder::new().name(format!("{node}-{name}"));
            pumps.push(thread.spawn(move || {
                pump(pipe, &file, &tail, |text| {
                    // No listener is no error.
                    let _ = lines.send(LogLine { node, text: text.to_owned() });
                });
            })?);
        }
        Ok(pumps)
    }

    /// Something of `node`, if it runs.
    fn running<T>(&self, node: NodeId, of: impl FnOnce(&Running) -> T) -> Option<T> {
        let running = lock(&self.running);
        running.get(&node).filter(|r| !r.is_gone()).map(of)
    }

    /// The pid of `node`'s main process, if it runs; of whoever will start it, if its start is
    /// being delayed.
    pub fn pid(&self, node: NodeId) -> Option<Pid> {
        self.running(node, Running::pid)
    }

    /// The pids of all processes of `node`; none if it does not run.
    pub fn processes(&self, node: NodeId) -> Vec<Pid> {
        self.running(node, Running::processes).unwrap_or_default()
    }

    /// The process that started `node` and was left as it was, if it runs.
    pub(super) fn keeper(&self, node: NodeId) -> Option<Pid> {
        self.running(node, |r| lock(&r.told).keeper).flatten()
    }

    /// Whether the start of `node` is under way and its program has not been started yet.
    pub fn is_delayed(&self, node: NodeId) -> bool {
        // What the warden says of it may still be on its way.
        self.running(node, |r| !lock(&r.told).started && r.processes().is_empty()).unwrap_or(false)
    }

    /// The last lines `node` printed to stderr since its last start.
    pub fn stderr(&self, node: NodeId) -> String {
        lock(&self.running).get(&node).map(|p| p.stderr.text()).unwrap_or_default()
    }
}

/// Lets a warden put an end to what it has started, and to itself.
fn dismiss(child: &mut Child) -> io::Result<()> {
    let deadline = Instant::now() + KILL;
    while child.try_wait()?.is_none() {
        if Instant::now() > deadline {
            child.kill()?;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        for process in lock(&self.running).values() {
            *lock(&process.expected) = true;
            process.ear.condemn();
        }
    }
}
