//! The options of `raft-kv`, the same for the target and on a node's command line, and its bugs.

use std::collections::BTreeMap;

use danso_vocab::{ParamSpec, Value};

use crate::BugSpec;
use crate::kit::options::Options;
use crate::raft::{Bug, Settings, settings};

/// The options, as `danso list targets` shows them.
pub(crate) const OPTIONS: &[ParamSpec] = &settings::options::<{ settings::COUNT }>(&[]);

/// The mistakes it can be told to make, as `danso list targets` shows them.
pub(crate) const BUGS: &[BugSpec] = &[
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
    BugSpec {
        name: "lease-no-skew",
        about: "with reads = lease: a leader measures its lease by its wall clock",
    },
    BugSpec {
        name: "joint-skip",
        about: "a change of the membership does not wait until the last one is committed",
    },
    BugSpec {
        name: "snapshot-loses-tail",
        about: "a snapshot claims to hold the whole log, and what was not applied yet is dropped",
    },
];

/// What each of [`BUGS`] is to Raft, in the same order.
const MEANT: [Bug; BUGS.len()] = [
    Bug::StaleRead,
    Bug::ForgetVote,
    Bug::CommitMinority,
    Bug::NoFsyncLog,
    Bug::CommitOldTerm,
    Bug::DupApply,
    Bug::LeaseNoSkew,
    Bug::JointSkip,
    Bug::SnapshotLosesTail,
];

/// The given options, completed by defaults, and what they say; the error is one line.
pub(crate) fn checked(given: &BTreeMap<String, Value>) -> Result<(Options, Settings), String> {
    let options = Options::new(OPTIONS, given)?;
    let bugs: Vec<(BugSpec, Bug)> = BUGS.iter().copied().zip(MEANT).collect();
    let settings = Settings { bug: options.bug(&bugs)?, ..Settings::new(&options)? };
    Ok((options, settings))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bug_is_meant() {
        for (bug, meant) in BUGS.iter().zip(MEANT) {
            let given = [("bug".to_owned(), Value::from(bug.name))].into();
            assert_eq!(checked(&given).unwrap().1.bug, Some(meant));
        }
        assert_eq!(checked(&BTreeMap::new()).unwrap().1.bug, None);
    }
}
