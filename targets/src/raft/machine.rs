//! What Raft replicates: a state machine, and how clients speak to it.

use danso_vocab::Value;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::fmt::Debug;

use super::settings::Settings;
use crate::kit::{Request, Response};

/// What commands, queries and replies must be able to do: travel, and be compared in tests.
pub(crate) trait Word:
    Clone + Debug + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static
{
}

impl<T> Word for T where
    T: Clone + Debug + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static
{
}

/// When an entry is applied, as its log has it: the same for every replica.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Moment {
    /// The entry's index: no two commands have the same.
    pub(crate) index: u64,
    /// The entry's time in ns; it never goes back along the log. See [`super::time`] for what it
    /// is good for.
    pub(crate) time: u64,
}

/// A deterministic state machine. Its JSON is the content of a snapshot, so whatever decides what
/// it does next must be in it or in its rules. No clock, no chance, no I/O.
pub(crate) trait Machine: Word + Default {
    /// What it is told at the start, its bug for example. The same on all nodes and for ever.
    type Rules: Clone + Debug + Send + 'static;
    /// What changes it.
    type Command: Word;
    /// What reads it.
    type Query: Word;
    /// What either is answered.
    type Reply: Word;

    /// Carries out a command. A retry of one that was carried out does not come here: it gets the
    /// first one's reply.
    fn apply(&mut self, rules: &Self::Rules, at: Moment, command: &Self::Command) -> Self::Reply;

    /// Answers a query, at the leader, when the log's time is `time`. It sees everything that was
    /// acknowledged before the query began.
    fn query(&self, rules: &Self::Rules, time: u64, query: &Self::Query) -> Self::Reply;
}

/// What a client wants of a machine.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Wish<C, Q> {
    /// To change it.
    Command(C),
    /// To know something.
    Query(Q),
}

/// A machine with an HTTP interface: all a target has to bring.
pub(crate) trait Service: Machine {
    /// The target's name, as in `danso node NAME`.
    const NAME: &'static str;

    /// The checked options: Raft's and the machine's own. The error is one line.
    fn settings(given: &BTreeMap<String, Value>) -> Result<(Settings, Self::Rules), String>;

    /// What a request means. `/status`, `/health`, `/peer` and `/members/…` do not come here;
    /// `client` and `seq` of the query are already understood.
    ///
    /// # Errors
    /// The response that says what is wrong: [`Response::bad`], [`Response::no_route`].
    fn understand(request: &Request) -> Result<Wish<Self::Command, Self::Query>, Response>;

    /// A reply as a response. An error it is `definite` about must be one: no effect, and never.
    fn respond(reply: Self::Reply) -> Response;
}
