//! The options every target on Raft has.

use danso_vocab::{NodeId, ParamSpec};

use super::bug::Bug;
use super::core::Config;
use super::node::Limits;
use crate::kit::options::{BUG, FSYNC, Options};

/// The options, as `danso list targets` shows them.
const OPTIONS: [ParamSpec; 12] = [
    BUG,
    ParamSpec {
        name: "election-timeout-min-ms",
        about: "the shortest election timeout",
        default: || 200.into(),
    },
    ParamSpec {
        name: "election-timeout-max-ms",
        about: "the longest election timeout",
        default: || 400.into(),
    },
    ParamSpec {
        name: "heartbeat-ms",
        about: "a leader is silent no longer than this; votes are asked for again this often",
        default: || 50.into(),
    },
    ParamSpec {
        name: "pre-vote",
        about: "ask whether an election could be won before disturbing anybody (thesis, 9.6)",
        default: || true.into(),
    },
    ParamSpec {
        name: "max-entries",
        about: "the most log entries in one AppendEntries",
        default: || 256.into(),
    },
    ParamSpec {
        name: "snapshot-every",
        about: "entries between snapshots; 0 for none",
        default: || 10_000.into(),
    },
    FSYNC,
    ParamSpec {
        name: "reads",
        about: "index: a leader asks a majority for every read; lease: it relies on clocks that run equally fast (thesis, 6.4.1)",
        default: || "index".into(),
    },
    ParamSpec {
        name: "clock-drift",
        about: "for leases: by how many percent one node's monotonic clock may run faster than another's",
        default: || 10.into(),
    },
    ParamSpec {
        name: "request-timeout-ms",
        about: "a node gives up waiting for a request's entry after this",
        default: || 2_000.into(),
    },
    ParamSpec {
        name: "attempt-timeout-ms",
        about: "a client's first attempt waits this long before it asks another node",
        default: || 300.into(),
    },
];

/// How many options Raft has.
pub(crate) const COUNT: usize = OPTIONS.len();

/// Raft's options and `more`; `N` is [`COUNT`] and how many more there are.
pub(crate) const fn options<const N: usize>(more: &[ParamSpec]) -> [ParamSpec; N] {
    assert!(N == COUNT + more.len(), "N is COUNT and how many more there are");
    let mut all = [BUG; N];
    let mut i = 0;
    while i < N {
        all[i] = if i < COUNT { OPTIONS[i] } else { more[i - COUNT] };
        i += 1;
    }
    all
}

/// Checked options. Times in ns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// The target sets it: which mistake of Raft's its own bug is, if it is one.
    pub(crate) bug: Option<Bug>,
    pub(crate) election_min: u64,
    pub(crate) election_max: u64,
    pub(crate) heartbeat: u64,
    pub(crate) pre_vote: bool,
    pub(crate) max_entries: usize,
    pub(crate) snapshot_every: u64,
    pub(crate) fsync: bool,
    /// How long a leader's lease is; `None` without leases.
    pub(crate) lease: Option<u64>,
    pub(crate) request_timeout: u64,
    pub(crate) attempt_timeout: u64,
}

impl Settings {
    /// What these options say of Raft; the error is one line.
    pub(crate) fn new(options: &Options) -> Result<Settings, String> {
        let election_min = options.ms("election-timeout-min-ms", 10, 60_000)?;
        let drift = options.int("clock-drift", 0, 1_000)?;
        let leases = options.word("reads", &[("index", false), ("lease", true)])?;
        let settings = Settings {
            bug: None,
            election_min,
            lease: leases.then_some(election_min * 100 / (100 + drift)),
            election_max: options.ms("election-timeout-max-ms", 10, 60_000)?,
            heartbeat: options.ms("heartbeat-ms", 1, 10_000)?,
            pre_vote: options.flag("pre-vote")?,
            max_entries: options.int("max-entries", 1, 100_000)? as usize,
            snapshot_every: options.int("snapshot-every", 0, 1_000_000_000)?,
            fsync: options.flag("fsync")?,
            request_timeout: options.ms("request-timeout-ms", 1, 600_000)?,
            attempt_timeout: options.ms("attempt-timeout-ms", 1, 600_000)?,
        };
        if settings.election_max < settings.election_min {
            return Err("option `election-timeout-max-ms` is below the minimum".to_owned());
        }
        if settings.heartbeat * 2 > settings.election_min {
            return Err("option `heartbeat-ms` must be at most half of `election-timeout-min-ms`"
                .to_owned());
        }
        Ok(settings)
    }

    /// The protocol's part, for one node.
    pub(crate) fn config(&self, id: NodeId, peers: Vec<NodeId>) -> Config {
        Config {
            id,
            peers,
            election_min: self.election_min,
            election_max: self.election_max,
            heartbeat: self.heartbeat,
            max_entries: self.max_entries,
            pre_vote: self.pre_vote,
            lease: self.lease,
            bug: self.bug,
        }
    }

    /// The node's part.
    pub(crate) fn limits(&self, boot: u32) -> Limits {
        Limits { snapshot_every: self.snapshot_every, request_timeout: self.request_timeout, boot }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use danso_vocab::Value;

    use super::*;

    fn with(name: &str, value: impl Into<Value>) -> Result<Settings, String> {
        Settings::new(&Options::new(&OPTIONS, &[(name.to_owned(), value.into())].into())?)
    }

    #[test]
    fn options_are_checked() {
        assert!(with("heartbeat-ms", 150).unwrap_err().contains("half"));
        assert!(with("election-timeout-max-ms", 100).unwrap_err().contains("below"));
        assert!(with("fsync", "yes").unwrap_err().contains("true or false"));
        assert!(with("max-entries", 0).unwrap_err().contains("from 1"));
        assert!(with("fsnyc", true).unwrap_err().contains("did you mean `fsync`?"));
    }

    #[test]
    fn more_options_follow() {
        const MORE: [ParamSpec; COUNT + 1] =
            options(&[ParamSpec { name: "x", about: "x", default: || 1.into() }]);
        assert_eq!(MORE[COUNT].name, "x");
        assert!(Options::new(&MORE, &BTreeMap::new()).is_ok());
    }
}
