//! `danso suite`: many tests in processes of their own, and what came of them, written anew after
//! each.

mod budget;
mod cases;
mod file;
mod matrix;
mod outcome;
mod queue;
mod runner;
mod screen;
pub(crate) mod single;
mod store;

use std::path::PathBuf;
use std::time::Duration;

use danso_engine::progress::Interrupt;
use danso_reports::suite::{Outcome, State, Suite, Test};

use self::cases::Case;
use self::file::Read;
use self::store::Store;
use crate::commands::run::listen_for_signals;
use crate::exit::{Exit, usage};
use crate::{display, draw, github};

/// What the command line says.
pub(crate) struct Options {
    pub(crate) file: PathBuf,
    pub(crate) jobs: usize,
    pub(crate) timeout: Option<Duration>,
    pub(crate) retries: u32,
    pub(crate) fail_fast: bool,
    pub(crate) unknown_passes: bool,
    pub(crate) budget: Option<Duration>,
    pub(crate) seed: Option<u64>,
    pub(crate) filter: Option<String>,
    pub(crate) out: PathBuf,
    pub(crate) junit: Option<PathBuf>,
    /// Whether the run folders of tests that passed stay.
    pub(crate) keep_passed: bool,
}

/// A suite that was read.
struct Planned {
    name: String,
    seed: u64,
    cases: Vec<Case>,
}

impl Planned {
    fn of(options: &Options) -> anyhow::Result<Planned> {
        let read = Read::of(&options.file)?;
        let seed = match options.seed.or(read.file.seed) {
            Some(seed) => seed,
            None => draw::fresh_seed()?,
        };
        let stem = options.file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let name = read.file.name.clone().unwrap_or(stem);
        let mut cases = matrix::cases(&read, &options.file, seed)?;
        if let Some(text) = &options.filter {
            let all = cases.len();
            cases.retain(|case| case.name.contains(text.as_str()));
            if cases.is_empty() {
                return Err(usage(format!(
                    "--filter {text}: none of {all} tests has this in its name; --list shows them"
                )));
            }
        }
        Ok(Planned { name, seed, cases })
    }
}

/// Shows what would be run.
pub(crate) fn list(options: &Options) -> anyhow::Result<Exit> {
    let planned = Planned::of(options)?;
    println!("suite {}: {} tests, seed {}", planned.name, planned.cases.len(), planned.seed);
    for case in &planned.cases {
        match &case.skipped {
            None => {
                println!("{}\n    {}\n    expects {}", case.name, case.reproduce(), case.expected)
            }
            Some(why) => println!("{}\n    skipped: {why}", case.name),
        }
    }
    Ok(Exit::Valid)
}

/// Runs a suite.
pub(crate) fn run(options: &Options) -> anyhow::Result<Exit> {
    let planned = Planned::of(options)?;
    let hushed = github::Hushed::new()?;
    let interrupt = Interrupt::default();
    listen_for_signals(&interrupt)?;
    let previous = store::previous(&options.out, &planned.name);
    let store = Store::create(&options.out, &planned.name, options.junit.clone())?;
    let suite = runner::run(options, planned, previous.as_ref(), &store, &interrupt)?;
    screen::summary(&suite, store.root());
    drop(hushed);
    github::tell(&suite)?;
    Ok(exit(&suite))
}

/// What a suite ends with.
fn exit(suite: &Suite) -> Exit {
    let worst = suite.tests.iter().map(|test| match test.outcome {
        Outcome::Error => Exit::Internal,
        Outcome::Failed => Exit::Invalid,
        Outcome::Unknown if !suite.unknown_passes => Exit::Unknown,
        _ => Exit::Valid,
    });
    let ran = suite.tests.iter().any(|test| test.outcome.is_over());
    // What was not run has not passed.
    let whole = ran && suite.state == State::Ended;
    worst.max().unwrap_or(Exit::Unknown).max(if whole { Exit::Valid } else { Exit::Unknown })
}

/// The record of a suite nothing of which was run yet.
fn record(options: &Options, planned: &Planned) -> Suite {
    let mut words: Vec<String> = std::env::args().skip(1).collect();
    let seeded = |w: &String| w == "--seed" || w.starts_with("--seed=");
    if !words.iter().any(seeded) {
        words.extend(["--seed".to_owned(), planned.seed.to_string()]);
    }
    Suite {
        name: planned.name.clone(),
        file: Some(options.file.to_string_lossy().into_owned()),
        seed: planned.seed,
        reproduce: display::shell(std::iter::once("danso").chain(words.iter().map(String::as_str))),
        started: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        took: Duration::ZERO,
        state: State::Running,
        unknown_passes: options.unknown_passes,
        tests: planned.cases.iter().map(test).collect(),
    }
}

/// The record of a test that was not run yet.
fn test(case: &Case) -> Test {
    Test {
        name: case.name.clone(),
        target: case.target.clone(),
        workload: case.workload.clone(),
        faults: case.faults.clone(),
        seed: case.seed,
        file: case.file(),
        reproduce: case.reproduce(),
        expected: case.expected.clone(),
        chosen: None,
        outcome: if case.skipped.is_some() { Outcome::Skipped } else { Outcome::NotRun },
        reason: case.skipped.clone().unwrap_or_default(),
        tries: Vec::new(),
    }
}

#[cfg(test)]
mod tests;
