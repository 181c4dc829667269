//! What a node answers, and whether an error is definite.
//!
//! | error | status | definite | meaning |
//! | --- | --- | --- | --- |
//! | `superseded` | 410 | no | the client sent a later command before; this copy did nothing, an earlier copy may have |
//! | `bad-request` | 400 | yes | not understood |
//! | `overloaded` | 429 | yes | too many requests wait here |
//! | `busy` | 503 | yes | the last change of the membership is not committed yet |
//! | `unknown-node` | 404 | yes | there is no such node to become a member |
//! | `last-member` | 409 | yes | the last member cannot leave |
//! | `no-leader` | 503 | yes | nobody is known to lead |
//! | `not-leader` | 503 | yes | whoever was asked does not lead (any more) |
//! | `overwritten` | 503 | yes | another leader's entry was committed in this one's place |
//! | `lost-leadership` | 503 | commands: no | the leader changed while the request was under way |
//! | `timeout` | 504 | commands: no | not committed in time; it may still be |
//!
//! *Definite* is said of this one request: it had no effect and never will. If an earlier
//! attempt of the same command ended indefinitely, that one may still have taken effect.

use danso_vocab::{NodeId, Value};
use serde::{Deserialize, Serialize};

use crate::kit::Response;

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Answer<R> {
    /// What the machine says.
    Reply(R),
    /// The membership is this now.
    Members(Vec<u16>),
    /// No result.
    Refused(Refusal),
}

/// Why there is no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Refusal {
    pub(crate) error: Error,
    /// The request had no effect and never will.
    pub(crate) definite: bool,
    /// Who may know better.
    pub(crate) leader: Option<u16>,
}

impl<R> Answer<R> {
    /// This answer as the node that forwarded the request passes it on. The network may have
    /// delivered the request twice; then what is certain of one copy says nothing of the other.
    pub(crate) fn relayed(mut self, writes: bool) -> Answer<R> {
        if let Answer::Refused(refusal) = &mut self {
            refusal.definite &= !writes;
        }
        self
    }
}

impl Refusal {
    /// As it is sent.
    pub(crate) fn response(self) -> Response {
        let leader = self.leader.map_or(Value::Nil, |l| NodeId(l).to_string().into());
        Response::error(self.error.status(), self.error.name(), self.definite)
            .with("leader", leader)
    }
}

/// An error's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Error {
    Superseded,
    Overloaded,
    Busy,
    LastMember,
    UnknownNode,
    NoLeader,
    NotLeader,
    Overwritten,
    LostLeadership,
    Timeout,
}

impl Error {
    /// The name in a response.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Error::Superseded => "superseded",
            Error::Overloaded => "overloaded",
            Error::Busy => "busy",
            Error::LastMember => "last-member",
            Error::UnknownNode => "unknown-node",
            Error::NoLeader => "no-leader",
            Error::NotLeader => "not-leader",
            Error::Overwritten => "overwritten",
            Error::LostLeadership => "lost-leadership",
            Error::Timeout => "timeout",
        }
    }

    /// The HTTP status it is sent with.
    pub(crate) fn status(self) -> u16 {
        match self {
            Error::Superseded => 410,
            Error::LastMember => 409,
            Error::UnknownNode => 404,
            Error::Overloaded => 429,
            Error::Timeout => 504,
            _ => 503,
        }
    }

    /// This error of a request that has an effect only if `writes`.
    pub(crate) fn of<R>(self, writes: bool, leader: Option<NodeId>) -> Answer<R> {
        let certain = !matches!(self, Error::LostLeadership | Error::Timeout | Error::Superseded);
        let leader = leader.map(|l| l.0);
        Answer::Refused(Refusal { error: self, definite: certain || !writes, leader })
    }
}
