//! What `two-phase` can be told.

use std::collections::BTreeMap;

use danso_vocab::{ParamSpec, Value};

use crate::BugSpec;
use crate::kit::options::{self, Options};

/// A deliberate mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bug {
    PresumeCommit,
    ForgetPrepared,
    CoordinatorAmnesia,
}

const KNOWN: [(BugSpec, Bug); 3] = [
    (
        BugSpec {
            name: "presume-commit",
            about: "a participant that is left in doubt commits by itself after a while",
        },
        Bug::PresumeCommit,
    ),
    (
        BugSpec {
            name: "forget-prepared",
            about: "what a participant has voted for is lost in a restart",
        },
        Bug::ForgetPrepared,
    ),
    (
        BugSpec {
            name: "coordinator-amnesia",
            about: "the coordinator loses its decisions in a restart, and presumes abort",
        },
        Bug::CoordinatorAmnesia,
    ),
];

/// For the registry.
pub(super) const BUGS: &[BugSpec] = &[KNOWN[0].0, KNOWN[1].0, KNOWN[2].0];

/// For the registry.
pub(super) const OPTIONS: &[ParamSpec] = &[
    options::BUG,
    options::FSYNC,
    ParamSpec {
        name: "accounts",
        about: "accounts, named from 0: as many as the workload has",
        default: || 8.into(),
    },
    ParamSpec {
        name: "total",
        about: "the money in them, shared out evenly in the beginning: as much as in the workload",
        default: || 800.into(),
    },
    ParamSpec {
        name: "vote-timeout-ms",
        about: "the coordinator aborts what has not all votes after this",
        default: || 800.into(),
    },
    ParamSpec {
        name: "repeat-ms",
        about: "a message without an answer is sent again after this",
        default: || 100.into(),
    },
    ParamSpec {
        name: "request-timeout-ms",
        about: "a transaction that meets others again and again is given up after this",
        default: || 2_000.into(),
    },
    ParamSpec {
        name: "in-doubt-ms",
        about: "with the bug presume-commit: how long a participant bears to be in doubt",
        default: || 1_000.into(),
    },
];

/// Checked options.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(super) bug: Option<Bug>,
    pub(super) fsync: bool,
    pub(super) accounts: u64,
    pub(super) total: u64,
    /// In ns, as are the others.
    pub(super) vote_timeout: u64,
    pub(super) repeat: u64,
    pub(super) request_timeout: u64,
    pub(super) in_doubt: u64,
}

impl Settings {
    /// The given options, completed by defaults, and all of them; the error is one line.
    pub(super) fn new(given: &BTreeMap<String, Value>) -> Result<(Settings, Options), String> {
        let options = Options::new(OPTIONS, given)?;
        let settings = Settings {
            bug: options.bug(&KNOWN)?,
            fsync: options.flag("fsync")?,
            accounts: options.int("accounts", 2, 10_000)?,
            total: options.int("total", 0, u64::from(u32::MAX))?,
            vote_timeout: options.ms("vote-timeout-ms", 1, 600_000)?,
            repeat: options.ms("repeat-ms", 1, 60_000)?,
            request_timeout: options.ms("request-timeout-ms", 1, 600_000)?,
            in_doubt: options.ms("in-doubt-ms", 1, 600_000)?,
        };
        Ok((settings, options))
    }
}
