//! `bit-flip` and `truncate`: files of nodes are damaged while they are down; `snapshot-restore`:
//! they are put back to an older state. Needs nothing but the files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use danso_vocab::{Fault, NodeId, Nodes, Rng, Value};

use super::args::Args;
use super::ends::{all_down, revive};
use super::outage::{Outage, off};
use super::select::select;
use super::storage::patterns;
use super::{Effect, Ground, Nemesis, Wound};
use crate::cluster::{Cluster, Hold};
use crate::disk::offline::{self, Flip};
use crate::means::Need;
use crate::target::Fut;

/// See the [module](self).
pub(super) struct Damage {
    kind: &'static str,
    about: &'static str,
    args: &'static [(&'static str, &'static str)],
}

const NODES: (&str, &str) =
    ("nodes", "a node selector (default: one); at most a minority, unless guard says otherwise");
const FILES: (&str, &str) =
    ("files", "patterns of names, as in \"*.wal\", or of paths, as in \"wal/*\" (default: all)");
const GUARD: (&str, &str) = (
    "guard",
    "minority (default): no more nodes than that; chunks: any nodes, but never the same 64 KiB of the same file on a majority; none",
);
const REPAIR: (&str, &str) = (
    "repair",
    "true: healing flips back what has not been overwritten, which stops the node once more (default: false, it stays)",
);

/// Flipped bits.
pub(super) static FLIP: Damage = Damage {
    kind: "bit-flip",
    about: "kills nodes, flips bits in their files and starts them again",
    args: &[NODES, FILES, GUARD, ("count", "bits for each node (default: 1)"), REPAIR],
};

/// Lost ends.
pub(super) static TRUNCATE: Damage = Damage {
    kind: "truncate",
    about: "kills nodes, cuts the end off one of their files and starts them again",
    args: &[
        NODES,
        FILES,
        GUARD,
        ("bytes", "how many, counted from the last that is not zero (default: random, 1 to 4096)"),
        ("align", "1 (default), 512 or 4096: cut to a multiple of it"),
    ],
};

impl Damage {
    fn flips(&self) -> bool {
        self.kind == FLIP.kind
    }
}

impl Nemesis for Damage {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn about(&self) -> &'static str {
        self.about
    }

    fn args(&self) -> &'static [(&'static str, &'static str)] {
        self.args
    }

    fn needs(&self, _: &BTreeMap<String, Value>) -> Vec<Need> {
        vec![Need::Here]
    }

    fn fair(&self) -> bool {
        false
    }

    /// A node that refuses to start with damaged files does the right thing.
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
        let asked = Args(args);
        let guard = asked.word("guard", &["minority", "chunks", "none"])?.unwrap_or("minority");
        guarded(&nodes, ground.nodes.len(), guard)?;
        let mut drawn = BTreeMap::from([
            ("files".to_owned(), patterns(asked)?.into()),
            ("guard".to_owned(), guard.into()),
            ("seed".to_owned(), rng.bits().cast_signed().into()),
        ]);
        if self.flips() {
            let count = asked.number("count", 1, 1_000_000)?.unwrap_or(1);
            drawn.insert("count".to_owned(), count.cast_signed().into());
            drawn.insert("repair".to_owned(), asked.flag("repair")?.into());
        } else {
            let bytes = asked.number("bytes", 1, 1 << 40)?;
            let bytes = bytes.unwrap_or_else(|| rng.between(1, 4096));
            let align = asked.number("align", 1, 4096)?.unwrap_or(1);
            if ![1, 512, 4096].contains(&align) {
                return Err(format!("align = {align} is none of 1, 512 and 4096"));
            }
            drawn.insert("bytes".to_owned(), bytes.cast_signed().into());
            drawn.insert("align".to_owned(), align.cast_signed().into());
        }
        Ok(Fault { kind: self.kind.into(), nodes, args: Value::Map(drawn) })
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
            let guard = args.word("guard", &["minority", "chunks", "none"])?.unwrap_or("minority");
            let all = cluster.nodes();
            guarded(&Nodes::These(nodes.clone()), all.len(), guard)?;
            let seed = args.get("seed").and_then(Value::int).unwrap_or_default();
            let plan = Plan {
                files: patterns(args)?,
                count: self
                    .flips()
                    .then(|| args.number("count", 1, u64::MAX >> 1))
                    .transpose()?
                    .flatten(),
                bytes: args.number("bytes", 1, u64::MAX >> 1)?.unwrap_or(1),
                align: args.number("align", 1, 4096)?.unwrap_or(1),
                spread: (guard == "chunks").then_some(all.len() as u64),
            };
            let rng = Rng::new(seed.cast_unsigned());
            let outage = Outage::begin(cluster, nodes, false).await;
            if let Err(reason) = all_down(cluster, &outage.nodes) {
                outage.end(cluster).await?;
                return Err(reason);
            }
            let mut done = Vec::new();
            for node in &outage.nodes {
                let (data, plan, index) = (cluster.data(*node), plan.clone(), node.index() as u64);
                let mut rng = rng.split(&node.to_string());
                let hurt = off(move || plan.carry_out(&data, index, &mut rng)).await;
                done.push((*node, hurt));
            }
            let settled = settle(cluster, &outage.nodes).await;
            let nodes = outage.nodes.clone();
            outage.end(cluster).await?;
            settled?;
            let mut hurt = Vec::new();
            for (node, result) in done {
                hurt.push((node, result.map_err(|e| format!("{node}: {e}"))?));
            }
            let repair = args.flag("repair")?;
            Ok(Box::new(Hurt { nodes, hurt, repair }) as Box<dyn Wound>)
        })
    }
}

