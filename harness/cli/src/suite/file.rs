//! [`File`]: a suite as it is written. Mistakes name file, line, column and the nearest name.

use std::path::Path;
use std::time::Duration;

use danso_adapters::nearest;
use serde::Deserialize;

use crate::exit::usage;
use crate::spec::places::Places;
use crate::spec::{duration, one_line};

/// A suite file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct File {
    pub(super) name: Option<String>,
    /// Of the seeds that tests do not give.
    pub(super) seed: Option<u64>,
    /// What every test has that says nothing else.
    #[serde(default)]
    pub(super) defaults: Settings,
    #[serde(default)]
    pub(super) test: Vec<Entry>,
}

/// `[[test]]`: a test or, where something is a list, a matrix of them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Entry {
    pub(super) name: Option<String>,
    pub(super) target: Option<String>,
    #[serde(default)]
    pub(super) targets: Vec<String>,
    pub(super) file: Option<String>,
    /// A pattern, as in `regressions/*.toml`.
    pub(super) files: Option<String>,
    #[serde(default)]
    pub(super) exclude: Vec<Exclude>,
    pub(super) workload: Option<String>,
    #[serde(default)]
    pub(super) workloads: Vec<String>,
    pub(super) faults: Option<Faults>,
    pub(super) seed: Option<u64>,
    pub(super) seeds: Option<Seeds>,
    // As in `Settings`: serde cannot both flatten and refuse unknown names.
    time: Option<String>,
    timeout: Option<String>,
    nodes: Option<u16>,
    processes: Option<u32>,
    rate: Option<u32>,
    bug: Option<String>,
    #[serde(default)]
    set: Vec<String>,
    network: Option<String>,
    ip: Option<String>,
    expect: Option<Expect>,
}

/// `[defaults]`, and the same of a test.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Settings {
    pub(super) workload: Option<String>,
    pub(super) faults: Option<Faults>,
    pub(super) seeds: Option<Seeds>,
    pub(super) time: Option<String>,
    pub(super) timeout: Option<String>,
    pub(super) nodes: Option<u16>,
    pub(super) processes: Option<u32>,
    pub(super) rate: Option<u32>,
    pub(super) bug: Option<String>,
    #[serde(default)]
    pub(super) set: Vec<String>,
    pub(super) network: Option<String>,
    pub(super) ip: Option<String>,
    pub(super) expect: Option<Expect>,
}

impl Entry {
    /// What it says, or else the defaults say.
    pub(super) fn settings(&self, defaults: &Settings) -> Settings {
        let usual = defaults.clone();
        Settings {
            workload: self.workload.clone().or(usual.workload),
            faults: self.faults.clone().or(usual.faults),
            seeds: self.seeds.clone().or(usual.seeds),
            time: self.time.clone().or(usual.time),
            timeout: self.timeout.clone().or(usual.timeout),
            nodes: self.nodes.or(usual.nodes),
            processes: self.processes.or(usual.processes),
            rate: self.rate.or(usual.rate),
            bug: self.bug.clone().or(usual.bug),
            set: usual.set.into_iter().chain(self.set.iter().cloned()).collect(),
            network: self.network.clone().or(usual.network),
            ip: self.ip.clone().or(usual.ip),
            expect: self.expect.clone().or(usual.expect),
        }
    }
}

/// A combination to leave out of a matrix: of everything that agrees with all it names.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Exclude {
    pub(super) target: Option<String>,
    pub(super) workload: Option<String>,
    pub(super) faults: Option<String>,
}

/// `"partition,kill"`, or a list of such.
#[derive(Clone, Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "faults wants kinds, as in \"partition,kill\", or a list of such texts"
)]
pub(super) enum Faults {
    One(String),
    Matrix(Vec<String>),
}

/// `3`, which are drawn, or `[1, 2, 3]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, expecting = "seeds wants how many, as in 3, or which, as in [1, 2, 3]")]
pub(super) enum Seeds {
    Count(u32),
    List(Vec<u64>),
}

/// What a test is to answer, if not what its test file says.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Expect {
    pub(super) verdict: Option<String>,
    pub(super) anomaly: Option<OneOrMore>,
    pub(super) ok_rate: Option<f64>,
    pub(super) min_ops: Option<u64>,
}

/// A name, or a list of them.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, expecting = "anomaly wants a name or a list of names")]
pub(super) enum OneOrMore {
    One(String),
    More(Vec<String>),
}

impl Expect {
    /// The same as `--set` has it.
    pub(super) fn sets(&self) -> Vec<String> {
        let mut sets = Vec::new();
        let mut set = |name: &str, value: Option<String>| {
            sets.extend(value.map(|value| format!("expect.{name}={value}")));
        };
        set("verdict", self.verdict.clone());
        set(
            "anomaly",
            self.anomaly.as_ref().map(|anomaly| match anomaly {
                OneOrMore::One(name) => name.clone(),
                OneOrMore::More(names) => names.join(","),
            }),
        );
        set("ok-rate", self.ok_rate.map(|rate| rate.to_string()));
        set("min-ops", self.min_ops.map(|ops| ops.to_string()));
        sets
    }
}

/// A suite file, and where things stand in it.
pub(super) struct Read {
    pub(super) file: File,
    places: Places,
}

impl Read {
    /// Reads a file.
    ///
    /// # Errors
    /// If it cannot be read, or something in it makes no sense.
    pub(super) fn of(path: &Path) -> anyhow::Result<Read> {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|e| usage(format!("{name}: {e}")))?;
        let places = Places { file: name, text };
        let file: File = toml::from_str(&places.text).map_err(|e| {
            let at = places.at(e.span().map_or(0, |span| span.start));
            usage(format!("{at}: {}", nearest(&one_line(e.message()))))
        })?;
        let read = Read { file, places };
        read.check()?;
        Ok(read)
    }

    fn check(&self) -> anyhow::Result<()> {
        if self.file.test.is_empty() {
            return Err(self.blame(&[], "there is no [[test]]: a suite has at least one"));
        }
        for (i, test) in self.file.test.iter().enumerate() {
            let i = i.to_string();
            let wrong = |path: &str, why: &str| Err(self.blame(&["test", &i, path], why));
            let named = [
                test.target.is_some(),
                !test.targets.is_empty(),
                test.file.is_some(),
                test.files.is_some(),
            ];
            match named.into_iter().filter(|named| *named).count() {
                1 => {}
                0 => return wrong("", "what is tested? Give target, targets, file or files"),
                _ => return wrong("", "give only one of target, targets, file and files"),
            }
            if test.workload.is_some() && !test.workloads.is_empty() {
                return wrong("workloads", "give either workload or workloads, not both");
            }
            if test.seed.is_some() && test.seeds.is_some() {
                return wrong("seeds", "give either seed or seeds, not both");
            }
        }
        Ok(())
    }

    /// An error about a part of the file.
    pub(super) fn blame(&self, path: &[&str], why: &str) -> anyhow::Error {
        usage(format!("{}: {why}", self.places.blame(path, why)))
    }

    /// A duration that stands at `path`.
    pub(super) fn duration(&self, path: &[&str], text: &str) -> anyhow::Result<Duration> {
        let name = path.last().copied().unwrap_or_default();
        duration(name, text).map_err(|e| self.blame(path, &e))
    }
}
