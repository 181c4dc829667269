//! `membership`: nodes leave the cluster and join again, by what the target itself offers.

use std::collections::BTreeMap;
use std::sync::Arc;

use danso_vocab::{Fault, NodeId, Rng, Value};

use super::args::Args;
use super::ends::{How, all_down, let_up, take_down};
use super::select::select;
use super::{Effect, Ground, Nemesis, Wound};
use crate::cluster::Cluster;
use crate::means::Need;
use crate::target::Fut;

/// See the [module](self).
pub(super) struct Membership;

const CHANGES: [&str; 2] = ["leave", "replace"];

impl Nemesis for Membership {
    fn kind(&self) -> &'static str {
        "membership"
    }

    fn about(&self) -> &'static str {
        "lets nodes leave the cluster and join again, or replaces them by empty ones"
    }

    fn args(&self) -> &'static [(&'static str, &'static str)] {
        &[
            ("nodes", "a node selector (default: one)"),
            ("change", "leave (joins again at the end) or replace (joins with an emptied disk)"),
        ]
    }

    fn needs(&self, _: &BTreeMap<String, Value>) -> Vec<Need> {
        vec![Need::Processes, Need::Hook("leave"), Need::Hook("join")]
    }

    fn draw(
        &self,
        args: &BTreeMap<String, Value>,
        ground: &Ground<'_>,
        rng: &mut Rng,
    ) -> Result<Fault, String> {
        let nodes = select(args.get("nodes"), "one", ground.nodes, rng)?;
        let drawn = CHANGES[rng.below(2) as usize];
        let change = Args(args).word("change", &CHANGES)?.unwrap_or(drawn);
        let args = Value::of([("change", change.into())]);
        Ok(Fault { kind: self.kind().into(), nodes, args })
    }

    fn inject<'a>(
        &'a self,
        cluster: &'a Arc<Cluster>,
        fault: &'a Fault,
        nodes: Vec<NodeId>,
    ) -> Fut<'a, Result<Box<dyn Wound>, String>> {
        Box::pin(async move {
            let replace = fault.args.get("change").and_then(Value::str) == Some("replace");
            let mut left = Left { nodes: Vec::new(), said: Vec::new(), replace };
            for node in nodes {
                match cluster.hook("leave", node).await {
                    Ok(said) => {
                        left.nodes.push(node);
                        left.said.push(format!("{node} left: {said}"));
                    }
                    Err(error) if left.nodes.is_empty() => return Err(error),
                    Err(error) => left.said.push(error),
                }
            }
            Ok(Box::new(left) as Box<dyn Wound>)
        })
    }
}

/// Nodes that have left.
struct Left {
    nodes: Vec<NodeId>,
    said: Vec<String>,
    replace: bool,
}

impl Wound for Left {
    fn nodes(&self) -> &[NodeId] {
        &self.nodes
    }

    fn detail(&self) -> Value {
        Value::of([("said", self.said.clone().into())])
    }

    fn heal<'a>(mut self: Box<Self>, cluster: &'a Arc<Cluster>) -> Fut<'a, Result<Effect, String>> {
        Box::pin(async move {
            let mut failed = Vec::new();
            // One that cannot join keeps no other from it.
            for node in &self.nodes {
                let joined = match self.replace {
                    true => replace(cluster, *node).await,
                    false => Ok(()),
                };
                let joined = match joined {
                    Ok(()) => cluster.hook("join", *node).await,
                    Err(error) => Err(error),
                };
                match joined {
                    Ok(said) => self.said.push(format!("{node} joined: {said}")),
                    Err(error) => failed.push(error),
                }
            }
            if !failed.is_empty() {
                return Err(failed.join("; "));
            }
            Ok(Effect { bit: true, words: self.said.join(", ") })
        })
    }
}

/// Kills `node`, empties its disk and starts it again, unless another fault keeps it down.
async fn replace(cluster: &Cluster, node: NodeId) -> Result<(), String> {
    take_down(cluster, &[node], How::Kill).await;
    let emptied = all_down(cluster, &[node]).and_then(|()| cluster.wipe(node));
    let_up(cluster, &[node]).await.and(emptied)
}
