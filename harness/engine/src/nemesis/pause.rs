//! `pause`: nodes stop where they are (SIGSTOP) and go on later, unaware of the time lost.

use std::collections::BTreeMap;
use std::sync::Arc;

use danso_vocab::{Fault, NodeId, Rng, Value};
use nix::unistd::Pid;

use super::select::on_nodes;
use super::{Effect, Ground, Nemesis, Wound};
use crate::cluster::{Cluster, Hold};
use crate::means::Need;
use crate::target::Fut;

/// See the [module](self).
pub(super) struct Pause;

impl Nemesis for Pause {
    fn kind(&self) -> &'static str {
        "pause"
    }

    fn about(&self) -> &'static str {
        "stops all processes of nodes (SIGSTOP) and lets them go on"
    }

    fn args(&self) -> &'static [(&'static str, &'static str)] {
        &[("nodes", "a node selector (default: one)")]
    }

    fn needs(&self, _: &BTreeMap<String, Value>) -> Vec<Need> {
        vec![Need::Processes]
    }

    fn draw(
        &self,
        args: &BTreeMap<String, Value>,
        ground: &Ground<'_>,
        rng: &mut Rng,
    ) -> Result<Fault, String> {
        on_nodes(self.kind(), args, ground.nodes, rng)
    }

    fn inject<'a>(
        &'a self,
        cluster: &'a Arc<Cluster>,
        _: &'a Fault,
        nodes: Vec<NodeId>,
    ) -> Fut<'a, Result<Box<dyn Wound>, String>> {
        Box::pin(async move {
            let mut stopped = Vec::new();
            for node in &nodes {
                cluster.hold(*node, Hold::Paused);
                match cluster.processes.pause(*node).await {
                    Ok(Some(pids)) => stopped.push((*node, pids)),
                    Ok(None) => {}
                    Err(error) => tracing::warn!(%error, %node, "pause"),
                }
            }
            Ok(Box::new(Paused { nodes, stopped }) as Box<dyn Wound>)
        })
    }
}

/// `n1 (pid 17, 18)`
fn named(node: NodeId, pids: &[Pid]) -> String {
    let pids: Vec<_> = pids.iter().map(Pid::to_string).collect();
    format!("{node} (pid {})", pids.join(", "))
}

/// Nodes that are stopped.
struct Paused {
    nodes: Vec<NodeId>,
    /// Those seen to have stopped.
    stopped: Vec<(NodeId, Vec<Pid>)>,
}

impl Wound for Paused {
    fn nodes(&self) -> &[NodeId] {
        &self.nodes
    }

    fn detail(&self) -> Value {
        let stopped = self.stopped.iter().map(|(n, pids)| named(*n, pids).into());
        Value::of([("stopped", Value::List(stopped.collect()))])
    }

    fn heal<'a>(self: Box<Self>, cluster: &'a Arc<Cluster>) -> Fut<'a, Result<Effect, String>> {
        Box::pin(async move {
            // A node killed meanwhile by another fault was stopped all the same.
            let was_stopped = self.stopped.len();
            let mut failed = Vec::new();
            for node in &self.nodes {
                if cluster.release(*node, Hold::Paused)
                    && let Err(error) = cluster.processes.resume(*node).await
                {
                    failed.push(format!("{node}: {error}"));
                }
            }
            if !failed.is_empty() {
                return Err(format!("cannot go on: {}", failed.join("; ")));
            }
            let names: Vec<_> = self.stopped.iter().map(|(n, pids)| named(*n, pids)).collect();
            Ok(if was_stopped == self.nodes.len() {
                Effect { bit: true, words: format!("{} stood still", names.join(", ")) }
            } else {
                let words = format!("{was_stopped} of {} nodes were running", self.nodes.len());
                Effect { bit: false, words }
            })
        })
    }
}
