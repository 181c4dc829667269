//! Figures about operations, by name: outcomes, waiting times, reasons.

use std::collections::BTreeMap;
use std::time::Duration;

use danso_vocab::history::Counts;
use danso_vocab::{Status, Time};

use crate::Record;

/// One row of figures.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures {
    pub(crate) counts: Counts,
    /// Of those that happened, ascending.
    latencies: Vec<u64>,
}

impl Figures {
    /// The waiting time that `part` of a thousand did not exceed.
    pub(crate) fn quantile(&self, per_mille: usize) -> Option<Duration> {
        let n = self.latencies.len();
        let at = (n * per_mille).div_ceil(1000).max(1) - 1;
        self.latencies.get(at).copied().map(Duration::from_nanos)
    }
}

/// Figures by operation name, and of all together. Falls back on the counts in the results where
/// the history itself is not at hand.
pub(crate) fn figures(record: &Record<'_>) -> (BTreeMap<String, Figures>, Figures) {
    let mut by_f = BTreeMap::<String, Figures>::new();
    let mut all = Figures::default();
    let mut by_id = vec![Figures::default(); record.history.fs().count()];
    for op in record.history.ops() {
        let figures = &mut by_id[usize::from(op.f_id())];
        figures.counts.add(op.status());
        all.counts.add(op.status());
        if let Some(latency) = op.latency().filter(|_| op.is_ok()) {
            figures.latencies.push(Time::from(latency).0);
        }
    }
    for (f, mut figures) in record.history.fs().zip(by_id) {
        figures.latencies.sort_unstable();
        all.latencies.extend_from_slice(&figures.latencies);
        by_f.insert(f.to_owned(), figures);
    }
    all.latencies.sort_unstable();
    if record.history.is_empty() {
        for (f, counts) in &record.results.counts {
            by_f.insert(f.clone(), Figures { counts: *counts, latencies: Vec::new() });
            all.counts.ok += counts.ok;
            all.counts.fail += counts.fail;
            all.counts.info += counts.info;
        }
    }
    (by_f, all)
}

/// Why operations did not end well: outcome, reason and how often, commonest first.
pub(crate) fn reasons<'a>(record: &Record<'a>) -> Vec<(Status, &'a str, u64)> {
    let mut seen = BTreeMap::<(Status, &str), u64>::new();
    for op in record.history.ops().filter(|op| !op.is_ok()) {
        let reason = op.reason().unwrap_or("never answered");
        *seen.entry((op.status(), reason)).or_default() += 1;
    }
    let mut reasons: Vec<_> = seen.into_iter().map(|((s, r), n)| (s, r, n)).collect();
    reasons.sort_by_key(|(status, reason, n)| (std::cmp::Reverse(*n), *status, *reason));
    reasons
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_nearest_ranks() {
        let figures = Figures { counts: Counts::default(), latencies: (1..=100).collect() };
        let ns = |per_mille| figures.quantile(per_mille).unwrap().as_nanos();
        assert_eq!((ns(500), ns(990), ns(1000)), (50, 99, 100));
        assert_eq!(Figures::default().quantile(500), None);
    }
}
