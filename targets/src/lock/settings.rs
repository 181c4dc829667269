//! The options of `lock`, the same for the target and on a node's command line, and its bugs.

use std::collections::BTreeMap;

use danso_vocab::{ParamSpec, Value};

use crate::BugSpec;
use crate::kit::options::Options;
use crate::raft::{self, Settings, settings};

/// The options, as `danso list targets` shows them.
pub(crate) const OPTIONS: &[ParamSpec] = &settings::options::<{ settings::COUNT }>(&[]);

/// The mistakes it can be told to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bug {
    NoFencing,
    LeaseClock,
}

/// What they are called, as `danso list targets` shows them.
pub(crate) const BUGS: &[BugSpec] = &[
    BugSpec {
        name: "no-fencing",
        about: "the guarded resource accepts writes with a smaller token than it has seen",
    },
    BugSpec {
        name: "lease-clock",
        about: "leases are measured by the wall clock of whichever node leads",
    },
];

const MEANT: [Bug; BUGS.len()] = [Bug::NoFencing, Bug::LeaseClock];

/// The given options, completed by defaults; the error is one line.
pub(crate) fn options(given: &BTreeMap<String, Value>) -> Result<Options, String> {
    Options::new(OPTIONS, given)
}

/// What they say: to Raft, and to the state machine.
pub(crate) fn checked(given: &BTreeMap<String, Value>) -> Result<(Settings, Option<Bug>), String> {
    let options = options(given)?;
    let bugs: Vec<(BugSpec, Bug)> = BUGS.iter().copied().zip(MEANT).collect();
    let bug = options.bug(&bugs)?;
    // The log's time is what leases are measured by.
    let raft = (bug == Some(Bug::LeaseClock)).then_some(raft::Bug::WallTime);
    Ok((Settings { bug: raft, ..Settings::new(&options)? }, bug))
}
