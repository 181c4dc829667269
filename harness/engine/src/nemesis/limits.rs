//! `limit-files` and `limit-file-size`: processes that run may open no more files, or write no
//! larger ones. Soft limits only, since a hard one could not be raised again.

use std::collections::BTreeMap;
use std::sync::Arc;

use danso_vocab::{Fault, NodeId, Rng, Value};

use super::args::Args;
use super::ends::revive;
use super::select::select;
use super::{Effect, Ground, Impairs, Nemesis, Wound};
use crate::cluster::Cluster;
use crate::means::Need;
use crate::process::{Bounded, Grip, open_files};
use crate::target::Fut;

/// No more files.
pub(super) const FILES: Limits = Limits { of: Bounded::Files };
/// No larger files.
pub(super) const FILE_SIZE: Limits = Limits { of: Bounded::FileSize };

/// The largest file, unless said otherwise, in bytes.
const LARGEST: u64 = 1 << 20;

/// See the [module](self).
pub(super) struct Limits {
    of: Bounded,
}

impl Nemesis for Limits {
    fn kind(&self) -> &'static str {
        match self.of {
            Bounded::Files => "limit-files",
            Bounded::FileSize => "limit-file-size",
        }
    }

    fn about(&self) -> &'static str {
        match self.of {
            Bounded::Files => "lets nodes open no more files and connections (EMFILE)",
            Bounded::FileSize => "lets nodes write no larger files (EFBIG, SIGXFSZ)",
        }
    }

    fn args(&self) -> &'static [(&'static str, &'static str)] {
        match self.of {
            Bounded::Files => &[
                ("nodes", "a node selector (default: one)"),
                ("most", "descriptors open at once (default: as many as the main process has)"),
            ],
            Bounded::FileSize => &[
                ("nodes", "a node selector (default: one)"),
                ("most", "bytes in one file (default: 1048576)"),
            ],
        }
    }

    fn needs(&self, _: &BTreeMap<String, Value>) -> Vec<Need> {
        vec![Need::Here]
    }

    fn impairs(&self, _: &Fault) -> Impairs {
        Impairs::Nodes
    }

    fn excuses(&self) -> bool {
        true
    }

    fn draw(
        &self,
        args: &BTreeMap<String, Value>,
        ground: &Ground<'_>,
        rng: &mut Rng,
    ) -> Result<Fault, String> {
        let nodes = select(args.get("nodes"), "one", ground.nodes, rng)?;
        let asked = Args(args).number("most", 0, i64::MAX as u64)?;
        let most = match self.of {
            Bounded::Files => asked,
            Bounded::FileSize => asked.or(Some(LARGEST)),
        };
        let most = most.map(|most| ("most".to_owned(), Value::Int(most.cast_signed())));
        let args = Value::Map(most.into_iter().collect());
        Ok(Fault { kind: self.kind().into(), nodes, args })
    }

    fn inject<'a>(
        &'a self,
        cluster: &'a Arc<Cluster>,
        fault: &'a Fault,
        nodes: Vec<NodeId>,
    ) -> Fut<'a, Result<Box<dyn Wound>, String>> {
        Box::pin(async move {
            let args = fault.args.map().cloned().unwrap_or_default();
            let most = Args(&args).number("most", 0, i64::MAX as u64)?;
            let mut tightened = Tightened { nodes, grips: Vec::new(), seen: Vec::new() };
            for node in tightened.nodes.clone() {
                let main = cluster.processes.pid(node);
                let most = most.or_else(|| main.and_then(open_files)).unwrap_or(LARGEST);
                match cluster.tight.lower(&cluster.processes, node, self.of, most) {
                    Ok((grip, seen)) => {
                        tightened.grips.push(grip);
                        // Where all may have less already, nothing was lowered.
                        let lowered = seen.iter().any(|(_, soft)| *soft == most);
                        if lowered && seen.iter().all(|(_, soft)| *soft <= most) {
                            let count = seen.len();
                            tightened
                                .seen
                                .push(format!("{node}: at most {most} in {count} processes"));
                        }
                    }
                    Err(error) => {
                        tightened.loosen(cluster)?;
                        return Err(format!("{node}: {error}"));
                    }
                }
            }
            Ok(Box::new(tightened) as Box<dyn Wound>)
        })
    }
}

/// Nodes whose limits were lowered.
struct Tightened {
    nodes: Vec<NodeId>,
    grips: Vec<Grip>,
    /// Those of which the kernel said so.
    seen: Vec<String>,
}

impl Tightened {
    fn loosen(&self, cluster: &Cluster) -> Result<(), String> {
        let mut failed = Vec::new();
        for grip in &self.grips {
            if let Err(error) = cluster.tight.release(&cluster.processes, grip) {
                failed.push(error.to_string());
            }
        }
        if failed.is_empty() { Ok(()) } else { Err(failed.join("; ")) }
    }
}

impl Wound for Tightened {
    fn nodes(&self) -> &[NodeId] {
        &self.nodes
    }

    fn detail(&self) -> Value {
        Value::of([("limits", self.seen.clone().into())])
    }

    fn heal<'a>(self: Box<Self>, cluster: &'a Arc<Cluster>) -> Fut<'a, Result<Effect, String>> {
        Box::pin(async move {
            self.loosen(cluster)?;
            let bit = self.seen.len() == self.nodes.len();
            let mut words = match bit {
                true => self.seen.clone(),
                false => {
                    vec![format!("{} of {} nodes were running", self.seen.len(), self.nodes.len())]
                }
            };
            words.extend(revive(cluster, &self.nodes).await?);
            Ok(Effect { bit, words: words.join(", ") })
        })
    }
}
