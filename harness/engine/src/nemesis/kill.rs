//! `kill`: nodes die at once (SIGKILL) and are started again with the same data.

use std::collections::BTreeMap;
use std::sync::Arc;

use danso_vocab::{Fault, NodeId, Rng, Value};

use super::select::on_nodes;
use super::{Effect, Ground, Nemesis, Wound};
use crate::cluster::{Cluster, Hold};
use crate::means::Need;
use crate::process;
use crate::target::Fut;

/// See the [module](self).
pub(super) struct Kill;

impl Nemesis for Kill {
    fn kind(&self) -> &'static str {
        "kill"
    }

    fn about(&self) -> &'static str {
        "kills nodes (SIGKILL) and starts them again with the same data"
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
            for node in &nodes {
                cluster.hold(*node, Hold::Down);
            }
            let kills = nodes.iter().map(|n| cluster.processes.kill(*n));
            let mut killed = Vec::new();
            for (node, result) in nodes.iter().zip(futures_util::future::join_all(kills).await) {
                match result {
                    Ok(Some((pid, status))) => {
                        killed.push(format!(
                            "{node} (pid {pid}) ended by {}",
                            process::words(status)
                        ));
                    }
                    Ok(None) => {}
                    Err(error) => tracing::warn!(%error, %node, "kill"),
                }
            }
            Ok(Box::new(Killed { nodes, killed }) as Box<dyn Wound>)
        })
    }
}

/// Nodes that are down.
struct Killed {
    nodes: Vec<NodeId>,
    killed: Vec<String>,
}

impl Wound for Killed {
    fn nodes(&self) -> &[NodeId] {
        &self.nodes
    }

    fn detail(&self) -> Value {
        Value::of([("killed", self.killed.clone().into())])
    }

    fn heal<'a>(self: Box<Self>, cluster: &'a Arc<Cluster>) -> Fut<'a, Result<Effect, String>> {
        Box::pin(async move {
            let mut failed = Vec::new();
            for node in &self.nodes {
                if !cluster.release(*node, Hold::Down) {
                    continue;
                }
                if let Err(error) = cluster.start(*node) {
                    failed.push(error);
                } else if cluster.is_held(*node, Hold::Paused)
                    && let Err(error) = cluster.processes.pause(*node).await
                {
                    failed.push(error.to_string());
                }
            }
            if !failed.is_empty() {
                return Err(format!("cannot be started again: {}", failed.join("; ")));
            }
            let bit = self.killed.len() == self.nodes.len();
            let words = if bit {
                self.killed.join(", ")
            } else {
                format!("{} of {} nodes were running", self.killed.len(), self.nodes.len())
            };
            Ok(Effect { bit, words })
        })
    }
}
