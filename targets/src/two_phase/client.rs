//! The client of `two-phase`: asks the coordinator.
//!
//! | what an attempt ends with | then |
//! | --- | --- |
//! | 200 | `ok` |
//! | 409 `insufficient`, 400 | `fail` |
//! | an error the coordinator calls definite; no connection | `fail`, no connection after some tries |
//! | any other error, or no answer | a read is tried again, and `fail` in the end; a transfer is `info` |

use std::time::Duration;

use danso_engine::target::{Client, Fut};
use danso_vocab::{Call, Name, Outcome, Value};
use tokio::time::Instant;

use super::accounts::COORDINATOR;
use crate::kit::client::{Nodes, Reply};
use crate::kit::http::Method;

/// How long an answer may take: longer than the coordinator itself waits.
const PATIENCE: Duration = Duration::from_millis(3_000);

/// After this without a result a call without effect is failed.
const GIVE_UP: Duration = Duration::from_millis(2_000);

/// Pause before the next attempt.
const PAUSE: Duration = Duration::from_millis(50);

/// A client of one process.
pub(super) struct BankClient {
    nodes: Nodes,
}

impl BankClient {
    pub(super) fn new(nodes: Nodes) -> BankClient {
        BankClient { nodes }
    }

    async fn call(&self, call: &Call) -> Outcome {
        let (method, path, body) = match request(call) {
            Ok(asked) => asked,
            Err(why) => return Outcome::Fail(why),
        };
        let start = Instant::now();
        loop {
            let at = COORDINATOR.index();
            let reply = self.nodes.ask(at, method, path, body.as_ref(), PATIENCE).await;
            if let Some(outcome) = outcome(call, &reply) {
                return outcome;
            }
            if start.elapsed() >= GIVE_UP {
                return Outcome::Fail(reply.error());
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

impl Client for BankClient {
    fn invoke<'a>(&'a mut self, call: &'a Call) -> Fut<'a, Outcome> {
        Box::pin(self.call(call))
    }
}

/// A call as a request: method, path and body.
pub(super) fn request(call: &Call) -> Result<(Method, &'static str, Option<Value>), Name> {
    match call.f.as_ref() {
        "read" => Ok((Method::Get, "/accounts", None)),
        "transfer" => Ok((Method::Post, "/transfer", Some(call.arg.clone()))),
        _ => Err("unsupported".into()),
    }
}

/// What a reply says of a call; `None`: it had no effect and should be tried again.
pub(super) fn outcome(call: &Call, reply: &Reply) -> Option<Outcome> {
    let reads = call.f == "read";
    match reply {
        Reply::Said { status: 200, body } if reads => Some(Outcome::Ok(body.clone())),
        Reply::Said { status: 200, .. } => Some(Outcome::Ok(Value::Nil)),
        Reply::Said { .. } if reply.is_definite() && reply.leader().is_none() => {
            Some(Outcome::Fail(reply.error()))
        }
        _ if reads || reply.is_definite() => None,
        _ => Some(Outcome::Info(reply.error())),
    }
}
