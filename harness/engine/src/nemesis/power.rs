//! `power-failure`: machines lose power, and what they had not synced; `fsync-lie`: disks say
//! that they have synced and have not, until the power fails.

use std::collections::BTreeMap;
use std::sync::Arc;

use danso_vocab::{Fault, NodeId, Rng, Value};

use super::args::{Args, percent};
use super::ends::all_down;
use super::outage::{Outage, loss_words, off, tally_words};
use super::select::select;
use super::{Effect, Ground, Nemesis, Wound};
use crate::cluster::Cluster;
use crate::disk::{Harm, Keep, Loss, Op, Rule, RuleId, Way};
use crate::means::Need;
use crate::target::Fut;

/// See the [module](self).
pub(super) struct PowerFailure;

/// See the [module](self).
pub(super) struct FsyncLie;

const NODES: (&str, &str) = ("nodes", "a node selector (default: one)");
const KEEP: (&str, &str) = (
    "keep",
    "the chance of each unsynced page to have reached the disk anyway (default: 0%, all is lost)",
);
const TORN: (&str, &str) = (
    "torn",
    "true: each sector of 512 bytes has that chance by itself, so that pages tear (default: false)",
);

const DISK: (&str, &str) = (
    "disk",
    "what nodes' disks are: \"fuse\", \"loop\" (ext4 on a loop device: root only, keeps nothing by \
     chance) or \"auto\" (default: fuse where it can be had)",
);

impl Nemesis for PowerFailure {
    fn kind(&self) -> &'static str {
        "power-failure"
    }

    fn about(&self) -> &'static str {
        "cuts nodes off, kills them and takes from their disks what was not synced"
    }

    fn args(&self) -> &'static [(&'static str, &'static str)] {
        &[NODES, KEEP, TORN, DISK]
    }

    fn needs(&self, args: &BTreeMap<String, Value>) -> Vec<Need> {
        // What makes no sense is refused when drawn.
        let chance = |share| matches!(share, Ok(Some(share)) if share > 0.0);
        let disk = match made_of(Args(args)) {
            _ if chance(Args(args).share("keep")) => Need::Disk,
            Ok(None) | Err(_) => Need::PowerLoss,
            Ok(Some(Way::Fuse)) => Need::Disk,
            Ok(Some(Way::Loop)) => Need::Loop,
        };
        vec![Need::Processes, disk]
    }

    fn draw(
        &self,
        args: &BTreeMap<String, Value>,
        ground: &Ground<'_>,
        rng: &mut Rng,
    ) -> Result<Fault, String> {
        let nodes = select(args.get("nodes"), "one", ground.nodes, rng)?;
        let mut drawn = survival(Args(args), rng)?;
        if let Some(way) = made_of(Args(args))? {
            if way == Way::Loop && Args(args).share("keep")?.is_some_and(|share| share > 0.0) {
                return Err("on disk = \"loop\" all is lost that was not synced: leave keep out, \
                            or say disk = \"fuse\""
                    .to_owned());
            }
            let word = if way == Way::Loop { "loop" } else { "fuse" };
            drawn.insert("disk".to_owned(), word.into());
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
            let (keep, rng) = kept(fault)?;
            let outage = Outage::begin(cluster, nodes, true).await;
            match crash(cluster, &outage.nodes, keep, &rng).await {
                Ok(losses) => Ok(Box::new(Dark { outage, losses }) as Box<dyn Wound>),
                Err(reason) => {
                    let ended = outage.end(cluster).await;
                    Err(ended.err().map_or(reason.clone(), |more| format!("{reason}; {more}")))
                }
            }
        })
    }
}

/// What disks must be made of, if that is said.
fn made_of(args: Args<'_>) -> Result<Option<Way>, String> {
    match args.get("disk") {
        None => Ok(None),
        Some(value) => match value.str() {
            Some("auto") => Ok(None),
            Some("fuse") => Ok(Some(Way::Fuse)),
            Some("loop") => Ok(Some(Way::Loop)),
            _ => Err(format!("disk = {value} is none of \"auto\", \"fuse\", \"loop\"")),
        },
    }
}

/// What survives by chance, and the stream that decides.
fn survival(args: Args<'_>, rng: &mut Rng) -> Result<BTreeMap<String, Value>, String> {
    let keep = args.share("keep")?.unwrap_or(0.0);
    let torn = args.flag("torn")?;
    if torn && keep == 0.0 {
        return Err("torn = true tears nothing where keep is 0%: add keep = \"50%\"".to_owned());
    }
    Ok(BTreeMap::from([
        ("keep".to_owned(), percent((keep * 10_000.0).round() as u64)),
        ("torn".to_owned(), torn.into()),
        ("seed".to_owned(), rng.bits().cast_signed().into()),
    ]))
}

/// What a drawn fault says of it.
fn kept(fault: &Fault) -> Result<(Keep, Rng), String> {
    let args = fault.args.map().cloned().unwrap_or_default();
    let args = Args(&args);
    let share = args.share("keep")?.unwrap_or(0.0);
    let seed = args.get("seed").and_then(Value::int).unwrap_or_default();
    let keep = Keep { chance: (share * 1e6).round() as u64, torn: args.flag("torn")? };
    Ok((keep, Rng::new(seed.cast_unsigned())))
}

