//! What the target can be told, the mistakes among it.

use std::collections::BTreeMap;

use danso_vocab::{ParamSpec, Value};

use crate::BugSpec;
use crate::kit::options::{BUG, FSYNC, Options};

/// A deliberate mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bug {
    MergeDrops,
    TombstoneLost,
    NoGossipAfterHeal,
}

/// All of them.
pub(crate) const BUGS: &[BugSpec] = &[MERGE_DROPS, TOMBSTONE_LOST, NO_GOSSIP];

const MERGE_DROPS: BugSpec = BugSpec {
    name: "merge-drops",
    about: "a merge takes the other's entries where it should join both: later ones are dropped",
};
const TOMBSTONE_LOST: BugSpec = BugSpec {
    name: "tombstone-lost",
    about: "removals are forgotten after a while, whether or not every replica has heard of them",
};
const NO_GOSSIP: BugSpec = BugSpec {
    name: "no-gossip-after-heal",
    about: "a peer that was unreachable for a while is never gossiped with again",
};

/// Its options.
pub(crate) const OPTIONS: &[ParamSpec] = &[
    BUG,
    FSYNC,
    ParamSpec {
        name: "gossip-ms",
        about: "how often a replica compares its state with that of some other one",
        default: || 50.into(),
    },
    ParamSpec {
        name: "suspect-ms",
        about: "a peer that was not heard of for this long counts as unreachable",
        default: || 1_000.into(),
    },
    ParamSpec {
        name: "tombstone-ms",
        about: "with `tombstone-lost`: how long a removal is remembered",
        default: || 500.into(),
    },
];

/// Checked options.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) bug: Option<Bug>,
    pub(crate) fsync: bool,
    /// In ns, as the others.
    pub(crate) gossip: u64,
    pub(crate) suspect: u64,
    pub(crate) tombstone: u64,
    /// All options with their values, to be handed on to the nodes.
    pub(crate) all: BTreeMap<String, Value>,
}

impl Settings {
    /// The given options, completed by defaults; the error is one line.
    pub(crate) fn new(given: &BTreeMap<String, Value>) -> Result<Settings, String> {
        let options = Options::new(OPTIONS, given)?;
        let bugs = [
            (MERGE_DROPS, Bug::MergeDrops),
            (TOMBSTONE_LOST, Bug::TombstoneLost),
            (NO_GOSSIP, Bug::NoGossipAfterHeal),
        ];
        Ok(Settings {
            bug: options.bug(&bugs)?,
            fsync: options.flag("fsync")?,
            gossip: options.ms("gossip-ms", 1, 60_000)?,
            suspect: options.ms("suspect-ms", 1, 600_000)?,
            tombstone: options.ms("tombstone-ms", 0, 600_000)?,
            all: options.all().clone(),
        })
    }
}
