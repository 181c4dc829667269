//! Kind `process`: programs danso starts, one a node, told by templates how.

mod table;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use danso_engine::network::Party;
use danso_engine::shell;
use danso_engine::target::{Client, Farewell, Fut, Member, NodeCommand, Target};
use danso_vocab::{NodeId, Process, Value};

use self::table::{Of, Order};
pub(crate) use self::table::{build_with, duration};
use crate::ask::Ask;
use crate::client::{self, Dialect};
use crate::names::{Roster, of_node};
use crate::place::{Host, Place};
use crate::template::Template;
use crate::{Kind, program};

/// The registry's row.
pub(crate) const KIND: Kind = Kind {
    name: "process",
    about: "programs that danso starts, one a node",
    network: "auto",
    build: |settings, nodes| build_with(settings, nodes, || client::build(settings)),
};

/// How long a setup command may take.
const SETUP: Duration = Duration::from_secs(100);

/// What one role's nodes are started with.
struct Recipe {
    command: Vec<Template>,
    env: Vec<(String, Template)>,
    workdir: Option<Template>,
    files: Vec<(String, Template)>,
    ready: Option<Ask>,
    user: Option<u32>,
    logs: Vec<Template>,
}

struct Described {
    dir: PathBuf,
    ports: Vec<u16>,
    order: Order,
    roster: Roster,
    lists: BTreeMap<String, (Template, Of, String, Option<usize>)>,
    recipes: Vec<Recipe>,
    setup: Vec<Template>,
    teardown: Vec<Template>,
    primary: Option<Ask>,
    patience: Duration,
    farewell: Farewell,
    dialect: Arc<dyn Dialect>,
    clients_of: Option<usize>,
}

impl Described {
    fn recipe(&self, node: &Member) -> &Recipe {
        &self.recipes[self.roster.role(node.id).0]
    }

    fn first(&self) -> u16 {
        self.ports[0]
    }

    /// The value of a name for `node`, seen by `party`.
    fn value(&self, name: &str, node: &Member, party: Party) -> Result<Value, String> {
        if name == "dir" {
            return Ok(Value::Str(self.dir.to_string_lossy().into_owned()));
        }
        let Some((each, of, join, role)) = self.lists.get(name) else {
            let value = self.roster.value(name, node, party, self.first());
            return value.ok_or_else(|| format!("there is no `{{{name}}}`"));
        };
        let mut texts = Vec::new();
        for id in &node.all {
            let left_out = *of == Of::Others && *id == node.id;
            if left_out || role.is_some_and(|role| self.roster.role(*id).0 != role) {
                continue;
            }
            texts.push(each.fill(None, &|name| {
                let of_it = of_node(name, node, *id, party, self.first());
                let (role, index) = self.roster.role(*id);
                match name {
                    "index" => Ok(Value::Int(index.into())),
                    "role" => Ok(Value::Str(self.roster.roles[role].0.clone())),
                    _ => of_it.map_or_else(|| self.value(name, node, party), Ok),
                }
            })?);
        }
        Ok(Value::Str(texts.join(join)))
    }

    /// A template filled in for `node` to read.
    fn told(&self, template: &Template, node: &Member) -> Result<String, String> {
        template.fill(None, &|name| self.value(name, node, Party::Node(node.id)))
    }

    async fn ask(&self, ask: &Ask, node: &Member) -> Result<(), String> {
        ask.of(Some(node), &self.dir, &|name| self.value(name, node, Party::Control)).await
    }

    /// Runs commands one after another, as seen from the first node by the controller.
    async fn run(&self, commands: &[Template], nodes: &[Member]) -> Result<(), String> {
        let Some(first) = nodes.first() else { return Ok(()) };
        for command in commands {
            let command = command.fill(None, &|name| self.value(name, first, Party::Control))?;
            let said = shell::run(&command, &[], Some(&self.dir), SETUP).await?;
            tracing::info!(command, said, "ran");
        }
        Ok(())
    }
}

impl Target for Described {
    fn name(&self) -> &str {
        KIND.name
    }

