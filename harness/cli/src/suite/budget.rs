//! [`Policy`]: what to run next when time is short.
//!
//! Every combination is run once first: those no earlier suite has run, then those whose faults
//! have been tried least. After that the one comes next that promises to teach most for its time:
//!
//! ```text
//! (learned + curiosity + rarity) / cost
//! ```
//!
//! - *learned*: what its runs taught on average. An anomaly counts 1 the first time this
//!   combination shows it, 1/2 the second, 1/3 the third; a run without an answer half as much.
//! - *curiosity*: √(ln all runs / its runs), the upper bound of what is not known yet.
//! - *rarity*: how rarely its kinds of faults and pairs of them were tried on its target: the mean
//!   of 1 / (1 + times).
//! - *cost*: how long a run of it takes, in mean runs of all.
//!
//! What does not fit into the time left is not begun. Given the same outcomes and times the same
//! is chosen.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use danso_reports::suite::{Outcome, Try};

/// A combination that can be run with any number of seeds.
#[derive(Clone, Debug, Default)]
pub(super) struct Arm {
    /// What is tested with its faults.
    target: String,
    /// The kinds of its faults.
    kinds: BTreeSet<String>,
    /// How long a run will take, as far as that can be told before the first.
    estimate: Duration,
    /// Whether an earlier suite has run it.
    known: bool,
    runs: u32,
    took: Duration,
    learned: f64,
    /// How often each anomaly was seen here.
    seen: BTreeMap<String, u32>,
    over: u32,
}

impl Arm {
    /// One that nobody has run in this suite.
    pub(super) fn new(
        target: &str,
        kinds: &BTreeSet<String>,
        estimate: Duration,
        known: bool,
    ) -> Arm {
        Arm { target: target.to_owned(), kinds: kinds.clone(), estimate, known, ..Arm::default() }
    }

    /// What a run of it costs.
    fn cost(&self) -> f64 {
        let cost = match self.over {
            0 => self.estimate,
            over => self.took / over,
        };
        cost.as_secs_f64().max(0.1)
    }

    /// Its kinds of faults and pairs of these, on its target.
    fn features(&self) -> Vec<String> {
        let mut features: Vec<String> =
            self.kinds.iter().map(|kind| format!("{}: {kind}", self.target)).collect();
        for (i, one) in self.kinds.iter().enumerate() {
            for other in self.kinds.iter().skip(i + 1) {
                features.push(format!("{}: {one}+{other}", self.target));
            }
        }
        if features.is_empty() {
            features.push(format!("{}: none", self.target));
        }
        features
    }
}

/// What has been learned so far.
#[derive(Debug)]
pub(super) struct Policy {
    arms: Vec<Arm>,
    /// How often each feature was tried.
    tried: BTreeMap<String, u32>,
}

impl Policy {
    pub(super) fn new(arms: Vec<Arm>) -> Policy {
        Policy { arms, tried: BTreeMap::new() }
    }

    /// The combination to run next, and why; `None` if none fits into the time left.
    pub(super) fn next(&mut self, left: Duration) -> Option<(usize, String)> {
        let (arm, why) = self.first(left).or_else(|| self.best(left))?;
        self.arms[arm].runs += 1;
        for feature in self.arms[arm].features() {
            *self.tried.entry(feature).or_default() += 1;
        }
        Some((arm, why))
    }

    /// Takes in what a run of `arm` came to.
    pub(super) fn learn(&mut self, arm: usize, tried: &Try) {
        let arm = &mut self.arms[arm];
        arm.over += 1;
        arm.took += tried.took;
        let worth = match tried.outcome {
            Outcome::Failed => 1.0,
            Outcome::Unknown | Outcome::Error => 0.5,
            _ => return,
        };
        let mut names: Vec<&str> = tried.anomalies.iter().map(String::as_str).collect();
        if names.is_empty() || worth < 1.0 {
            names = vec![tried.outcome.word()];
        }
        // The rarest of what was shown counts: it is what is new.
        let mut news = 0.0_f64;
        for name in names {
            let times = arm.seen.entry(name.to_owned()).or_default();
            *times += 1;
            news = news.max(1.0 / f64::from(*times));
        }
        arm.learned += worth * news;
    }

