//! [`Case`]: one run of a suite.

use std::collections::BTreeSet;
use std::time::Duration;

use danso_vocab::Rng;

use crate::args::TestArgs;
use crate::display::shell;

/// One run to be made.
#[derive(Clone)]
pub(super) struct Case {
    pub(super) name: String,
    /// The target, or the test file's name.
    pub(super) target: String,
    pub(super) workload: String,
    /// The kinds of faults, as in `partition+kill`.
    pub(super) faults: String,
    pub(super) seed: u64,
    pub(super) args: TestArgs,
    pub(super) expected: String,
    /// How long it may take, if the file says so.
    pub(super) timeout: Option<Duration>,
    /// How long its load lasts.
    pub(super) load: Duration,
    /// The kinds of faults that were drawn.
    pub(super) kinds: BTreeSet<String>,
    /// The combination it is of: cases of one differ in their seeds.
    pub(super) arm: usize,
    /// Why it cannot be run.
    pub(super) skipped: Option<String>,
}

impl Case {
    /// The test file, if it comes from one.
    pub(super) fn file(&self) -> Option<String> {
        self.args.test.ends_with(".toml").then(|| self.args.test.clone())
    }

    /// What stands behind `danso run`.
    pub(super) fn words(&self) -> Vec<String> {
        words(&self.args)
    }

    /// The command that runs it alone.
    pub(super) fn reproduce(&self) -> String {
        let words = self.words();
        shell(["danso", "run"].into_iter().chain(words.iter().map(String::as_str)))
    }

    /// The same with another seed.
    pub(super) fn with_seed(&self, seed: u64) -> Case {
        let mut case = self.clone();
        case.name = format!("{}/seed-{seed}", stem(&case.name, case.seed));
        case.seed = seed;
        case.args.seed = Some(seed);
        case
    }
}

/// A test's name without its seed: what its combination is called.
pub(super) fn stem(name: &str, seed: u64) -> &str {
    name.strip_suffix(&format!("/seed-{seed}")).unwrap_or(name)
}

/// The seed drawn as number `i` from the suite's.
pub(super) fn drawn_seed(suite: u64, i: u32) -> u64 {
    // Short enough to read over the telephone.
    Rng::new(suite).split(&format!("seed-{i}")).seed() >> 32
}

/// What stands behind `danso run` for these arguments.
fn words(args: &TestArgs) -> Vec<String> {
    let mut words = vec![args.test.clone()];
    let mut add = |flag: &str, value: Option<String>| {
        words.extend(value.map(|value| [format!("--{flag}"), value]).into_iter().flatten());
    };
    add("workload", args.workload.clone());
    add("faults", args.faults.clone());
    add("time", args.time.clone());
    add("seed", args.seed.map(|n| n.to_string()));
    add("nodes", args.nodes.map(|n| n.to_string()));
    add("processes", args.processes.map(|n| n.to_string()));
    add("rate", args.rate.map(|n| n.to_string()));
    add("bug", args.bug.clone());
    add("network", args.network.clone());
    add("ip", args.ip.clone());
    for set in &args.set {
        add("set", Some(set.clone()));
    }
    words
}
