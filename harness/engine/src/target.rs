//! [`Target`]: a recipe for one kind of system; [`Client`]: one connection to it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use danso_vocab::{Call, NodeId, Outcome, Process, Value};
use nix::sys::signal::Signal;

use crate::network::{Network, Party};
use crate::remote::Hosts;

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

    /// Fails if this machine lacks something it needs, such as a program: one line, with the
    /// mend. Asked before anything is started.
    ///
    /// # Errors
    /// What is missing.
    fn fits(&self) -> Result<(), String> {
        Ok(())
    }

    /// Whether danso starts its processes. If not, [`Target::command`] is `None` for all nodes.
    fn starts(&self) -> bool {
        true
    }

    /// The machines its nodes run on, if that is not this one.
    fn hosts(&self) -> Option<Arc<dyn Hosts>> {
        None
    }

    /// Files to be written for `node` whenever it is started: paths below [`Member::conf`], and
    /// what they hold.
    ///
    /// # Errors
    /// If the recipe does not fit. One line, with the mend.
    fn files(&self, node: &Member) -> Result<Vec<(PathBuf, String)>, String> {
        let _ = node;
        Ok(Vec::new())
    }

    /// Who is started when: a stage begins when all of the one before serve.
    fn stages(&self, nodes: &[NodeId]) -> Vec<Vec<NodeId>> {
        vec![nodes.to_vec()]
    }

    /// How long a node may take to serve.
    fn patience(&self) -> Duration {
        Duration::from_secs(15)
    }

    /// How a node is asked to stop.
    fn farewell(&self) -> Farewell {
        Farewell::default()
    }

    /// What is to be done once all nodes serve, before the load. Called from [`Party::Control`].
    fn setup<'a>(&'a self, nodes: &'a [Member]) -> Fut<'a, Result<(), String>> {
        let _ = nodes;
        Box::pin(async { Ok(()) })
    }

    /// What is to be done before the nodes are stopped, if [`Target::setup`] was begun. Called
    /// from [`Party::Control`].
    fn teardown<'a>(&'a self, nodes: &'a [Member]) -> Fut<'a, Result<(), String>> {
        let _ = nodes;
        Box::pin(async { Ok(()) })
    }

    /// Files a node writes besides its output that are worth keeping: glob patterns.
    fn logs(&self, node: &Member) -> Vec<String> {
        let _ = node;
        Vec::new()
    }

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

/// Makes clients in place of [`Target::connect`].
pub type Connect = Arc<dyn Fn(&[Member], NodeId, Process) -> Box<dyn Client> + Send + Sync>;

/// A member of a cluster, as its target needs to know it.
#[derive(Clone)]
pub struct Member {
    /// Its name.
    pub id: NodeId,
    /// All members' names.
    pub all: Vec<NodeId>,
    /// Its data directory: kept across restarts, its own.
    pub data: PathBuf,
    /// A directory for its configuration, out of reach of faults of its disk.
    pub conf: PathBuf,
    /// What it printed.
    pub printed: Printed,
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

/// What a node has printed since its last start.
#[derive(Clone, Debug, Default)]
pub struct Printed {
    folder: PathBuf,
    /// Where in each of [`OUTPUTS`] the last start began, in bytes.
    from: Arc<[AtomicU64; 2]>,
}

/// The files of a node's output, in the folder of its logs.
const OUTPUTS: [&str; 2] = ["stdout.log", "stderr.log"];
/// So much of each is looked at.
const LOOK: u64 = 1 << 20;

impl Printed {
    /// That of a node whose logs are in `folder`.
    pub fn new(folder: PathBuf) -> Printed {
        Printed { folder, from: Arc::default() }
    }

    /// It is about to be started.
    pub(crate) fn mark(&self) {
        for (name, from) in OUTPUTS.iter().zip(self.from.iter()) {
            let length = std::fs::metadata(self.folder.join(name)).map_or(0, |m| m.len());
            from.store(length, Ordering::Relaxed);
        }
    }

    /// Whether `text` stands in the first mebibyte of either output since the last start.
    pub fn says(&self, text: &str) -> bool {
        OUTPUTS.iter().zip(self.from.iter()).any(|(name, from)| {
            let read = || -> std::io::Result<Vec<u8>> {
                let mut file = File::open(self.folder.join(name))?;
                file.seek(SeekFrom::Start(from.load(Ordering::Relaxed)))?;
                let mut bytes = Vec::new();
                file.take(LOOK).read_to_end(&mut bytes)?;
                Ok(bytes)
            };
            // Not there yet: nothing was said.
            read().is_ok_and(|bytes| String::from_utf8_lossy(&bytes).contains(text))
        })
    }
}

/// How a node is asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Farewell {
    /// What all its processes are sent.
    pub signal: Signal,
    /// How long it may take at the end of a run before it is killed.
    pub grace: Duration,
}

impl Default for Farewell {
    fn default() -> Self {
        Farewell { signal: Signal::SIGTERM, grace: Duration::from_millis(700) }
    }
}

/// A process to run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeCommand {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// Variables added to the environment.
    pub env: Vec<(String, String)>,
    /// Its working directory; its data directory if `None`.
    pub dir: Option<PathBuf>,
    /// The user it runs as, who is given the data directory; ours if `None`.
    pub user: Option<u32>,
}
