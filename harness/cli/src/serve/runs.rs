//! [`Runs`]: the run folders below the root, each in a few words.

use std::collections::{BTreeMap, HashMap};
use std::fs::{File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use danso_reports::browse::{Listed, Run, State};
use danso_vocab::codec::{self, json};
use danso_vocab::{Plan, Results};

use super::root::{Entry, Found, Place, Root, entries};
use crate::alive;

/// Bytes of a plan or of results that are read.
const MOST: u64 = 64 << 20;
/// Folders that are looked into, and how deep: a suite has its runs seven down.
const FOLDERS: usize = 100_000;
const DEPTH: usize = 10;
/// Bytes at the end of a history in which its last line is looked for.
const LAST: u64 = 64 << 10;

/// The run folders below a root. What was read is kept until its files change.
pub(super) struct Runs {
    root: Arc<Root>,
    known: Mutex<HashMap<Place, Known>>,
}

struct Known {
    stamp: Stamp,
    run: Arc<Run>,
}

/// When plan and results were written, and how long they are.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    plan: (Option<SystemTime>, u64),
    results: Option<(Option<SystemTime>, u64)>,
}

/// What was found.
#[derive(Default)]
pub(super) struct All {
    /// The newest first.
    pub(super) runs: Vec<Arc<Run>>,
    pub(super) suites: Vec<Listed>,
    /// Whether there was more than may be looked at.
    pub(super) cut: bool,
}

impl Runs {
    pub(super) fn new(root: Arc<Root>) -> Runs {
        Runs { root, known: Mutex::default() }
    }

    /// All runs.
    ///
    /// # Errors
    /// If the root cannot be read.
    pub(super) fn all(&self) -> io::Result<All> {
        let mut found = All::default();
        let mut places = Vec::new();
        let mut todo = vec![(Place::ROOT, 0)];
        let mut looked = 0;
        while let Some((place, depth)) = todo.pop() {
            looked += 1;
            if looked > FOLDERS {
                found.cut = true;
                break;
            }
            let listed = self.root.folder(&place).and_then(|folder| entries(&folder));
            let listed = match listed {
                Ok(listed) => listed,
                Err(error) if depth == 0 => return Err(error),
                // It may have gone since, or be somebody else's.
                Err(_) => continue,
            };
            if is_run(&listed) {
                places.push(place);
                continue;
            }
            if is_suite(&listed) {
                found.suites.push(Listed { path: place.to_string() });
            }
            let below = listed.iter().filter(|e| e.is_folder && !e.name.starts_with('.'));
            if depth < DEPTH {
                todo.extend(below.map(|e| (place.join(&e.name), depth + 1)));
            }
        }
        found.runs = places.iter().filter_map(|place| self.read(place).ok()).collect();
        found.runs.sort_by(|a, b| (&b.began, &b.path).cmp(&(&a.began, &a.path)));
        found.suites.sort_by(|a, b| b.path.cmp(&a.path));
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let there: std::collections::HashSet<&Place> = places.iter().collect();
        known.retain(|place, _| there.contains(place));
        Ok(found)
    }

    /// Whether a run folder is at a place, and not in what another run left.
    pub(super) fn is_run(&self, place: &Place) -> bool {
        let mut above = place.upwards();
        above.next().is_some_and(|place| self.has(&place, is_run))
            && !above.any(|place| self.has(&place, is_run))
    }

    /// Whether a suite's folder is at a place, and not in what a run left.
    pub(super) fn is_suite(&self, place: &Place) -> bool {
        self.has(place, is_suite) && !place.upwards().any(|place| self.has(&place, is_run))
    }

    fn has(&self, place: &Place, what: fn(&[Entry]) -> bool) -> bool {
        self.root.folder(place).and_then(|f| entries(&f)).is_ok_and(|listed| what(&listed))
    }

    /// The run at a place.
    ///
    /// # Errors
    /// If there is no run folder.
    pub(super) fn read(&self, place: &Place) -> io::Result<Arc<Run>> {
        let folder = self.root.folder(place)?;
        let plan = self.root.file(&place.join("plan.json"))?.1;
        // Asked before the results are looked for: a run ends in between at most.
        let lives = alive::lives(&folder)?;
        let results = self.root.file(&place.join("results.json")).ok().map(|(_, about)| about);
        let stamp = Stamp { plan: written(&plan), results: results.as_ref().map(written) };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let old = known.get(place).filter(|known| known.stamp == stamp);
        let run = match old {
            Some(old) => old.run.clone(),
            None => {
                let run = Arc::new(self.fresh(place, &plan, results.is_some()));
                known.insert(place.clone(), Known { stamp, run: run.clone() });
                run
            }
        };
        drop(known);
        if results.is_some() || run.state == State::Damaged {
            return Ok(run);
        }
        let (state, reason) = match lives {
            true => (State::Running, "It is under way."),
            false => (State::Dead, "It ended without a verdict: its controller is gone."),
        };
        let lasted = self.lasted(place);
        Ok(Arc::new(Run { state, reason: reason.to_owned(), lasted, ..(*run).clone() }))
    }