/// Takes from the nodes' disks what was not synced.
async fn crash(
    cluster: &Arc<Cluster>,
    nodes: &[NodeId],
    keep: Keep,
    rng: &Rng,
) -> Result<Vec<(NodeId, Loss)>, String> {
    all_down(cluster, nodes)?;
    let disks = &cluster.disks;
    let mut losses = Vec::new();
    for node in nodes {
        let (disk, seed) = (disks.of(*node)?, rng.split(&node.to_string()).bits());
        losses.push((*node, off(move || disk.crash(keep, seed)).await?));
    }
    Ok(losses)
}

fn words(losses: &[(NodeId, Loss)]) -> String {
    let words: Vec<_> =
        losses.iter().map(|(node, loss)| format!("{node} {}", loss_words(loss))).collect();
    words.join("; ")
}

/// Nodes without power.
struct Dark {
    outage: Outage,
    losses: Vec<(NodeId, Loss)>,
}

impl Wound for Dark {
    fn nodes(&self) -> &[NodeId] {
        &self.outage.nodes
    }

    fn detail(&self) -> Value {
        let mut detail = BTreeMap::from([("lost".to_owned(), words(&self.losses).into())]);
        if let Some(reason) = &self.outage.betrayed {
            // Others hear at once that the connections are gone.
            detail.insert("not-cut-off".to_owned(), reason.as_str().into());
        }
        Value::Map(detail)
    }

    fn heal<'a>(self: Box<Self>, cluster: &'a Arc<Cluster>) -> Fut<'a, Result<Effect, String>> {
        Box::pin(async move {
            let (hit, all) = (self.outage.killed.len(), self.outage.nodes.len());
            let mut said = words(&self.losses);
            if hit < all {
                said = format!("{hit} of {all} nodes were running; {said}");
            }
            self.outage.end(cluster).await?;
            Ok(Effect { bit: hit == all, words: said })
        })
    }
}

impl Nemesis for FsyncLie {
    fn kind(&self) -> &'static str {
        "fsync-lie"
    }

    fn about(&self) -> &'static str {
        "lets disks say they have synced when they have not; then the power fails"
    }

    fn args(&self) -> &'static [(&'static str, &'static str)] {
        &[
            NODES,
            ("share", "of how many syncs, as in \"50%\" (default: 100%)"),
            ("files", "patterns of names or paths: whose syncs (default: all)"),
            KEEP,
            TORN,
        ]
    }

    fn needs(&self, _: &BTreeMap<String, Value>) -> Vec<Need> {
        vec![Need::Processes, Need::Disk]
    }

    /// Nobody stands a disk that lies, unless others have what it lost.
    fn fair(&self) -> bool {
        false
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
        let mut drawn = survival(Args(args), rng)?;
        let share = Args(args).share("share")?.unwrap_or(1.0);
        drawn.insert("share".to_owned(), percent((share * 10_000.0).round() as u64));
        drawn.insert("files".to_owned(), super::storage::patterns(Args(args))?.into());
        Ok(Fault { kind: self.kind().into(), nodes, args: Value::Map(drawn) })
    }

    fn inject<'a>(
        &'a self,
        cluster: &'a Arc<Cluster>,
        fault: &'a Fault,
        nodes: Vec<NodeId>,
    ) -> Fut<'a, Result<Box<dyn Wound>, String>> {
        Box::pin(async move {
            let (keep, rng) = kept(fault)?;
            let args = fault.args.map().cloned().unwrap_or_default();
            let share = Args(&args).share("share")?.unwrap_or(1.0);
            let files = super::storage::patterns(Args(&args))?;
            let rule = |node: NodeId| Rule {
                ops: vec![Op::Sync],
                files: files.clone(),
                harm: Harm::Lie,
                chance: (share * 1e6).round() as u64,
                times: None,
                seed: rng.split(&format!("lie {node}")).bits(),
            };
            let rules = super::storage::put(cluster, &nodes, rule).await?;
            Ok(Box::new(Lying { nodes, rules, keep, rng }) as Box<dyn Wound>)
        })
    }
}

/// Nodes whose disks lie.
struct Lying {
    nodes: Vec<NodeId>,
    rules: Vec<(NodeId, RuleId)>,
    keep: Keep,
    rng: Rng,
}

impl Wound for Lying {
    fn nodes(&self) -> &[NodeId] {
        &self.nodes
    }

    fn detail(&self) -> Value {
        Value::of([])
    }

    fn heal<'a>(self: Box<Self>, cluster: &'a Arc<Cluster>) -> Fut<'a, Result<Effect, String>> {
        Box::pin(async move {
            let outage = Outage::begin(cluster, self.nodes.clone(), true).await;
            let losses = crash(cluster, &self.nodes, self.keep, &self.rng).await;
            let tallies = super::storage::lift(cluster, self.rules).await;
            outage.end(cluster).await?;
            let (losses, tallies) = (losses?, tallies?);
            let lies: u64 = tallies.iter().map(|(_, t)| t.total()).sum();
            let lied =
                tallies.iter().map(|(n, t)| format!("{n}: {}", tally_words(t, "lied about")));
            let said = lied.collect::<Vec<_>>().join("; ");
            let lost = losses.iter().any(|(_, l)| l.lost + l.torn + l.names > 0);
            Ok(Effect {
                bit: lies > 0 && lost,
                words: format!("{said}; then the power failed: {}", words(&losses)),
            })
        })
    }
}
