//! [`Report`]: what came of a [`Test`](super::Test).

use std::path::{Path, PathBuf};

use danso_vocab::{Results, Verdict};

use crate::launch::Ended;

/// What came of a test. All of it, with the history and a page to read, is in [`Report::path`].
#[derive(Clone, Debug)]
#[must_use = "nobody has looked at the verdict yet"]
pub struct Report {
    name: String,
    seed: u64,
    results: Results,
    folder: PathBuf,
    page: PathBuf,
    network: &'static str,
    notes: Vec<String>,
}

impl Report {
    pub(super) fn new(
        name: String,
        seed: u64,
        ended: Ended,
        network: &'static str,
        notes: Vec<String>,
    ) -> Report {
        Report {
            name,
            seed,
            results: ended.results,
            folder: ended.site.root().to_owned(),
            page: ended.site.report(),
            network,
            notes,
        }
    }

    /// The verdict. Unknown is never success.
    pub fn verdict(&self) -> Verdict {
        self.results.verdict
    }

    /// Why, in a sentence.
    pub fn reason(&self) -> &str {
        &self.results.reason
    }

    /// The names of the anomalies found, each once.
    pub fn anomalies(&self) -> Vec<&str> {
        let found = self.results.findings.iter().flat_map(|finding| &finding.anomalies);
        let mut names: Vec<&str> = found.map(|anomaly| &*anomaly.name).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Everything the checkers found and counted.
    pub fn results(&self) -> &Results {
        &self.results
    }

    /// The seed of every random choice.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The run folder.
    pub fn path(&self) -> &Path {
        &self.folder
    }

    /// How nodes were connected: `switch`, `nft`, `proxy` or `none`.
    pub fn network(&self) -> &str {
        self.network
    }

    /// Why nothing better connected them: a line for each better network, with its mend.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Panics unless the verdict is valid, saying why, where the report is and how to see it
    /// again.
    #[track_caller]
    pub fn assert_valid(&self) -> &Report {
        let verdict = self.verdict();
        assert!(verdict == Verdict::Valid, "{verdict}: {}", self.told());
        self
    }

    /// Panics unless this anomaly was found, as with a planted bug.
    #[track_caller]
    pub fn assert_finds(&self, anomaly: &str) -> &Report {
        let found = self.anomalies();
        let known = if found.is_empty() { "nothing".to_owned() } else { found.join(", ") };
        assert!(
            self.verdict() == Verdict::Invalid && found.contains(&anomaly),
            "looked for {anomaly} and found {known}: {}",
            self.told()
        );
        self
    }

    /// Reason, report and how to see it again.
    fn told(&self) -> String {
        format!(
            "{} with seed {}: {}\nreport     {}\nreproduce  {}",
            self.name,
            self.seed,
            self.reason(),
            self.page.display(),
            self.results.reproduce
        )
    }
}
