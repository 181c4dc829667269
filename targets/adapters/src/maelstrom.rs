//! Kind `maelstrom`: nodes that read and write messages as lines of JSON on their standard
//! streams, as Maelstrom's do, run as they are.
//!
//! Each node of ours is a *stand-in* (`danso node maelstrom`, [`node`]): it runs the user's
//! program as its child and carries its messages over danso's network to the other stand-ins.
//! So every fault does to these nodes what it does to any other.
//!
//! | part | what it does |
//! | --- | --- |
//! | [`node`] | the stand-in: who may say what to whom |
//! | [`link`] | messages to other nodes, a datagram each |
//! | [`client`] | clients: a call is a message, its answer another |
//! | [`words`] | the workloads, in messages |
//! | [`errors`] | what error codes mean |
//! | [`services`] | `lin-kv`, `seq-kv`, `lww-kv`, `lin-tso`: in the controller, which no fault cuts off |

mod client;
mod errors;
mod lines;
mod link;
mod message;
pub(crate) mod node;
mod pace;
mod services;
mod topology;
mod words;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use danso_engine::network::{Backend, Party};
use danso_engine::target::{Client, Farewell, Fut, Member, NodeCommand, Target};
use danso_vocab::{NodeId, Process, Value};
use serde::Deserialize;

use self::services::Services;
use self::words::Words;
use crate::mistake::read;
use crate::{Declared, Kind, Mistake, Settings, process};

pub(crate) use self::words::SPOKEN;

/// The registry's row.
pub(crate) const KIND: Kind = Kind {
    name: "maelstrom",
    about: "programs written for Maelstrom: messages as lines of JSON on their standard streams",
    network: "auto",
    build: |settings, nodes| build(settings, nodes),
};

/// The settings it has beside those of kind `process`.
const OWN: [&str; 4] = ["topology", "first", "definite", "workload"];
/// How long a node may take to serve: it may take 10 s to answer `init`, and as long again for
/// its topology.
const PATIENCE: Duration = Duration::from_secs(25);

/// What `[target]` has beside the settings of kind `process`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Table {
    /// The workload, as it is called there. The plan says it.
    workload: String,
    #[serde(default)]
    topology: topology::Shape,
    /// The number in the first node's name.
    #[serde(default = "one")]
    first: u16,
    /// Error codes of the user's own that mean that nothing happened.
    #[serde(default)]
    definite: BTreeSet<i64>,
}

fn one() -> u16 {
    1
}

fn build(settings: &Settings, nodes: Option<u16>) -> Result<Declared, Mistake> {
    if settings.contains_key("client") {
        let why = "nodes of Maelstrom's kind are asked in their own protocol: leave [client] out";
        return Err(Mistake::new(why).at("client"));
    }
    let (own, others): (Settings, Settings) =
        settings.clone().into_iter().partition(|(name, _)| OWN.contains(&name.as_str()));
    let table: Table = read(&Value::Map(own)).map_err(Mistake::in_target)?;
    let words = words::find(&table.workload).map_err(|e| Mistake::new(e).at("workload"))?;
    if let Some(code) = table.definite.iter().find(|code| **code < errors::OWN) {
        let why = format!("the meaning of {code} is fixed; codes of your own begin with 1000");
        return Err(Mistake::new(why).at("definite").in_target());
    }
    if table.first > 1 {
        let why =
            format!("the first node is n{}: it can be 1, or 0 as Maelstrom has it", table.first);
        return Err(Mistake::new(why).at("first").in_target());
    }
    let speech = client::Speech { words, first: table.first, definite: Arc::new(table.definite) };
    let inner = process::build_with(&others, nodes, || Ok((Arc::new(speech), None)))?;
    let target = Maelstrom {
        inner: inner.target,
        words,
        first: table.first,
        topology: table.topology,
        services: Arc::default(),
        served: Mutex::default(),
    };
    Ok(Declared { target: Arc::new(target), nodes: inner.nodes, speaks: None })
}

