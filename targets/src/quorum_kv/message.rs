//! What nodes tell each other, and what they keep on disk.

use serde::{Deserialize, Serialize};

use super::members::Members;
use super::ring::Range;
use super::state::{Origin, State};

/// A message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Message {
    /// I am alive, and know this of the members.
    Beat { members: Members },
    /// What do you have under this key?
    Read { op: u64, key: String },
    /// This.
    Found { op: u64, state: Option<State> },
    /// Keep this; or, if you are not `owner`, keep it for the owner as a hint (Dynamo, §4.6).
    Write { op: u64, key: String, state: State, owner: u16 },
    /// It is kept.
    Wrote { op: u64, owner: u16 },
    /// Keep this, which I kept for you or have no business to keep. `view` is a digest of what I
    /// know of the members.
    Hand { key: String, state: State, view: u64 },
    /// The state with this digest is kept, by one who has the same view or another.
    Handed { key: String, digest: u64, same_view: bool, view: u64 },
    /// These are hashes of nodes of my trees over these ranges.
    Compare { trees: Vec<(Range, Vec<(u32, u64)>)> },
    /// These are the keys in a leaf of my tree over the range, with the digests of their states.
    Keys { range: Range, leaf: u32, keys: Vec<(String, u64)> },
    /// Hand me these.
    Fetch { keys: Vec<String> },
}

/// A record on disk.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Record {
    /// The state of a key, and as who this node writes to it.
    Key { key: String, state: State, actor: Option<Origin> },
    /// A key was handed over.
    Forgotten { key: String },
    /// What is kept for another node.
    Hint { node: u16, key: String, state: State },
    /// It was handed over.
    Delivered { node: u16, key: String },
    /// What is known of the members.
    Members { members: Members },
}
