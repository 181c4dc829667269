//! Kind `external`: a system that runs already. danso knows its addresses and nothing else: what
//! can be done to it are the commands the user gives.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use danso_engine::shell;
use danso_engine::target::{Client, Fut, Member, NodeCommand, Target};
use danso_vocab::{NodeId, Process, Value};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::ask::Ask;
use crate::client::{self, Dialect};
use crate::mistake::read;
use crate::place::{Host, Place};
use crate::process::duration;
use crate::template::Template;
use crate::{Declared, Kind, Mistake, Settings, own};

/// The registry's row.
pub(crate) const KIND: Kind = Kind {
    name: "external",
    about: "a system that runs already, known by its addresses",
    network: "none",
    build: |settings, nodes| build(settings, nodes).map_err(Mistake::in_target),
};

/// How long a setup command may take.
const SETUP: Duration = Duration::from_secs(100);
/// Names of a node that runs already.
const NAMES: &[&str] = &["id", "name", "ip", "port", "addr", "dir"];

/// `[target]` of kind `external`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Table {
    // Read before, and named here for whoever mistypes them.
    #[serde(rename = "kind")]
    _kind: Option<IgnoredAny>,
    #[serde(rename = "nodes")]
    _nodes: Option<IgnoredAny>,
    addresses: Vec<String>,
    ready: Option<String>,
    primary: Option<String>,
    patience: Option<String>,
    #[serde(default)]
    setup: Vec<String>,
    #[serde(default)]
    teardown: Vec<String>,
}

struct External {
    dir: PathBuf,
    /// Host and port of each node.
    addresses: Vec<(String, u16)>,
    ready: Option<Ask>,
    primary: Option<Ask>,
    patience: Duration,
    setup: Vec<Template>,
    teardown: Vec<Template>,
    dialect: Arc<dyn Dialect>,
}

fn build(settings: &Settings, nodes: Option<u16>) -> Result<Declared, Mistake> {
    let (dir, own) = own(settings);
    let table: Table = read(&own)?;
    let mut addresses = Vec::new();
    for address in &table.addresses {
        let read = address.rsplit_once(':').and_then(|(host, port)| {
            let host = host.trim();
            (!host.is_empty()).then_some(())?;
            Some((host.to_owned(), port.parse().ok()?))
        });
        addresses.push(read.ok_or_else(|| {
            Mistake::new(format!("`{address}` is no address: write host:port")).at("addresses")
        })?);
    }
    let count = u16::try_from(addresses.len()).unwrap_or(u16::MAX);
    if !(1..=100).contains(&count) {
        return Err(Mistake::new("from 1 to 100 addresses can be given").at("addresses"));
    }
    if let Some(nodes) = nodes.filter(|nodes| *nodes != count) {
        return Err(Mistake::new(format!("{nodes} nodes, but {count} addresses")).at("addresses"));
    }
    let known = |name: &str| {
        if NAMES.contains(&name) {
            return Ok(());
        }
        Err(format!("there is no `{{{name}}}`; there are: {}", NAMES.join(", ")))
    };
    let ask = |text: &Option<String>, at: &str| {
        let ask = text.as_ref().map(|text| Ask::new(text, &known)).transpose();
        ask.map_err(|e| Mistake::new(e).at(at))
    };
    let commands = |list: &[String], at: &str| -> Result<Vec<Template>, Mistake> {
        let read = |text| Template::new(text, &known).map_err(|e| Mistake::new(e).at(at));
        list.iter().map(|text| read(text)).collect()
    };
    let patience = table.patience.as_ref().map(|text| duration(text)).transpose();
    let (dialect, role) = client::build(settings)?;
    if role.is_some() {
        let why = "a system that runs already has no roles: leave it out";
        return Err(Mistake::new(why).at("role").at("client"));
    }
    let speaks = dialect.speaks();
    let target = External {
        ready: ask(&table.ready, "ready")?,
        primary: ask(&table.primary, "primary")?,
        patience: patience
            .map_err(|e| Mistake::new(e).at("patience"))?
            .unwrap_or(Duration::from_secs(15)),
        setup: commands(&table.setup, "setup")?,
        teardown: commands(&table.teardown, "teardown")?,
        dir,
        addresses,
        dialect,
    };
    Ok(Declared { target: Arc::new(target), nodes: count, speaks })
}

impl External {
    fn value(&self, name: &str, node: NodeId) -> Result<Value, String> {
        let (host, port) = &self.addresses[node.index()];
        Ok(match name {
            "id" => Value::Int(node.0.into()),
            "name" => Value::Str(node.to_string()),
            "ip" => Value::Str(host.clone()),
            "port" => Value::Int((*port).into()),
            "addr" => Value::Str(format!("{host}:{port}")),
            "dir" => Value::Str(self.dir.to_string_lossy().into_owned()),
            _ => return Err(format!("there is no `{{{name}}}`")),
        })
    }

    async fn ask(&self, ask: &Ask, node: NodeId) -> Result<(), String> {
        ask.of(None, &self.dir, &|name| self.value(name, node)).await
    }

    async fn run(&self, commands: &[Template]) -> Result<(), String> {
        for command in commands {
            let command = command.fill(None, &|name| self.value(name, NodeId(1)))?;
            let said = shell::run(&command, &[], Some(&self.dir), SETUP).await?;
            tracing::info!(command, said, "ran");
        }
        Ok(())
    }
}

impl Target for External {
    fn name(&self) -> &str {
        KIND.name
    }

    fn ports(&self) -> &[u16] {
        &[]
    }

    fn fits(&self) -> Result<(), String> {
        self.dialect.fits()
    }

    fn starts(&self) -> bool {
        false
    }

    fn command(&self, _: &Member) -> Result<Option<NodeCommand>, String> {
        Ok(None)
    }

    fn patience(&self) -> Duration {
        self.patience
    }

    fn setup<'a>(&'a self, _: &'a [Member]) -> Fut<'a, Result<(), String>> {
        Box::pin(self.run(&self.setup))
    }

    fn teardown<'a>(&'a self, _: &'a [Member]) -> Fut<'a, Result<(), String>> {
        Box::pin(self.run(&self.teardown))
    }

    fn ready<'a>(&'a self, node: &'a Member) -> Fut<'a, Result<(), String>> {
        Box::pin(async {
            match &self.ready {
                Some(ask) => self.ask(ask, node.id).await,
                None => Ok(()),
            }
        })
    }

    fn primaries<'a>(&'a self, nodes: &'a [Member]) -> Fut<'a, Vec<NodeId>> {
        Box::pin(async {
            let Some(ask) = &self.primary else { return Vec::new() };
            let asked = nodes
                .iter()
                .map(|node| async { self.ask(ask, node.id).await.is_ok().then_some(node.id) });
            futures_util::future::join_all(asked).await.into_iter().flatten().collect()
        })
    }

    fn connect(&self, _: &[Member], node: NodeId, process: Process) -> Box<dyn Client> {
        let hosts = self.addresses.iter().zip(1..);
        let hosts = hosts.map(|((host, port), id)| Host::theirs(NodeId(id), host, *port)).collect();
        self.dialect.client(Place { hosts, home: node.index(), process })
    }
}
