//! What `paxos-register` can be told.

use std::collections::BTreeMap;

use danso_vocab::{ParamSpec, Value};

use crate::BugSpec;
use crate::kit::options::{self, Options};

/// A deliberate mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bug {
    PromiseAmnesia,
    AcceptLower,
}

const KNOWN: [(BugSpec, Bug); 2] = [
    (
        BugSpec {
            name: "promise-amnesia",
            about: "what an acceptor promised and accepted is kept in memory and gone after a restart",
        },
        Bug::PromiseAmnesia,
    ),
    (
        BugSpec {
            name: "accept-lower",
            about: "an acceptor accepts a ballot lower than the one it has promised",
        },
        Bug::AcceptLower,
    ),
];

/// For the registry.
pub(super) const BUGS: &[BugSpec] = &[KNOWN[0].0, KNOWN[1].0];

/// For the registry.
pub(super) const OPTIONS: &[ParamSpec] = &[
    options::BUG,
    options::FSYNC,
    ParamSpec {
        name: "request-timeout-ms",
        about: "a node gives up a request that found no majority after this",
        default: || 2_000.into(),
    },
    ParamSpec {
        name: "repeat-ms",
        about: "a message without an answer is sent again after this",
        default: || 50.into(),
    },
    ParamSpec {
        name: "back-off-ms",
        about: "a proposer that lost against another waits up to this long, doubled each time",
        default: || 8.into(),
    },
];

/// Checked options.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(super) bug: Option<Bug>,
    pub(super) fsync: bool,
    /// In ns, as are the others.
    pub(super) request_timeout: u64,
    pub(super) repeat: u64,
    pub(super) back_off: u64,
}

impl Settings {
    /// The given options, completed by defaults, and all of them; the error is one line.
    pub(super) fn new(given: &BTreeMap<String, Value>) -> Result<(Settings, Options), String> {
        let options = Options::new(OPTIONS, given)?;
        let settings = Settings {
            bug: options.bug(&KNOWN)?,
            fsync: options.flag("fsync")?,
            request_timeout: options.ms("request-timeout-ms", 1, 600_000)?,
            repeat: options.ms("repeat-ms", 1, 60_000)?,
            back_off: options.ms("back-off-ms", 1, 10_000)?,
        };
        Ok((settings, options))
    }
}
