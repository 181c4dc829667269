//! [`Cluster`]: a running target.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use danso_vocab::NodeId;
use futures_util::future::join_all;

use crate::network::{Link, Network, NetworkError, Policy};
use crate::process::Supervisor;
use crate::progress::lock;
use crate::site::Site;
use crate::target::{Member, Target};

/// How often a starting node is asked whether it serves.
const ASK_EVERY: Duration = Duration::from_millis(20);

/// A running target: members, their processes, their network. What nemeses act on.
pub struct Cluster {
    /// The recipe.
    pub target: Arc<dyn Target>,
    /// The members, in order.
    pub members: Vec<Member>,
    /// Their processes.
    pub processes: Supervisor,
    /// Their network.
    pub network: Arc<dyn Network>,
    site: Site,
    cuts: Mutex<BTreeMap<Link, u32>>,
    holds: Mutex<BTreeMap<(NodeId, Hold), u32>>,
}

/// Ways a node can be held back by several faults at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Hold {
    /// It must not run.
    Down,
    /// It must not go on.
    Paused,
}

impl Cluster {
    /// A cluster whose processes do not run yet.
    ///
    /// # Errors
    /// If there can be no supervisor thread.
    pub fn new(
        target: Arc<dyn Target>,
        members: Vec<Member>,
        network: Arc<dyn Network>,
        site: Site,
    ) -> io::Result<Cluster> {
        Ok(Cluster {
            target,
            members,
            processes: Supervisor::new()?,
            network,
            site,
            cuts: Mutex::default(),
            holds: Mutex::default(),
        })
    }

    /// All members' names.
    pub fn nodes(&self) -> Vec<NodeId> {
        self.members.iter().map(|m| m.id).collect()
    }

    /// The member called `node`.
    ///
    /// # Errors
    /// If there is none.
    pub fn member(&self, node: NodeId) -> Result<&Member, String> {
        let member = self.members.get(node.index());
        member.ok_or_else(|| format!("{node} is no member of a cluster of {}", self.members.len()))
    }

    /// Starts the process of `node`, if the target has processes. Returns whether it does.
    ///
    /// # Errors
    /// One line: what could not be started, and why.
    pub fn start(&self, node: NodeId) -> Result<bool, String> {
        let member = self.member(node)?;
        let Some(command) = self.target.command(member)? else { return Ok(false) };
        let (data, logs) = (self.site.data(node), self.site.node(node));
        std::fs::create_dir_all(&data).map_err(|e| format!("{}: {e}", data.display()))?;
        let namespace = self.network.namespace(node);
        self.processes
            .start(node, command, namespace, data, &logs)
            .map_err(|e| format!("{node}: {e}"))?;
        Ok(true)
    }

    /// Waits until `node` serves.
    ///
    /// # Errors
    /// If it dies or does not serve in time: what it last said.
    pub async fn ready(&self, node: NodeId, patience: Duration) -> Result<Duration, String> {
        let member = self.member(node)?;
        let since = Instant::now();
        let mut last = String::from("no answer");
        loop {
            match tokio::time::timeout(Duration::from_secs(1), self.target.ready(member)).await {
                Ok(Ok(())) => return Ok(since.elapsed()),
                Ok(Err(reason)) => last = reason,
                Err(_) => last.clear(),
            }
            let ours = self.target.command(member)?.is_some();
            if ours && self.processes.pid(node).is_none() {
                let stderr = self.processes.stderr(node);
                let words = stderr.lines().last().unwrap_or("it printed nothing");
                return Err(format!("{node} ended before it served: {words}"));
            }
            if since.elapsed() > patience {
                return Err(format!("{node} does not serve after {patience:?}: {last}"));
            }
            tokio::time::sleep(ASK_EVERY).await;
        }
    }

    /// Who leads now.
    pub async fn primaries(&self) -> Vec<NodeId> {
        let asked = self.target.primaries(&self.members);
        tokio::time::timeout(Duration::from_secs(2), asked).await.unwrap_or_default()
    }

    /// Cuts links. A link stays cut until everyone who cut it has mended it.
    ///
    /// # Errors
    /// If the network cannot cut.
    pub fn cut(&self, links: &[Link]) -> Result<(), NetworkError> {
        let mut cuts = lock(&self.cuts);
        let fresh: Vec<Link> = links.iter().filter(|l| !cuts.contains_key(l)).copied().collect();
        let policy = Policy { cut: true };
        self.network.set(&fresh.iter().map(|l| (*l, policy)).collect::<Vec<_>>())?;
        for link in links {
            *cuts.entry(*link).or_default() += 1;
        }
        Ok(())
    }

    /// Mends links that were cut.
    ///
    /// # Errors
    /// If the network cannot mend.
    pub fn mend(&self, links: &[Link]) -> Result<(), NetworkError> {
        let mut cuts = lock(&self.cuts);
        let mut whole = Vec::new();
        for link in links {
            if let Some(count) = cuts.get_mut(link) {
                *count -= 1;
                if *count == 0 {
                    cuts.remove(link);
                    whole.push((*link, Policy::default()));
                }
            }
        }
        self.network.set(&whole)
    }

    /// One more fault holds `node` back; returns whether it is the first.
    pub fn hold(&self, node: NodeId, hold: Hold) -> bool {
        let mut holds = lock(&self.holds);
        let count = holds.entry((node, hold)).or_default();
        *count += 1;
        *count == 1
    }

    /// Whether any fault holds `node` back so.
    pub fn is_held(&self, node: NodeId, hold: Hold) -> bool {
        lock(&self.holds).contains_key(&(node, hold))
    }

    /// One fault less holds `node` back; returns whether it was the last.
    pub fn release(&self, node: NodeId, hold: Hold) -> bool {
        let mut holds = lock(&self.holds);
        let Some(count) = holds.get_mut(&(node, hold)) else { return false };
        *count -= 1;
        if *count == 0 {
            holds.remove(&(node, hold));
            return true;
        }
        false
    }

    /// Stops all processes, politely first.
    pub async fn down(&self) {
        let stopping = self.members.iter().map(|m| async move {
            if let Err(error) = self.processes.stop(m.id, Duration::from_millis(700)).await {
                tracing::warn!(%error, node = %m.id, "could not be stopped");
            }
        });
        join_all(stopping).await;
    }
}
