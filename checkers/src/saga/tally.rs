//! Anomalies found, counted by name; the first few of each are told in full.

use std::collections::BTreeMap;

use danso_vocab::Anomaly;

/// Told in full, of each name.
const EACH: usize = 3;
/// Told in full, of all.
const SHOWN: usize = 12;

/// The names, the most telling first.
pub(super) const NAMES: &[&str] = &[
    "split-decision",
    "compensated-after-commit",
    "double-effect",
    "lost-step",
    "missing-compensation",
    "orphan-step",
    "orphan-compensation",
    "wrong-compensation-order",
    "wrong-step-order",
    "early-decision",
    "incomplete-saga",
    "idempotency-key-reused",
    "journal-rewritten",
    "dirty-read",
    "conservation-violated",
];

/// What was found.
#[derive(Default)]
pub(super) struct Tally {
    found: BTreeMap<usize, (u64, Vec<Anomaly>)>,
}

impl Tally {
    /// One more `name`, told by `tell` if it is among the first.
    pub(super) fn add(&mut self, name: &'static str, tell: impl FnOnce() -> Anomaly) {
        let rank = NAMES.iter().position(|n| *n == name).unwrap_or(NAMES.len());
        let (count, told) = self.found.entry(rank).or_default();
        *count += 1;
        if told.len() < EACH {
            told.push(tell());
        }
    }

    /// How many of each name.
    pub(super) fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        self.found
            .iter()
            .map(|(rank, (count, _))| (NAMES.get(*rank).copied().unwrap_or("other"), *count))
    }

    /// Those to show: one of every name first.
    pub(super) fn shown(self) -> Vec<Anomaly> {
        let mut lists: Vec<_> = self.found.into_values().map(|(_, l)| l.into_iter()).collect();
        let mut shown = Vec::new();
        for _ in 0..EACH {
            shown.extend(lists.iter_mut().filter_map(Iterator::next));
        }
        shown.truncate(SHOWN);
        shown
    }
}
