//! What nemeses of disks share: nodes that are down for a while, work on files off the runtime,
//! evidence in words.

use std::sync::Arc;

use danso_vocab::NodeId;

use super::ends::{How, let_up, take_down};
use super::links::Reach;
use crate::cluster::{Cluster, Shape};
use crate::disk::{Loss, Tally};
use crate::network::Policy;

/// Nodes that are down, cut off or not.
pub(super) struct Outage {
    pub(super) nodes: Vec<NodeId>,
    /// How those went that ran.
    pub(super) killed: Vec<String>,
    shape: Option<Shape>,
    /// Why they are not cut off, if they should be.
    pub(super) betrayed: Option<String>,
}

impl Outage {
    /// Kills nodes and holds them down. With `cut`, they are cut off first, so that no other
    /// machine hears of their end.
    pub(super) async fn begin(cluster: &Arc<Cluster>, nodes: Vec<NodeId>, cut: bool) -> Outage {
        let (mut shape, mut betrayed) = (None, None);
        if cut {
            // Also links among themselves: none of them is to hear of another's end.
            let mut links = Vec::new();
            for node in &nodes {
                links.extend(Reach::everything().links(&[*node], &cluster.nodes()));
            }
            links.sort_unstable();
            links.dedup();
            match cluster.shape(links.into_iter().map(|l| (l, Policy::CUT)).collect()) {
                Ok(made) => shape = Some(made),
                Err(error) => betrayed = Some(error.to_string()),
            }
        }
        // A process ends only when its disk has answered.
        hurry(cluster, &nodes, true).await;
        let killed = take_down(cluster, &nodes, How::Kill).await;
        hurry(cluster, &nodes, false).await;
        Outage { nodes, killed, shape, betrayed }
    }

    /// Connects them again and starts them.
    pub(super) async fn end(mut self, cluster: &Cluster) -> Result<(), String> {
        let joined = match self.shape.take() {
            Some(shape) => cluster.unshape(&shape).map_err(|e| e.to_string()),
            None => Ok(()),
        };
        let_up(cluster, &self.nodes).await.and(joined)
    }
}

/// Lets disks answer at once, or no longer.
async fn hurry(cluster: &Arc<Cluster>, nodes: &[NodeId], on: bool) {
    let disks = &cluster.disks;
    for disk in nodes.iter().filter_map(|n| disks.get(*n)) {
        let disk = disk.clone();
        if let Err(error) = off(move || disk.hurry(on)).await {
            tracing::warn!(error, "a disk does not answer");
        }
    }
}

/// Does blocking work on files.
pub(super) async fn off<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T, String> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result.map_err(|e| e.to_string()),
        Err(error) => Err(format!("work on files panicked: {error}")),
    }
}

/// What a power failure took, in words.
pub(super) fn loss_words(loss: &Loss) -> String {
    if loss.files + loss.changes == 0 {
        return "nothing was lost".to_owned();
    }
    let mut words = format!("lost {} pages and {} changes to directories", loss.lost, loss.names);
    if loss.torn > 0 {
        words += &format!(", tore {} pages", loss.torn);
    }
    if loss.kept > 0 {
        words += &format!(", kept {} by chance", loss.kept);
    }
    format!("{words} ({} bytes of {} files)", loss.bytes, loss.files)
}

/// How a rule has bitten, in words; `what` happened to each.
pub(super) fn tally_words(tally: &Tally, what: &str) -> String {
    if tally.total() == 0 {
        return "met nothing".to_owned();
    }
    let hits: Vec<_> = tally.hits.iter().map(|(op, n)| format!("{n} {}", op.word())).collect();
    let mut words = format!("{} {what}", hits.join(", "));
    if !tally.delayed.is_zero() {
        let millis = |d: std::time::Duration| d.as_secs_f64() * 1e3;
        let mean = millis(tally.delayed) / tally.total() as f64;
        words += &format!(" by {mean:.1} ms, {:.1} ms at most", millis(tally.longest));
    }
    if let Some(first) = tally.places.first() {
        let more = tally.places.len() - 1;
        words += &format!(
            " ({first}{})",
            if more > 0 { format!(" and {more} more") } else { String::new() }
        );
    }
    words
}
