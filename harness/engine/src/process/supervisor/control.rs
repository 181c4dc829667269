//! What is done to nodes that run: killed, stopped, paused, resumed.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use danso_vocab::NodeId;
use nix::sys::signal::Signal;
use nix::unistd::Pid;

use super::{KILL, Supervisor};
use crate::process::news::Turn;
use crate::process::tree;
use crate::progress::lock;
use crate::remote::Act;

/// How often a node elsewhere is looked for that may have been about to start.
const LATE: u32 = 5;
/// How long stopping processes may take.
const SETTLE: Duration = Duration::from_secs(5);

impl Supervisor {
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
        self.is_paused(node, false);
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
                self.is_paused(node, true);
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
                    if still.is_empty() {
                        return Ok(None);
                    }
                    self.is_paused(node, true);
                    return Ok(Some(still));
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
            let resumed = self.there(node, Act::Resume).await?.len();
            self.is_paused(node, false);
            return Ok(resumed);
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
                self.is_paused(node, false);
                return Ok(processes.len());
            }
            if Instant::now() > deadline {
                return Err(io::Error::other(format!("{node}: {stopped:?} do not go on")));
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Tells that `node` stands still or goes on, where that is new.
    fn is_paused(&self, node: NodeId, paused: bool) {
        let mut telling = self.teller.hold();
        let mut running = lock(&self.running);
        let Some(running) = running.get_mut(&node).filter(|r| !r.is_gone()) else { return };
        if std::mem::replace(&mut running.paused, paused) != paused {
            telling.tell(node, if paused { Turn::Paused } else { Turn::Resumed });
        }
    }
}

/// Whether a process may use a processor, now or as soon as something it waits for happens. One
/// that waits in the kernel where no signal reaches it (`D`) does not: it stops before it
/// returns.
fn runs(pid: Pid) -> bool {
    !matches!(tree::state(pid), None | Some('T' | 't' | 'Z' | 'X' | 'D'))
}
