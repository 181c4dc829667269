//! From a suite file to its [`Case`]s. Every combination is planned before anything runs: what a
//! person named must be possible, what a matrix came upon may be not, and is listed as skipped.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use danso_engine::nemesis;
use danso_vocab::Plan;

use super::cases::{Case, drawn_seed};
use super::file::{Entry, Faults, Read, Seeds, Settings};
use crate::args::TestArgs;
use crate::exit::{Exit, of_error};
use crate::spec::Spec;
use crate::{draw, judge};

/// All runs of a suite, in the order of the file.
///
/// # Errors
/// If something named cannot be run, or two tests have one name.
pub(super) fn cases(read: &Read, path: &Path, seed: u64) -> anyhow::Result<Vec<Case>> {
    let mut cases = Vec::new();
    let folder = path.parent().unwrap_or(Path::new("")).to_owned();
    for (i, entry) in read.file.test.iter().enumerate() {
        let settings = entry.settings(&read.file.defaults);
        let number = i.to_string();
        let entry = Reader { read, entry, settings, folder: &folder, number: &number, seed };
        entry.expand(&mut cases)?;
    }
    let mut names = BTreeSet::new();
    if let Some(twice) = cases.iter().find(|case| !names.insert(&case.name)) {
        let why = format!("two tests are called {}: give one of them a name", twice.name);
        return Err(read.blame(&[], &why));
    }
    Ok(cases)
}

/// One entry of the file, being read.
struct Reader<'a> {
    read: &'a Read,
    entry: &'a Entry,
    settings: Settings,
    folder: &'a Path,
    /// Its number in the file.
    number: &'a str,
    /// The suite's.
    seed: u64,
}

/// A combination of a matrix.
struct Combination {
    /// What `danso run` is told to test.
    test: String,
    /// What that is called in names.
    target: String,
    workload: Option<String>,
    faults: Option<String>,
}

impl Combination {
    /// Whether an error comes of the combination, and not of what was put together: a mistake in
    /// a test file is there without the suite, too, and must not look like a test left out.
    fn was_put_together(&self, error: &anyhow::Error, seed: u64) -> bool {
        let chosen = self.workload.is_some() || self.faults.is_some();
        let alone = TestArgs { test: self.test.clone(), ..TestArgs::default() };
        let alone = Spec::of(&alone).and_then(|spec| draw::draw(&spec, seed));
        let same = alone.is_err_and(|alone| alone.to_string() == error.to_string());
        chosen && !same && of_error(error) == Exit::Usage
    }
}

