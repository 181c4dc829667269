//! [`Target`]: a recipe for one kind of system; [`Client`]: one connection to it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use danso_vocab::{Call, NodeId, Outcome, Process, Value};

use crate::network::{Network, Party};

/// A boxed future, so that targets and clients can be trait objects.
pub type Fut<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// How to start, reach and question one kind of system. Implementations hold no running state:
/// the engine supervises the processes, the network carries the packets.
pub trait Target: Send + Sync {
    /// The registered name.
    fn name(&self) -> &str;

    /// The ports each node listens on. Every node uses the same ones on its own address.
    fn ports(&self) -> &[u16];

    /// The process to run as `node`; `None` if there is none of ours to run.
    ///
    /// # Errors
    /// If the recipe does not fit: a missing binary, a bad option. One line, with the mend.
    fn command(&self, node: &Member) -> Result<Option<NodeCommand>, String>;

    /// Asks once whether `node` serves. Called from [`Party::Control`] until it says yes.
    fn ready<'a>(&'a self, node: &'a Member) -> Fut<'a, Result<(), String>>;

    /// Who leads now, as the nodes themselves say. Called from [`Party::Control`].
    fn primaries<'a>(&'a self, nodes: &'a [Member]) -> Fut<'a, Vec<NodeId>>;

    /// What can be done to a running node beside starting and killing it: names for
    /// [`Target::hook`], such as `leave` and `join`.
    fn hooks(&self) -> &'static [&'static str] {
        &[]
    }

    /// Does one of [`Target::hooks`] to `node` and says what came of it. Called from
    /// [`Party::Control`].
    fn hook<'a>(
        &'a self,
        hook: &'a str,
        _node: &'a Member,
        _all: &'a [Member],
    ) -> Fut<'a, Result<String, String>> {
        Box::pin(async move { Err(format!("{} has no hook `{hook}`", self.name())) })
    }

    /// A client for `process` that asks `node` first. Cheap and without I/O: a connection is
    /// made at the first call. Lives on [`Party::Clients`]' runtime.
    fn connect(&self, nodes: &[Member], node: NodeId, process: Process) -> Box<dyn Client>;
}

/// One connection, one call at a time. It cannot return an error: it decides between `fail` and
/// `info` by a table next to it, and whatever the table does not name is `info`.
pub trait Client: Send {
    /// Calls and waits. The engine drops the future when the operation's time is up and
    /// records `info`.
    fn invoke<'a>(&'a mut self, call: &'a Call) -> Fut<'a, Outcome>;
}

/// A member of a cluster, as its target needs to know it.
#[derive(Clone)]
pub struct Member {
    /// Its name.
    pub id: NodeId,
    /// All members' names.
    pub all: Vec<NodeId>,
    /// Its data directory: kept across restarts, its own.
    pub data: PathBuf,
    /// Its own seed, for its own random choices.
    pub seed: u64,
    /// The danso binary itself, for bundled nodes.
    pub exe: PathBuf,
    /// The target's options.
    pub options: Arc<BTreeMap<String, Value>>,
    /// The network it lives in.
    pub network: Arc<dyn Network>,
}

impl Member {
    /// Where it listens on `port`.
    pub fn listen(&self, port: u16) -> SocketAddr {
        self.network.listen(self.id, port)
    }

    /// Where its peer `to` is reached on `port`.
    pub fn peer(&self, to: NodeId, port: u16) -> SocketAddr {
        self.network.address(Party::Node(self.id), to, port)
    }

    /// Where `from` reaches it on `port`.
    pub fn reached_from(&self, from: Party, port: u16) -> SocketAddr {
        self.network.address(from, self.id, port)
    }
}

/// A process to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeCommand {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// Variables added to the environment.
    pub env: Vec<(String, String)>,
}
