//! [`Store`]: the folder of a suite. Its files are written anew whenever something has changed,
//! each whole or not at all: whoever kills a suite finds what had finished.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context;
use danso_engine::site::Site;
use danso_reports::suite::{self, Suite};

use crate::load::write_whole;

/// The folder of a suite.
pub(super) struct Store {
    site: Site,
    junit: Option<PathBuf>,
    since: Instant,
}

impl Store {
    /// Makes the folder.
    ///
    /// # Errors
    /// If it cannot be made.
    pub(super) fn create(out: &Path, name: &str, junit: Option<PathBuf>) -> anyhow::Result<Store> {
        let stamp = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
        let site = Site::create(out, &safe(name), &stamp).map_err(|e| {
            let out = out.display();
            crate::exit::usage(format!("--out {out}: {e}; name a folder that can be written"))
        })?;
        Ok(Store { site, junit, since: Instant::now() })
    }

    pub(super) fn root(&self) -> &Path {
        self.site.root()
    }

    /// A folder for a run of test number `i`. Its name is short: nodes lie deep below it, and what
    /// they listen on has a path of at most 107 bytes.
    pub(super) fn run(&self, i: usize, attempt: usize) -> PathBuf {
        let leaf = match attempt {
            1 => (i + 1).to_string(),
            _ => format!("{}-{attempt}", i + 1),
        };
        self.root().join(leaf)
    }

    /// Removes the folder of a run.
    ///
    /// # Errors
    /// If it cannot be removed.
    pub(super) fn forget(&self, i: usize, attempt: usize) -> anyhow::Result<()> {
        let folder = self.run(i, attempt);
        std::fs::remove_dir_all(&folder).with_context(|| folder.display().to_string())
    }

    /// Writes junit.xml, index.html and suite.json.
    ///
    /// # Errors
    /// If one of them cannot be written.
    pub(super) fn write(&self, suite: &mut Suite) -> anyhow::Result<()> {
        suite.took = self.since.elapsed();
        let junit = danso_reports::junit(suite);
        write_whole(&self.root().join("junit.xml"), junit.as_bytes())?;
        write_whole(&self.root().join("index.html"), danso_reports::index(suite).as_bytes())?;
        write_whole(&self.root().join("suite.json"), &suite::write(suite))?;
        if let Some(file) = &self.junit {
            if let Some(folder) = file.parent() {
                std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
            }
            write_whole(file, junit.as_bytes())?;
        }
        Ok(())
    }
}

/// What the newest suite of this name was, if there is one.
pub(super) fn previous(out: &Path, name: &str) -> Option<Suite> {
    let folders = std::fs::read_dir(out.join(safe(name))).ok()?;
    let mut files: Vec<_> = folders.flatten().map(|f| f.path().join("suite.json")).collect();
    files.sort();
    files.iter().rev().find_map(|file| suite::read(&std::fs::read(file).ok()?).ok())
}

/// A name as a folder's.
fn safe(name: &str) -> String {
    let safe: String = name
        .chars()
        .map(|c| if c.is_alphanumeric() || "-_.+".contains(c) { c } else { '-' })
        .collect();
    if safe.trim_matches('.').is_empty() { "suite".to_owned() } else { safe }
}
