//! The engine's side of `quorum-kv`.
//!
//! In mode `abd` any node is as good as another, and the kit's client of registers asks another
//! one if one does not serve. Otherwise a client keeps to its node: what it sees is what that node
//! sees.
//!
//! The workload `set` keeps a set as Dynamo keeps a shopping cart (§4.4): whoever adds an element
//! reads all siblings, puts the element into their union and writes that in their place.
//!
//! | what an attempt ends with | then |
//! | --- | --- |
//! | 200 | `ok` |
//! | an error the node calls definite; no connection | `fail` |
//! | any other error, or no answer | a read is `fail`, a change is `info` |

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use danso_engine::target::{Client, Fut};
use danso_vocab::{Call, Outcome, Process, Value};

use super::settings::{Mode, Settings};
use crate::kit::client::{Nodes, Reply};
use crate::kit::http::Method;
use crate::kit::register::{self, RegisterClient};
use crate::kit::target::Recipe;

/// How long a node may take: longer than it waits for a quorum by default.
const PATIENCE: Duration = Duration::from_millis(2_500);

/// The key that the set is under.
const SET: &str = "/kv/set";

/// The recipe.
pub(crate) struct Cluster {
    pub(crate) settings: Settings,
}

impl Recipe for Cluster {
    fn name(&self) -> &'static str {
        super::SPEC.name
    }

    fn options(&self) -> &BTreeMap<String, Value> {
        &self.settings.all
    }

    /// A ring that changes breaks what mode `abd` promises, so there it cannot be changed.
    fn hooks(&self) -> &'static [&'static str] {
        if self.settings.mode == Mode::Abd { &[] } else { &["leave", "join"] }
    }

    fn client(&self, nodes: Nodes, _: Process) -> Box<dyn Client> {
        match self.settings.mode {
            Mode::Abd => Box::new(RegisterClient::new(nodes)),
            Mode::Lww | Mode::Siblings => Box::new(AtHome { nodes }),
        }
    }
}

/// A client that asks its own node, once.
struct AtHome {
    nodes: Nodes,
}

impl AtHome {
    async fn call(&self, call: &Call) -> Outcome {
        match call.f.as_ref() {
            "add" => self.add(&call.arg).await,
            "read" if call.key.is_none() => match self.read_set().await {
                Ok((elements, _)) => Outcome::Ok(elements.into_iter().collect::<Vec<_>>().into()),
                Err(reply) => Outcome::Fail(reply.error()),
            },
            _ => self.register(call).await,
        }
    }

    async fn register(&self, call: &Call) -> Outcome {
        let (method, path, body) = match register::request(call) {
            Ok(asked) => asked,
            Err(why) => return Outcome::Fail(why),
        };
        let reply = self.ask(method, &path, body.as_ref()).await;
        // What would be tried elsewhere had no effect.
        let outcome = register::outcome(call, &reply);
        outcome.unwrap_or_else(|| Outcome::Fail(reply.error()))
    }

    async fn add(&self, element: &Value) -> Outcome {
        let (mut elements, context) = match self.read_set().await {
            Ok(read) => read,
            Err(reply) => return Outcome::Fail(reply.error()),
        };
        elements.insert(element.clone());
        let elements: Vec<Value> = elements.into_iter().collect();
        let body = Value::of([("value", elements.into()), ("context", context)]);
        let reply = self.ask(Method::Put, SET, Some(&body)).await;
        if reply.done().is_some() { Outcome::Ok(Value::Nil) } else { reply.failed() }
    }

    /// The union of all siblings, and what whoever replaces them has seen.
    async fn read_set(&self) -> Result<(BTreeSet<Value>, Value), Reply> {
        let reply = self.ask(Method::Get, SET, None).await;
        let Some(body) = reply.done() else { return Err(reply) };
        let lists = match (body.get("values"), body.get("value")) {
            (Some(siblings), _) => siblings.list().unwrap_or_default(),
            // Without siblings there is one version, and whoever writes it at the same time as
            // another takes the other's element away.
            (None, Some(last)) => std::slice::from_ref(last),
            (None, None) => return Err(reply),
        };
        let elements = lists.iter().filter_map(Value::list).flatten().cloned().collect();
        Ok((elements, body.get("context").cloned().unwrap_or_default()))
    }

    async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Reply {
        self.nodes.ask(self.nodes.home, method, path, body, PATIENCE).await
    }
}

impl Client for AtHome {
    fn invoke<'a>(&'a mut self, call: &'a Call) -> Fut<'a, Outcome> {
        Box::pin(self.call(call))
    }
}
