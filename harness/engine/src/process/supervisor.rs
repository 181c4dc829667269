//! [`Supervisor`]: all nodes of a run, through their wardens, and what became of them.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use danso_vocab::NodeId;
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use tokio::sync::{broadcast, watch};

use super::isolation::{self, Isolation};
use super::order::Order;
use super::output::{LogFile, LogLine, Tail, pump};
use super::said::{Ear, Said};
use super::spawn::{Spawner, Warden};
use super::{mark, tree};
use crate::means::Obstacle;
use crate::progress::lock;
use crate::remote::{Act, Remote};

/// How long a warden may take until its node runs, or its start is known to be delayed.
const START: Duration = Duration::from_secs(20);
/// How long it may take until nothing is left of a node that was killed.
const KILL: Duration = Duration::from_secs(5);
/// How often a node elsewhere is looked for that may have been about to start.
const LATE: u32 = 5;
/// How long stopping processes may take.
const SETTLE: Duration = Duration::from_secs(5);

/// A node died although nobody asked it to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Died {
    /// Who.
    pub node: NodeId,
    /// How, in words: `exit status 1`, `signal 11 (SIGSEGV)`.
    pub status: String,
    /// The last lines it printed to stderr.
    pub stderr: String,
}

/// What the warden told so far.
#[derive(Clone, Debug, Default)]
struct Told {
    keeper: Option<Pid>,
    main: Option<Pid>,
    started: bool,
    delayed: bool,
    ended: Option<ExitStatus>,
    failed: Option<String>,
}

impl Told {
    fn hear(&mut self, node: NodeId, said: Said, speaker: Pid) {
        match said {
            Said::Keeper => self.keeper = Some(speaker),
            Said::Main => self.main = Some(speaker),
            Said::Delayed => self.delayed = true,
            Said::Started => self.started = true,
            Said::Note(words) => tracing::info!(%node, "{words}"),
            Said::Daemonised => {
                tracing::info!(%node, "its first process ended, others of it go on");
            }
            Said::Ended(raw) => self.ended = Some(ExitStatus::from_raw(raw)),
            Said::Failed(failure) => {
                self.failed = Some(io::Error::from(failure).to_string());
            }
        }
    }
}

/// A node that runs, is paused, or is about to start.
struct Running {
    warden: Pid,
    ear: Arc<Ear>,
    told: Arc<Mutex<Told>>,
    /// Set once all of it is gone: how its main process ended.
    gone: watch::Receiver<Option<ExitStatus>>,
    /// Somebody is ending it on purpose.
    expected: Arc<Mutex<bool>>,
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
    deaths: broadcast::Sender<Died>,
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
            deaths: broadcast::Sender::new(64),
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