    fn ports(&self) -> &[u16] {
        &self.ports
    }

    fn fits(&self) -> Result<(), String> {
        for recipe in &self.recipes {
            // One that depends on the node is known when the node is.
            let here = |name: &str| match name {
                "dir" => Ok(Value::Str(self.dir.to_string_lossy().into_owned())),
                _ => Err(String::new()),
            };
            if let Ok(word) = recipe.command[0].fill(None, &here) {
                let path = recipe.env.iter().find(|(name, _)| name == "PATH");
                let path = path.and_then(|(_, text)| text.fill(None, &here).ok());
                program::exists(&program::of(&word, &self.dir), path.as_deref())
                    .map_err(|e| format!("target.command: {e}"))?;
            }
        }
        self.dialect.fits()
    }

    fn command(&self, node: &Member) -> Result<Option<NodeCommand>, String> {
        let recipe = self.recipe(node);
        let mut words = Vec::new();
        for word in &recipe.command {
            words.push(self.told(word, node)?);
        }
        let program = program::of(&words.remove(0), &self.dir);
        let env = recipe.env.iter().map(|(name, text)| Ok((name.clone(), self.told(text, node)?)));
        let dir = recipe.workdir.as_ref().map(|text| self.told(text, node)).transpose()?;
        Ok(Some(NodeCommand {
            program,
            args: words,
            env: env.collect::<Result<_, String>>()?,
            dir: dir.map(|dir| self.dir.join(dir)),
            user: recipe.user,
        }))
    }

    fn files(&self, node: &Member) -> Result<Vec<(PathBuf, String)>, String> {
        let files = self.recipe(node).files.iter();
        files.map(|(name, text)| Ok((node.conf.join(name), self.told(text, node)?))).collect()
    }

    fn stages(&self, nodes: &[NodeId]) -> Vec<Vec<NodeId>> {
        match self.order {
            Order::Together => vec![nodes.to_vec()],
            Order::OneByOne => nodes.iter().map(|n| vec![*n]).collect(),
            Order::ByRole => (0..self.roster.roles.len()).map(|r| self.roster.of(r)).collect(),
        }
    }

    fn patience(&self) -> Duration {
        self.patience
    }

    fn farewell(&self) -> Farewell {
        self.farewell
    }

    fn logs(&self, node: &Member) -> Vec<String> {
        let logs = self.recipe(node).logs.iter();
        logs.filter_map(|text| self.told(text, node).ok()).collect()
    }

    fn setup<'a>(&'a self, nodes: &'a [Member]) -> Fut<'a, Result<(), String>> {
        Box::pin(self.run(&self.setup, nodes))
    }

    fn teardown<'a>(&'a self, nodes: &'a [Member]) -> Fut<'a, Result<(), String>> {
        Box::pin(self.run(&self.teardown, nodes))
    }

    fn ready<'a>(&'a self, node: &'a Member) -> Fut<'a, Result<(), String>> {
        Box::pin(async {
            match &self.recipe(node).ready {
                Some(ask) => self.ask(ask, node).await,
                None => Ok(()),
            }
        })
    }

    fn primaries<'a>(&'a self, nodes: &'a [Member]) -> Fut<'a, Vec<NodeId>> {
        Box::pin(async {
            let Some(ask) = &self.primary else { return Vec::new() };
            let asked = nodes
                .iter()
                .map(|node| async { self.ask(ask, node).await.is_ok().then_some(node.id) });
            futures_util::future::join_all(asked).await.into_iter().flatten().collect()
        })
    }

    fn connect(&self, nodes: &[Member], node: NodeId, process: Process) -> Box<dyn Client> {
        let role = |id| self.clients_of.is_none_or(|role| self.roster.role(id).0 == role);
        let hosts: Vec<Host> = nodes
            .iter()
            .filter(|member| role(member.id))
            .map(|member| Host::ours(member, Party::Clients, self.first()))
            .collect();
        let home = hosts.iter().position(|host| host.id == node);
        let home = home.unwrap_or(node.index() % hosts.len().max(1));
        self.dialect.client(Place { hosts, home, process })
    }
}
