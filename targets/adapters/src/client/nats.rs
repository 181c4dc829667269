//! Client `nats`: queues in JetStream, a stream with one durable consumer for each partition.
//!
//! Streams keep a message until it is acknowledged. They and their consumers are made when first
//! named, and again once nobody answers for them, as an application does when it starts. `enqueue` publishes and waits for the stream's acknowledgement; `dequeue` asks for one
//! message and does not wait for one to come. `ack` and `nack` wait until the server says that it
//! has heard them; with `acks = "sent"` they do not wait, what they come to is `"sent"`, and the
//! message may come again. `drain` takes and acknowledges what is delivered, then lists what is still in
//! the stream. Nothing is ever given up, so there are no dead letters.
//!
//! | what comes back | outcome |
//! | --- | --- |
//! | the acknowledgement of a publish with its number in the stream | `ok` with that as `offset` |
//! | a message; 404 or 408, there is none | `ok`; `ok` with nil |
//! | 503, nobody is there to answer: the server has not passed it on | `fail` |
//! | no connection; no stream or consumer could be made yet | `fail`: nothing was sent |
//! | 409 to a `dequeue`: no message comes | `fail` |
//! | any other error, no answer within `patience`, a connection that breaks | `info` |
//!
//! It speaks the protocol itself, which is lines of text: a client that reconnects and sends
//! again behind danso's back would say more than it knows.

mod queue;
mod session;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use danso_engine::target::{Client, Fut};
use danso_vocab::codec::json;
use danso_vocab::{Call, Outcome, Value};
use serde::Deserialize;

use self::queue::{CONSUMER, NOBODY, Queue, refusal, settle};
use self::session::Session;
use super::wire::{self, broken};
use super::{Dialect, Row};
use crate::mistake::read;
use crate::place::Place;
use crate::process::duration;
use crate::{Mistake, Settings};

/// The registry's row.
pub(super) const ROW: Row = Row {
    name: "nats",
    about: "NATS JetStream: a stream and a durable consumer for each partition of a queue",
    build: |table, settings| Ok(Arc::new(Nats::new(table, settings)?)),
};

/// `[client]` of kind `nats`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Table {
    port: Option<u16>,
    replicas: Option<u16>,
    storage: Option<Storage>,
    ack_wait: Option<String>,
    patience: Option<String>,
    #[serde(default)]
    acks: Acks,
}

/// Whether an acknowledgement waits for an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Acks {
    #[default]
    Confirmed,
    Sent,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Storage {
    File,
    Memory,
}

struct Nats {
    port: Option<u16>,
    shared: Arc<Shared>,
}

/// What all clients of a run have in common.
struct Shared {
    replicas: Option<u16>,
    storage: &'static str,
    ack_wait: u64,
    acks: Acks,
    patience: Duration,
    /// Numbers for inboxes.
    inboxes: AtomicU64,
    /// The streams that are there, as far as is known.
    made: Mutex<BTreeSet<String>>,
}

impl Shared {
    fn made(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Nats {
    fn new(table: &Value, _: &Settings) -> Result<Nats, Mistake> {
        let table: Table = read(table)?;
        let wait = duration(table.ack_wait.as_deref().unwrap_or("2s"));
        let wait = wait.map_err(|why| Mistake::new(why).at("ack-wait"))?;
        let patience = duration(table.patience.as_deref().unwrap_or("2s"));
        let patience = patience.map_err(|why| Mistake::new(why).at("patience"))?;
        let shared = Shared {
            patience,
            replicas: table.replicas,
            storage: match table.storage {
                Some(Storage::Memory) => "memory",
                Some(Storage::File) | None => "file",
            },
            acks: table.acks,
            ack_wait: u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX),
            inboxes: AtomicU64::new(0),
            made: Mutex::default(),
        };
        Ok(Nats { port: table.port, shared: Arc::new(shared) })
    }
}

impl Dialect for Nats {
    fn speaks(&self) -> Option<Vec<String>> {
        let queue = ["enqueue", "dequeue", "ack", "nack", "drain", "dead-letters"];
        Some(queue.map(str::to_owned).to_vec())
    }

