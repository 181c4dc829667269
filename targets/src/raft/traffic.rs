//! What goes into a node and what comes out of it, in types.

use danso_vocab::NodeId;
use serde::{Deserialize, Serialize};

use super::answer::Answer;
use super::core::{Change, Event, Message, Raft, Restored, Role};
use super::disk::Record;
use super::machine::{Machine, Wish};
use super::replica::{Op, Replica, Session};

/// The protocol of nodes that replicate `M`.
pub(crate) type Protocol<M> = Raft<Op<<M as Machine>::Command>, Replica<M>>;

/// What such a node finds on its disk.
pub(crate) type Found<M> = Restored<Op<<M as Machine>::Command>, Replica<M>>;

/// What it writes there.
pub(crate) type RecordOf<M> = Record<Op<<M as Machine>::Command>, Replica<M>>;

/// What a client wants.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Request<C, Q> {
    /// To know something.
    Read(Q),
    /// To change something; a retry has the same session.
    Apply(C, Option<Session>),
    /// To change the membership.
    Change(Change),
}

/// A request to nodes that replicate `M`.
pub(crate) type RequestOf<M> = Request<<M as Machine>::Command, <M as Machine>::Query>;

impl<C, Q> Request<C, Q> {
    /// What a client wishes, in its session.
    pub(crate) fn new(wish: Wish<C, Q>, session: Option<Session>) -> Request<C, Q> {
        match wish {
            Wish::Query(query) => Request::Read(query),
            Wish::Command(command) => Request::Apply(command, session),
        }
    }
}

/// What nodes send each other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", bound = "M: Machine")]
pub(crate) enum Parcel<M: Machine> {
    /// A message of the protocol.
    Raft(Message<Op<M::Command>, Replica<M>>),
    /// A client's request for the leader. It is answered or refused, never forwarded again.
    Forward { id: u64, request: RequestOf<M> },
    /// The answer to it.
    Answer { id: u64, answer: Answer<M::Reply> },
}

/// What reaches a node.
#[derive(Clone, Debug)]
pub(crate) enum Input<M: Machine> {
    /// A client's request; the answer will carry the same number.
    Request(u64, RequestOf<M>),
    /// Something from a peer.
    Parcel(NodeId, Parcel<M>),
}

/// What the shell must do, in this order: tell events, persist, send and answer, tell the other
/// events.
#[derive(Debug)]
pub(crate) struct Ready<M: Machine> {
    pub(crate) events: Vec<Event>,
    pub(crate) records: Vec<RecordOf<M>>,
    pub(crate) parcels: Vec<(NodeId, Parcel<M>)>,
    pub(crate) answers: Vec<(u64, Answer<M::Reply>)>,
}

/// What `/status` shows.
#[derive(Clone, Debug)]
pub(crate) struct Status {
    pub(crate) id: NodeId,
    pub(crate) role: Role,
    pub(crate) term: u64,
    pub(crate) leader: Option<NodeId>,
    /// Whether a request would find a leader that can serve.
    pub(crate) serving: bool,
    pub(crate) commit: u64,
    pub(crate) applied: u64,
    pub(crate) last: u64,
    pub(crate) snapshot: u64,
    pub(crate) members: Vec<NodeId>,
}

/// What a node must know besides the protocol's [`Config`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Entries between snapshots; 0 for none.
    pub(crate) snapshot_every: u64,
    /// In ns.
    pub(crate) request_timeout: u64,
    /// Which start of this node this is. Numbers in forwarded requests begin with it, so that
    /// an answer to an earlier life is not taken for one to this.
    pub(crate) boot: u32,
}
