//! Client `amqp`: queues of RabbitMQ, and of others that speak AMQP 0-9-1, one for each partition.
//!
//! `enqueue` publishes a persistent message to the queue and waits for the publisher confirm.
//! `dequeue` is a `basic.get`. To `ack` and `nack` there is no answer: what they come to is
//! `"sent"`, and a message whose acknowledgement was lost may come again. A client that goes on
//! without settling what it was given gives it back first, as if it had died.
//!
//! `drain` takes back what other clients of the run hold and do not settle any more, then takes
//! and acknowledges messages until none has come for `quiet`. AMQP does not tell what is held for
//! connections that broke, so `quiet` must be longer than the server takes to notice: about five
//! seconds after the last word.
//!
//! | what comes back | outcome |
//! | --- | --- |
//! | a confirm (`basic.ack`) | `ok` |
//! | `basic.return`, then a confirm: there is no such queue | `fail` |
//! | `basic.nack` to a publish: the server does not answer for it | `info` |
//! | a message, or `get-empty` | `ok`; `ok` with nil |
//! | no connection, or the queue cannot be declared | `fail`: nothing was sent |
//! | channel or connection closed with 404 or 405 in answer to `dequeue` | `fail`: no such queue now |
//! | closed otherwise, a connection that breaks, no answer within `patience` | `info` |
//!
//! It speaks the protocol itself: the libraries there are keep threads or tasks of their own
//! that send and receive behind a call, and put no bound on what they read.

mod frame;
mod session;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use danso_engine::target::{Client, Fut};
use danso_vocab::codec::json;
use danso_vocab::{Call, Outcome, Value};
use serde::Deserialize;
use tokio::time::{Instant, sleep, timeout};

use self::session::{Confirmed, Login, Message, Session, Trouble, closed};
use super::wire::{self, broken, nonsense};
use super::{Dialect, Row};
use crate::mistake::read;
use crate::place::Place;
use crate::process::duration;
use crate::{Mistake, Settings};

/// The registry's row.
pub(super) const ROW: Row = Row {
    name: "amqp",
    about: "RabbitMQ, AMQP 0-9-1: a queue for each partition, with publisher confirms",
    build: |table, settings| Ok(Arc::new(Amqp::new(table, settings)?)),
};

/// How often a drain asks a queue that seems empty.
const ASK_AGAIN: Duration = Duration::from_millis(200);
/// Messages a drain takes at most.
const DRAIN: usize = 100_000;

/// `[client]` of kind `amqp`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Table {
    port: Option<u16>,
    user: Option<String>,
    password: Option<String>,
    vhost: Option<String>,
    patience: Option<String>,
    quiet: Option<String>,
    #[serde(default)]
    arguments: BTreeMap<String, Argument>,
}

/// What can be told of a queue.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, expecting = "a queue's argument is a text, an integer, true or false")]
enum Argument {
    Bool(bool),
    Int(i64),
    Text(String),
}

struct Amqp {
    port: Option<u16>,
    shared: Arc<Shared>,
}

/// What all clients of a run have in common.
struct Shared {
    login: Login,
    arguments: BTreeMap<String, Value>,
    patience: Duration,
    quiet: Duration,
    /// Numbers for clients and for sessions.
    next: AtomicU64,
    /// Sessions between calls, by client.
    idle: Mutex<BTreeMap<u64, Session>>,
}

