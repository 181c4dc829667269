//! [`Session`]: a connection with one channel that confirms what is published.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use danso_vocab::{Name, Value};

use super::super::wire::{Wire, nonsense};
use super::frame::{BODY, Frame, HEADER, METHOD, Method, Writer};

const START: Method = (10, 10);
const START_OK: Method = (10, 11);
const TUNE: Method = (10, 30);
const TUNE_OK: Method = (10, 31);
const OPEN: Method = (10, 40);
const OPEN_OK: Method = (10, 41);
const CLOSE: Method = (10, 50);
const CHANNEL_OPEN: Method = (20, 10);
const CHANNEL_OPEN_OK: Method = (20, 11);
const CHANNEL_CLOSE: Method = (20, 40);
const DECLARE: Method = (50, 10);
const DECLARE_OK: Method = (50, 11);
const PUBLISH: Method = (60, 40);
const RETURN: Method = (60, 50);
const GET: Method = (60, 70);
const GET_OK: Method = (60, 71);
const GET_EMPTY: Method = (60, 72);
const ACK: Method = (60, 80);
const NACK: Method = (60, 120);
const CONFIRM: Method = (85, 10);
const CONFIRM_OK: Method = (85, 11);

/// Bytes of a frame.
const FRAME: u32 = 131_072;
/// Seconds: a server that hears nothing for about twice as long hangs up, and what the client
/// was given is delivered to others.
const HEARTBEAT: u16 = 2;
/// The only channel.
const CHANNEL: u16 = 1;
/// A message that outlives its broker, and the flag that says so.
const PERSISTENT: (u16, u8) = (0x1000, 2);
/// Bytes of a message that are read at most.
const MESSAGE: u64 = 1 << 20;

/// Who logs in, and where.
#[derive(Clone, Debug)]
pub(super) struct Login {
    pub(super) user: String,
    pub(super) password: String,
    pub(super) vhost: String,
}

/// Why there is no answer.
pub(super) enum Trouble {
    /// The server closed the channel or the connection with this code.
    Closed(u16),
    /// The connection broke.
    Broken(io::Error),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Trouble {
        Trouble::Broken(error)
    }
}

/// What became of a message that was published.
pub(super) enum Confirmed {
    /// The server answers for it.
    Taken,
    /// The server does not.
    Nacked,
    /// There is no such queue: it was thrown away.
    Returned,
}

/// A message that was handed out.
pub(super) struct Message {
    pub(super) tag: u64,
    pub(super) body: Vec<u8>,
}

/// A connection with a channel.
pub(super) struct Session {
    /// Which session of the run it is.
    pub(super) number: u64,
    /// The delivery it was given and has not settled.
    pub(super) held: Option<u64>,
    wire: Wire,
    published: u64,
    declared: BTreeSet<String>,
}

impl Session {
    /// Logs in and opens the channel.
    pub(super) async fn open(wire: Wire, login: Login, number: u64) -> io::Result<Session> {
        let declared = BTreeSet::new();
        let mut session = Session { number, held: None, wire, published: 0, declared };
        session.greet(&login).await.map_err(|trouble| match trouble {
            Trouble::Closed(code) => io::Error::other(format!("refused with {code}")),
            Trouble::Broken(error) => error,
        })?;
        Ok(session)
    }

    async fn greet(&mut self, login: &Login) -> Result<(), Trouble> {
        self.wire.send(b"AMQP\x00\x00\x09\x01").await?;
        self.until(&[START]).await?;
        let secret = format!("\0{}\0{}", login.user, login.password);
        let me = BTreeMap::from([("product".to_owned(), Value::from("danso"))]);
        let start = Writer::default().method(0, START_OK).table(&me);
        let start = start.name("PLAIN").text(&secret).name("en_US").end();
        start.send(&mut self.wire).await?;
        let (_, mut tune) = self.until(&[TUNE]).await?;
        let channels = tune.short()?;
        let tuned = Writer::default().method(0, TUNE_OK);
        let tuned = tuned.short(channels).long(FRAME).short(HEARTBEAT).end();
        let open = tuned.method(0, OPEN).name(&login.vhost).name("").byte(0).end();
        open.send(&mut self.wire).await?;
        self.until(&[OPEN_OK]).await?;
        let channel = Writer::default().method(CHANNEL, CHANNEL_OPEN).name("").end();
        channel.send(&mut self.wire).await?;
        self.until(&[CHANNEL_OPEN_OK]).await?;
        let confirm = Writer::default().method(CHANNEL, CONFIRM).byte(0).end();
        confirm.send(&mut self.wire).await?;
        self.until(&[CONFIRM_OK]).await?;
        Ok(())
    }