    fn fresh(&self, place: &Place, about: &Metadata, is_over: bool) -> Run {
        let leaf = place.split().map_or("", |(_, leaf)| leaf);
        let mut run = Run {
            path: place.to_string(),
            name: place.to_string(),
            began: began(leaf, about),
            seed: None,
            target: String::new(),
            workload: String::new(),
            faults: Vec::new(),
            state: State::Damaged,
            reason: String::new(),
            anomalies: BTreeMap::new(),
            counts: BTreeMap::new(),
            lasted: None,
        };
        match self.plan(place) {
            Ok(plan) => {
                let kinds = plan.schedule.injections.iter().map(|i| i.fault.kind.to_string());
                run.faults = kinds.collect::<std::collections::BTreeSet<_>>().into_iter().collect();
                (run.name, run.seed) = (plan.name, Some(plan.seed));
                (run.target, run.workload) = (plan.target.name, plan.workload.name);
                run.state = State::Dead;
            }
            Err(why) => run.reason = why,
        }
        if !is_over {
            return run;
        }
        match self.results(place) {
            Ok(results) => {
                run.state = State::of(&results);
                for anomaly in results.findings.iter().flat_map(|f| &f.anomalies) {
                    *run.anomalies.entry(anomaly.name.to_string()).or_default() += 1;
                }
                (run.reason, run.counts) = (results.reason, results.counts);
            }
            Err(why) => (run.state, run.reason) = (State::Damaged, why),
        }
        run.lasted = self.lasted(place);
        run
    }

    /// A run's plan.
    ///
    /// # Errors
    /// If it cannot be read: why, in words.
    pub(super) fn plan(&self, place: &Place) -> Result<Plan, String> {
        let bytes = self.root.read(&place.join("plan.json"), MOST);
        let bytes = bytes.map_err(|e| format!("plan.json cannot be read: {e}"))?;
        codec::plan::read(&bytes)
            .map_err(|e| format!("plan.json:{}:{}: {}", e.line, e.column, e.message))
    }

    /// A run's results.
    ///
    /// # Errors
    /// If they cannot be read: why, in words.
    pub(super) fn results(&self, place: &Place) -> Result<Results, String> {
        let bytes = self.root.read(&place.join("results.json"), MOST);
        let bytes = bytes.map_err(|e| format!("results.json cannot be read: {e}"))?;
        codec::results::read(&bytes)
            .map_err(|e| format!("results.json:{}:{}: {}", e.line, e.column, e.message))
    }

    /// The time of the last event.
    fn lasted(&self, place: &Place) -> Option<Duration> {
        let (file, about) = self.root.file(&place.join("history.jsonl")).ok()?;
        let text = end(file, about.len(), LAST).ok()?;
        let line = text.trim_end().rsplit('\n').find(|line| line.ends_with('}'))?;
        let time = json::from_str(line).ok()?.get("time")?.int()?;
        u64::try_from(time).ok().map(Duration::from_nanos)
    }
}

/// The last bytes of a file as text.
///
/// # Errors
/// If it cannot be read.
pub(super) fn end(mut file: File, len: u64, most: u64) -> io::Result<String> {
    file.seek(SeekFrom::Start(len.saturating_sub(most)))?;
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn has(listed: &[Entry], name: &str) -> bool {
    listed.iter().any(|entry| !entry.is_folder && entry.name == name)
}

/// A plan alone is only one that somebody wrote down.
fn is_run(listed: &[Entry]) -> bool {
    has(listed, "plan.json")
        && ["danso.log", "history.jsonl", "results.json"].iter().any(|name| has(listed, name))
}

fn is_suite(listed: &[Entry]) -> bool {
    has(listed, "suite.json") && has(listed, "index.html")
}

fn written(about: &Metadata) -> (Option<SystemTime>, u64) {
    (about.modified().ok(), about.len())
}

/// When it began: by its name, or else by its plan's age.
fn began(leaf: &str, plan: &Metadata) -> String {
    let named = leaf
        .get(..16)
        .and_then(|stamp| jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", stamp).ok())
        .map(|time| time.strftime("%Y-%m-%d %H:%M:%S").to_string());
    let aged = || {
        let time = jiff::Timestamp::try_from(plan.modified().ok()?).ok()?;
        Some(time.strftime("%Y-%m-%d %H:%M:%S").to_string())
    };
    named.or_else(aged).unwrap_or_default()
}

/// Whether something is at a place.
pub(super) fn there(root: &Root, place: &Place) -> bool {
    matches!(root.find(place), Ok(Found::File(..)))
}