impl Amqp {
    fn new(table: &Value, _: &Settings) -> Result<Amqp, Mistake> {
        let table: Table = read(table)?;
        let time = |given: Option<String>, usual: &str, at: &str| {
            duration(given.as_deref().unwrap_or(usual)).map_err(|why| Mistake::new(why).at(at))
        };
        let guest = || "guest".to_owned();
        let arguments = table.arguments.into_iter().map(|(name, argument)| {
            let value = match argument {
                Argument::Bool(truth) => Value::Bool(truth),
                Argument::Int(number) => Value::Int(number),
                Argument::Text(text) => Value::Str(text),
            };
            (name, value)
        });
        let shared = Shared {
            login: Login {
                user: table.user.unwrap_or_else(guest),
                password: table.password.unwrap_or_else(guest),
                vhost: table.vhost.unwrap_or_else(|| "/".to_owned()),
            },
            arguments: arguments.collect(),
            patience: time(table.patience, "2s", "patience")?,
            quiet: time(table.quiet, "8s", "quiet")?,
            next: AtomicU64::new(0),
            idle: Mutex::default(),
        };
        Ok(Amqp { port: table.port, shared: Arc::new(shared) })
    }
}

impl Dialect for Amqp {
    fn speaks(&self) -> Option<Vec<String>> {
        let queue = ["enqueue", "dequeue", "ack", "nack", "drain", "dead-letters"];
        Some(queue.map(str::to_owned).to_vec())
    }

    fn client(&self, place: Place) -> Box<dyn Client> {
        let address = place.hosts.get(place.home).map(|host| host.address(self.port));
        let address = address.unwrap_or_default();
        let number = self.shared.number();
        Box::new(Connection { address, number, shared: self.shared.clone() })
    }
}

struct Connection {
    address: String,
    number: u64,
    shared: Arc<Shared>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.shared.idle().remove(&self.number);
    }
}

impl Client for Connection {
    fn invoke<'a>(&'a mut self, call: &'a Call) -> Fut<'a, Outcome> {
        Box::pin(async move {
            // Taken out: a call that is dropped takes its session with it, and so do those that
            // the server ends by closing the channel.
            let session = self.shared.idle().remove(&self.number).and_then(Session::usable);
            if matches!(&*call.f, "ack" | "nack") {
                let Some(session) = session else {
                    return Outcome::Fail("the session is gone".into());
                };
                return self.settle(session, call).await;
            }
            let mut session = match session {
                Some(session) => session,
                None => {
                    let number = self.shared.number();
                    let login = self.shared.login.clone();
                    let greet = |wire| Session::open(wire, login, number);
                    match wire::connect(&self.address, greet).await {
                        Ok(session) => session,
                        Err(outcome) => return outcome,
                    }
                }
            };
            match self.shared.perform(&mut session, call).await {
                Ok(outcome) => {
                    self.keep(session);
                    outcome
                }
                Err(outcome) => outcome,
            }
        })
    }
}

impl Connection {
    /// For the next call.
    fn keep(&self, session: Session) {
        self.shared.idle().insert(self.number, session);
    }

    /// Says what becomes of a delivery. Only the session that was given it can.
    async fn settle(&self, mut session: Session, call: &Call) -> Outcome {
        let tag = call.arg.str().and_then(|name| {
            let (number, tag) = name.split_once('/')?;
            (number.parse() == Ok(session.number)).then_some(())?;
            tag.parse().ok().filter(|tag| session.held == Some(*tag))
        });
        let Some(tag) = tag else {
            self.keep(session);
            return Outcome::Fail("no delivery of this session".into());
        };
        let sent = match &*call.f {
            "ack" => session.ack(tag).await,
            _ => session.nack(tag).await,
        };
        match sent {
            Ok(()) => {
                self.keep(session);
                Outcome::Ok("sent".into())
            }
            Err(error) => broken(&error),
        }
    }
}

