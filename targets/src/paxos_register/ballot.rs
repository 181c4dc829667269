//! The numbers of proposals.

use std::fmt;

use danso_vocab::NodeId;
use serde::{Deserialize, Serialize};

/// A ballot. Ballots are totally ordered and no two proposers share one ("Paxos Made Simple",
/// §2.5): each has rounds of its own. The default is below all of them.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub(super) struct Ballot(u64, u16);

impl Ballot {
    /// The first ballot of `node` above `self`.
    pub(super) fn next(self, node: NodeId) -> Ballot {
        Ballot(self.0 + 1, node.0)
    }

    /// Whether this is no ballot of anybody.
    pub(super) fn is_none(self) -> bool {
        self == Ballot::default()
    }

    /// Whether both are of the same proposer.
    pub(super) fn same_proposer(self, other: Ballot) -> bool {
        self.1 == other.1
    }
}

impl fmt::Display for Ballot {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}.n{}", self.0, self.1)
    }
}
