//! `cpu` and `memory`: nodes get less of them, by control groups.

use std::collections::BTreeMap;
use std::sync::Arc;

use danso_vocab::{Fault, NodeId, Rng, Value};

use super::args::Args;
use super::ends::revive;
use super::select::select;
use super::{Effect, Ground, Impairs, Nemesis, Wound};
use crate::cluster::Cluster;
use crate::means::Need;
use crate::process::cgroup::{Controller, Groups, Held, Seen};
use crate::target::Fut;

/// Less processor time.
pub(super) const CPU: Starve = Starve { of: Controller::Cpu };
/// Less memory.
pub(super) const MEMORY: Starve = Starve { of: Controller::Memory };

const MIB: u64 = 1 << 20;

/// See the [module](self).
pub(super) struct Starve {
    of: Controller,
}

impl Nemesis for Starve {
    fn kind(&self) -> &'static str {
        match self.of {
            Controller::Cpu => "cpu",
            Controller::Memory => "memory",
        }
    }

    fn about(&self) -> &'static str {
        match self.of {
            Controller::Cpu => "gives nodes little processor time",
            Controller::Memory => "lets nodes have less memory than they use; the kernel may kill",
        }
    }

    fn args(&self) -> &'static [(&'static str, &'static str)] {
        match self.of {
            Controller::Cpu => &[
                ("nodes", "a node selector (default: one)"),
                ("percent", "of one processor (default: 1 to 5)"),
            ],
            Controller::Memory => &[
                ("nodes", "a node selector (default: one)"),
                ("most", "MiB (default: half of what the node uses)"),
            ],
        }
    }

    /// A node that has nothing to do needs no processor time, and memory the kernel can take back
    /// is not missed: nothing would be seen.
    fn fair(&self) -> bool {
        false
    }

    fn needs(&self, _: &BTreeMap<String, Value>) -> Vec<Need> {
        vec![match self.of {
            Controller::Cpu => Need::Cpu,
            Controller::Memory => Need::Memory,
        }]
    }

    fn impairs(&self, _: &Fault) -> Impairs {
        match self.of {
            Controller::Cpu => Impairs::Nothing,
            Controller::Memory => Impairs::Nodes,
        }
    }

    fn excuses(&self) -> bool {
        self.of == Controller::Memory
    }

    fn draw(
        &self,
        args: &BTreeMap<String, Value>,
        ground: &Ground<'_>,
        rng: &mut Rng,
    ) -> Result<Fault, String> {
        let nodes = select(args.get("nodes"), "one", ground.nodes, rng)?;
        let drawn = match self.of {
            Controller::Cpu => {
                let drawn = rng.between(1, 5);
                let percent = Args(args).number("percent", 1, 10_000)?.unwrap_or(drawn);
                BTreeMap::from([("percent".to_owned(), Value::Int(percent.cast_signed()))])
            }
            Controller::Memory => {
                let most = Args(args).number("most", 1, 1 << 40)?;
                most.map(|m| ("most".to_owned(), Value::Int(m.cast_signed()))).into_iter().collect()
            }
        };
        Ok(Fault { kind: self.kind().into(), nodes, args: Value::Map(drawn) })
    }

    fn inject<'a>(
        &'a self,
        cluster: &'a Arc<Cluster>,
        fault: &'a Fault,
        nodes: Vec<NodeId>,
    ) -> Fut<'a, Result<Box<dyn Wound>, String>> {
        Box::pin(async move {
            let groups = groups(cluster)?;
            let args = fault.args.map().cloned().unwrap_or_default();
            let args = Args(&args);
            let mut starved = Starved { of: self.of, nodes, held: Vec::new() };
            for node in starved.nodes.clone() {
                let begun = self.begin(groups, node, args);
                match begun {
                    Ok(held) => starved.held.push(held),
                    Err(error) => {
                        starved.release(groups)?;
                        return Err(format!("{node}: {error}"));
                    }
                }
            }
            Ok(Box::new(starved) as Box<dyn Wound>)
        })
    }
}

impl Starve {
    fn begin(&self, groups: &Groups, node: NodeId, args: Args<'_>) -> Result<Limited, String> {
        let words = |e: std::io::Error| e.to_string();
        let most = match self.of {
            Controller::Cpu => args.number("percent", 1, 10_000)?.ok_or("percent is missing")?,
            Controller::Memory => match args.number("most", 1, 1 << 40)? {
                Some(most) => most * MIB,
                None => (groups.memory(node).map_err(words)? / 2).max(MIB),
            },
        };
        let before = groups.seen(node, self.of).map_err(words)?;
        let (held, limit) = groups.limit(node, self.of, most).map_err(words)?;
        Ok(Limited { node, held, limit, before })
    }
}

fn groups(cluster: &Cluster) -> Result<&Groups, String> {
    cluster.groups.as_ref().ok_or_else(|| "this run was given no control groups".to_owned())
}

/// Nodes that have less.
struct Starved {
    of: Controller,
    nodes: Vec<NodeId>,
    held: Vec<Limited>,
}

struct Limited {
    node: NodeId,
    held: Held,
    /// What the kernel says.
    limit: u64,
    before: Seen,
}

impl Starved {
    fn release(&self, groups: &Groups) -> Result<(), String> {
        let released = self.held.iter().map(|l| groups.release(&l.held));
        let failed: Vec<_> = released.filter_map(Result::err).map(|e| e.to_string()).collect();
        if failed.is_empty() { Ok(()) } else { Err(failed.join("; ")) }
    }
}

impl Wound for Starved {
    fn nodes(&self) -> &[NodeId] {
        &self.nodes
    }

    fn detail(&self) -> Value {
        let unit = match self.of {
            Controller::Cpu => "%",
            Controller::Memory => " bytes",
        };
        let limits = self.held.iter().map(|l| format!("{}: {}{unit}", l.node, l.limit).into());
        Value::of([("limits", Value::List(limits.collect()))])
    }

    fn heal<'a>(self: Box<Self>, cluster: &'a Arc<Cluster>) -> Fut<'a, Result<Effect, String>> {
        Box::pin(async move {
            let groups = groups(cluster)?;
            let seen: Vec<_> =
                self.held.iter().map(|l| (l, groups.seen(l.node, self.of))).collect();
            self.release(groups)?;
            let mut bit = true;
            let mut words = Vec::new();
            for (limited, seen) in seen {
                let seen = seen.map_err(|e| e.to_string())?;
                let times = seen.times.saturating_sub(limited.before.times);
                let killed = seen.killed.saturating_sub(limited.before.killed);
                bit &= times + killed > 0;
                words.push(match self.of {
                    Controller::Cpu => format!("{} had to wait {times} times", limited.node),
                    Controller::Memory => format!(
                        "{} was refused memory {times} times, {killed} of its processes killed",
                        limited.node
                    ),
                });
            }
            if self.of == Controller::Memory {
                words.extend(revive(cluster, &self.nodes).await?);
            }
            Ok(Effect { bit, words: words.join(", ") })
        })
    }
}
