//! Kind `ssh`: programs danso starts on other machines, one a machine, through the system's own
//! `ssh`. Everything but where they run is as in kind `process`.
//!
//! | module | what it is |
//! | --- | --- |
//! | `login` | how a host is reached |
//! | `session` | a connection to it, with a shell at its end that cleans up when it hears no more of us |
//! | `script` | what is said to that shell |
//! | `hosts` | the hosts when planning: what they allow |
//! | `machines` | the hosts in a run: processes, files |
//! | `network`, `rules` | links between them, as rules of their packet filters |
//!
//! Each node is a process here that stands for the one there ([`Remote::stand_in`]).
//!
//! [`Remote::stand_in`]: danso_engine::remote::Remote::stand_in

mod hosts;
mod login;
mod machines;
mod network;
mod rules;
mod script;
mod session;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use danso_engine::remote::{Hosts, Remote};
use danso_engine::target::{Client, Farewell, Fut, Member, NodeCommand, Target};
use danso_vocab::{NodeId, Process, Value};
use serde::Deserialize;

use self::hosts::Named;
pub use self::hosts::clean;
use self::login::Login;
use crate::mistake::read;
use crate::{Declared, Kind, Mistake, Settings, process};

/// The registry's row.
pub(crate) const KIND: Kind = Kind {
    name: "ssh",
    about: "programs that danso starts on other machines, one a machine",
    network: "hosts",
    build: |settings, nodes| build(settings, nodes),
};

/// The settings beside those of kind `process`.
const OWN: [&str; 4] = ["hosts", "addresses", "ssh", "folder"];

/// Those settings.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Table {
    hosts: Vec<String>,
    #[serde(default)]
    addresses: Vec<String>,
    #[serde(default)]
    ssh: Vec<String>,
    folder: Option<String>,
}

struct Ssh {
    /// What is done there, as if it were done here.
    inner: Arc<dyn Target>,
    named: Arc<Named>,
    /// The folder of the test file.
    dir: PathBuf,
}

fn build(settings: &Settings, nodes: Option<u16>) -> Result<Declared, Mistake> {
    let (own, others): (Settings, Settings) =
        settings.clone().into_iter().partition(|(name, _)| OWN.contains(&name.as_str()));
    let table: Table = read(&Value::Map(own)).map_err(Mistake::in_target)?;
    let named = named(&table).map_err(Mistake::in_target)?;
    let count = named.logins.len() as u16;
    if let Some(nodes) = nodes.filter(|nodes| *nodes != count) {
        let why = format!("{nodes} nodes, but {count} hosts: a host has one node");
        return Err(Mistake::new(why).at("nodes").in_target());
    }
    let roles = others.get("role").and_then(Value::list).unwrap_or_default().iter();
    if others.contains_key("user") || roles.into_iter().any(|role| role.get("user").is_some()) {
        let why = "programs run as the user who is logged in: name that one in `hosts`";
        return Err(Mistake::new(why).at("user").in_target());
    }
    let inner = (process::KIND.build)(&others, Some(count))?;
    let dir = others.get("dir").and_then(Value::str).unwrap_or_default().into();
    let target = Ssh { inner: inner.target, named: Arc::new(named), dir };
    Ok(Declared { target: Arc::new(target), ..inner })
}

fn named(table: &Table) -> Result<Named, Mistake> {
    let wrong = |why: String, at: &str| Err(Mistake::new(why).at(at));
    for host in &table.hosts {
        let odd = |c: char| c.is_whitespace() || c.is_control();
        if host.is_empty() || host.starts_with('-') || host.contains(odd) {
            return wrong(format!("`{host}` is no host: write user@host"), "hosts");
        }
    }
    if table.hosts.is_empty() || table.hosts.len() > 100 {
        let why = format!("{} hosts: from 1 to 100 can be used", table.hosts.len());
        return wrong(why, "hosts");
    }
    let (hosts, addresses) = (table.hosts.len(), table.addresses.len());
    if addresses != 0 && addresses != hosts {
        return wrong(
            format!("{addresses} addresses for {hosts} hosts: give one each"),
            "addresses",
        );
    }
    let folder = table.folder.clone().unwrap_or_else(|| "/tmp".to_owned());
    if !folder.starts_with('/') {
        return wrong(format!("`{folder}` must begin with a slash"), "folder");
    }
    let login = |to: &String| Login { to: to.clone(), options: table.ssh.clone() };
    Ok(Named {
        logins: table.hosts.iter().map(login).collect(),
        addresses: table.addresses.clone(),
        folder,
        can: Default::default(),
    })
}

