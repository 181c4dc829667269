//! [`Disks`]: the disks of a cluster.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use danso_vocab::NodeId;

use super::{Disk, Way};

/// The disks of a cluster.
#[derive(Debug, Default)]
pub struct Disks(BTreeMap<NodeId, Arc<Disk>>);

impl Disks {
    /// One for each node, made of this: its data directory, which is made, and a file for what
    /// the helper says.
    ///
    /// # Errors
    /// Which could not be had, and why.
    pub fn open(
        exe: &Path,
        way: Way,
        nodes: impl IntoIterator<Item = (NodeId, PathBuf, PathBuf)>,
    ) -> io::Result<Disks> {
        let mut disks = BTreeMap::new();
        for (node, data, log) in nodes {
            std::fs::create_dir_all(&data)?;
            let disk = Disk::open_as(exe, &data, &log, way)
                .map_err(|e| io::Error::new(e.kind(), format!("{node}: {e}")))?;
            disks.insert(node, Arc::new(disk));
        }
        Ok(Disks(disks))
    }

    /// The disk of `node`, if there are any.
    pub fn get(&self, node: NodeId) -> Option<&Arc<Disk>> {
        self.0.get(&node)
    }

    /// The disk of `node`.
    ///
    /// # Errors
    /// If it has none.
    pub fn of(&self, node: NodeId) -> Result<Arc<Disk>, String> {
        self.get(node).cloned().ok_or_else(|| format!("{node} has no disk of its own"))
    }
}
