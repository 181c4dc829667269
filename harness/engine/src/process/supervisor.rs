//! [`Supervisor`]: all node processes of a run and what became of them.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use danso_vocab::NodeId;
use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::sync::{broadcast, watch};

use super::Spawner;
use super::output::{LogFile, LogLine, Tail, pump};
use super::spawn::Order;
use crate::progress::lock;
use crate::target::NodeCommand;

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

/// A running (or paused) process.
struct Running {
    pid: Pid,
    /// Set once the process is gone and reaped.
    gone: watch::Receiver<Option<ExitStatus>>,
    /// Somebody is ending it on purpose.
    expected: Arc<Mutex<bool>>,
    stderr: Tail,
}

/// Starts, watches, pauses and kills the processes of a run.
pub struct Supervisor {
    spawner: Spawner,
    running: Mutex<BTreeMap<NodeId, Running>>,
    deaths: broadcast::Sender<Died>,
    lines: broadcast::Sender<LogLine>,
}

impl Supervisor {
    /// One without processes.
    ///
    /// # Errors
    /// If there can be no thread.
    pub fn new() -> io::Result<Supervisor> {
        Ok(Supervisor {
            spawner: Spawner::new()?,
            running: Mutex::default(),
            deaths: broadcast::Sender::new(64),
            lines: broadcast::Sender::new(1024),
        })
    }

    /// Deaths that nobody asked for, from now on.
    pub fn deaths(&self) -> broadcast::Receiver<Died> {
        self.deaths.subscribe()
    }

    /// Everything nodes print from now on.
    pub fn lines(&self) -> broadcast::Receiver<LogLine> {
        self.lines.subscribe()
    }

