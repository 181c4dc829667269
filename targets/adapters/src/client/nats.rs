//! Client `nats`: queues in JetStream, a stream with one durable consumer for each partition.
//!
//! Streams keep a message until it is acknowledged. Each connection makes sure that they and
//! their consumers are there, as an application does when it starts. `enqueue` publishes and waits for the stream's acknowledgement; `dequeue` asks for one
//! message and does not wait for one to come. `ack` and `nack` wait until the server says that it
//! has heard them; with `acks = "sent"` they do not wait, what they come to is `"sent"`, and the
//! message may come again. `drain` takes and acknowledges what is delivered, then lists what is still in
//! the stream. Nothing is ever given up, so there are no dead letters.
//!
//! | what comes back | outcome |
//! | --- | --- |
//! | the acknowledgement of a publish with its number in the stream | `ok` |
//! | a message; 404 or 408, there is none | `ok`; `ok` with nil |
//! | 503, nobody is there to answer: the server has not passed it on | `fail` |
//! | no connection; no stream or consumer could be made yet | `fail`: nothing was sent |
//! | 409 to a `dequeue`: no message comes | `fail` |
//! | any other error, a connection that breaks | `info` |
//!
//! It speaks the protocol itself, which is lines of text: a client that reconnects and sends
//! again behind danso's back would say more than it knows.

mod session;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use danso_engine::target::{Client, Fut};
use danso_vocab::codec::json;
use danso_vocab::{Call, Outcome, Value};
use serde::Deserialize;

use self::session::{Answer, Session};
use super::wire::{self, broken, nonsense};
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

/// The consumer all clients share.
const CONSUMER: &str = "danso";
/// Messages a drain takes or lists at most; what is more is left to the next.
const DRAIN: usize = 20_000;
/// What JetStream says if there is no message of this number or after it.
const NO_MESSAGE: i64 = 10_037;

/// `[client]` of kind `nats`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Table {
    port: Option<u16>,
    replicas: Option<u16>,
    storage: Option<Storage>,
    ack_wait: Option<String>,
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
    /// Numbers for inboxes.
    inboxes: AtomicU64,
}

impl Nats {
    fn new(table: &Value, _: &Settings) -> Result<Nats, Mistake> {
        let table: Table = read(table)?;
        let wait = duration(table.ack_wait.as_deref().unwrap_or("2s"));
        let wait = wait.map_err(|why| Mistake::new(why).at("ack-wait"))?;
        let shared = Shared {
            replicas: table.replicas,
            storage: match table.storage {
                Some(Storage::Memory) => "memory",
                Some(Storage::File) | None => "file",
            },
            acks: table.acks,
            ack_wait: u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX),
            inboxes: AtomicU64::new(0),
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
                    let greet = |wire| Session::open(wire, inbox);
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
                match &*call.f {
                    "enqueue" => queue.enqueue(&mut session, &call.arg).await,
                    "dequeue" => queue.dequeue(&mut session).await,
                    "ack" => settle(&mut session, "+ACK", &call.arg, self.shared.acks).await,
                    "nack" => settle(&mut session, "-NAK", &call.arg, self.shared.acks).await,
                    "drain" => queue.drain(&mut session).await,
                    "dead-letters" => Ok(Outcome::Ok(Value::List(Vec::new()))),
                    _ => Ok(Outcome::Fail("unsupported".into())),
                }
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
        if session.made.contains(&queue.stream) {
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
        session.made.insert(queue.stream.clone());
        Ok(Ok(queue))
    }
}

/// What JetStream says is wrong: its number and its words, or a status.
fn refusal(answer: &Answer) -> io::Result<Option<Refusal>> {
    if let Some(status) = answer.status {
        return Ok(Some(Refusal { number: status.into(), words: "no answer".to_owned() }));
    }
    let value = answer.value()?;
    Ok(value.get("error").map(|error| Refusal {
        number: error.get("err_code").and_then(Value::int).unwrap_or_default(),
        words: error.get("description").and_then(Value::str).unwrap_or_default().to_owned(),
    }))
}

struct Refusal {
    number: i64,
    words: String,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let words: String = self.words.chars().take(80).collect();
        write!(out, "nats-{} {words}", self.number)
    }
}

/// Says what becomes of a delivery.
async fn settle(
    session: &mut Session,
    word: &str,
    delivery: &Value,
    acks: Acks,
) -> io::Result<Outcome> {
    let Some(subject) = delivery.str().filter(|subject| subject.starts_with("$JS.ACK.")) else {
        return Ok(Outcome::Fail(format!("{delivery} is no delivery").into()));
    };
    if acks == Acks::Sent {
        session.tell(subject, word).await?;
        return Ok(Outcome::Ok("sent".into()));
    }
    let answer = session.ask(subject, word).await?;
    Ok(match answer.status {
        None => Outcome::Ok(Value::Nil),
        Some(503) => Outcome::Fail("no-responders".into()),
        Some(status) => Outcome::Info(format!("nats-{status}").into()),
    })
}

