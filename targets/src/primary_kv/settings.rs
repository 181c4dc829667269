//! What `primary-kv` can be told.

use std::collections::BTreeMap;

use danso_vocab::{ParamSpec, Value};

use crate::BugSpec;
use crate::kit::options::{self, Options};

/// A deliberate mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bug {
    AsyncFailover,
    SplitBrain,
    StaleReplicaRead,
}

const KNOWN: [(BugSpec, Bug); 3] = [
    (
        BugSpec {
            name: "async-failover",
            about: "a change is acknowledged before any replica has it, and a failover loses it",
        },
        Bug::AsyncFailover,
    ),
    (
        BugSpec {
            name: "split-brain",
            about: "a primary that hears nothing of its replicas takes them for dead and serves on alone",
        },
        Bug::SplitBrain,
    ),
    (
        BugSpec {
            name: "stale-replica-read",
            about: "a replica answers reads from what it has, without asking the primary",
        },
        Bug::StaleReplicaRead,
    ),
];

/// For the registry.
pub(super) const BUGS: &[BugSpec] = &[KNOWN[0].0, KNOWN[1].0, KNOWN[2].0];

/// Who must have a change before it is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Replication {
    /// All members of the view.
    Sync,
    /// The primary and one more.
    SemiSync,
    /// The primary.
    Async,
}

/// For the registry.
pub(super) const OPTIONS: &[ParamSpec] = &[
    options::BUG,
    options::FSYNC,
    ParamSpec {
        name: "replication",
        about: "who must have a change before it is acknowledged: sync (all), semi-sync (one replica), async (none)",
        default: || "sync".into(),
    },
    ParamSpec {
        name: "reads",
        about: "who answers reads: any (a replica asks the primary how far it must be), or primary",
        default: || "any".into(),
    },
    ParamSpec {
        name: "ping-ms",
        about: "replicas tell the view service that they live this often",
        default: || 50.into(),
    },
    ParamSpec {
        name: "dead-ms",
        about: "the view service takes a replica for dead that has not been heard of for so long",
        default: || 500.into(),
    },
    ParamSpec {
        name: "request-timeout-ms",
        about: "a node gives up a request after this",
        default: || 2_000.into(),
    },
];

/// Checked options.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(super) bug: Option<Bug>,
    pub(super) fsync: bool,
    pub(super) replication: Replication,
    /// Whether replicas answer reads.
    pub(super) replicas_read: bool,
    /// In ns, as are the others.
    pub(super) ping: u64,
    pub(super) dead: u64,
    pub(super) request_timeout: u64,
}

impl Settings {
    /// The given options, completed by defaults, and all of them; the error is one line.
    pub(super) fn new(given: &BTreeMap<String, Value>) -> Result<(Settings, Options), String> {
        let options = Options::new(OPTIONS, given)?;
        let modes = [
            ("sync", Replication::Sync),
            ("semi-sync", Replication::SemiSync),
            ("async", Replication::Async),
        ];
        let settings = Settings {
            bug: options.bug(&KNOWN)?,
            fsync: options.flag("fsync")?,
            replication: options.word("replication", &modes)?,
            replicas_read: options.word("reads", &[("any", true), ("primary", false)])?,
            ping: options.ms("ping-ms", 1, 60_000)?,
            dead: options.ms("dead-ms", 1, 600_000)?,
            request_timeout: options.ms("request-timeout-ms", 1, 600_000)?,
        };
        if settings.dead < settings.ping * 3 {
            return Err("option `dead-ms` must be at least three times `ping-ms`".to_owned());
        }
        Ok((settings, options))
    }
}
