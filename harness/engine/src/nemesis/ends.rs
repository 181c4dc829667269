//! What nemeses that end processes share: nodes held down and let up again, and work that goes
//! on as long as a fault lasts.

use std::sync::Arc;
use std::time::Duration;

use danso_vocab::{NodeId, Value};
use futures_util::future::join_all;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{Effect, Wound};
use crate::cluster::{Cluster, Hold};
use crate::process;
use crate::target::Fut;

/// How a node is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// SIGKILL.
    Kill,
    /// SIGTERM, and SIGKILL after so long.
    Stop(Duration),
}

/// Ends nodes and keeps them down until [`let_up`]. Says of those that ran how they went.
pub(super) async fn take_down(cluster: &Cluster, nodes: &[NodeId], how: How) -> Vec<String> {
    for node in nodes {
        cluster.hold(*node, Hold::Down);
    }
    let ended = join_all(nodes.iter().map(|n| end(cluster, *n, how))).await;
    ended.into_iter().flatten().collect()
}

/// Ends a node; `None` if it did not run.
pub(super) async fn end(cluster: &Cluster, node: NodeId, how: How) -> Option<String> {
    // Whoever is starting it comes first: what does not run yet cannot be ended.
    let starts = cluster.starts(node);
    let _none = starts.read().await;
    let ended = match how {
        How::Kill => cluster.processes.kill(node).await,
        How::Stop(grace) => {
            let signal = cluster.target.farewell().signal;
            cluster.processes.stop(node, signal, grace).await
        }
    };
    match ended {
        Ok(Some((pid, status))) => {
            Some(format!("{node} (pid {pid}) ended by {}", process::words(status)))
        }
        Ok(None) => None,
        Err(error) => {
            tracing::warn!(%error, %node, "cannot be ended");
            None
        }
    }
}

/// Starts those nodes that nobody keeps down any more.
///
/// # Errors
/// One line: which cannot be started, and why.
pub(super) async fn let_up(cluster: &Cluster, nodes: &[NodeId]) -> Result<(), String> {
    let mut failed = Vec::new();
    for node in nodes {
        if cluster.release(*node, Hold::Down)
            && let Err(error) = start(cluster, *node, Duration::ZERO).await
        {
            failed.push(error);
        }
    }
    match failed.as_slice() {
        [] => Ok(()),
        _ => Err(format!("cannot be started again: {}", failed.join("; "))),
    }
}

/// Starts a node that does not run; one that must not go on does not.
///
/// # Errors
/// One line: why it cannot be started.
pub(super) async fn start(cluster: &Cluster, node: NodeId, delay: Duration) -> Result<(), String> {
    start_unless(cluster, node, delay, 0).await.map(drop)
}

/// The same for one who holds it down himself: it is started unless more than `holds` faults
/// keep it down. Returns whether it was.
///
/// # Errors
/// As [`start`].
pub(super) async fn start_unless(
    cluster: &Cluster,
    node: NodeId,
    delay: Duration,
    holds: u32,
) -> Result<bool, String> {
    let starts = cluster.starts(node);
    let _alone = starts.write().await;
    if cluster.holds(node, Hold::Down) > holds || cluster.processes.pid(node).is_some() {
        return Ok(false);
    }
    cluster.start_late(node, delay)?;
    if cluster.is_held(node, Hold::Paused) {
        cluster.processes.pause(node).await.map_err(|e| e.to_string())?;
    }
    Ok(true)
}

/// Whether the disks of `nodes`, which were taken down, may be touched: somebody may not have
/// ended.
///
/// # Errors
/// One line: who runs on.
pub(super) fn all_down(cluster: &Cluster, nodes: &[NodeId]) -> Result<(), String> {
    let up = nodes.iter().filter(|n| cluster.processes.pid(**n).is_some());
    let up: Vec<_> = up.map(NodeId::to_string).collect();
    if up.is_empty() { Ok(()) } else { Err(format!("{} cannot be ended", up.join(", "))) }
}

/// Starts those of `nodes` that ended under a fault that makes nodes end. Says which.
///
/// # Errors
/// One line: which cannot be started, and why.
pub(super) async fn revive(cluster: &Cluster, nodes: &[NodeId]) -> Result<Vec<String>, String> {
    let mut revived = Vec::new();
    for node in nodes {
        let ended = cluster.processes.pid(*node).is_none();
        if ended && start_unless(cluster, *node, Duration::ZERO, 0).await? {
            revived.push(format!("{node} had ended and was started again"));
        }
    }
    Ok(revived)
}

/// What ending `nodes` did, where `ended` are those that ran.
pub(super) fn effect(ended: &[String], nodes: &[NodeId]) -> Effect {
    let bit = ended.len() == nodes.len();
    let words = match bit {
        true => ended.join(", "),
        false => format!("{} of {} nodes were running", ended.len(), nodes.len()),
    };
    Effect { bit, words }
}

/// Becomes true when a fault is to be healed.
#[derive(Clone, Debug)]
pub(super) struct Over(watch::Receiver<bool>);

impl Over {
    /// Whether it is.
    pub(super) fn is_over(&self) -> bool {
        *self.0.borrow() || self.0.has_changed().is_err()
    }

    /// Waits so long, or until then. Returns whether it is over.
    pub(super) async fn wait(&mut self, long: Duration) -> bool {
        let over = self.0.wait_for(|over| *over);
        tokio::time::timeout(long, over).await.is_ok()
    }

    /// Waits until then.
    pub(super) async fn come(&mut self) {
        // An error is a fault that nobody will heal any more.
        let _ = self.0.wait_for(|over| *over).await;
    }
}

/// A fault that does something as long as it lasts, in a task of its own, and then puts things
/// right itself.
pub(super) struct Busy {
    nodes: Vec<NodeId>,
    detail: Value,
    over: watch::Sender<bool>,
    task: JoinHandle<Result<Effect, String>>,
}

impl Busy {
    /// Begins `work`, which ends soon once it is over.
    pub(super) fn begin<F>(
        cluster: &Arc<Cluster>,
        nodes: Vec<NodeId>,
        detail: Value,
        work: impl FnOnce(Arc<Cluster>, Vec<NodeId>, Over) -> F,
    ) -> Box<dyn Wound>
    where
        F: Future<Output = Result<Effect, String>> + Send + 'static,
    {
        let (over, told) = watch::channel(false);
        let task = tokio::spawn(work(cluster.clone(), nodes.clone(), Over(told)));
        Box::new(Busy { nodes, detail, over, task })
    }
}

impl Wound for Busy {
    fn nodes(&self) -> &[NodeId] {
        &self.nodes
    }

    fn detail(&self) -> Value {
        self.detail.clone()
    }

    fn heal<'a>(self: Box<Self>, _: &'a Arc<Cluster>) -> Fut<'a, Result<Effect, String>> {
        Box::pin(async move {
            self.over.send_replace(true);
            self.task.await.unwrap_or_else(|e| Err(format!("its task failed: {e}")))
        })
    }
}
