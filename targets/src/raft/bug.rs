//! The mistakes this Raft can be told to make. Each is one that a real implementation could
//! contain, and each is one branch somewhere: search for its variant. Targets name them.

/// A deliberate mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bug {
    /// A leader answers queries from its own state without confirming that it still leads.
    StaleRead,
    /// The vote is not persisted: a restarted node can vote twice in one term.
    ForgetVote,
    /// A leader commits what only it has.
    CommitMinority,
    /// Entries are not persisted.
    NoFsyncLog,
    /// A leader commits entries of earlier terms by counting replicas (paper, figure 8).
    CommitOldTerm,
    /// Sessions do not deduplicate.
    DupApply,
    /// Commands are stamped with the leader's wall clock.
    WallTime,
    /// A leader's lease is measured by its wall clock.
    LeaseNoSkew,
    /// A change of the membership does not wait until the last one is committed.
    JointSkip,
    /// A snapshot is taken for the end of the log, whatever of it was applied.
    SnapshotLosesTail,
}
