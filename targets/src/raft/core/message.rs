//! What nodes say to each other: the paper's RPCs as pairs of one-way messages, since a message
//! may be lost, delayed, repeated or overtaken and the protocol must bear it.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::log::{Entry, Position};

/// The state up to and with an entry, which then need not be kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Snapshot<S> {
    /// The last entry it covers.
    pub(crate) last: Position,
    /// The members as of that entry (thesis, 5.1).
    pub(crate) members: BTreeSet<u16>,
    /// The state after that entry.
    pub(crate) state: S,
}

/// A message from one node to another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Message<C, S> {
    /// Would you vote for me? (thesis, 9.6)
    PreVote(Ballot),
    /// Yes or no, without obligation.
    PreVoted(PreVoted),
    /// Vote for me (RequestVote).
    Vote(Ballot),
    /// Yes or no, for ever.
    Voted(Voted),
    /// I lead; append these entries (AppendEntries).
    Append(Append<C>),
    /// What became of them.
    Appended(Appended),
    /// You are too far behind; take this (InstallSnapshot, in one piece).
    Install(Install<S>),
    /// It is taken.
    Installed(Installed),
}

/// A candidacy.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ballot {
    /// The term it is for.
    pub(crate) term: u64,
    /// The end of the candidate's log.
    pub(crate) last: Position,
}

/// The answer to [`Message::PreVote`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct PreVoted {
    /// The voter's term.
    pub(crate) term: u64,
    /// The term that was asked for.
    pub(crate) ballot: u64,
    pub(crate) granted: bool,
}

/// The answer to [`Message::Vote`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Voted {
    pub(crate) term: u64,
    pub(crate) granted: bool,
}

/// A leader's entries, or none: a heartbeat.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Append<C> {
    pub(crate) term: u64,
    /// Counts up as the leader sends; the answer repeats it. An answer to `seq` proves that the
    /// leader led after everything it did before sending `seq`.
    pub(crate) seq: u64,
    /// Where the entries go.
    pub(crate) prev: Position,
    #[serde(default = "Vec::new", skip_serializing_if = "Vec::is_empty")]
    pub(crate) entries: Vec<Arc<Entry<C>>>,
    /// How far the leader has committed.
    pub(crate) commit: u64,
}

/// The answer to [`Message::Append`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Appended {
    pub(crate) term: u64,
    pub(crate) seq: u64,
    pub(crate) fit: Fit,
}

/// Whether entries fitted to the follower's log.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Fit {
    /// The logs agree up to here.
    Matched { index: u64 },
    /// They do not agree at `prev`. `index` is where to try next; `term` is what the follower
    /// has at `prev`, if anything, and then `index` is its first entry of that term (paper,
    /// end of 5.3).
    Conflict { prev: u64, index: u64, term: Option<u64> },
}

/// A leader's snapshot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Install<S> {
    pub(crate) term: u64,
    pub(crate) seq: u64,
    pub(crate) snapshot: Arc<Snapshot<S>>,
}

/// The answer to [`Message::Install`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Installed {
    pub(crate) term: u64,
    pub(crate) seq: u64,
    /// The logs agree up to here.
    pub(crate) index: u64,
}

impl<C, S> Message<C, S> {
    /// The term whoever receives this must move up to. A pre-vote is about a term that does not
    /// exist yet, and so is a pre-vote granted.
    pub(super) fn binding_term(&self) -> u64 {
        match self {
            Message::PreVote(_) => 0,
            Message::PreVoted(m) if m.granted => 0,
            Message::PreVoted(m) => m.term,
            Message::Vote(m) => m.term,
            Message::Voted(m) => m.term,
            Message::Append(m) => m.term,
            Message::Appended(m) => m.term,
            Message::Install(m) => m.term,
            Message::Installed(m) => m.term,
        }
    }
}
