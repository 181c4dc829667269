//! The options of `queue`, the same for the target and on a node's command line, and its bugs.

use std::collections::BTreeMap;

use danso_vocab::{ParamSpec, Value};

use crate::BugSpec;
use crate::kit::options::Options;
use crate::raft::{self, Settings, settings};

/// The options, as `danso list targets` shows them.
pub(crate) const OPTIONS: &[ParamSpec] = &settings::options::<{ settings::COUNT + 3 }>(&[
    ParamSpec {
        name: "visibility-ms",
        about: "a message handed out and not acknowledged is handed out again after this",
        default: || 1_000.into(),
    },
    ParamSpec {
        name: "max-attempts",
        about: "a message handed out this often in vain becomes a dead letter",
        default: || 10.into(),
    },
    ParamSpec {
        name: "max-length",
        about: "messages a partition holds at most, dead letters included; more are refused",
        default: || 100_000.into(),
    },
]);

/// A mistake of the broker's own. Each is one branch somewhere: search for its variant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bug {
    DoubleDeliver,
    Reorder,
    Phantom,
    RedeliverNever,
}

/// What a bug's name means: a mistake of the broker, or of the Raft beneath it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meant {
    Broker(Bug),
    Raft(raft::Bug),
}

/// The mistakes it can be told to make, as `danso list targets` shows them.
pub(crate) const BUGS: &[BugSpec] = &[
    BugSpec {
        name: "ack-lost",
        about: "a leader acknowledges messages that only it has: a failover loses them",
    },
    BugSpec {
        name: "double-deliver",
        about: "an acknowledgement does not stop the visibility timeout, which delivers again",
    },
    BugSpec { name: "reorder", about: "a backlog is handed out newest first" },
    BugSpec {
        name: "phantom",
        about: "a redelivery is made of the message's header: its value is one that nobody sent",
    },
    BugSpec {
        name: "ack-early",
        about: "messages are acknowledged while they are in memory only: gone when all nodes die",
    },
    BugSpec {
        name: "redeliver-never",
        about: "a visibility timeout never ends: a consumer that dies keeps its message for ever",
    },
];

/// What each of [`BUGS`] is, in the same order.
const MEANT: [Meant; BUGS.len()] = [
    Meant::Raft(raft::Bug::CommitMinority),
    Meant::Broker(Bug::DoubleDeliver),
    Meant::Broker(Bug::Reorder),
    Meant::Broker(Bug::Phantom),
    Meant::Raft(raft::Bug::NoFsyncLog),
    Meant::Broker(Bug::RedeliverNever),
];

/// What a broker goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rules {
    pub(crate) bug: Option<Bug>,
    /// The visibility timeout, ns of the log's time.
    pub(crate) visibility: u64,
    pub(crate) max_attempts: u32,
    pub(crate) max_length: usize,
}

/// The given options, completed by defaults, and what they say; the error is one line.
pub(crate) fn checked(
    given: &BTreeMap<String, Value>,
) -> Result<(Options, Settings, Rules), String> {
    let options = Options::new(OPTIONS, given)?;
    let bugs: Vec<(BugSpec, Meant)> = BUGS.iter().copied().zip(MEANT).collect();
    let (bug, of_raft) = match options.bug(&bugs)? {
        Some(Meant::Broker(bug)) => (Some(bug), None),
        Some(Meant::Raft(bug)) => (None, Some(bug)),
        None => (None, None),
    };
    let settings = Settings { bug: of_raft, ..Settings::new(&options)? };
    let rules = Rules {
        bug,
        visibility: options.ms("visibility-ms", 1, 3_600_000)?,
        max_attempts: options.int("max-attempts", 1, 1_000_000)? as u32,
        max_length: options.int("max-length", 1, 10_000_000)? as usize,
    };
    Ok((options, settings, rules))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bug_is_meant() {
        for (bug, meant) in BUGS.iter().zip(MEANT) {
            let given = [("bug".to_owned(), Value::from(bug.name))].into();
            let (_, settings, rules) = checked(&given).unwrap();
            let found = match (rules.bug, settings.bug) {
                (Some(bug), None) => Meant::Broker(bug),
                (None, Some(bug)) => Meant::Raft(bug),
                other => panic!("{other:?}"),
            };
            assert_eq!(found, meant);
        }
        let (_, settings, rules) = checked(&BTreeMap::new()).unwrap();
        assert_eq!((settings.bug, rules.bug), (None, None));
        let given = [("max-attempts".to_owned(), Value::from(0))].into();
        assert!(checked(&given).unwrap_err().contains("from 1"));
    }
}