    /// Deaths that nobody asked for, from now on.
    pub fn deaths(&self) -> broadcast::Receiver<Died> {
        self.deaths.subscribe()
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
        if let Err(error) = hear_start(node, &ear, &mut told) {
            ear.condemn();
            dismiss(&mut child)?;
            return Err(error);
        }
        let (tell, gone) = watch::channel(None);
        let running = Running {
            warden: Pid::from_raw(child.id().cast_signed()),
            ear: Arc::new(ear),
            told: Arc::new(Mutex::new(told)),
            gone,
            expected: Arc::default(),
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
            deaths: self.deaths.clone(),
        };
        std::thread::Builder::new().name(format!("{node}-wait")).spawn(move || end.wait(&tell))?;
        lock(&self.running).insert(node, running);
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

    /// Kills all processes of `node`; waits until they are gone and says how the main process
    /// went. `None` if it was not running.
    ///
    /// # Errors
    /// If something of it is left after ten seconds.
    pub async fn kill(&self, node: NodeId) -> io::Result<Option<(Pid, ExitStatus)>> {
        let Some((pid, warden, ear)) = self.running(node, |r| {
            *lock(&r.expected) = true;
            (r.pid(), r.warden, r.ear.clone())
        }) else {
            return Ok(None);
        };
        let there = self.there(node, Act::Kill).await?;
        ear.condemn();
        let mut ended = self.ended(node, KILL).await?;
        if ended.is_none() {
            // It should have answered. Its own children die with it.
            tracing::warn!(%node, "its warden does not answer");
            tree::signal(warden, Signal::SIGKILL)?;
            ended = self.ended(node, KILL).await?;
        }
        let Some(status) = ended else {
            return Err(io::Error::other(format!("{node} (pid {pid}) does not end")));
        };
        let killed = ExitStatus::from_raw(Signal::SIGKILL as i32);
        match there.first() {
            Some(there) => Ok(Some((*there, killed))),
            None if self.remote.is_none() => Ok(Some((pid, status))),
            None => {
                // It may just have been about to start there.
                for _ in 0..LATE {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    if let Some(there) = self.there(node, Act::Kill).await?.first() {
                        return Ok(Some((*there, killed)));
                    }
                }
                Ok(Some((pid, status)))
            }
        }
    }

    /// Asks all processes of `node` to stop with this signal and kills them after `grace`. Says how the
    /// main process went; `None` if it was not running.
    ///
    /// # Errors
    /// As [`Supervisor::kill`].
    pub async fn stop(
        &self,
        node: NodeId,
        signal: Signal,
        grace: Duration,
    ) -> io::Result<Option<(Pid, ExitStatus)>> {
        let Some((pid, processes)) = self.running(node, |r| {
            *lock(&r.expected) = true;
            (r.pid(), r.processes())
        }) else {
            return Ok(None);
        };
        let there = self.there(node, Act::Signal(signal)).await?;
        self.there(node, Act::Resume).await?;
        let pid = there.first().copied().unwrap_or(pid);
        for process in processes.iter().filter(|_| self.remote.is_none()) {
            tree::signal(*process, signal)?;
        }
        for process in &processes {
            // A stopped process does not see its signal before it goes on.
            tree::signal(*process, Signal::SIGCONT)?;
        }
        if !processes.is_empty()
            && let Some(status) = self.ended(node, grace).await?
        {
            return Ok(Some((pid, status)));
        }
        self.kill(node).await
    }

    /// Does this to what `node` is on another machine; nothing if it is on this one.
    async fn there(&self, node: NodeId, act: Act) -> io::Result<Vec<Pid>> {
        let Some(remote) = &self.remote else { return Ok(Vec::new()) };
        let done = remote.act(node, act).await;
        done.map_err(|why| io::Error::other(format!("{node}: {why}")))
    }

    /// Waits until nothing of `node` is left: how its main process ended.
    async fn ended(&self, node: NodeId, patience: Duration) -> io::Result<Option<ExitStatus>> {
        let Some(mut gone) = lock(&self.running).get(&node).map(|r| r.gone.clone()) else {
            return Ok(None);
        };
        let waited = tokio::time::timeout(patience, gone.wait_for(Option::is_some)).await;
        match waited {
            Ok(Ok(status)) => Ok(*status),
            Ok(Err(_)) => Err(io::Error::other(format!("nobody waits for {node} any more"))),
            Err(_) => Ok(None),
        }
    }

    /// Stops all processes of `node` where they are (SIGSTOP), until none runs. Returns those
    /// that stand still, the main process first; `None` if it is not running.
    ///
    /// # Errors
    /// If a signal cannot be sent, or somebody runs on.
    pub async fn pause(&self, node: NodeId) -> io::Result<Option<Vec<Pid>>> {
        let deadline = Instant::now() + SETTLE;
        while self.remote.is_some() {
            let stopped = self.there(node, Act::Pause).await?;
            if !stopped.is_empty() {
                return Ok(Some(stopped));
            }
            if self.pid(node).is_none() || self.is_delayed(node) || Instant::now() > deadline {
                return Ok(None);
            }
            // What stands for it runs, so it is about to.
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        loop {
            let Some((main, processes)) = self.running(node, |r| (r.pid(), r.processes())) else {
                return Ok(None);
            };
            let running: Vec<_> = processes.iter().copied().filter(|p| runs(*p)).collect();
            if running.is_empty() {
                // Whoever was born while we looked is found now: nobody is left to bear any more.
                let again = self.processes(node);
                if again.iter().all(|p| !runs(*p)) {
                    let mut still: Vec<_> = again.into_iter().filter(|p| tree::lives(*p)).collect();
                    still.sort_by_key(|p| (*p != main, p.as_raw()));
                    return Ok(Some(still).filter(|s| !s.is_empty()));
                }
            } else if Instant::now() > deadline {
                return Err(io::Error::other(format!("{node}: {running:?} do not stop")));
            }
            for process in running {
                tree::signal(process, Signal::SIGSTOP)?;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Lets all processes of `node` go on (SIGCONT). Returns how many there are.
    ///
    /// # Errors
    /// If a signal cannot be sent, or somebody stays where it is.
    pub async fn resume(&self, node: NodeId) -> io::Result<usize> {
        if self.remote.is_some() {
            return Ok(self.there(node, Act::Resume).await?.len());
        }
        let deadline = Instant::now() + SETTLE;
        loop {
            let processes = self.processes(node);
            for process in &processes {
                tree::signal(*process, Signal::SIGCONT)?;
            }
            let stopped: Vec<_> =
                processes.iter().filter(|p| tree::state(**p) == Some('T')).collect();
            if stopped.is_empty() {
                return Ok(processes.len());
            }
            if Instant::now() > deadline {
                return Err(io::Error::other(format!("{node}: {stopped:?} do not go on")));
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

/// Whether a process may use a processor, now or as soon as something it waits for happens. One
/// that waits in the kernel where no signal reaches it (`D`) does not: it stops before it
/// returns.
fn runs(pid: Pid) -> bool {
    !matches!(tree::state(pid), None | Some('T' | 't' | 'Z' | 'X' | 'D'))
}

/// Listens until the node runs or is known to start later.
fn hear_start(node: NodeId, ear: &Ear, told: &mut Told) -> io::Result<()> {
    let deadline = Instant::now() + START;
    while !told.started && !told.delayed {
        let heard = ear.hear(Some(deadline)).map_err(|e| match e.kind() {
            io::ErrorKind::TimedOut => io::Error::other(format!("no start after {START:?}")),
            _ => e,
        })?;
        let Some((said, speaker)) = heard else {
            return Err(io::Error::other("its warden ended without a word"));
        };
        if let Said::Failed(failure) = said {
            return Err(failure.into());
        }
        told.hear(node, said, speaker);
    }
    Ok(())
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

/// What is needed when a node ends.
struct End {
    node: NodeId,
    marked: String,
    isolation: Isolation,
    child: Child,
    ear: Arc<Ear>,
    told: Arc<Mutex<Told>>,
    expected: Arc<Mutex<bool>>,
    stderr: Tail,
    pumps: Vec<std::thread::JoinHandle<()>>,
    deaths: broadcast::Sender<Died>,
}

impl End {
    /// Listens to the warden until it ends, lets the node's output drain, and tells.
    fn wait(mut self, tell: &watch::Sender<Option<ExitStatus>>) {
        // Whoever ends it after it has ended by itself did not ask for that.
        let mut unasked = false;
        loop {
            match self.ear.hear(None) {
                Ok(Some((said, speaker))) => {
                    unasked |= matches!(said, Said::Ended(_)) && !*lock(&self.expected);
                    lock(&self.told).hear(self.node, said, speaker);
                }
                Ok(None) => break,
                Err(error) => {
                    tracing::warn!(node = %self.node, %error, "its warden cannot be understood");
                    break;
                }
            }
        }
        let killed = ExitStatus::from_raw(Signal::SIGKILL as i32);
        let warden = self.child.wait().unwrap_or(killed);
        if warden.signal().is_some() && self.isolation == Isolation::Tree {
            // What it should have killed is nobody's now, but still carries our mark.
            mark::kill_marked(|mark| mark == self.marked);
        }
        let told = lock(&self.told).clone();
        // Killed together with its namespace: nobody was left to say so.
        let status = told.ended.unwrap_or(killed);
        // Its last words may still be in the pipe, which nobody of it holds open any more.
        for _ in 0..500 {
            if self.pumps.iter().all(std::thread::JoinHandle::is_finished) {
                break;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        let expected = *lock(&self.expected) && !unasked;
        // First, so that whoever hears of its death can start it again.
        tell.send_replace(Some(status));
        if !expected {
            let status = told.failed.unwrap_or_else(|| words(status));
            let stderr = self.stderr.text();
            // No listener is no error.
            let _ = self.deaths.send(Died { node: self.node, status, stderr });
        }
    }
}

/// An exit status in words.
pub(crate) fn words(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(number)) => match Signal::try_from(number) {
            Ok(signal) => format!("signal {number} ({signal})"),
            Err(_) => format!("signal {number}"),
        },
        (None, None) => "an unknown end".to_owned(),
    }
}
