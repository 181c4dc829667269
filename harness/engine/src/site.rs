//! [`Site`]: the run folder, and what is where in it.

use std::io;
use std::path::{Path, PathBuf};

use danso_vocab::NodeId;

/// A run folder. Names only; contents belong to the codecs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    root: PathBuf,
}

impl Site {
    /// Makes `out/name/stamp/`, or with a suffix if that is taken, and points `out/latest` at it.
    ///
    /// # Errors
    /// If a folder cannot be made.
    pub fn create(out: &Path, name: &str, stamp: &str) -> io::Result<Site> {
        let parent = out.join(name);
        std::fs::create_dir_all(&parent)?;
        let mut attempt = 1;
        let root = loop {
            let leaf = if attempt == 1 { stamp.to_owned() } else { format!("{stamp}-{attempt}") };
            let root = parent.join(leaf);
            match std::fs::create_dir(&root) {
                Ok(()) => break root,
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists && attempt < 1_000 => {
                    attempt += 1;
                }
                Err(e) => return Err(e),
            }
        };
        let site = Site { root: root.canonicalize()? };
        site.link_latest(out);
        Ok(site)
    }

    /// An existing run folder.
    pub fn open(root: impl Into<PathBuf>) -> Site {
        Site { root: root.into() }
    }

    /// Points `out/latest` at this run. A link that cannot be made is no reason to stop: it is
    /// a convenience, and another run may be making it at the same moment.
    fn link_latest(&self, out: &Path) {
        let link = out.join("latest");
        let relative = self.root.strip_prefix(out.canonicalize().unwrap_or_default());
        let fresh = out.join(format!(".latest-{}", std::process::id()));
        let made = std::os::unix::fs::symlink(relative.unwrap_or(&self.root), &fresh)
            .and_then(|()| std::fs::rename(&fresh, &link));
        if let Err(error) = made {
            tracing::debug!(%error, "no `latest` link");
        }
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Everything decided before the run.
    pub fn plan(&self) -> PathBuf {
        self.root.join("plan.json")
    }

    /// Every event.
    pub fn history(&self) -> PathBuf {
        self.root.join("history.jsonl")
    }

    /// The verdict.
    pub fn results(&self) -> PathBuf {
        self.root.join("results.json")
    }

    /// The report.
    pub fn report(&self) -> PathBuf {
        self.root.join("report.html")
    }

    /// What danso did.
    pub fn log(&self) -> PathBuf {
        self.root.join("danso.log")
    }

    /// What would have to be undone.
    pub fn undo(&self) -> PathBuf {
        self.root.join("undo.log")
    }

    /// The folder of a node's logs.
    pub fn node(&self, node: NodeId) -> PathBuf {
        self.root.join("nodes").join(node.to_string())
    }

    /// A node's own data.
    pub fn data(&self, node: NodeId) -> PathBuf {
        self.node(node).join("data")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_runs_in_one_second_get_two_folders() {
        let out = tempfile::tempdir().unwrap();
        let a = Site::create(out.path(), "x", "s-1").unwrap();
        let b = Site::create(out.path(), "x", "s-1").unwrap();
        assert_ne!(a, b);
        assert_eq!(out.path().join("latest").canonicalize().unwrap(), b.root());
    }
}
