//! The client of `saga`: orders at n1, reads journals and states where they are.
//!
//! | an order's request ends with | then |
//! | --- | --- |
//! | 200 `{outcome}` | `ok` |
//! | an error the node calls definite; no connection | `fail` |
//! | anything else | ask how it stands (`GET /orders/SAGA`) until that is known |
//!
//! What never becomes known in the engine's patience is `info`. Reads have no effect: `fail`.

use std::collections::BTreeMap;
use std::time::Duration;

use danso_engine::target::{Client, Fut};
use danso_vocab::{Call, Outcome, Process, Value};

use super::settings::Settings;
use super::words::{DECIDER, Step};
use crate::kit::client::{Nodes, Reply};
use crate::kit::http::{Method, part};
use crate::kit::options::Options;
use crate::kit::target;

/// How long an order is waited for before its standing is asked.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long a read may take, and a question.
const READ: Duration = Duration::from_secs(2);
/// The pause between two questions.
const PAUSE: Duration = Duration::from_millis(150);

/// The engine's side of the target.
pub(super) struct Recipe {
    options: Options,
}

impl Recipe {
    /// With these options; the error is one line.
    pub(super) fn new(given: &BTreeMap<String, Value>) -> Result<Recipe, String> {
        Settings::new(given).map(|(options, _)| Recipe { options })
    }
}

impl target::Recipe for Recipe {
    fn name(&self) -> &'static str {
        super::SPEC.name
    }

    fn options(&self) -> &BTreeMap<String, Value> {
        self.options.all()
    }

    fn leads(&self, status: &Value) -> bool {
        matches!(status.get("role").and_then(Value::str), Some("coordinator" | "bus"))
    }

    fn client(&self, nodes: Nodes, _: Process) -> Box<dyn Client> {
        Box::new(Customer { nodes })
    }
}

/// A client of one process.
struct Customer {
    nodes: Nodes,
}

impl Client for Customer {
    fn invoke<'a>(&'a mut self, call: &'a Call) -> Fut<'a, Outcome> {
        Box::pin(async move {
            match &*call.f {
                "order" => self.order(&call.arg).await,
                "journal" => self.journal(&call.arg).await,
                "state" => self.state(&call.arg).await,
                other => Outcome::Fail(format!("saga knows no `{other}`").into()),
            }
        })
    }
}

/// The node, from 0, whose journal and state are called that.
fn place(service: &str) -> Option<usize> {
    if service == DECIDER {
        return Some(0);
    }
    Step::ALL.iter().find(|step| step.service() == service).map(|step| step.node().index())
}

/// An outcome as the workload wants it, once there is one.
fn outcome(body: &Value) -> Option<Outcome> {
    let word = body.get("outcome").and_then(Value::str);
    let word = word.filter(|word| matches!(*word, "committed" | "aborted"))?;
    Some(Outcome::Ok(Value::of([("outcome", word.into())])))
}

impl Customer {
    async fn order(&self, order: &Value) -> Outcome {
        let asked = self.nodes.ask(0, Method::Post, "/orders", Some(order), PATIENCE).await;
        match asked.done().and_then(outcome) {
            Some(ended) => return ended,
            None if asked.is_definite() => return asked.failed(),
            None => {}
        }
        let saga = order.get("saga").cloned().unwrap_or_default();
        let path = format!("/orders/{}", part(&saga));
        loop {
            tokio::time::sleep(PAUSE).await;
            // That it is not known (404) says nothing: the order may still be on its way.
            let asked = self.nodes.ask(0, Method::Get, &path, None, READ).await;
            if let Some(ended) = asked.done().and_then(outcome) {
                return ended;
            }
        }
    }

    async fn journal(&self, what: &Value) -> Outcome {
        let page = what.get("from").and_then(Value::int);
        let service = what.get("service").unwrap_or(what).str().unwrap_or_default();
        let Some(node) = place(service) else {
            return Outcome::Fail(format!("there is no journal of `{service}`").into());
        };
        let mut entries = Vec::new();
        loop {
            let from = page.unwrap_or(entries.len() as i64);
            let path = format!("/journal?from={from}");
            let asked = self.nodes.ask(node, Method::Get, &path, None, READ).await;
            let Some(Value::List(read)) = asked.done().and_then(|b| b.get("entries")) else {
                return failed(&asked);
            };
            let end = read.is_empty();
            entries.extend(read.iter().cloned());
            if end || page.is_some() {
                return Outcome::Ok(Value::List(entries));
            }
        }
    }

    async fn state(&self, service: &Value) -> Outcome {
        let service = service.str().unwrap_or_default();
        let Some(node) = place(service) else {
            return Outcome::Fail(format!("there is no state of `{service}`").into());
        };
        let asked = self.nodes.ask(node, Method::Get, "/state", None, READ).await;
        match asked.done() {
            Some(state) => Outcome::Ok(state.clone()),
            None => failed(&asked),
        }
    }
}

/// A read that came to nothing.
fn failed(asked: &Reply) -> Outcome {
    Outcome::Fail(asked.error())
}
