//! `kill` and `stop`: nodes end, at once or asked to, and are started again when the fault is
//! over, with the same data unless their disks are to be emptied. `nodes = "all"` is a failure of
//! the whole cluster.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use danso_vocab::{Fault, NodeId, Rng, Value};

use super::args::{Args, time};
use super::ends::{How, all_down, effect, let_up, take_down};
use super::select::select;
use super::{Effect, Ground, Nemesis, Wound};
use crate::cluster::Cluster;
use crate::means::Need;
use crate::target::Fut;

/// Nodes that end at once.
pub(super) const KILL: Ending = Ending { stop: false };
/// Nodes that may tidy up before they end.
pub(super) const STOP: Ending = Ending { stop: true };

/// How long a node may take that is asked to stop, unless said otherwise.
pub(super) const GRACE: Duration = Duration::from_secs(5);

/// See the [module](self).
pub(super) struct Ending {
    stop: bool,
}

impl Nemesis for Ending {
    fn kind(&self) -> &'static str {
        if self.stop { "stop" } else { "kill" }
    }

    fn about(&self) -> &'static str {
        if self.stop {
            "asks nodes to stop (SIGTERM) and starts them again with the same data"
        } else {
            "kills nodes (SIGKILL) and starts them again with the same data"
        }
    }

    fn args(&self) -> &'static [(&'static str, &'static str)] {
        const ALL: &[(&str, &str)] = &[
            ("nodes", "a node selector (default: one)"),
            ("restart", "false: they stay down until the load is over (default: true)"),
            ("wipe", "true: their disks are emptied while they are down (default: false)"),
            ("grace", "how long they may take before they are killed (default: 5s)"),
        ];
        if self.stop { ALL } else { &ALL[..3] }
    }

    fn needs(&self, args: &BTreeMap<String, Value>) -> Vec<Need> {
        let wipe = args.get("wipe") == Some(&true.into());
        vec![if wipe { Need::Here } else { Need::Processes }]
    }

    fn draw(
        &self,
        args: &BTreeMap<String, Value>,
        ground: &Ground<'_>,
        rng: &mut Rng,
    ) -> Result<Fault, String> {
        let nodes = select(args.get("nodes"), "one", ground.nodes, rng)?;
        let asked = Args(args);
        let mut drawn = BTreeMap::new();
        if asked.get("restart").is_some() && !asked.flag("restart")? {
            drawn.insert("restart".to_owned(), false.into());
        }
        if asked.flag("wipe")? {
            drawn.insert("wipe".to_owned(), true.into());
        }
        if self.stop {
            let grace = asked.duration("grace")?.unwrap_or(GRACE);
            drawn.insert("grace".to_owned(), time(grace));
        }
        Ok(Fault { kind: self.kind().into(), nodes, args: Value::Map(drawn) })
    }

    fn inject<'a>(
        &'a self,
        cluster: &'a Arc<Cluster>,
        fault: &'a Fault,
        nodes: Vec<NodeId>,
    ) -> Fut<'a, Result<Box<dyn Wound>, String>> {
        Box::pin(async move {
            let args = fault.args.map().cloned().unwrap_or_default();
            let args = Args(&args);
            let grace = args.duration("grace")?.unwrap_or(GRACE);
            let restart = args.get("restart").is_none() || args.flag("restart")?;
            let wipe = args.flag("wipe")?;
            let how = if self.stop { How::Stop(grace) } else { How::Kill };
            let ended = take_down(cluster, &nodes, how).await;
            let mut down = Down { nodes, ended, restart };
            for node in &down.nodes {
                if !wipe {
                    break;
                }
                let down_now = all_down(cluster, &[*node]);
                if let Err(error) = down_now.and_then(|()| cluster.wipe(*node)) {
                    let_up(cluster, &down.nodes).await?;
                    return Err(error);
                }
                down.ended.iter_mut().for_each(|words| {
                    if words.starts_with(&format!("{node} ")) {
                        words.push_str(", disk emptied");
                    }
                });
            }
            Ok(Box::new(down) as Box<dyn Wound>)
        })
    }
}

/// Nodes that are down.
struct Down {
    nodes: Vec<NodeId>,
    ended: Vec<String>,
    restart: bool,
}

impl Wound for Down {
    fn nodes(&self) -> &[NodeId] {
        &self.nodes
    }

    fn detail(&self) -> Value {
        Value::of([("ended", self.ended.clone().into())])
    }

    fn heal<'a>(self: Box<Self>, cluster: &'a Arc<Cluster>) -> Fut<'a, Result<Effect, String>> {
        Box::pin(async move {
            // Without a restart they stay held; what is down when the load is over is started.
            if self.restart {
                let_up(cluster, &self.nodes).await?;
            }
            Ok(effect(&self.ended, &self.nodes))
        })
    }
}