/// Refuses to damage so many nodes that nobody could still know better.
fn guarded(nodes: &Nodes, all: usize, guard: &str) -> Result<(), String> {
    let hit = match nodes {
        Nodes::These(nodes) => nodes.len(),
        Nodes::Followers => all.saturating_sub(1),
        _ => 1,
    };
    if guard == "minority" && hit > (all.saturating_sub(1)) / 2 {
        return Err(format!(
            "{hit} of {all} nodes are no minority: nothing could be trusted; choose fewer, or guard = \"chunks\" or \"none\""
        ));
    }
    Ok(())
}

/// What changed on disks from outside is as durable as the rest.
async fn settle(cluster: &Arc<Cluster>, nodes: &[NodeId]) -> Result<(), String> {
    let disks = &cluster.disks;
    for disk in nodes.iter().filter_map(|n| disks.get(*n)) {
        let disk = disk.clone();
        off(move || disk.settle()).await?;
    }
    Ok(())
}

/// What is to be done to a node's files.
#[derive(Clone)]
struct Plan {
    files: Vec<String>,
    /// Bits to flip; cut an end off if none.
    count: Option<u64>,
    bytes: u64,
    align: u64,
    /// Of how many nodes only a minority may lose the same chunk.
    spread: Option<u64>,
}

/// What was done to them.
struct Done {
    flips: Vec<Flip>,
    words: Vec<String>,
}

impl Plan {
    fn carry_out(&self, data: &Path, node: u64, rng: &mut Rng) -> std::io::Result<Done> {
        let files = offline::files(data, &self.files)?;
        let allowed = |file: &Path, chunk: u64| self.may(file, chunk, node);
        if let Some(count) = self.count {
            let flips = offline::flip(data, &files, count, allowed, rng)?;
            let place = |f: &Flip| format!("{} byte {} bit {}", f.file.display(), f.offset, f.bit);
            let words = flips.iter().map(place).collect();
            return Ok(Done { flips, words });
        }
        let mut files: Vec<PathBuf> = files.into_iter().filter(|f| allowed(f, 0)).collect();
        rng.shuffle(&mut files);
        for file in files {
            let cut = offline::cut(data, &file, self.bytes, self.align)?;
            if cut.contents > cut.now {
                let (file, from) = (file.display(), cut.contents);
                let words = vec![format!("{file}: {} bytes instead of {from}", cut.now)];
                return Ok(Done { flips: Vec::new(), words });
            }
        }
        Ok(Done { flips: Vec::new(), words: Vec::new() })
    }

