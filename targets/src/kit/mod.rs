//! What bundled nodes are made of, around their protocol.
//!
//! A target brings two things: a [`Node`], its protocol as a state machine without I/O, and a
//! [`Recipe`](target::Recipe), its client. The rest is here:
//!
//! | file | what it is |
//! | --- | --- |
//! | `options` | checked options; the switch `bug` |
//! | `args`, `shell` | the command line of a node, and its life |
//! | `driver` | the loop: gather, step, persist once, send and answer |
//! | `journal`, `record` | the disk: an append-only file, compacted |
//! | `json` | values inside derived JSON |
//! | `server`, `http` | requests and responses as data |
//! | `peers` | messages to other nodes |
//! | `target`, `client` | the engine's side |
//! | `register` | the client of whatever keeps registers |
//! | `sim` | a whole cluster under virtual time, for tests |
//!
//! A target's folder then holds the protocol in as many files as it has concepts, `settings` for
//! its options and bugs, and `client`. Its row in the registry is
//!
//! ```text
//! pub(crate) const SPEC: TargetSpec = TargetSpec {
//!     name: "primary-kv",
//!     options: settings::OPTIONS,
//!     bugs: settings::BUGS,
//!     build: |options| kit::target::build(Recipe::new(options)?),
//!     node: Some(kit::shell::run::<node::Replica>),
//!     …
//! };
//! ```
//!
//! **Order.** After every batch of inputs the shell asks [`Node::ready`] once and does what it
//! says in this order: prints `lines`, makes `records` durable, sends `messages`, gives `answers`,
//! prints `told`. So nothing is sent or answered before what it rests on is on disk, and one sync
//! serves a whole batch.
//!
//! **Messages** may be lost, delayed, reordered, and delivered twice. A node repeats what matters.

pub(crate) mod args;
pub(crate) mod client;
mod driver;
pub(crate) mod http;
pub(crate) mod journal;
pub(crate) mod json;
pub(crate) mod options;
mod peers;
mod record;
pub(crate) mod register;
mod server;
pub(crate) mod shell;
pub(crate) mod target;

#[cfg(test)]
pub(crate) mod sim;
#[cfg(test)]
mod tests;

use danso_vocab::{NodeId, Rng, Value};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub(crate) use self::http::{Request, Response};

/// What a node's clocks say, in ns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Now {
    /// Since this start of the node; never goes back.
    pub(crate) mono: u64,
    /// Since 1970, as the node's own wall clock has it: it may be wrong, jump and go back.
    pub(crate) wall: u64,
}

/// A client's request that waits for its answer, numbered by the shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Ticket(pub(crate) u64);

/// What reaches a node.
#[derive(Clone, Debug)]
pub(crate) enum Input<M> {
    /// A client's request. It must be answered once, or the client waits for ever.
    Request(Ticket, Request),
    /// A message of another node.
    Message(NodeId, M),
}

/// What the shell must do; see [the order](self).
#[derive(Debug)]
pub(crate) struct Ready<M, R> {
    /// To be said on stderr before anything is durable. Faults can wait for such a line.
    pub(crate) lines: Vec<String>,
    /// To be made durable.
    pub(crate) records: Vec<R>,
    /// To be sent.
    pub(crate) messages: Vec<(NodeId, M)>,
    /// To be answered.
    pub(crate) answers: Vec<(Ticket, Response)>,
    /// To be said on stderr when all that is done.
    pub(crate) told: Vec<String>,
}

impl<M, R> Default for Ready<M, R> {
    fn default() -> Self {
        Ready {
            lines: Vec::new(),
            records: Vec::new(),
            messages: Vec::new(),
            answers: Vec::new(),
            told: Vec::new(),
        }
    }
}

impl<M, R> Ready<M, R> {
    /// Answers a request.
    pub(crate) fn answer(&mut self, ticket: Ticket, response: Response) {
        self.answers.push((ticket, response));
    }
}

/// What a node is told at its start.
#[derive(Debug)]
pub(crate) struct Boot<S> {
    /// Itself.
    pub(crate) id: NodeId,
    /// All nodes, itself among them, in order.
    pub(crate) all: Vec<NodeId>,
    /// Its options.
    pub(crate) settings: S,
    /// Its own chance: another stream at every start.
    pub(crate) rng: Rng,
    /// Which start this is, from 1.
    pub(crate) start: u32,
}

/// A protocol without I/O: no sockets, no clock, no disk, no randomness but what it is given.
pub(crate) trait Node: Sized {
    /// Its checked options.
    type Settings;
    /// What nodes tell each other.
    type Message: Serialize + DeserializeOwned + Send + 'static;
    /// What must survive the process.
    type Record: Serialize + DeserializeOwned;

    /// The name of the target, as in `danso node NAME`.
    const NAME: &'static str;

    /// The options a command line gives. The error is one line.
    fn settings(
        options: &std::collections::BTreeMap<String, Value>,
    ) -> Result<Self::Settings, String>;

    /// Whether the disk is waited for; without it only a power failure loses data, not a kill.
    fn fsync(settings: &Self::Settings) -> bool {
        let _ = settings;
        true
    }

    /// A node that starts with what its journal holds, in the order it was written.
    fn new(boot: Boot<Self::Settings>, records: Vec<Self::Record>, now: Now) -> Self;

    /// Takes one input in.
    fn step(&mut self, now: Now, input: Input<Self::Message>);

    /// Everything to be done after the inputs so far. Called after every batch of inputs, and at
    /// [`Node::due`].
    fn ready(&mut self, now: Now) -> Ready<Self::Message, Self::Record>;

    /// When [`Node::ready`] has something to do though nothing comes in: in ns on the monotonic
    /// clock; `u64::MAX` for never.
    fn due(&self) -> u64;

    /// What `GET /status` shows: a map.
    fn status(&self) -> Value;

    /// Whether it can serve: `GET /health`. The error says what is missing.
    fn health(&self) -> Result<(), String> {
        Ok(())
    }

    /// Records that say as much as all that were written so far, in the place of which the shell
    /// puts them when the journal has grown.
    fn compact(&self) -> Vec<Self::Record>;
}