/// A stream with its consumer.
struct Queue {
    stream: String,
}

impl Queue {
    async fn enqueue(&self, session: &mut Session, value: &Value) -> io::Result<Outcome> {
        let answer = session.ask(&self.stream, &json::to_string(value)).await?;
        if answer.status == Some(503) {
            return Ok(Outcome::Fail("no-responders".into()));
        }
        if let Some(error) = refusal(&answer)? {
            return Ok(Outcome::Info(error.to_string().into()));
        }
        match answer.value()?.get("seq").and_then(Value::int) {
            Some(_) => Ok(Outcome::Ok(Value::Nil)),
            None => Err(nonsense("an acknowledgement without a number")),
        }
    }

    /// One message that is ready, if there is any.
    async fn next(&self, session: &mut Session) -> io::Result<Result<Option<Value>, Outcome>> {
        let subject = format!("$JS.API.CONSUMER.MSG.NEXT.{}.{CONSUMER}", self.stream);
        let answer = session.ask(&subject, r#"{"batch":1,"no_wait":true}"#).await?;
        Ok(match answer.status {
            None => Ok(Some(delivered(&answer)?)),
            Some(404 | 408) => Ok(None),
            Some(503) => Err(Outcome::Fail("no-responders".into())),
            Some(409) => Err(Outcome::Fail("nats-409".into())),
            Some(status) => Err(Outcome::Info(format!("nats-{status}").into())),
        })
    }

    async fn dequeue(&self, session: &mut Session) -> io::Result<Outcome> {
        Ok(match self.next(session).await? {
            Ok(message) => Outcome::Ok(message.unwrap_or_default()),
            Err(outcome) => outcome,
        })
    }

    async fn drain(&self, session: &mut Session) -> io::Result<Outcome> {
        let mut values = Vec::new();
        while values.len() < DRAIN {
            let message = match self.next(session).await? {
                Ok(Some(message)) => message,
                Ok(None) => break,
                Err(outcome) if values.is_empty() => return Ok(outcome),
                Err(_) => return Ok(Outcome::Info("drained in part".into())),
            };
            let delivery = message.get("delivery").cloned().unwrap_or_default();
            match settle(session, "+ACK", &delivery, Acks::Confirmed).await? {
                Outcome::Ok(_) => values.push(message),
                _ => return Ok(Outcome::Info("drained in part".into())),
            }
        }
        let Some(left) = self.left(session).await? else {
            return Ok(Outcome::Info("what is left is not told".into()));
        };
        Ok(Outcome::Ok(Value::of([("values", values.into()), ("left", left.into())])))
    }

    /// What is in the stream.
    async fn left(&self, session: &mut Session) -> io::Result<Option<Vec<Value>>> {
        let (mut left, mut from) = (Vec::new(), 1);
        while left.len() < DRAIN {
            let subject = format!("$JS.API.STREAM.MSG.GET.{}", self.stream);
            let wanted = Value::of([
                ("seq", Value::Int(from)),
                ("next_by_subj", self.stream.as_str().into()),
            ]);
            let answer = session.ask(&subject, &json::to_string(&wanted)).await?;
            match refusal(&answer)? {
                None => {}
                Some(error) if error.number == NO_MESSAGE => break,
                Some(_) => return Ok(None),
            }
            let answer = answer.value()?;
            let message = answer.get("message").ok_or_else(|| nonsense("no message"))?;
            let number = message.get("seq").and_then(Value::int);
            let data = message.get("data").and_then(Value::str).unwrap_or_default();
            let data = STANDARD.decode(data).map_err(|_| nonsense("no base64"))?;
            let text = String::from_utf8(data).map_err(|_| nonsense("no UTF-8"))?;
            let value = json::from_str(&text).map_err(|_| nonsense("no value of danso's"))?;
            let number = number.ok_or_else(|| nonsense("a message without a number"))?;
            left.push(Value::of([("value", value), ("offset", number.into())]));
            from = number + 1;
        }
        Ok(Some(left))
    }
}

/// A message as it is delivered. What it is called says all that is known of it:
/// `$JS.ACK.STREAM.CONSUMER.DELIVERED.SEQUENCE…`, with two words more after `ACK` in some.
fn delivered(answer: &Answer) -> io::Result<Value> {
    let words: Vec<&str> = answer.reply.split('.').collect();
    let at = if words.len() > 9 { 6 } else { 4 };
    let number = |at: usize| words.get(at).and_then(|word| word.parse::<i64>().ok());
    let (Some(attempt), Some(offset)) = (number(at), number(at + 1)) else {
        return Err(nonsense("a delivery without numbers"));
    };
    Ok(Value::of([
        ("value", answer.value()?),
        ("delivery", answer.reply.as_str().into()),
        ("offset", offset.into()),
        ("attempt", attempt.into()),
    ]))
}