    fn fits(&self, left: Duration) -> impl Iterator<Item = usize> + '_ {
        (0..self.arms.len()).filter(move |i| self.arms[*i].cost() <= left.as_secs_f64())
    }

    /// One that was not run yet.
    fn first(&self, left: Duration) -> Option<(usize, String)> {
        let fresh = self.fits(left).filter(|i| self.arms[*i].runs == 0);
        // Of equals the first of the file.
        let best = fresh.reduce(|best, i| {
            let rank = |i: usize| (!self.arms[i].known, self.rarity(i));
            if rank(i) > rank(best) { i } else { best }
        })?;
        let rarity = self.rarity(best);
        let why = match self.arms[best].known {
            false => format!("never run before, rarity {rarity:.2}"),
            true => format!("not run yet, rarity {rarity:.2}"),
        };
        Some((best, why))
    }

    /// The one that promises most for its time.
    fn best(&self, left: Duration) -> Option<(usize, String)> {
        let best = self
            .fits(left)
            .reduce(|best, i| if self.score(i) > self.score(best) { i } else { best })?;
        let why = format!(
            "learned {:.2}, curiosity {:.2}, rarity {:.2}, {:.1} s a run",
            self.learned(best),
            self.curiosity(best),
            self.rarity(best),
            self.arms[best].cost()
        );
        Some((best, why))
    }

    fn score(&self, arm: usize) -> f64 {
        let mean = self.arms.iter().map(Arm::cost).sum::<f64>() / self.arms.len() as f64;
        let worth = self.learned(arm) + self.curiosity(arm) + self.rarity(arm);
        worth * mean / self.arms[arm].cost()
    }

    fn learned(&self, arm: usize) -> f64 {
        self.arms[arm].learned / f64::from(self.arms[arm].runs.max(1))
    }

    fn curiosity(&self, arm: usize) -> f64 {
        let all: u32 = self.arms.iter().map(|a| a.runs).sum();
        (f64::from(all.max(1)).ln() / f64::from(self.arms[arm].runs.max(1))).sqrt()
    }

    fn rarity(&self, arm: usize) -> f64 {
        let features = self.arms[arm].features();
        let times = |f: &String| f64::from(self.tried.get(f).copied().unwrap_or(0));
        features.iter().map(|f| 1.0 / (1.0 + times(f))).sum::<f64>() / features.len() as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arm(kinds: &[&str], seconds: u64, known: bool) -> Arm {
        let kinds = kinds.iter().map(ToString::to_string).collect();
        Arm::new("raft-kv", &kinds, Duration::from_secs(seconds), known)
    }

    fn tried(outcome: Outcome, anomaly: &str, seconds: u64) -> Try {
        Try {
            outcome,
            reason: String::new(),
            verdict: None,
            anomalies: vec![anomaly.to_owned()],
            took: Duration::from_secs(seconds),
            folder: None,
        }
    }

    /// Runs it with a clock that is added up; answers what was chosen.
    fn played(
        arms: Vec<Arm>,
        budget: u64,
        outcome: impl Fn(usize) -> (Outcome, u64),
    ) -> Vec<usize> {
        let mut policy = Policy::new(arms);
        let (mut left, mut chosen) = (Duration::from_secs(budget), Vec::new());
        while let Some((arm, why)) = policy.next(left) {
            assert!(!why.is_empty());
            let (outcome, seconds) = outcome(arm);
            left = left.saturating_sub(Duration::from_secs(seconds));
            policy.learn(arm, &tried(outcome, "stale-read", seconds));
            chosen.push(arm);
        }
        chosen
    }

    fn count(chosen: &[usize], arm: usize) -> usize {
        chosen.iter().filter(|c| **c == arm).count()
    }

    #[test]
    fn what_was_never_run_comes_first_and_then_what_is_rare() {
        let arms = vec![
            arm(&["kill"], 5, true),
            arm(&["kill", "pause"], 5, true),
            arm(&["kill"], 5, false),
            arm(&["clock"], 5, true),
        ];
        let chosen = played(arms, 20, |_| (Outcome::Passed, 5));
        // The new one; `clock` is untried; of the pair only `kill` is known; then the last.
        assert_eq!(chosen, [2, 3, 1, 0]);
    }

    #[test]
    fn time_goes_where_something_is_learned_but_not_all_of_it() {
        let arms = || vec![arm(&["kill"], 5, true), arm(&["kill"], 5, true)];
        let quiet = played(arms(), 200, |_| (Outcome::Passed, 5));
        assert_eq!((count(&quiet, 0), count(&quiet, 1)), (20, 20));
        let found = |arm| (if arm == 1 { Outcome::Failed } else { Outcome::Passed }, 5);
        let chosen = played(arms(), 200, found);
        assert_eq!(chosen.len(), 40);
        let (other, failing) = (count(&chosen, 0), count(&chosen, 1));
        assert!(failing > other, "{chosen:?}");
        // The same anomaly again and again teaches less each time.
        assert!(other >= 10, "{chosen:?}");
    }

    #[test]
    fn cheap_runs_are_chosen_more_often() {
        let arms = vec![arm(&["kill"], 30, true), arm(&["kill"], 3, true)];
        let chosen = played(arms, 300, |arm| (Outcome::Passed, if arm == 0 { 30 } else { 3 }));
        assert!(count(&chosen, 1) > 3 * count(&chosen, 0), "{chosen:?}");
        assert!(count(&chosen, 0) >= 1, "each is run once");
    }

    #[test]
    fn nothing_is_begun_that_does_not_fit() {
        let arms = || vec![arm(&["kill"], 50, true), arm(&["pause"], 4, true)];
        let chosen = played(arms(), 10, |_| (Outcome::Passed, 4));
        assert_eq!(chosen, [1, 1]);
        assert!(played(arms(), 3, |_| (Outcome::Passed, 4)).is_empty());
    }

    #[test]
    fn the_same_outcomes_make_the_same_choices() {
        let arms = || (0..6).map(|i| arm(&["kill", "pause"], 3 + i, i % 2 == 0)).collect();
        let outcome = |arm: usize| {
            let outcome = if arm == 3 { Outcome::Unknown } else { Outcome::Passed };
            (outcome, 3 + arm as u64)
        };
        assert_eq!(played(arms(), 600, outcome), played(arms(), 600, outcome));
    }
}