    fn client(&self, place: Place) -> Box<dyn Client> {
        let address = place.hosts.get(place.home).map(|host| host.address(self.port));
        let nodes = u16::try_from(place.hosts.len()).unwrap_or(u16::MAX);
        Box::new(Connection {
            address: address.unwrap_or_default(),
            // More than five replicas there cannot be.
            replicas: self.shared.replicas.unwrap_or(nodes.min(5)),
            shared: self.shared.clone(),
            session: None,
        })
    }
}

struct Connection {
    address: String,
    replicas: u16,
    shared: Arc<Shared>,
    session: Option<Session>,
}

impl Client for Connection {
    fn invoke<'a>(&'a mut self, call: &'a Call) -> Fut<'a, Outcome> {
        Box::pin(async move {
            // Taken out: a call that is dropped takes its session with it.
            let mut session = match self.session.take().and_then(Session::usable) {
                Some(session) => session,
                None => {
                    let number = self.shared.inboxes.fetch_add(1, Ordering::Relaxed);
                    let inbox = format!("_INBOX.danso-{}-{number}", std::process::id());
                    let patience = self.shared.patience;
                    let greet = |wire| Session::open(wire, inbox, patience);
                    match wire::connect(&self.address, greet).await {
                        Ok(session) => session,
                        Err(outcome) => return outcome,
                    }
                }
            };
            let done = async {
                let queue = match self.queue(&mut session, call).await? {
                    Ok(queue) => queue,
                    Err(outcome) => return Ok(outcome),
                };
                let outcome = match &*call.f {
                    "enqueue" => queue.enqueue(&mut session, &call.arg).await,
                    "dequeue" => queue.dequeue(&mut session).await,
                    "ack" => settle(&mut session, "+ACK", &call.arg, self.shared.acks).await,
                    "nack" => settle(&mut session, "-NAK", &call.arg, self.shared.acks).await,
                    "drain" => queue.drain(&mut session).await,
                    "dead-letters" => Ok(Outcome::Ok(Value::List(Vec::new()))),
                    _ => Ok(Outcome::Fail("unsupported".into())),
                }?;
                if outcome == Outcome::Fail(NOBODY.into()) {
                    self.shared.made().remove(&queue.stream);
                }
                Ok(outcome)
            };
            let done: io::Result<Outcome> = done.await;
            match done {
                Ok(outcome) => {
                    self.session = Some(session);
                    outcome
                }
                Err(error) => broken(&error),
            }
        })
    }
}

impl Connection {
    /// The queue of the call's partition, made if it is not there yet. `fail` if it cannot be.
    async fn queue(
        &self,
        session: &mut Session,
        call: &Call,
    ) -> io::Result<Result<Queue, Outcome>> {
        let partition = call.key.as_ref().map(crate::template::plain).unwrap_or_default();
        if partition.contains(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-') {
            let why = format!("`{partition}` cannot be part of a subject");
            return Ok(Err(Outcome::Fail(why.into())));
        }
        let queue = Queue { stream: format!("danso-{partition}") };
        if self.shared.made().contains(&queue.stream) {
            return Ok(Ok(queue));
        }
        let stream = Value::of([
            ("name", Value::from(queue.stream.as_str())),
            ("subjects", vec![Value::from(queue.stream.as_str())].into()),
            ("retention", "workqueue".into()),
            ("storage", self.shared.storage.into()),
            ("num_replicas", Value::Int(self.replicas.into())),
        ]);
        let consumer = Value::of([
            ("durable_name", CONSUMER.into()),
            ("ack_policy", "explicit".into()),
            ("ack_wait", Value::Int(self.shared.ack_wait.cast_signed())),
        ]);
        let consumer =
            Value::of([("stream_name", Value::from(queue.stream.as_str())), ("config", consumer)]);
        let steps = [
            (format!("STREAM.CREATE.{}", queue.stream), stream),
            (format!("CONSUMER.DURABLE.CREATE.{}.{CONSUMER}", queue.stream), consumer),
        ];
        for (what, config) in steps {
            let subject = format!("$JS.API.{what}");
            let answer = session.ask(&subject, &json::to_string(&config)).await;
            // Nothing of the operation was sent.
            let unmade = |why: String| Ok(Err(Outcome::Fail(format!("no-queue: {why}").into())));
            let answer = match answer {
                Ok(answer) => answer,
                Err(_) => return unmade("no answer".to_owned()),
            };
            if let Some(error) = refusal(&answer)? {
                return unmade(error.to_string());
            }
        }
        self.shared.made().insert(queue.stream.clone());
        Ok(Ok(queue))
    }
}
