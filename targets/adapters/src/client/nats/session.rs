//! [`Session`]: NATS' own protocol, as far as requests and their answers go.

use std::io;
use std::time::Duration;

use danso_vocab::Value;
use danso_vocab::codec::json;
use tokio::time::timeout;

use super::super::wire::{Wire, nonsense};

/// What a server is told of us.
const CONNECT: &str = r#"CONNECT {"verbose":false,"pedantic":false,"headers":true,"no_responders":true,"lang":"danso","version":"1","protocol":1}"#;

/// A connection with an inbox, in which each request has a subscription of its own: what
/// JetStream delivers carries the subject it was published to, not the inbox'.
pub(super) struct Session {
    wire: Wire,
    inbox: String,
    patience: Duration,
    requests: u64,
}

/// What was answered.
pub(super) struct Answer {
    /// Where an answer to the answer goes.
    pub(super) reply: String,
    /// The status it begins with instead of a body, such as 503: nobody is there to answer.
    pub(super) status: Option<u16>,
    body: Vec<u8>,
}

impl Answer {
    /// The body.
    pub(super) fn value(&self) -> io::Result<Value> {
        let text = std::str::from_utf8(&self.body).map_err(|_| nonsense("no UTF-8"))?;
        json::from_str(text).map_err(|_| nonsense("no JSON danso reads"))
    }
}

impl Session {
    /// Greets. `inbox` is a name nobody else has.
    pub(super) async fn open(
        mut wire: Wire,
        inbox: String,
        patience: Duration,
    ) -> io::Result<Session> {
        let info = wire.line().await?;
        if !info.starts_with("INFO ") {
            return Err(io::Error::other("it does not speak NATS"));
        }
        let hello = format!("{CONNECT}\r\nPING\r\n");
        wire.send(hello.as_bytes()).await?;
        let mut session = Session { wire, inbox, patience, requests: 0 };
        loop {
            let line = session.wire.line().await?;
            if line == "PONG" {
                return Ok(session);
            }
            session.heed(&line).await?;
        }
    }

    /// The session, unless the server hung up.
    pub(super) fn usable(mut self) -> Option<Session> {
        self.wire.open().then_some(self)
    }

    /// Does what a server wants of its clients.
    async fn heed(&mut self, line: &str) -> io::Result<()> {
        match line.split(' ').next().unwrap_or_default() {
            "PING" => self.wire.send(b"PONG\r\n").await,
            "-ERR" => Err(io::Error::other(line.to_owned())),
            "PONG" | "+OK" | "INFO" => Ok(()),
            _ => Err(nonsense("a line NATS does not have")),
        }
    }

    /// Sends this to a subject and waits for an answer, no longer than it is patient.
    pub(super) async fn ask(&mut self, subject: &str, body: &str) -> io::Result<Answer> {
        self.requests += 1;
        let number = self.requests.to_string();
        let inbox = format!("{}.{number}", self.inbox);
        let request = format!(
            "SUB {inbox} {number}\r\nUNSUB {number} 1\r\nPUB {subject} {inbox} {}\r\n{body}\r\n",
            body.len()
        );
        self.wire.send(request.as_bytes()).await?;
        let patience = self.patience;
        let answer = async {
            loop {
                let (to, answer) = self.receive().await?;
                if to == number {
                    return Ok(answer);
                }
            }
        };
        timeout(patience, answer).await.unwrap_or(Err(io::ErrorKind::TimedOut.into()))
    }

    /// Sends this to a subject.
    pub(super) async fn tell(&mut self, subject: &str, body: &str) -> io::Result<()> {
        let said = format!("PUB {subject} {}\r\n{body}\r\n", body.len());
        self.wire.send(said.as_bytes()).await
    }

    /// The next message, and whose subscription it is for.
    async fn receive(&mut self) -> io::Result<(String, Answer)> {
        loop {
            let line = self.wire.line().await?;
            let words: Vec<&str> = line.split_ascii_whitespace().collect();
            let length = |text: &str| text.parse().map_err(|_| nonsense("a length that is none"));
            let (to, reply, head, all): (_, _, usize, usize) = match words.as_slice() {
                ["MSG", _, to, all] => (*to, "", 0, length(all)?),
                ["MSG", _, to, reply, all] => (*to, *reply, 0, length(all)?),
                ["HMSG", _, to, head, all] => (*to, "", length(head)?, length(all)?),
                ["HMSG", _, to, reply, head, all] => (*to, *reply, length(head)?, length(all)?),
                _ => {
                    self.heed(&line).await?;
                    continue;
                }
            };
            let mut bytes = self.wire.take(all).await?;
            self.wire.take(2).await?;
            if head > all {
                return Err(nonsense("a head longer than all"));
            }
            let body = bytes.split_off(head);
            // `NATS/1.0 404 No Messages`, or only headers.
            let first = String::from_utf8_lossy(&bytes);
            let first = first.lines().next().unwrap_or_default();
            let status = first.split(' ').nth(1).and_then(|word| word.parse().ok());
            return Ok((to.to_owned(), Answer { reply: reply.to_owned(), status, body }));
        }
    }
}
