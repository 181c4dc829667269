//! [`Suite`]: many tests, as far as they have come. What junit.xml, index.html, suite.json and a
//! build's summary are written from.

mod stored;

use std::time::Duration;

use danso_vocab::Verdict;

pub use stored::{read, write};

/// A suite, as far as it has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Suite {
    /// What it is called.
    pub name: String,
    /// The file it was read from, if it came from one.
    pub file: Option<String>,
    /// The seed of what it draws.
    pub seed: u64,
    /// The command that does it again.
    pub reproduce: String,
    /// When it began: RFC 3339, UTC.
    pub started: String,
    /// How long it has been running.
    pub took: Duration,
    /// Whether all of it was run.
    pub state: State,
    /// Whether an unknown counts as a success.
    pub unknown_passes: bool,
    /// Its tests, in the order of the file.
    pub tests: Vec<Test>,
}

/// How far a suite has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// It is under way, or was killed.
    #[default]
    Running,
    /// It ended by itself.
    Ended,
    /// It was ended: why.
    CutShort(String),
}

/// A test, and what came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Test {
    /// Its name, unique in the suite.
    pub name: String,
    /// The target, or the test file.
    pub target: String,
    /// What clients do.
    pub workload: String,
    /// The kinds of faults, as in `partition+kill`.
    pub faults: String,
    /// Its seed.
    pub seed: u64,
    /// The test file, if it comes from one.
    pub file: Option<String>,
    /// The command that runs it alone.
    pub reproduce: String,
    /// What it is to answer, as in `valid` or `invalid with stale-read`.
    pub expected: String,
    /// Why it was chosen, where time is short.
    pub chosen: Option<String>,
    /// What came of it: the worst of its tries.
    pub outcome: Outcome,
    /// One sentence: why.
    pub reason: String,
    /// Each time it was run.
    pub tries: Vec<Try>,
}

/// One run of a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Try {
    /// What came of it.
    pub outcome: Outcome,
    /// One sentence: why.
    pub reason: String,
    /// The run's verdict, if it came to one.
    pub verdict: Option<Verdict>,
    /// The anomalies found, by name.
    pub anomalies: Vec<String>,
    /// How long it took.
    pub took: Duration,
    /// Its run folder, seen from the folder of the suite.
    pub folder: Option<String>,
}

/// What came of a test. Ordered: of several tries the worst counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Outcome {
    /// Nobody has run it.
    #[default]
    NotRun,
    /// It cannot be run here, or not with this target.
    Skipped,
    /// It is under way, or the suite was killed meanwhile.
    Running,
    /// It answered what it was to answer.
    Passed,
    /// It came to no answer.
    Unknown,
    /// It answered something else.
    Failed,
    /// There was no run to judge.
    Error,
}

impl Outcome {
    /// All there are.
    pub const ALL: [Outcome; 7] = [
        Outcome::NotRun,
        Outcome::Skipped,
        Outcome::Running,
        Outcome::Passed,
        Outcome::Unknown,
        Outcome::Failed,
        Outcome::Error,
    ];

    /// The word in files and on screen.
    pub fn word(self) -> &'static str {
        match self {
            Outcome::NotRun => "not run",
            Outcome::Skipped => "skipped",
            Outcome::Running => "running",
            Outcome::Passed => "passed",
            Outcome::Unknown => "unknown",
            Outcome::Failed => "failed",
            Outcome::Error => "error",
        }
    }

    /// Whether it was run to an end.
    pub fn is_over(self) -> bool {
        self >= Outcome::Passed
    }
}

impl Test {
    /// How long all of its tries took.
    pub fn took(&self) -> Duration {
        self.tries.iter().map(|t| t.took).sum()
    }

    /// The try that decided: the first of the worst.
    pub fn decisive(&self) -> Option<&Try> {
        self.tries.iter().find(|t| t.outcome == self.outcome)
    }

    /// How often it did not pass, if it was run more than once: `3 of 4 runs failed`.
    pub fn flakiness(&self) -> Option<String> {
        let runs = self.tries.len();
        let bad = self.tries.iter().filter(|t| t.outcome > Outcome::Passed).count();
        let word = match self.outcome {
            Outcome::Unknown => "came to no answer",
            _ => "failed",
        };
        (runs > 1).then(|| format!("{bad} of {runs} runs {word}"))
    }

    /// The report of its decisive try.
    pub fn report(&self) -> Option<String> {
        self.decisive().or(self.tries.last())?.report()
    }
}

impl Try {
    /// Its report, seen from the folder of the suite. Without a verdict there is none.
    pub fn report(&self) -> Option<String> {
        self.verdict?;
        Some(format!("{}/report.html", self.folder.as_ref()?))
    }
}

impl Suite {
    /// How many tests ended so.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.tests.iter().filter(|t| t.outcome == outcome).count()
    }

    /// Whether this counts against the suite.
    pub fn is_bad(&self, outcome: Outcome) -> bool {
        match outcome {
            Outcome::Failed | Outcome::Error => true,
            Outcome::Unknown => !self.unknown_passes,
            _ => false,
        }
    }

    /// The tests that count against the suite, worst first.
    pub fn bad(&self) -> Vec<&Test> {
        let mut bad: Vec<_> = self.tests.iter().filter(|t| self.is_bad(t.outcome)).collect();
        bad.sort_by_key(|t| std::cmp::Reverse(t.outcome));
        bad
    }

    /// The counts in words: `11 passed, 1 failed`.
    pub fn counts(&self) -> String {
        let mut words = Vec::new();
        for outcome in Outcome::ALL.into_iter().rev() {
            match self.count(outcome) {
                0 => {}
                n => words.push(format!("{n} {}", outcome.word())),
            }
        }
        if words.is_empty() { "no tests".to_owned() } else { words.join(", ") }
    }
}