impl Shared {
    fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    fn idle(&self) -> MutexGuard<'_, BTreeMap<u64, Session>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does it. With an error the session is of no more use.
    async fn perform(&self, session: &mut Session, call: &Call) -> Result<Outcome, Outcome> {
        let queue = call.key.as_ref().map(crate::template::plain).unwrap_or_default();
        let queue = format!("q{queue}");
        let unsent = |why: String| Outcome::Fail(format!("no-queue: {why}").into());
        if let Some(tag) = session.held {
            session.nack(tag).await.map_err(|error| unsent(error.to_string()))?;
        }
        let declared = timeout(self.patience, session.declare(&queue, &self.arguments)).await;
        match declared {
            Ok(Ok(())) => {}
            Ok(Err(Trouble::Closed(code))) => return Err(unsent(closed(code).to_string())),
            Ok(Err(Trouble::Broken(error))) => return Err(unsent(error.to_string())),
            Err(_) => return Err(unsent("no answer".to_owned())),
        }
        match &*call.f {
            "enqueue" => self.enqueue(session, &queue, &call.arg).await,
            "dequeue" => self.dequeue(session, &queue).await,
            "drain" => self.drain(session, &queue).await,
            "dead-letters" => Ok(Outcome::Ok(Value::List(Vec::new()))),
            _ => Ok(Outcome::Fail("unsupported".into())),
        }
    }

    /// Waits no longer than clients are patient.
    async fn wait<T>(
        &self,
        work: impl Future<Output = Result<T, Trouble>>,
    ) -> Result<Result<T, u16>, Outcome> {
        match timeout(self.patience, work).await {
            Ok(Ok(answer)) => Ok(Ok(answer)),
            Ok(Err(Trouble::Closed(code))) => Ok(Err(code)),
            Ok(Err(Trouble::Broken(error))) => Err(broken(&error)),
            Err(_) => Err(Outcome::Info("no-answer".into())),
        }
    }

    async fn enqueue(
        &self,
        session: &mut Session,
        queue: &str,
        value: &Value,
    ) -> Result<Outcome, Outcome> {
        let body = json::to_string(value);
        match self.wait(session.publish(queue, body.as_bytes())).await? {
            Ok(Confirmed::Taken) => Ok(Outcome::Ok(Value::Nil)),
            Ok(Confirmed::Nacked) => Ok(Outcome::Info("nacked".into())),
            Ok(Confirmed::Returned) => Err(Outcome::Fail("unroutable".into())),
            Err(code) => Err(Outcome::Info(closed(code))),
        }
    }

    async fn get(&self, session: &mut Session, queue: &str) -> Result<Option<Message>, Outcome> {
        self.wait(session.get(queue)).await?.map_err(|code| match code {
            404 | 405 => Outcome::Fail(closed(code)),
            code => Outcome::Info(closed(code)),
        })
    }

    async fn dequeue(&self, session: &mut Session, queue: &str) -> Result<Outcome, Outcome> {
        let Some(message) = self.get(session, queue).await? else {
            return Ok(Outcome::Ok(Value::Nil));
        };
        let delivery = format!("{}/{}", session.number, message.tag);
        let value = value(&message)?;
        Ok(Outcome::Ok(Value::of([("value", value), ("delivery", delivery.into())])))
    }

    async fn drain(&self, session: &mut Session, queue: &str) -> Result<Outcome, Outcome> {
        // What is dropped hangs up.
        self.idle().retain(|_, other| other.held.is_none());
        let (mut values, mut last) = (Vec::new(), Instant::now());
        while last.elapsed() < self.quiet {
            let message = match self.get(session, queue).await {
                Ok(Some(message)) => message,
                Ok(None) => {
                    sleep(ASK_AGAIN).await;
                    continue;
                }
                Err(outcome) if values.is_empty() => return Err(outcome),
                Err(_) => return Err(Outcome::Info("drained in part".into())),
            };
            values.push(value(&message)?);
            last = Instant::now();
            session.ack(message.tag).await.map_err(|error| broken(&error))?;
            if values.len() >= DRAIN {
                return Ok(Outcome::Info("more than danso drains at once".into()));
            }
        }
        Ok(Outcome::Ok(values.into()))
    }
}

fn value(message: &Message) -> Result<Value, Outcome> {
    let text = std::str::from_utf8(&message.body).map_err(|_| broken(&nonsense("no UTF-8")))?;
    json::from_str(text).map_err(|_| broken(&nonsense("no value of danso's")))
}