    /// Starts `node`. Its output goes to `logs`, its working directory is `dir`.
    ///
    /// # Errors
    /// If it runs already or cannot be started.
    pub fn start(
        &self,
        node: NodeId,
        command: NodeCommand,
        namespace: Option<i32>,
        dir: PathBuf,
        logs: &Path,
    ) -> io::Result<Pid> {
        if self.pid(node).is_some() {
            return Err(io::Error::other(format!("{node} runs already")));
        }
        let program = command.program.display().to_string();
        let mut child = self
            .spawner
            .spawn(Order { command, dir, namespace })
            .map_err(|e| io::Error::new(e.kind(), format!("{program} cannot be started: {e}")))?;
        let pid = Pid::from_raw(child.id().cast_signed());
        let (tell, gone) = watch::channel(None);
        let expected = Arc::new(Mutex::new(false));
        let stderr = Tail::default();
        let pumps = self.pump(node, &mut child, logs, &stderr)?;
        let death = (self.deaths.clone(), expected.clone(), stderr.clone());
        std::thread::Builder::new().name(format!("{node}-wait")).spawn(move || {
            reap(node, child, &tell, pumps, &death);
        })?;
        lock(&self.running).insert(node, Running { pid, gone, expected, stderr });
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

    /// The pid of `node`, if it runs.
    pub fn pid(&self, node: NodeId) -> Option<Pid> {
        let running = lock(&self.running);
        let process = running.get(&node)?;
        process.gone.borrow().is_none().then_some(process.pid)
    }

    /// The last lines `node` printed to stderr since its last start.
    pub fn stderr(&self, node: NodeId) -> String {
        lock(&self.running).get(&node).map(|p| p.stderr.text()).unwrap_or_default()
    }

    /// Kills `node` and everything in its process group; waits until it is gone and says how it
    /// went. `None` if it was not running.
    ///
    /// # Errors
    /// If it does not die within five seconds.
    pub async fn kill(&self, node: NodeId) -> io::Result<Option<(Pid, ExitStatus)>> {
        self.end(node, Signal::SIGKILL, Duration::from_secs(5)).await
    }

    /// Asks `node` to stop and kills it after `grace`.
    ///
    /// # Errors
    /// As [`Supervisor::kill`].
    pub async fn stop(&self, node: NodeId, grace: Duration) -> io::Result<()> {
        match self.end(node, Signal::SIGTERM, grace).await {
            Ok(_) => Ok(()),
            Err(_) => self.kill(node).await.map(drop),
        }
    }

    async fn end(
        &self,
        node: NodeId,
        signal: Signal,
        patience: Duration,
    ) -> io::Result<Option<(Pid, ExitStatus)>> {
        let (pid, mut gone) = {
            let running = lock(&self.running);
            let Some(process) = running.get(&node) else { return Ok(None) };
            if process.gone.borrow().is_some() {
                return Ok(None);
            }
            *lock(&process.expected) = true;
            (process.pid, process.gone.clone())
        };
        signal_group(pid, signal)?;
        if signal != Signal::SIGKILL {
            // A stopped process does not see its signal before it goes on.
            signal_group(pid, Signal::SIGCONT)?;
        }
        let waited = tokio::time::timeout(patience, gone.wait_for(Option::is_some)).await;
        match waited {
            Ok(Ok(status)) => Ok(status.map(|s| (pid, s))),
            Ok(Err(_)) => Err(io::Error::other(format!("nobody waits for {node} any more"))),
            Err(_) => Err(io::Error::other(format!("{node} (pid {pid}) does not end on {signal}"))),
        }
    }

    /// Stops `node` where it is. Returns its pid; `None` if it is not running.
    ///
    /// # Errors
    /// If the signal cannot be sent.
    pub fn pause(&self, node: NodeId) -> io::Result<Option<Pid>> {
        self.signal(node, Signal::SIGSTOP)
    }

    /// Lets `node` go on. Returns its pid; `None` if it is not running.
    ///
    /// # Errors
    /// If the signal cannot be sent.
    pub fn resume(&self, node: NodeId) -> io::Result<Option<Pid>> {
        self.signal(node, Signal::SIGCONT)
    }

    fn signal(&self, node: NodeId, signal: Signal) -> io::Result<Option<Pid>> {
        let Some(pid) = self.pid(node) else { return Ok(None) };
        signal_group(pid, signal)?;
        Ok(Some(pid))
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        for process in lock(&self.running).values() {
            *lock(&process.expected) = true;
            if process.gone.borrow().is_none()
                && let Err(error) = signal_group(process.pid, Signal::SIGKILL)
            {
                tracing::warn!(%error, pid = %process.pid, "a node may be left");
            }
        }
    }
}

/// Waits for a child, lets its output drain, and tells.
fn reap(
    node: NodeId,
    mut child: Child,
    tell: &watch::Sender<Option<ExitStatus>>,
    pumps: Vec<std::thread::JoinHandle<()>>,
    (deaths, expected, stderr): &(broadcast::Sender<Died>, Arc<Mutex<bool>>, Tail),
) {
    let status = child.wait().unwrap_or_else(|_| ExitStatus::from_raw(0));
    if !*lock(expected) {
        // Its last words may still be in the pipe, but a grandchild may hold that pipe open.
        for _ in 0..50 {
            if pumps.iter().all(std::thread::JoinHandle::is_finished) {
                break;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        let _ = deaths.send(Died { node, status: words(status), stderr: stderr.text() });
    }
    tell.send_replace(Some(status));
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

/// Signals a process group; one that is gone already is fine.
fn signal_group(pid: Pid, signal: Signal) -> io::Result<()> {
    match killpg(pid, signal) {
        Ok(()) | Err(Errno::ESRCH) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// The state letter of a process in /proc: `R`, `S`, `T` (stopped), `Z`…
pub(crate) fn state(pid: Pid) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name is in parentheses and may contain anything, parentheses included.
    stat.rsplit_once(") ")?.1.chars().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str) -> NodeCommand {
        NodeCommand {
            program: "/bin/sh".into(),
            args: vec!["-c".to_owned(), script.to_owned()],
            env: Vec::new(),
        }
    }

    const N1: NodeId = NodeId(1);

    #[tokio::test]
    async fn a_killed_node_and_its_children_are_gone_and_can_be_restarted() {
        let dir = tempfile::tempdir().unwrap();
        let nodes = Supervisor::new().unwrap();
        let mut deaths = nodes.deaths();
        let start = || {
            nodes.start(
                N1,
                sh("sleep 60 & echo $! >child; wait"),
                None,
                dir.path().into(),
                dir.path(),
            )
        };
        let pid = start().unwrap();
        let child = loop {
            tokio::time::sleep(Duration::from_millis(10)).await;
            let text = std::fs::read_to_string(dir.path().join("child")).unwrap_or_default();
            if let Ok(child) = text.trim().parse() {
                break Pid::from_raw(child);
            }
        };
        assert!(start().is_err(), "it runs already");
        let (killed, status) = nodes.kill(N1).await.unwrap().unwrap();
        assert_eq!((killed, status.signal()), (pid, Some(9)));
        assert!(nodes.pid(N1).is_none());
        for _ in 0..100 {
            if matches!(state(child), None | Some('Z')) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(matches!(state(child), None | Some('Z')), "the child went too");
        assert_eq!(nodes.kill(N1).await.unwrap(), None);
        start().unwrap();
        nodes.kill(N1).await.unwrap().unwrap();
        assert!(deaths.try_recv().is_err(), "these deaths were asked for");
    }

    #[tokio::test]
    async fn pausing_stops_and_resuming_continues() {
        let dir = tempfile::tempdir().unwrap();
        let nodes = Supervisor::new().unwrap();
        // A shell that is stopped while it starts a child waits for that child, which is stopped.
        let alone = sh("exec sleep 60");
        let pid = nodes.start(N1, alone, None, dir.path().into(), dir.path()).unwrap();
        nodes.pause(N1).unwrap();
        for _ in 0..400 {
            if state(pid) == Some('T') {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(state(pid), Some('T'));
        nodes.resume(N1).unwrap();
        for _ in 0..100 {
            if state(pid) != Some('T') {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_ne!(state(pid), Some('T'));
        nodes.pause(N1).unwrap();
        nodes.stop(N1, Duration::from_secs(2)).await.unwrap();
        assert!(nodes.pid(N1).is_none(), "a paused node can be stopped");
    }

    #[tokio::test]
    async fn a_node_that_dies_by_itself_is_told_with_its_last_words() {
        let dir = tempfile::tempdir().unwrap();
        let nodes = Supervisor::new().unwrap();
        let mut deaths = nodes.deaths();
        let mut lines = nodes.lines();
        nodes
            .start(N1, sh("echo goodbye >&2; exit 3"), None, dir.path().into(), dir.path())
            .unwrap();
        let died = deaths.recv().await.unwrap();
        assert_eq!(died.status, "exit status 3");
        assert_eq!(died.stderr, "goodbye");
        assert_eq!(lines.recv().await.unwrap().text, "goodbye");
        let missing = NodeCommand { program: "/no/such".into(), args: vec![], env: vec![] };
        let error = nodes.start(NodeId(2), missing, None, dir.path().into(), dir.path());
        assert!(error.unwrap_err().to_string().contains("/no/such"));
    }
}