/// A node's name in messages.
fn name(node: NodeId, first: u16) -> String {
    format!("n{}", node.0 - 1 + first)
}

struct Maelstrom {
    /// How the user's program is started.
    inner: Arc<dyn Target>,
    words: Words,
    first: u16,
    topology: topology::Shape,
    services: Arc<Mutex<Services>>,
    /// The nodes whose services are there.
    served: Mutex<BTreeSet<NodeId>>,
}

impl Maelstrom {
    fn port(&self) -> u16 {
        self.inner.ports().first().copied().unwrap_or_default()
    }

    /// The stand-in's own arguments.
    fn flags(&self, node: &Member) -> Vec<String> {
        let port = self.port();
        let called = |id: &NodeId| name(*id, self.first);
        let names: Vec<String> = node.all.iter().map(called).collect();
        let peers: Vec<String> = (node.all.iter().filter(|id| **id != node.id))
            .map(|id| format!("{}={}", called(id), node.peer(*id, port)))
            .collect();
        // Relays carry streams only.
        let carry = if node.network.backend() == Backend::Proxy { "tcp" } else { "udp" };
        let mut flags: Vec<String> = ["--name", &called(&node.id), "--nodes", &names.join(",")]
            .map(ToOwned::to_owned)
            .into();
        let listen = node.listen(port).to_string();
        let more = ["--listen", &listen, "--peers", &peers.join(","), "--carry", carry];
        flags.extend(more.map(ToOwned::to_owned));
        if self.words == Words::Broadcast {
            let topology = self.topology.of(&names);
            flags.extend(["--topology".to_owned(), topology.to_string()]);
        }
        flags
    }
}

impl Target for Maelstrom {
    fn name(&self) -> &str {
        KIND.name
    }

    fn ports(&self) -> &[u16] {
        self.inner.ports()
    }

    fn command(&self, node: &Member) -> Result<Option<NodeCommand>, String> {
        let Some(theirs) = self.inner.command(node)? else { return Ok(None) };
        let mut args = vec!["node".to_owned(), KIND.name.to_owned()];
        args.extend(self.flags(node));
        args.push("--".to_owned());
        args.push(theirs.program.to_string_lossy().into_owned());
        args.extend(theirs.args);
        Ok(Some(NodeCommand { program: node.exe.clone(), args, ..theirs }))
    }

    fn files(&self, node: &Member) -> Result<Vec<(PathBuf, String)>, String> {
        self.inner.files(node)
    }

    fn stages(&self, nodes: &[NodeId]) -> Vec<Vec<NodeId>> {
        self.inner.stages(nodes)
    }

    fn patience(&self) -> Duration {
        self.inner.patience().max(PATIENCE)
    }

    fn farewell(&self) -> Farewell {
        self.inner.farewell()
    }

    fn setup<'a>(&'a self, nodes: &'a [Member]) -> Fut<'a, Result<(), String>> {
        self.inner.setup(nodes)
    }

    fn teardown<'a>(&'a self, nodes: &'a [Member]) -> Fut<'a, Result<(), String>> {
        self.inner.teardown(nodes)
    }

    fn logs(&self, node: &Member) -> Vec<String> {
        self.inner.logs(node)
    }

    fn ready<'a>(&'a self, node: &'a Member) -> Fut<'a, Result<(), String>> {
        let at = node.reached_from(Party::Control, self.port());
        // A node may ask for services before it serves, so they are there from the first question
        // on; on the runtime of the controller's own network, with which they end.
        let first = self.served.lock().unwrap_or_else(PoisonError::into_inner).insert(node.id);
        if first {
            services::serve(self.services.clone(), at, node.seed);
        }
        Box::pin(async move {
            client::ready(at).await?;
            self.inner.ready(node).await
        })
    }

    fn primaries<'a>(&'a self, nodes: &'a [Member]) -> Fut<'a, Vec<NodeId>> {
        self.inner.primaries(nodes)
    }

    fn connect(&self, nodes: &[Member], node: NodeId, process: Process) -> Box<dyn Client> {
        self.inner.connect(nodes, node, process)
    }
}
