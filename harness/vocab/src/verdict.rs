//! [`Verdict`], [`Finding`], [`Anomaly`]: what a checker says.

use std::collections::BTreeMap;
use std::fmt;

use crate::{Figure, Name, OpId, Value};

/// The answer. Ordered, so that merging is `max`; unknown is never success.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verdict {
    /// The guarantee holds for this history.
    #[default]
    Valid,
    /// It could not be decided, or nothing worth deciding happened.
    Unknown,
    /// It is violated, and here is how.
    Invalid,
}

impl Verdict {
    /// The word in files and on screen.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Valid => "valid",
            Verdict::Unknown => "unknown",
            Verdict::Invalid => "invalid",
        }
    }

    /// The verdict this word means.
    pub fn of_word(word: &str) -> Option<Verdict> {
        [Verdict::Valid, Verdict::Unknown, Verdict::Invalid].into_iter().find(|v| v.word() == word)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.word())
    }
}

/// One violation, with what a person needs to believe it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anomaly {
    /// Its name in the field: `stale-read`, `lost-write`, `G-single`…
    pub name: Name,
    /// The object it concerns.
    pub key: Option<Value>,
    /// The operations that together contradict the guarantee, the one that cannot be ordered
    /// first.
    pub ops: Vec<OpId>,
    /// One plain sentence.
    pub because: String,
    /// Further lines for those who want to follow the reasoning: states reached, orders tried.
    pub explain: Vec<String>,
    /// The same reasoning as data, for whoever draws it.
    pub figure: Option<Figure>,
}

/// What one checker found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The checker.
    pub checker: Name,
    /// Its answer.
    pub verdict: Verdict,
    /// Why the answer is not `Valid`, or what was decided; one sentence.
    pub reason: String,
    /// The violations; not empty exactly if the verdict is `Invalid`.
    pub anomalies: Vec<Anomaly>,
    /// What the checker did, in numbers.
    pub stats: BTreeMap<Name, u64>,
}

impl Finding {
    /// A valid finding.
    pub fn valid(checker: impl Into<Name>, reason: impl Into<String>) -> Self {
        Finding::new(checker, Verdict::Valid, reason)
    }

    /// An undecided one.
    pub fn unknown(checker: impl Into<Name>, reason: impl Into<String>) -> Self {
        Finding::new(checker, Verdict::Unknown, reason)
    }

    /// A violated one; the reason is the first anomaly's sentence.
    ///
    /// # Panics
    /// If there is no anomaly: nobody could check such a claim.
    pub fn invalid(checker: impl Into<Name>, anomalies: Vec<Anomaly>) -> Self {
        let reason = anomalies.first().expect("an invalid finding shows an anomaly");
        let mut finding = Finding::new(checker, Verdict::Invalid, reason.because.clone());
        finding.anomalies = anomalies;
        finding
    }

    /// The same with a figure.
    #[must_use]
    pub fn stat(mut self, name: impl Into<Name>, value: u64) -> Self {
        self.stats.insert(name.into(), value);
        self
    }

    fn new(checker: impl Into<Name>, verdict: Verdict, reason: impl Into<String>) -> Self {
        Finding {
            checker: checker.into(),
            verdict,
            reason: reason.into(),
            anomalies: Vec::new(),
            stats: BTreeMap::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merging_is_max() {
        use Verdict::{Invalid, Unknown, Valid};
        assert_eq!([Valid, Unknown].into_iter().max(), Some(Unknown));
        assert_eq!([Invalid, Unknown, Valid].into_iter().max(), Some(Invalid));
        for v in [Valid, Unknown, Invalid] {
            assert_eq!(Verdict::of_word(v.word()), Some(v));
        }
        assert_eq!(Verdict::of_word("Valid"), None);
    }
}
