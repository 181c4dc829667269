//! The engine's side: a client that asks its own replica and no other.
//!
//! | what the call ends with | then |
//! | --- | --- |
//! | 200 | `ok` |
//! | no connection, an error the node calls definite | `fail` |
//! | anything else | a read is `fail`, a change `info` |
//!
//! Nothing is tried again: the node would take it for another change, and another node is another
//! replica.

use std::collections::BTreeMap;
use std::time::Duration;

use danso_engine::target::{Client, Fut};
use danso_vocab::{Call, Name, Outcome, Process, Value};

use super::settings::Settings;
use crate::kit::client::Nodes;
use crate::kit::http::{self, Method};
use crate::kit::target;

/// How long a replica may take.
const PATIENCE: Duration = Duration::from_millis(2_500);

/// The recipe.
pub(super) struct Recipe {
    settings: Settings,
}

impl Recipe {
    pub(super) fn new(options: &BTreeMap<String, Value>) -> Result<Recipe, String> {
        Ok(Recipe { settings: Settings::new(options)? })
    }
}

impl target::Recipe for Recipe {
    fn name(&self) -> &'static str {
        super::SPEC.name
    }

    fn options(&self) -> &BTreeMap<String, Value> {
        &self.settings.all
    }

    fn client(&self, nodes: Nodes, _: Process) -> Box<dyn Client> {
        Box::new(CrdtClient { nodes })
    }
}

struct CrdtClient {
    nodes: Nodes,
}

impl Client for CrdtClient {
    fn invoke<'a>(&'a mut self, call: &'a Call) -> Fut<'a, Outcome> {
        Box::pin(async {
            let (method, path, body) = match request(call) {
                Ok(asked) => asked,
                Err(why) => return Outcome::Fail(why),
            };
            let home = self.nodes.home;
            let reply = self.nodes.ask(home, method, &path, body.as_ref(), PATIENCE).await;
            match (reply.done(), &*call.f) {
                (Some(body), _) => result(call, body),
                (None, "read") => Outcome::Fail(reply.error()),
                (None, _) => reply.failed(),
            }
        })
    }
}

/// A call as a request. Keys say what they are of: `counter-1`, `set-1`.
fn request(call: &Call) -> Result<(Method, String, Option<Value>), Name> {
    let key = call.key.as_ref().and_then(Value::str).ok_or("bad-key")?;
    let kind = match key.split_once('-') {
        Some(("counter", _)) => "counter",
        Some(("set", _)) => "set",
        _ => return Err("bad-key".into()),
    };
    let path = format!("/{kind}/{}", http::part(&Value::from(key)));
    match &*call.f {
        "read" => Ok((Method::Get, path, None)),
        f @ ("add" | "remove") => {
            Ok((Method::Post, path, Some(Value::of([(f, call.arg.clone())]))))
        }
        _ => Err("unsupported".into()),
    }
}

/// What a replica answered: the state it saw, the tag of an addition, the tags removed.
fn result(call: &Call, body: &Value) -> Outcome {
    let field = |name: &str| body.get(name).cloned().unwrap_or_default();
    match &*call.f {
        "read" if body.get("value").is_none() => Outcome::Fail("bad-response".into()),
        "read" => Outcome::Ok(body.clone()),
        "remove" => Outcome::Ok(field("removed")),
        _ => Outcome::Ok(field("tag")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_tell_their_kind() {
        let path = |call: Call| request(&call).map(|(_, path, _)| path);
        assert_eq!(path(Call::new("read", ()).on("set-1")), Ok("/set/set-1".to_owned()));
        assert_eq!(path(Call::new("add", 3).on("counter-0")), Ok("/counter/counter-0".to_owned()));
        assert_eq!(path(Call::new("read", ()).on("k1")), Err("bad-key".into()));
        assert_eq!(path(Call::new("cas", ()).on("set-1")), Err("unsupported".into()));
    }
}