impl Reader<'_> {
    fn blame(&self, key: &str, why: &str) -> anyhow::Error {
        self.read.blame(&["test", self.number, key], why)
    }

    fn expand(&self, cases: &mut Vec<Case>) -> anyhow::Result<()> {
        let tests = self.tests()?;
        let workloads: Vec<Option<String>> = match self.entry.workloads.as_slice() {
            [] => vec![self.settings.workload.clone()],
            several => several.iter().cloned().map(Some).collect(),
        };
        let faults: Vec<Option<String>> = match &self.settings.faults {
            None => vec![None],
            Some(Faults::One(kinds)) => vec![Some(kinds.clone())],
            Some(Faults::Matrix(sets)) => sets.iter().cloned().map(Some).collect(),
        };
        self.known(&workloads, &faults)?;
        let matrix = self.is_matrix();
        let before = cases.len();
        for (test, target) in &tests {
            for workload in &workloads {
                for faults in &faults {
                    let combination = Combination {
                        test: test.clone(),
                        target: target.clone(),
                        workload: workload.clone(),
                        faults: faults.clone(),
                    };
                    if !self.excludes(&combination) {
                        self.combine(&combination, matrix, cases)?;
                    }
                }
            }
        }
        let fresh = &cases[before..];
        if fresh.is_empty() {
            cases.push(self.nothing(before)?);
        } else if fresh.iter().all(|case| case.skipped.is_some()) {
            let why = fresh[0].skipped.as_deref().unwrap_or_default();
            let why = format!("none of its {} combinations can be run: {why}", fresh.len());
            return Err(self.blame("", &why));
        }
        Ok(())
    }

    /// Whether combinations come about that nobody named.
    fn is_matrix(&self) -> bool {
        !self.entry.targets.is_empty()
            || self.entry.files.is_some()
            || !self.entry.workloads.is_empty()
            || matches!(self.settings.faults, Some(Faults::Matrix(_)))
    }

    /// What is tested: as `danso run` is told it, and shorter.
    fn tests(&self) -> anyhow::Result<Vec<(String, String)>> {
        let named = |name: &String| {
            if name.ends_with(".toml") {
                self.of_file(&self.path(name))
            } else {
                (name.clone(), name.clone())
            }
        };
        if let Some(pattern) = &self.entry.files {
            let whole = self.path(pattern).to_string_lossy().into_owned();
            let found = glob::glob(&whole).map_err(|e| self.blame("files", &e.to_string()))?;
            let mut files = found
                .collect::<Result<Vec<_>, _>>()
                .map_err(|e| self.blame("files", &e.to_string()))?;
            files.sort();
            let fixed = fixed(Path::new(&whole));
            let named = |file: &PathBuf| {
                let below = file.strip_prefix(&fixed).unwrap_or(file).with_extension("");
                (file.to_string_lossy().into_owned(), below.to_string_lossy().into_owned())
            };
            return Ok(files.iter().map(named).collect());
        }
        if let Some(file) = &self.entry.file {
            return Ok(vec![self.of_file(&self.path(file))]);
        }
        Ok(self.entry.target.iter().chain(&self.entry.targets).map(named).collect())
    }

    /// A path of the file, seen from where danso was started.
    fn path(&self, name: &str) -> PathBuf {
        plain(&self.folder.join(name))
    }

    fn of_file(&self, path: &Path) -> (String, String) {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        (path.to_string_lossy().into_owned(), stem)
    }

    /// Fails if a name of a matrix is none: that is a mistake, and no combination.
    fn known(&self, workloads: &[Option<String>], faults: &[Option<String>]) -> anyhow::Result<()> {
        let several = !self.entry.workloads.is_empty();
        for workload in workloads.iter().flatten().filter(|_| several) {
            draw::workload(workload).map_err(|e| self.blame("workloads", &e))?;
        }
        for target in self.entry.targets.iter().filter(|t| !t.ends_with(".toml")) {
            let known = crate::spec::targets();
            let known: Vec<&str> = known.iter().map(String::as_str).collect();
            if !known.contains(&target.as_str()) {
                let why = crate::spec::no_such("target", target, &known);
                return Err(self.blame("targets", &why));
            }
        }
        let words = ["auto", "swarm", "none", ""];
        for kind in faults.iter().flatten().flat_map(|set| set.split(',')).map(str::trim) {
            if !words.contains(&kind) && nemesis::find(kind).is_none() {
                return Err(self.blame("faults", &nemesis::unknown_kind(kind)));
            }
        }
        Ok(())
    }

    fn excludes(&self, combination: &Combination) -> bool {
        self.entry.exclude.iter().any(|exclude| {
            let agrees = |wanted: &Option<String>, is: Option<&str>| {
                wanted.as_deref().is_none_or(|wanted| is == Some(wanted))
            };
            agrees(&exclude.target, Some(&combination.target))
                && agrees(&exclude.workload, combination.workload.as_deref())
                && agrees(&exclude.faults, combination.faults.as_deref())
        })
    }

    /// A combination with each of its seeds.
    fn combine(&self, of: &Combination, matrix: bool, cases: &mut Vec<Case>) -> anyhow::Result<()> {
        let arm = cases.len();
        let args = self.args(of);
        let seeds = match (&self.settings.seeds, self.entry.seed) {
            (_, Some(seed)) => vec![seed],
            (Some(Seeds::List(seeds)), None) => seeds.clone(),
            (Some(Seeds::Count(n)), None) => (0..*n).map(|i| drawn_seed(self.seed, i)).collect(),
            // What a test file gives stays.
            (None, None) => vec![own_seed(&args).unwrap_or_else(|| drawn_seed(self.seed, 0))],
        };
        if seeds.is_empty() {
            return Err(self.blame("seeds", "no seeds are no test: give at least one"));
        }
        for seed in seeds {
            let mut args = args.clone();
            args.seed = Some(seed);
            match Spec::of(&args).and_then(|spec| draw::draw(&spec, seed)) {
                Ok(plan) => cases.push(self.case(of, args, &plan, arm)?),
                Err(error) if matrix && of.was_put_together(&error, seed) => {
                    cases.push(self.skipped(of, args, &error.to_string(), arm));
                }
                Err(error) => {
                    let name = self.name(of, &args, None);
                    return Err(self.blame("", &format!("{name}: {error:#}")));
                }
            }
        }
        Ok(())
    }

    /// What `danso run` is told.
    fn args(&self, of: &Combination) -> TestArgs {
        let settings = &self.settings;
        let expect = settings.expect.iter().flat_map(super::file::Expect::sets);
        TestArgs {
            test: of.test.clone(),
            workload: of.workload.clone(),
            faults: of.faults.clone(),
            time: settings.time.clone(),
            seed: None,
            nodes: settings.nodes,
            processes: settings.processes,
            rate: settings.rate,
            bug: settings.bug.clone(),
            set: settings.set.iter().cloned().chain(expect).collect(),
            network: settings.network.clone(),
            ip: settings.ip.clone(),
        }
    }

    fn case(
        &self,
        of: &Combination,
        args: TestArgs,
        plan: &Plan,
        arm: usize,
    ) -> anyhow::Result<Case> {
        let load = plan.load.time;
        let timeout = match &self.settings.timeout {
            Some(text) => {
                let own = self.entry.settings(&Settings::default()).timeout.is_some();
                let path = ["test", self.number, "timeout"];
                let path: &[&str] = if own { &path } else { &["defaults", "timeout"] };
                Some(self.read.duration(path, text)?)
            }
            None => None,
        };
        let injections = plan.schedule.injections.iter();
        let kinds: BTreeSet<String> = injections.map(|i| i.fault.kind.to_string()).collect();
        let faults = match &args.faults {
            Some(given) => given.replace(',', "+").replace(' ', ""),
            None if args.test.ends_with(".toml") && kinds.is_empty() => "none".to_owned(),
            None if args.test.ends_with(".toml") => {
                kinds.iter().map(String::as_str).collect::<Vec<_>>().join("+")
            }
            None => "auto".to_owned(),
        };
        Ok(Case {
            name: self.name(of, &args, Some(&plan.workload.name)),
            target: match danso_adapters::find(&plan.target.name) {
                Some(_) => of.target.clone(),
                None => plan.target.name.clone(),
            },
            workload: plan.workload.name.clone(),
            faults: if faults.is_empty() { "none".to_owned() } else { faults },
            seed: plan.seed,
            args,
            expected: judge::expectation::wanted(plan),
            timeout,
            load,
            kinds,
            arm,
            skipped: None,
        })
    }

    fn skipped(&self, of: &Combination, args: TestArgs, why: &str, arm: usize) -> Case {
        Case {
            name: self.name(of, &args, None),
            target: of.target.clone(),
            workload: of.workload.clone().unwrap_or_default(),
            faults: of.faults.as_deref().unwrap_or("auto").replace(',', "+"),
            seed: args.seed.unwrap_or_default(),
            args,
            expected: String::new(),
            timeout: None,
            load: Duration::ZERO,
            kinds: BTreeSet::new(),
            arm,
            skipped: Some(why.to_owned()),
        }
    }

    /// `raft-kv/register/partition+kill/seed-7`, or the name given and what a list adds to it.
    fn name(&self, of: &Combination, args: &TestArgs, workload: Option<&str>) -> String {
        let entry = self.entry;
        let (named, file) = (entry.name.is_some(), args.test.ends_with(".toml"));
        let mut parts: Vec<String> = entry.name.iter().cloned().collect();
        if !named || !entry.targets.is_empty() || entry.files.is_some() {
            parts.push(of.target.clone());
        }
        if !entry.workloads.is_empty() || !named && !file {
            parts.extend(of.workload.as_deref().or(workload).map(str::to_owned));
        }
        if matches!(self.settings.faults, Some(Faults::Matrix(_))) || !named && !file {
            let faults = of.faults.as_deref().unwrap_or("auto").replace(',', "+").replace(' ', "");
            parts.push(if faults.is_empty() { "none".to_owned() } else { faults });
        }
        if self.settings.seeds.is_some() || !named && !file {
            parts.extend(args.seed.map(|seed| format!("seed-{seed}")));
        }
        parts.join("/")
    }

    /// What stands for an entry without any test: a pattern nothing answers to is worth a line.
    ///
    /// # Errors
    /// If everything was excluded.
    fn nothing(&self, arm: usize) -> anyhow::Result<Case> {
        let Some(pattern) = &self.entry.files else {
            return Err(self.blame("exclude", "everything is excluded: nothing is left to test"));
        };
        let target = self.path(pattern).to_string_lossy().into_owned();
        let of = Combination { test: target.clone(), target, workload: None, faults: None };
        let args = TestArgs { test: of.test.clone(), ..TestArgs::default() };
        Ok(self.skipped(&of, args, "no file has such a name", arm))
    }
}

/// The seed a test file gives.
fn own_seed(args: &TestArgs) -> Option<u64> {
    Spec::of(args).ok().and_then(|spec| spec.seed)
}

/// The folders of a pattern before its first wildcard.
fn fixed(pattern: &Path) -> PathBuf {
    let folders = pattern.parent().unwrap_or(Path::new(""));
    let wild = |part: &Component<'_>| part.as_os_str().to_string_lossy().contains(['*', '?', '[']);
    folders.components().take_while(|part| !wild(part)).collect()
}

/// A path without `.` and `..`, as far as that can be told from its text.
fn plain(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir
                if matches!(out.components().next_back(), Some(Component::Normal(_))) =>
            {
                out.pop();
            }
            part => out.push(part),
        }
    }
    out
}
