//! Targets that keep registers: `read`, `write` and `cas` over `/kv/{key}`, on both sides of HTTP.
//!
//! The client:
//!
//! | what an attempt ends with | then |
//! | --- | --- |
//! | 200 | `ok` |
//! | 409 `mismatch`, 400 | `fail` |
//! | an error the node calls definite; no connection | try again elsewhere |
//! | any other error, or no answer | a read is tried again elsewhere; a change is `info` |
//!
//! What may have had an effect is never repeated: nodes would take it for another change. After a
//! while without a result a call is `fail`, since only calls without effect come so far.

use std::time::Duration;

use danso_engine::target::{Client, Fut};
use danso_vocab::{Call, Name, NodeId, Outcome, Value};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::client::{Nodes, Reply};
use super::http::{self, Method, Request, Response};
use super::json;

/// What a node is asked to do with a register. An absent one and one that holds nil are the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Action {
    Read,
    Write(#[serde(with = "json")] Value),
    Cas {
        #[serde(with = "json")]
        old: Value,
        #[serde(with = "json")]
        new: Value,
    },
}

/// `GET /kv/{key}`, `PUT /kv/{key}` with `{"value":v}`, `POST /kv/{key}/cas` with
/// `{"old":x,"new":y}`, `DELETE /kv/{key}`.
///
/// # Errors
/// The response that says what was not understood.
pub(crate) fn understand(request: &Request) -> Result<(&str, Action), Response> {
    let field = |name: &str| request.field(name).cloned();
    let (method, path) = request.route();
    Ok(match (method, path.as_slice()) {
        (Method::Get, ["kv", key]) => (key, Action::Read),
        (Method::Put, ["kv", key]) => (key, Action::Write(field("value")?)),
        (Method::Delete, ["kv", key]) => (key, Action::Write(Value::Nil)),
        (Method::Post, ["kv", key, "cas"]) => {
            (key, Action::Cas { old: field("old")?, new: field("new")? })
        }
        _ => return Err(Response::no_route()),
    })
}

/// How long a node may take to answer a read before another one is asked.
const READ: Duration = Duration::from_millis(800);

/// How long it may take for a change: longer than nodes themselves wait.
const CHANGE: Duration = Duration::from_millis(2_500);

/// After this without a result a call is failed.
const GIVE_UP: Duration = Duration::from_millis(2_000);

/// Pause before the next attempt.
const PAUSE: Duration = Duration::from_millis(20);

/// How long a node that did not serve is not asked first.
const SHUN: Duration = Duration::from_millis(500);

/// A client of one process.
pub(crate) struct RegisterClient {
    nodes: Nodes,
    /// Who takes changes, if a node said so.
    leader: Option<usize>,
    /// Who served last, and until when home is not asked first.
    shun: Option<(usize, Instant)>,
}

impl RegisterClient {
    /// A client of these nodes.
    pub(crate) fn new(nodes: Nodes) -> RegisterClient {
        RegisterClient { nodes, leader: None, shun: None }
    }

    async fn call(&mut self, call: &Call) -> Outcome {
        let (method, path, body) = match request(call) {
            Ok(asked) => asked,
            Err(why) => return Outcome::Fail(why),
        };
        let start = Instant::now();
        let home = self.nodes.home;
        let near = self.shun.filter(|(_, until)| start < *until).map_or(home, |(good, _)| good);
        let mut at = if reads(call) { near } else { self.leader.unwrap_or(near) };
        let patience = if reads(call) { READ } else { CHANGE };
        loop {
            let reply = self.nodes.ask(at, method, &path, body.as_ref(), patience).await;
            if let Some(outcome) = outcome(call, &reply) {
                if reply.done().is_some() && self.shun.is_some() {
                    self.shun = self.shun.map(|(_, until)| (at, until));
                }
                return outcome;
            }
            if start.elapsed() >= GIVE_UP {
                return Outcome::Fail(reply.error());
            }
            let leader = reply.leader().map(NodeId::index).filter(|l| *l < self.nodes.len());
            let next = leader.filter(|l| *l != at).unwrap_or((at + 1) % self.nodes.len());
            self.leader = leader;
            if at == home {
                self.shun = Some((next, Instant::now() + SHUN));
            }
            at = next;
            tokio::time::sleep(PAUSE).await;
        }
    }
}

impl Client for RegisterClient {
    fn invoke<'a>(&'a mut self, call: &'a Call) -> Fut<'a, Outcome> {
        Box::pin(self.call(call))
    }
}

fn reads(call: &Call) -> bool {
    call.f == "read"
}

/// A call as a request: method, path and body.
pub(crate) fn request(call: &Call) -> Result<(Method, String, Option<Value>), Name> {
    let key = call.key.clone().unwrap_or_else(|| "register".into());
    let path = format!("/kv/{}", http::part(&key));
    Ok(match call.f.as_ref() {
        "read" => (Method::Get, path, None),
        "write" => (Method::Put, path, Some(Value::of([("value", call.arg.clone())]))),
        "cas" => {
            let (old, new) = call.arg.pair().ok_or("bad-value")?;
            let body = Value::of([("old", old.clone()), ("new", new.clone())]);
            (Method::Post, path + "/cas", Some(body))
        }
        _ => return Err("unsupported".into()),
    })
}

/// What a reply says of a call; `None`: it should be tried again elsewhere.
pub(crate) fn outcome(call: &Call, reply: &Reply) -> Option<Outcome> {
    match reply {
        Reply::Said { status: 200, body } if reads(call) => Some(match body.get("value") {
            Some(value) => Outcome::Ok(value.clone()),
            None => Outcome::Fail("bad-response".into()),
        }),
        Reply::Said { status: 200, .. } => Some(Outcome::Ok(Value::Nil)),
        Reply::Said { status: 400 | 409, .. } if reply.is_definite() => {
            Some(Outcome::Fail(reply.error()))
        }
        _ if reads(call) || reply.is_definite() => None,
        _ => Some(Outcome::Info(reply.error())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(status: u16, error: &str, definite: bool) -> Reply {
        let body = Value::of([("error", error.into()), ("definite", definite.into())]);
        Reply::Said { status, body }
    }

    #[test]
    fn what_may_have_happened_is_not_repeated() {
        let (read, write) = (Call::new("read", ()).on("k"), Call::new("write", 3).on("k"));
        let info = |why: &'static str| Some(Outcome::Info(why.into()));
        assert_eq!(outcome(&write, &Reply::Silent), info("no-response"));
        assert_eq!(outcome(&write, &said(503, "unknown", false)), info("unknown"));
        assert_eq!(outcome(&write, &said(503, "no-quorum", true)), None);
        assert_eq!(outcome(&write, &Reply::Unreached), None);
        assert_eq!(outcome(&read, &Reply::Silent), None);
        let refused = outcome(&write, &said(409, "mismatch", true));
        assert_eq!(refused, Some(Outcome::Fail("mismatch".into())));
        let found = Reply::Said { status: 200, body: Value::of([("value", 3.into())]) };
        assert_eq!(outcome(&read, &found), Some(Outcome::Ok(3.into())));
        let nonsense = Reply::Said { status: 200, body: Value::Nil };
        assert_eq!(outcome(&read, &nonsense), Some(Outcome::Fail("bad-response".into())));
    }
}
