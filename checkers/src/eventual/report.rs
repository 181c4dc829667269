//! [`Report`]: what was found in all keys together.

use std::collections::BTreeMap;
use std::time::Duration;

use danso_vocab::time::human;
use danso_vocab::{Anomaly, Finding, Name, Op, OpId, Value};

use super::key::Key;
use super::replicas::Replicas;

/// So many anomalies of a name are shown; all are counted.
const SHOWN: u64 = 20;
/// So many reasons for not knowing are shown.
const GAPS: u64 = 5;

/// Findings of all keys.
#[derive(Default)]
pub(super) struct Report {
    anomalies: Vec<Anomaly>,
    found: BTreeMap<&'static str, u64>,
    gaps: Vec<String>,
    gap_count: u64,
    /// Keys of which all replicas had a final read.
    pub(super) keys: u64,
    /// Acknowledged updates.
    pub(super) updates: u64,
    /// Answered reads.
    pub(super) reads: u64,
    /// For each key that converged, how long it took, ns.
    pub(super) convergence: Vec<u64>,
    /// For each read of a known version, how many versions it was behind at least.
    pub(super) versions: Vec<u32>,
    /// And for how long it had been, ns.
    pub(super) ages: Vec<u64>,
}

impl Report {
    /// An anomaly, made only if it will be shown.
    pub(super) fn anomaly(
        &mut self,
        name: &'static str,
        key: &Key<'_>,
        make: impl FnOnce() -> (Vec<OpId>, String, Vec<String>),
    ) {
        let count = self.found.entry(name).or_default();
        *count += 1;
        if *count > SHOWN {
            return;
        }
        let (ops, because, explain) = make();
        let key = key.value.clone();
        self.anomalies.push(Anomaly {
            name: Name::from(name),
            key,
            ops,
            because,
            explain,
            figure: None,
        });
    }

    /// Something that keeps a verdict from being valid.
    pub(super) fn gap(&mut self, make: impl FnOnce() -> String) {
        self.gap_count += 1;
        if self.gap_count <= GAPS {
            self.gaps.push(make());
        }
    }

    /// All of it.
    pub(super) fn finding(mut self, checker: &'static str, replicas: &Replicas) -> Finding {
        let slowest = percentiles(&mut self.convergence);
        let finding = if !self.anomalies.is_empty() {
            Finding::invalid(checker, std::mem::take(&mut self.anomalies))
        } else if self.gap_count > 0 {
            let more = match self.gap_count.saturating_sub(GAPS) {
                0 => String::new(),
                more => format!("; and {more} more like these"),
            };
            Finding::unknown(checker, self.gaps.join("; ") + &more)
        } else if self.updates == 0 {
            Finding::unknown(checker, "no update ever succeeded, so there was nothing to agree on")
        } else if self.keys == 0 {
            Finding::unknown(checker, "no key has a final read of every replica")
        } else {
            let who = match replicas {
                Replicas::Nodes(nodes) => format!("all {} replicas", nodes.len()),
                Replicas::Processes(_) => "all processes that read in the end".to_owned(),
            };
            let slowest = human(Duration::from_nanos(slowest[2]));
            Finding::valid(
                checker,
                format!(
                    "{who} agreed in the end on each of {} keys, the last of them {slowest} after \
                     it was quiet",
                    self.keys
                ),
            )
        };
        let versions = &mut self.versions.iter().map(|v| u64::from(*v)).collect::<Vec<_>>();
        let stale = versions.iter().filter(|v| **v > 0).count() as u64;
        let mut finding =
            finding.stat("keys", self.keys).stat("updates", self.updates).stat("reads", self.reads);
        if !versions.is_empty() {
            finding = finding
                .stat("stale-reads", stale)
                .stat("reads-of-known-version", versions.len() as u64);
        }
        for (name, count) in self.found {
            finding = finding.stat(name, count);
        }
        let figures = [
            ("convergence-us", slowest, 1_000, self.convergence.len()),
            ("versions-behind", percentiles(versions), 1, versions.len()),
            ("staleness-us", percentiles(&mut self.ages), 1_000, versions.len()),
        ];
        for (name, figures, unit, _) in figures.into_iter().filter(|(_, _, _, of)| *of > 0) {
            for (part, figure) in ["p50", "p99", "max"].into_iter().zip(figures) {
                finding = finding.stat(format!("{name}-{part}"), figure / unit);
            }
        }
        finding
    }
}

/// The median, the 99th percentile and the greatest (nearest rank); zeroes of nothing.
fn percentiles(values: &mut [u64]) -> [u64; 3] {
    values.sort_unstable();
    let at = |percent: usize| {
        let rank = (values.len() * percent).div_ceil(100);
        values.get(rank.saturating_sub(1)).copied().unwrap_or(0)
    };
    [at(50), at(99), at(100)]
}

/// An operation in words: `p4's write of 7 (#812)`.
pub(super) fn said(op: Op<'_>) -> String {
    let (process, f, arg, id) = (op.process(), op.f(), op.arg(), op.id());
    match &*arg {
        Value::Nil => format!("{process}'s {f} ({id})"),
        arg => format!("{process}'s {f} of {arg} ({id})"),
    }
}

/// ` of k3`, or nothing where there are no keys.
pub(super) fn of_key(key: &Key<'_>) -> String {
    key.value.as_ref().map(|key| format!(" of {key}")).unwrap_or_default()
}

/// `1.204 s` from the end of the first operation to the beginning of the second.
pub(super) fn gap(first: Op<'_>, second: Op<'_>) -> String {
    human(first.res_time().map(|end| second.inv_time() - end).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_nearest_ranks() {
        assert_eq!(percentiles(&mut []), [0, 0, 0]);
        assert_eq!(percentiles(&mut [7]), [7, 7, 7]);
        assert_eq!(percentiles(&mut (1..=200).rev().collect::<Vec<_>>()), [100, 198, 200]);
    }
}
