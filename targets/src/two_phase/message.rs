//! Transactions, and what is said and recorded of them.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// An attempt at a transaction: the coordinator's start, and a count. Never used again, and in
/// order of time.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub(super) struct TxId(pub(super) u32, pub(super) u64);

/// What a transaction does at one participant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Work {
    /// Adds these amounts to these accounts.
    Move(Vec<(u64, i64)>),
    /// Reads all accounts.
    Read,
}

impl Work {
    /// Whether both cannot be under way at a time: one changes what the other uses.
    pub(super) fn conflicts(&self, other: &Work) -> bool {
        match (self, other) {
            (Work::Read, Work::Read) => false,
            (Work::Read, Work::Move(_)) | (Work::Move(_), Work::Read) => true,
            (Work::Move(a), Work::Move(b)) => a.iter().any(|(x, _)| b.iter().any(|(y, _)| x == y)),
        }
    }
}

/// A transaction at one participant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Part {
    pub(super) id: TxId,
    /// Its first attempt: the older, the more it may wait for others.
    pub(super) age: TxId,
    pub(super) work: Work,
}

/// A participant's answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Vote {
    /// It can commit whenever it is told to, come what may. And what it has read.
    Yes(Vec<(u64, i64)>),
    /// It is in the way of others that are older.
    Conflict,
    /// There is not enough money.
    Insufficient,
}

/// What nodes tell each other.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Message {
    /// The coordinator asks for a vote. Attempts before `low` are over.
    Prepare { low: TxId, part: Part },
    /// A participant votes.
    Vote { id: TxId, vote: Vote },
    /// The coordinator has decided.
    Decide { id: TxId, commit: bool },
    /// A participant has committed.
    Done { id: TxId },
    /// A participant in doubt asks.
    Ask { id: TxId },
}

/// What must survive the process.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Record {
    /// The coordinator decided to commit, and these do not know it yet.
    Commit { id: TxId, participants: BTreeSet<u16> },
    /// All of them know.
    End { id: TxId },
    /// A participant voted yes.
    Prepared { low: TxId, part: Part },
    /// It committed.
    Committed { id: TxId, work: Work },
    /// It aborted.
    Aborted { id: TxId },
    /// The balances of a participant; `finished`: attempts from `low` on that are over.
    State { balances: Vec<(u64, i64)>, low: TxId, finished: BTreeSet<TxId> },
}