impl Ssh {
    /// The member as it is over there.
    fn there(&self, node: &Member) -> Result<(Member, Arc<dyn Remote>), String> {
        let remote = node.network.remote().ok_or("its host is not connected")?;
        let folder = remote.folder(node.id);
        let (data, conf) = (folder.join("data"), folder.join("conf"));
        Ok((Member { data, conf, ..node.clone() }, remote))
    }

    fn all(&self, nodes: &[Member]) -> Result<Vec<Member>, String> {
        nodes.iter().map(|node| Ok(self.there(node)?.0)).collect()
    }

    /// What is run over there. A program or folder that is named from the test file's folder is
    /// looked for in the node's.
    fn order(&self, there: &Member) -> Result<Option<NodeCommand>, String> {
        let Some(mut command) = self.inner.command(there)? else { return Ok(None) };
        if let Ok(rest) = command.program.strip_prefix(&self.dir) {
            command.program = Path::new(".").join(rest);
        }
        if let Some(rest) = command.dir.as_ref().and_then(|d| d.strip_prefix(&self.dir).ok()) {
            command.dir = Some(there.data.join(rest));
        }
        Ok(Some(command))
    }

    fn script(node: &Member) -> PathBuf {
        node.conf.join("start.sh")
    }
}

impl Target for Ssh {
    fn name(&self) -> &str {
        KIND.name
    }

    fn ports(&self) -> &[u16] {
        self.inner.ports()
    }

    fn hosts(&self) -> Option<Arc<dyn Hosts>> {
        Some(self.named.clone())
    }

    fn command(&self, node: &Member) -> Result<Option<NodeCommand>, String> {
        let (_, remote) = self.there(node)?;
        Ok(Some(remote.stand_in(node.id, &Self::script(node))))
    }

    fn files(&self, node: &Member) -> Result<Vec<(PathBuf, String)>, String> {
        let (there, remote) = self.there(node)?;
        let Some(command) = self.order(&there)? else { return Ok(Vec::new()) };
        let files = self.inner.files(&there)?.into_iter();
        let files: Vec<_> = files.map(|(p, t)| (p.to_string_lossy().into_owned(), t)).collect();
        let script = script::node(&remote.folder(node.id), &command, &files);
        Ok(vec![(Self::script(node), script)])
    }

    fn stages(&self, nodes: &[NodeId]) -> Vec<Vec<NodeId>> {
        self.inner.stages(nodes)
    }

    fn patience(&self) -> Duration {
        self.inner.patience()
    }

    fn farewell(&self) -> Farewell {
        self.inner.farewell()
    }

    fn logs(&self, node: &Member) -> Vec<String> {
        self.there(node).map(|(there, _)| self.inner.logs(&there)).unwrap_or_default()
    }

    fn setup<'a>(&'a self, nodes: &'a [Member]) -> Fut<'a, Result<(), String>> {
        Box::pin(async { self.inner.setup(&self.all(nodes)?).await })
    }

    fn teardown<'a>(&'a self, nodes: &'a [Member]) -> Fut<'a, Result<(), String>> {
        Box::pin(async { self.inner.teardown(&self.all(nodes)?).await })
    }

    fn ready<'a>(&'a self, node: &'a Member) -> Fut<'a, Result<(), String>> {
        Box::pin(async { self.inner.ready(&self.there(node)?.0).await })
    }

    fn primaries<'a>(&'a self, nodes: &'a [Member]) -> Fut<'a, Vec<NodeId>> {
        Box::pin(async {
            match self.all(nodes) {
                Ok(nodes) => self.inner.primaries(&nodes).await,
                Err(error) => {
                    tracing::warn!(error, "primaries");
                    Vec::new()
                }
            }
        })
    }

    fn connect(&self, nodes: &[Member], node: NodeId, process: Process) -> Box<dyn Client> {
        self.inner.connect(nodes, node, process)
    }
}
