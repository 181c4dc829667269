//! [`Ledger`]: what a checker that looks at one thing after the other has found so far.

use std::collections::BTreeMap;

use danso_vocab::{Anomaly, Finding, Name};

/// Anomalies shown of each name; the finding says how many there are.
const SHOWN: u64 = 10;

/// Anomalies, doubts and figures, until they make a [`Finding`]. Holds a few anomalies of each
/// name, however many there are.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    anomalies: Vec<Anomaly>,
    /// How many anomalies there are of each name.
    found: BTreeMap<&'static str, u64>,
    doubts: Vec<String>,
    doubted: u64,
    stats: BTreeMap<Name, u64>,
}

impl Ledger {
    /// There is an anomaly of this name. `make` is asked only if it will be shown.
    pub(crate) fn anomaly(&mut self, name: &'static str, make: impl FnOnce() -> Anomaly) {
        let found = self.found.entry(name).or_default();
        *found += 1;
        if *found <= SHOWN {
            let anomaly = make();
            debug_assert_eq!(anomaly.name, name, "it is counted under its name");
            self.anomalies.push(anomaly);
        }
    }

    /// Something could not be decided, for this reason.
    pub(crate) fn doubt(&mut self, reason: impl FnOnce() -> String) {
        self.doubted += 1;
        if self.doubts.len() < 3 {
            self.doubts.push(reason());
        }
    }

    /// Adds to a figure.
    pub(crate) fn count(&mut self, figure: &'static str, more: u64) {
        *self.stats.entry(figure.into()).or_default() += more;
    }

    /// A figure so far.
    pub(crate) fn figure(&self, figure: &str) -> u64 {
        self.stats.get(figure).copied().unwrap_or(0)
    }

    /// The finding: invalid if there is an anomaly, else unknown if there is a doubt, else valid
    /// because of `decided`.
    pub(crate) fn finding(
        self,
        checker: &'static str,
        decided: impl FnOnce(&Ledger) -> String,
    ) -> Finding {
        let total: u64 = self.found.values().sum();
        let mut finding = if total > 0 {
            let mut finding = Finding::invalid(checker, self.anomalies);
            if total > 1 {
                let each: Vec<String> =
                    self.found.iter().map(|(name, count)| format!("{count} {name}")).collect();
                finding.reason += &format!(" (in all: {})", each.join(", "));
            }
            finding
        } else if self.doubted > 0 {
            let mut reason = self.doubts.join("; ");
            if self.doubted > self.doubts.len() as u64 {
                reason += &format!("; and {} more", self.doubted - self.doubts.len() as u64);
            }
            Finding::unknown(checker, reason)
        } else {
            let reason = decided(&self);
            Finding::valid(checker, reason)
        };
        finding.stats = self.stats;
        for (name, count) in self.found {
            finding.stats.insert(name.into(), count);
        }
        finding
    }
}

#[cfg(test)]
mod tests {
    use danso_vocab::Verdict;

    use super::*;

    fn anomaly(name: &'static str) -> Anomaly {
        let because = format!("a {name}");
        Anomaly {
            name: name.into(),
            key: None,
            ops: Vec::new(),
            because,
            explain: Vec::new(),
            figure: None,
        }
    }

    #[test]
    fn an_anomaly_outweighs_doubts_and_few_are_shown() {
        let mut ledger = Ledger::default();
        ledger.count("reads", 2);
        ledger.doubt(|| "too short".to_owned());
        for _ in 0..25 {
            ledger.anomaly("loss", || anomaly("loss"));
        }
        ledger.anomaly("gain", || anomaly("gain"));
        let finding = ledger.finding("books", |_| String::new());
        assert_eq!((finding.verdict, finding.anomalies.len()), (Verdict::Invalid, 11));
        assert_eq!(finding.reason, "a loss (in all: 1 gain, 25 loss)");
        assert_eq!((finding.stats["loss"], finding.stats["reads"]), (25, 2));
    }

    #[test]
    fn a_doubt_is_unknown() {
        let mut ledger = Ledger::default();
        for n in 0..5 {
            ledger.doubt(|| format!("doubt {n}"));
        }
        let finding = ledger.finding("books", |_| String::new());
        assert_eq!(finding.verdict, Verdict::Unknown);
        assert_eq!(finding.reason, "doubt 0; doubt 1; doubt 2; and 2 more");
        let finding = Ledger::default().finding("books", |l| format!("{} left", l.figure("cash")));
        assert_eq!((finding.verdict, &*finding.reason), (Verdict::Valid, "0 left"));
    }
}
