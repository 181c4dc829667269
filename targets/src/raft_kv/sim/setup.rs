//! What a simulated world is like, and what came of it.

use super::oracle::Violation;
use crate::raft::Bug;

/// What kind of world.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setup {
    pub(super) seed: u64,
    pub(super) nodes: usize,
    pub(super) bug: Option<Bug>,
    pub(super) pre_vote: bool,
    /// Reads go by leases.
    pub(super) lease: bool,
    pub(super) max_entries: usize,
    pub(super) snapshot_every: u64,
    /// Misfortune hits whoever has just won an election, and nobody else: what it takes for the
    /// paper's figure 8.
    pub(super) haunted: bool,
    /// The disks are files.
    pub(super) real_disk: bool,
    /// Whether a violation ends the run, or everything goes on regardless.
    pub(super) judged: bool,
    /// How long things go wrong, in ms. Then everything heals.
    pub(super) trouble_ms: u64,
}

/// What happened.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Summary {
    pub(super) steps: u64,
    pub(super) commits: u64,
    pub(super) terms: u64,
    /// Snapshots that a leader sent and a follower took.
    pub(super) installed: u64,
    pub(super) succeeded: u64,
}

impl Setup {
    /// Passes on what was found, if anybody judges.
    pub(super) fn judge(&self, found: Result<(), Violation>) -> Result<(), Violation> {
        if self.judged { found } else { Ok(()) }
    }
}
