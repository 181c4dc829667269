//! What nodes tell each other, and what they keep.

use serde::{Deserialize, Serialize};

use super::log::{Entry, Position, Store};
use super::view::View;

/// What must survive the process.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Record {
    View(View),
    /// It comes in the place of what was at its index and after.
    Entry(Entry),
    /// These registers, and the entries after them, come in the place of everything. All of it is
    /// one record: half of it would be less than what was acknowledged before.
    State(Store, Vec<Entry>),
}

/// What nodes tell each other.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Message {
    /// To the view service; see [`Service::ping`](super::service::Service::ping).
    Ping { view: u64, last: Position, in_step: bool },
    /// From the view service, or from somebody who knows better.
    View(View),
    /// From the primary: entries after `prev`, of which those up to `commit` are committed.
    Append { view: View, round: u64, prev: Position, entries: Vec<Entry>, commit: u64 },
    /// From the primary, to somebody whose log cannot be continued.
    State { view: View, round: u64, store: Store, entries: Vec<Entry>, commit: u64 },
    /// To the primary: everything is here up to `matched`.
    Ack { view: u64, round: u64, matched: u64 },
    /// To the primary: what comes before is missing.
    Gap { view: u64 },
    /// To the primary: how far must one be to answer a read?
    ReadAsk { id: u64 },
    /// So far.
    ReadAt { view: u64, id: u64, index: u64 },
}
