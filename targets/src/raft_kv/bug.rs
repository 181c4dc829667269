//! The mistakes `raft-kv` can be told to make. Each is one that a real implementation could
//! contain, and each is one branch somewhere: search for its variant.

use crate::{BugSpec, names};

/// A deliberate mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bug {
    StaleRead,
    ForgetVote,
    CommitMinority,
    NoFsyncLog,
    CommitOldTerm,
    DupApply,
}

/// All of them, in the order of [`ALL`].
pub(crate) const SPECS: &[BugSpec] = &[
    BugSpec {
        name: "stale-read",
        about: "a leader answers reads from its own state without confirming that it still leads",
    },
    BugSpec {
        name: "forget-vote",
        about: "the vote is not persisted: a restarted node can vote twice in one term",
    },
    BugSpec {
        name: "commit-minority",
        about: "a leader acknowledges a write before a majority has it",
    },
    BugSpec {
        name: "no-fsync-log",
        about: "the log is kept in memory only and is gone after a kill",
    },
    BugSpec {
        name: "commit-old-term",
        about: "a leader commits entries of earlier terms by counting replicas (Raft, figure 8)",
    },
    BugSpec {
        name: "dup-apply",
        about: "a retried request is applied again: sessions do not deduplicate",
    },
];

const ALL: [Bug; 6] = [
    Bug::StaleRead,
    Bug::ForgetVote,
    Bug::CommitMinority,
    Bug::NoFsyncLog,
    Bug::CommitOldTerm,
    Bug::DupApply,
];

impl Bug {
    /// The bug called `name`.
    pub(crate) fn named(name: &str) -> Result<Bug, String> {
        let found = SPECS.iter().zip(ALL).find(|(spec, _)| spec.name == name);
        found.map(|(_, bug)| bug).ok_or_else(|| {
            let known: Vec<&str> = SPECS.iter().map(|s| s.name).collect();
            names::unknown("bug", name, &known)
        })
    }

    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        SPECS.iter().zip(ALL).find(|(_, b)| *b == self).map_or("", |(spec, _)| spec.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for bug in ALL {
            assert_eq!(Bug::named(bug.name()), Ok(bug));
        }
        assert_eq!(SPECS.len(), ALL.len());
        assert!(Bug::named("none").is_err());
    }
}