    /// Whether this node is among the minority that may lose this chunk.
    fn may(&self, file: &Path, chunk: u64, node: u64) -> bool {
        let Some(all) = self.spread else { return true };
        // The same for all nodes: what they call the file, and where.
        let turn = Rng::new(chunk).split(&file.to_string_lossy()).below(all);
        (node + turn) % all < all.saturating_sub(1) / 2
    }
}

/// Nodes with damaged files.
struct Hurt {
    nodes: Vec<NodeId>,
    hurt: Vec<(NodeId, Done)>,
    repair: bool,
}

impl Wound for Hurt {
    fn nodes(&self) -> &[NodeId] {
        &self.nodes
    }

    fn detail(&self) -> Value {
        let words = |(node, done): &(NodeId, Done)| (node.to_string(), done.words.clone().into());
        Value::of([("damaged", Value::Map(self.hurt.iter().map(words).collect()))])
    }

    fn heal<'a>(self: Box<Self>, cluster: &'a Arc<Cluster>) -> Fut<'a, Result<Effect, String>> {
        Box::pin(async move {
            let bit = self.hurt.iter().all(|(_, done)| !done.words.is_empty());
            let mut words: Vec<_> = self.hurt.iter().map(damage).collect();
            words.extend(refused(cluster, &self.nodes));
            if self.repair {
                let outage = Outage::begin(cluster, self.nodes.clone(), false).await;
                let mut back = 0;
                let mut failed = Vec::new();
                for (node, done) in self.hurt {
                    if let Err(reason) = all_down(cluster, &[node]) {
                        failed.push(reason);
                        continue;
                    }
                    let data = cluster.data(node);
                    match off(move || offline::flip_back(&data, &done.flips)).await {
                        Ok(count) => back += count,
                        Err(reason) => failed.push(format!("{node}: {reason}")),
                    }
                }
                let settled = settle(cluster, &outage.nodes).await;
                outage.end(cluster).await?;
                settled?;
                if !failed.is_empty() {
                    return Err(failed.join("; "));
                }
                words.push(format!("{back} flipped back"));
            } else {
                words.extend(revive(cluster, &self.nodes).await?);
                words.push("left so".to_owned());
            }
            Ok(Effect { bit, words: words.join("; ") })
        })
    }
}

fn damage((node, done): &(NodeId, Done)) -> String {
    match done.words.as_slice() {
        [] => format!("{node} had nothing to damage"),
        [one] => format!("{node}: {one}"),
        [first, rest @ ..] => format!("{node}: {first} and {} more", rest.len()),
    }
}

/// Nodes that do not run although they should, with their last words.
fn refused(cluster: &Cluster, nodes: &[NodeId]) -> Vec<String> {
    let down = nodes
        .iter()
        .filter(|n| cluster.processes.pid(**n).is_none() && !cluster.is_held(**n, Hold::Down));
    let words = down.map(|node| {
        let stderr = cluster.processes.stderr(*node);
        let last = stderr.lines().last().unwrap_or("it printed nothing").to_owned();
        format!("{node} does not run with it: {last}")
    });
    words.collect()
}

/// See the [module](self).
pub(super) struct SnapshotRestore;

impl Nemesis for SnapshotRestore {
    fn kind(&self) -> &'static str {
        "snapshot-restore"
    }

    fn about(&self) -> &'static str {
        "copies nodes' data while they stand still, and at the end puts them back to it"
    }

    fn args(&self) -> &'static [(&'static str, &'static str)] {
        &[NODES, ("guard", "minority (default): no more nodes than that; none")]
    }

    fn needs(&self, _: &BTreeMap<String, Value>) -> Vec<Need> {
        vec![Need::Here]
    }

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
        let guard = Args(args).word("guard", &["minority", "none"])?.unwrap_or("minority");
        guarded(&nodes, ground.nodes.len(), guard)?;
        let args = Value::of([("guard", guard.into())]);
        Ok(Fault { kind: self.kind().into(), nodes, args })
    }

    fn inject<'a>(
        &'a self,
        cluster: &'a Arc<Cluster>,
        _: &'a Fault,
        nodes: Vec<NodeId>,
    ) -> Fut<'a, Result<Box<dyn Wound>, String>> {
        Box::pin(async move {
            let mut copies = Vec::new();
            for node in &nodes {
                let data = cluster.data(*node);
                let to = beside(&data);
                // Held, so that the end of a pause does not let it go on under the copy.
                cluster.hold(*node, Hold::Paused);
                let copied = match cluster.processes.pause(*node).await {
                    Ok(_) => {
                        let (from, into) = (data.clone(), to.clone());
                        off(move || offline::copy(&from, &into)).await
                    }
                    Err(error) => Err(error.to_string()),
                };
                let copied = match cluster.release(*node, Hold::Paused) {
                    true => {
                        let resumed = cluster.processes.resume(*node).await;
                        copied.and_then(|n| resumed.map(|_| n).map_err(|e| e.to_string()))
                    }
                    false => copied,
                };
                let bytes = match copied {
                    Ok(bytes) => bytes,
                    Err(reason) => {
                        remove(copies.into_iter().chain([(*node, to, 0)]).collect()).await;
                        return Err(format!("{node}: {reason}"));
                    }
                };
                copies.push((*node, to, bytes));
            }
            Ok(Box::new(Copied { nodes, copies }) as Box<dyn Wound>)
        })
    }
}

