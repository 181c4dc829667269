//! What a node answers, and whether an error is definite.
//!
//! | error | status | definite | meaning |
//! | --- | --- | --- | --- |
//! | `absent` | 404 | yes | a read found no such key |
//! | `mismatch` | 409 | yes | a compare-and-set found another value |
//! | `superseded` | 410 | no | the client sent a later command before; this copy did nothing, an earlier copy may have |
//! | `bad-request` | 400 | yes | not understood |
//! | `overloaded` | 429 | yes | too many requests wait here |
//! | `no-leader` | 503 | yes | nobody is known to lead |
//! | `not-leader` | 503 | yes | whoever was asked does not lead (any more) |
//! | `overwritten` | 503 | yes | another leader's entry was committed in this one's place |
//! | `lost-leadership` | 503 | writes: no | the leader changed while the request was under way |
//! | `timeout` | 504 | writes: no | not committed in time; it may still be |
//!
//! *Definite* is said of this one request: it had no effect and never will. If an earlier
//! attempt of the same command ended indefinitely, that one may still have taken effect.

use danso_vocab::{NodeId, Value};
use serde::{Deserialize, Serialize};

use super::json;
use super::kv::Effect;

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Answer {
    /// What a read found.
    Value {
        #[serde(with = "json")]
        value: Value,
    },
    /// How a command ended.
    Effect(Effect),
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

impl Answer {
    /// This answer as the node that forwarded the request passes it on. The network may have
    /// delivered the request twice; then what is certain of one copy says nothing of the other.
    pub(crate) fn relayed(mut self, writes: bool) -> Answer {
        if let Answer::Refused(refusal) = &mut self {
            refusal.definite &= !writes;
        }
        self
    }
}

/// An error's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Error {
    Overloaded,
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
            Error::Overloaded => "overloaded",
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
            Error::Overloaded => 429,
            Error::Timeout => 504,
            _ => 503,
        }
    }

    /// This error of a request that has an effect only if `writes`.
    pub(crate) fn of(self, writes: bool, leader: Option<NodeId>) -> Answer {
        let certain = !matches!(self, Error::LostLeadership | Error::Timeout);
        let leader = leader.map(|l| l.0);
        Answer::Refused(Refusal { error: self, definite: certain || !writes, leader })
    }
}
