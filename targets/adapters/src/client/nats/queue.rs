//! [`Queue`]: a stream and its consumer, asked over a session.

use std::io;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use danso_vocab::codec::json;
use danso_vocab::{Outcome, Value};

use super::super::wire::nonsense;
use super::Acks;
use super::session::{Answer, Session};

/// The consumer all clients share.
pub(super) const CONSUMER: &str = "danso";
/// Messages a drain takes or lists at most; what is more is left to the next.
const DRAIN: usize = 20_000;
/// What JetStream says if there is no message of this number or after it.
const NO_MESSAGE: i64 = 10_037;
/// Nobody is there to answer.
pub(super) const NOBODY: &str = "no-responders";

/// What JetStream says is wrong: its number and its words, or a status.
pub(super) fn refusal(answer: &Answer) -> io::Result<Option<Refusal>> {
    if let Some(status) = answer.status {
        return Ok(Some(Refusal { number: status.into(), words: "no answer".to_owned() }));
    }
    let value = answer.value()?;
    Ok(value.get("error").map(|error| Refusal {
        number: error.get("err_code").and_then(Value::int).unwrap_or_default(),
        words: error.get("description").and_then(Value::str).unwrap_or_default().to_owned(),
    }))
}

/// An error.
pub(super) struct Refusal {
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
pub(super) async fn settle(
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
        Some(503) => Outcome::Fail(NOBODY.into()),
        Some(status) => Outcome::Info(format!("nats-{status}").into()),
    })
}

/// A stream with its consumer.
pub(super) struct Queue {
    /// The stream's name, and its subject.
    pub(super) stream: String,
}

impl Queue {
    /// See [`super`].
    pub(super) async fn enqueue(
        &self,
        session: &mut Session,
        value: &Value,
    ) -> io::Result<Outcome> {
        let answer = session.ask(&self.stream, &json::to_string(value)).await?;
        if answer.status == Some(503) {
            return Ok(Outcome::Fail(NOBODY.into()));
        }
        if let Some(error) = refusal(&answer)? {
            return Ok(Outcome::Info(error.to_string().into()));
        }
        match answer.value()?.get("seq").and_then(Value::int) {
            Some(offset) => Ok(Outcome::Ok(Value::of([("offset", offset.into())]))),
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
            Some(503) => Err(Outcome::Fail(NOBODY.into())),
            Some(409) => Err(Outcome::Fail("nats-409".into())),
            Some(status) => Err(Outcome::Info(format!("nats-{status}").into())),
        })
    }

    /// See [`super`].
    pub(super) async fn dequeue(&self, session: &mut Session) -> io::Result<Outcome> {
        Ok(match self.next(session).await? {
            Ok(message) => Outcome::Ok(message.unwrap_or_default()),
            Err(outcome) => outcome,
        })
    }

    /// See [`super`].
    pub(super) async fn drain(&self, session: &mut Session) -> io::Result<Outcome> {
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
        let left = match self.left(session).await? {
            Ok(left) => left,
            Err(why) => return Ok(Outcome::Info(format!("left: {why}").into())),
        };
        Ok(Outcome::Ok(Value::of([("values", values.into()), ("left", left.into())])))
    }

    /// What is in the stream.
    async fn left(&self, session: &mut Session) -> io::Result<Result<Vec<Value>, Refusal>> {
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
                Some(error) => return Ok(Err(error)),
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
        Ok(Ok(left))
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