    /// The session, unless the server hung up.
    pub(super) fn usable(mut self) -> Option<Session> {
        self.wire.open().then_some(self)
    }

    /// Waits for one of these methods.
    async fn until(&mut self, wanted: &[Method]) -> Result<(Method, Frame), Trouble> {
        loop {
            let mut frame = Frame::receive(&mut self.wire).await?;
            // Heartbeats; the message of a method nobody waits for.
            if frame.kind != METHOD {
                continue;
            }
            let method = frame.method()?;
            if method == CLOSE || method == CHANNEL_CLOSE {
                let (code, why) = (frame.short()?, frame.name()?);
                tracing::debug!(code, why, "closed");
                return Err(Trouble::Closed(code));
            }
            if wanted.contains(&method) {
                return Ok((method, frame));
            }
        }
    }

    /// The message that follows.
    async fn body(&mut self) -> io::Result<Vec<u8>> {
        let mut header = Frame::receive(&mut self.wire).await?;
        if header.kind != HEADER {
            return Err(nonsense("no message where one was announced"));
        }
        let _class_and_weight = header.long()?;
        let length = header.longlong()?;
        if length > MESSAGE {
            return Err(nonsense("a message longer than danso reads"));
        }
        let mut body = Vec::new();
        while (body.len() as u64) < length {
            let frame = Frame::receive(&mut self.wire).await?;
            if frame.kind == BODY {
                body.extend(frame.payload());
            }
        }
        Ok(body)
    }

    /// Makes sure once that there is such a queue.
    pub(super) async fn declare(
        &mut self,
        queue: &str,
        arguments: &BTreeMap<String, Value>,
    ) -> Result<(), Trouble> {
        if self.declared.contains(queue) {
            return Ok(());
        }
        const DURABLE: u8 = 2;
        let declare = Writer::default().method(CHANNEL, DECLARE).short(0).name(queue);
        declare.byte(DURABLE).table(arguments).end().send(&mut self.wire).await?;
        self.until(&[DECLARE_OK]).await?;
        self.declared.insert(queue.to_owned());
        Ok(())
    }

    /// Publishes and waits for the server's word.
    pub(super) async fn publish(&mut self, queue: &str, body: &[u8]) -> Result<Confirmed, Trouble> {
        const MANDATORY: u8 = 1;
        self.published += 1;
        let publish = Writer::default().method(CHANNEL, PUBLISH).short(0).name("").name(queue);
        let header = publish.byte(MANDATORY).end().frame(HEADER, CHANNEL).short(PUBLISH.0);
        let header = header.short(0).longlong(body.len() as u64);
        let header = header.short(PERSISTENT.0).byte(PERSISTENT.1).end();
        header.frame(BODY, CHANNEL).raw(body).end().send(&mut self.wire).await?;
        let mut returned = false;
        loop {
            let (method, mut frame) = self.until(&[ACK, NACK, RETURN]).await?;
            if method == RETURN {
                returned = true;
                continue;
            }
            // All before it have their answers: this one is the last.
            if frame.longlong()? < self.published {
                continue;
            }
            return Ok(match method {
                NACK => Confirmed::Nacked,
                _ if returned => Confirmed::Returned,
                _ => Confirmed::Taken,
            });
        }
    }

    /// The next message, if there is one.
    pub(super) async fn get(&mut self, queue: &str) -> Result<Option<Message>, Trouble> {
        let get = Writer::default().method(CHANNEL, GET).short(0).name(queue).byte(0).end();
        get.send(&mut self.wire).await?;
        let (method, mut frame) = self.until(&[GET_OK, GET_EMPTY]).await?;
        if method == GET_EMPTY {
            return Ok(None);
        }
        let tag = frame.longlong()?;
        let body = self.body().await?;
        self.held = Some(tag);
        Ok(Some(Message { tag, body }))
    }

    /// Says that a delivery is done with. There is no answer to that.
    pub(super) async fn ack(&mut self, tag: u64) -> io::Result<()> {
        self.held = None;
        let ack = Writer::default().method(CHANNEL, ACK).longlong(tag).byte(0).end();
        ack.send(&mut self.wire).await
    }

    /// Gives a delivery back. There is no answer to that.
    pub(super) async fn nack(&mut self, tag: u64) -> io::Result<()> {
        const REQUEUE: u8 = 2;
        self.held = None;
        let nack = Writer::default().method(CHANNEL, NACK).longlong(tag).byte(REQUEUE).end();
        nack.send(&mut self.wire).await
    }
}

/// The word for being closed with this code.
pub(super) fn closed(code: u16) -> Name {
    format!("amqp-{code}").into()
}
