//! `danso suite`: many tests, each in a process of its own.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::exit::{Exit, usage};
use crate::spec::duration;
use crate::suite::{self, Options};

pub(crate) const EXAMPLES: &str = "\
Examples:
  danso suite ci/suites/smoke.toml --list           what would be run
  danso suite ci/suites/smoke.toml --jobs 2 --junit junit.xml
  danso suite ci/suites/smoke.toml --filter raft-kv --retries 3
  danso suite ci/suites/matrix.toml --budget 10m    spends the time where it teaches most

Exit codes: 0 every test did what it was to do; 1 one did not; 2 one came to no answer, or not all
were run; 254 bad usage or bad input; 255 a run failed before it could be judged.";

/// What decides a suite.
#[derive(Args)]
pub(crate) struct SuiteArgs {
    /// The suite file.
    #[arg(value_name = "FILE.toml")]
    file: PathBuf,
    /// Tests run at once. They share the machine: more of them make `unknown` likelier.
    #[arg(long, value_name = "N", default_value_t = 1)]
    jobs: usize,
    /// How long a test may take that the file gives no `timeout`. Without it: three times its
    /// load and three minutes. A test that takes longer is ended in good order.
    #[arg(long, value_name = "TIME")]
    timeout: Option<String>,
    /// Run a test that did not pass so many times more, with the same seed, to measure how often
    /// it fails. It stays failed.
    #[arg(long, value_name = "N", default_value_t = 0)]
    retries: u32,
    /// Begin no further test once one went wrong.
    #[arg(long)]
    fail_fast: bool,
    /// What a test that came to no answer counts as.
    #[arg(long, value_enum, default_value = "fail")]
    unknown: Unknown,
    /// Choose tests, and further seeds, until this time is spent.
    #[arg(long, value_name = "TIME")]
    budget: Option<String>,
    /// The seed of all seeds that the file does not give. Without it: the file's, or one that is
    /// drawn and printed.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Only tests with this text in their name.
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Where folders of suites go.
    #[arg(long, value_name = "DIR", default_value = "danso-suites")]
    out: PathBuf,
    /// Write junit.xml here, too.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Whose run folders stay. `failed`: of tests that passed only the line in the results.
    #[arg(long, value_enum, default_value = "all")]
    keep: Keep,
    /// Show what would be run, without running it.
    #[arg(long)]
    list: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Unknown {
    /// A failure.
    Fail,
    /// A success.
    Pass,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Keep {
    /// Everybody's.
    All,
    /// Those of tests that did not pass.
    Failed,
}

/// Runs a suite.
pub(crate) fn suite(args: &SuiteArgs) -> anyhow::Result<Exit> {
    let time = |name: &str, given: &Option<String>| -> anyhow::Result<Option<Duration>> {
        given.as_deref().map(|text| duration(name, text)).transpose().map_err(usage)
    };
    if args.jobs == 0 {
        return Err(usage("--jobs 0 runs nothing: say at least 1"));
    }
    let options = Options {
        file: args.file.clone(),
        jobs: args.jobs,
        timeout: time("--timeout", &args.timeout)?,
        retries: args.retries,
        fail_fast: args.fail_fast,
        unknown_passes: args.unknown == Unknown::Pass,
        budget: time("--budget", &args.budget)?,
        seed: args.seed,
        filter: args.filter.clone(),
        out: args.out.clone(),
        junit: args.junit.clone(),
        keep_passed: args.keep == Keep::All,
    };
    if args.list { suite::list(&options) } else { suite::run(&options) }
}