/// Where the copy goes: a name no other copy has.
fn beside(data: &Path) -> PathBuf {
    let mut name = data.file_name().unwrap_or_default().to_owned();
    name.push(".snapshot");
    (0_u32..)
        .map(|n| {
            let mut name = name.clone();
            name.push(format!("-{n}"));
            data.with_file_name(name)
        })
        .find(|path| !path.exists())
        .unwrap_or_else(|| data.with_file_name(name))
}

async fn remove(copies: Vec<(NodeId, PathBuf, u64)>) {
    for (node, copy, _) in copies {
        if let Err(error) = off(move || std::fs::remove_dir_all(copy)).await {
            tracing::warn!(%node, error, "a copy is left");
        }
    }
}

/// Nodes whose data was copied.
struct Copied {
    nodes: Vec<NodeId>,
    copies: Vec<(NodeId, PathBuf, u64)>,
}

impl Wound for Copied {
    fn nodes(&self) -> &[NodeId] {
        &self.nodes
    }

    fn detail(&self) -> Value {
        let bytes = |(node, _, bytes): &(NodeId, PathBuf, u64)| {
            (node.to_string(), bytes.cast_signed().into())
        };
        Value::of([("copied", Value::Map(self.copies.iter().map(bytes).collect()))])
    }

    fn heal<'a>(self: Box<Self>, cluster: &'a Arc<Cluster>) -> Fut<'a, Result<Effect, String>> {
        Box::pin(async move {
            let outage = Outage::begin(cluster, self.nodes.clone(), false).await;
            let (mut words, mut failed, mut bit) = (Vec::new(), Vec::new(), true);
            for (node, copy, _) in &self.copies {
                if let Err(reason) = all_down(cluster, &[*node]) {
                    failed.push(reason);
                    continue;
                }
                let (copy, data) = (copy.clone(), cluster.data(*node));
                let back = off(move || {
                    let different = offline::differences(&copy, &data)?.len();
                    offline::put_back(&copy, &data)?;
                    Ok(different)
                });
                match back.await {
                    Ok(files) => {
                        bit &= files > 0;
                        words.push(format!("{node}: {files} files went back"));
                    }
                    Err(reason) => failed.push(format!("{node}: {reason}")),
                }
            }
            let settled = settle(cluster, &outage.nodes).await;
            outage.end(cluster).await?;
            remove(self.copies).await;
            settled?;
            if !failed.is_empty() {
                return Err(failed.join("; "));
            }
            Ok(Effect { bit, words: words.join("; ") })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_chunk_is_lost_by_a_majority() {
        for nodes in [3, 4, 5, 7] {
            let plan =
                Plan { files: Vec::new(), count: None, bytes: 1, align: 1, spread: Some(nodes) };
            let mut hit = 0;
            for chunk in 0..200 {
                let may = (0..nodes).filter(|n| plan.may(Path::new("wal/1"), chunk, *n)).count();
                assert_eq!(may as u64, (nodes - 1) / 2);
                hit += usize::from(plan.may(Path::new("wal/1"), chunk, 0));
            }
            assert!(hit > 20 && hit < 180, "not always the same nodes: {hit}");
        }
    }
}
