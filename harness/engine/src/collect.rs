//! [`collect`]: keeps the files a node has written beside its output, when the run is over.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::cluster::Cluster;
use crate::process::LOG_CAP;
use crate::site::Site;

/// Copies what [`Target::logs`](crate::target::Target::logs) names into each node's folder, as
/// much of each as of any log. What cannot be had is said in danso's own log.
pub(crate) async fn collect(cluster: &Cluster, site: &Site) {
    for member in &cluster.members {
        if let Some(remote) = cluster.network.remote() {
            for pattern in cluster.target.logs(member) {
                let to = site.node(member.id);
                match remote.fetch(member.id, &pattern, &to, LOG_CAP).await {
                    Ok(files) => tracing::info!(node = %member.id, pattern, files, "logs kept"),
                    Err(error) => {
                        tracing::warn!(node = %member.id, error, pattern, "logs cannot be kept");
                    }
                }
            }
            continue;
        }
        let (data, seen) = (&member.data, cluster.data(member.id));
        for pattern in cluster.target.logs(member) {
            // The node's data may be somewhere else for everybody but the node.
            let pattern = match Path::new(&pattern).strip_prefix(data) {
                Ok(rest) => seen.join(rest).to_string_lossy().into_owned(),
                Err(_) => pattern,
            };
            let found = match glob::glob(&pattern) {
                Ok(found) => found.flatten().filter(|path| path.is_file()),
                Err(error) => {
                    tracing::warn!(%error, pattern, "no pattern of log files");
                    continue;
                }
            };
            for path in found {
                if let Err(error) = copy(&path, &site.node(member.id)) {
                    tracing::warn!(%error, path = %path.display(), "a log cannot be kept");
                }
            }
        }
    }
}

/// Under its own name, after those that are there.
fn copy(path: &Path, folder: &Path) -> io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let mut to = folder.join(&*name);
    let mut number = 1;
    while to.exists() {
        number += 1;
        to = folder.join(format!("{number}-{name}"));
    }
    io::copy(&mut File::open(path)?.take(LOG_CAP), &mut File::create(to)?)?;
    Ok(())
}
