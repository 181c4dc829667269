//! The client: a call is a message to the node, its answer a message that refers to it.
//!
//! | what comes back | outcome |
//! | --- | --- |
//! | the answer | `ok` with what it says |
//! | an error | see [`super::errors`] |
//! | an answer that makes no sense | `info` |
//! | no connection came about, or the call cannot be said in messages | `fail`: nothing was sent |
//! | a connection that breaks, no answer in time | `info` |
//!
//! Each client has a name of its own, so what comes too late for one is told to no other.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use danso_engine::target::{Client, Fut};
use danso_vocab::codec::json;
use danso_vocab::{Call, Outcome, Value};
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::lines::next_line;
use super::words::Words;
use super::{errors, name};
use crate::client::Dialect;
use crate::place::Place;

/// How long a connection may take to come about. If it does not, nothing was sent.
const CONNECT: Duration = Duration::from_millis(500);

/// Asks once whether a stand-in's program serves.
///
/// # Errors
/// If it does not, or does not say so.
pub(super) async fn ready(at: SocketAddr) -> Result<(), String> {
    let asked = async {
        let mut stream = BufReader::new(TcpStream::connect(at).await?);
        stream.write_all(b"ready\n").await?;
        let mut line = Vec::new();
        next_line(&mut stream, &mut line).await?;
        Ok::<_, std::io::Error>(line)
    };
    match asked.await.map_err(|e| format!("{at}: {e}"))?.as_slice() {
        b"yes" => Ok(()),
        _ => Err("it has not answered init yet".to_owned()),
    }
}

/// How nodes are spoken to.
#[derive(Clone)]
pub(super) struct Speech {
    pub(super) words: Words,
    pub(super) first: u16,
    pub(super) definite: Arc<BTreeSet<i64>>,
}

impl Dialect for Speech {
    fn speaks(&self) -> Option<Vec<String>> {
        None
    }

    fn client(&self, place: Place) -> Box<dyn Client> {
        let host = place.hosts.get(place.home);
        Box::new(Connection {
            speech: self.clone(),
            // c0 is who introduces nodes to each other.
            me: format!("c{}", u64::from(place.process.0) + 1),
            node: host.map(|host| name(host.id, self.first)).unwrap_or_default(),
            at: host.map(|host| host.address(None)).unwrap_or_default(),
            asked: 0,
            stream: None,
        })
    }
}

struct Connection {
    speech: Speech,
    me: String,
    node: String,
    at: String,
    asked: i64,
    /// Not there while a call is under way: one that is cut short leaves none behind.
    stream: Option<BufReader<TcpStream>>,
}

impl Client for Connection {
    fn invoke<'a>(&'a mut self, call: &'a Call) -> Fut<'a, Outcome> {
        Box::pin(async {
            match self.ask(call).await {
                Ok(outcome) | Err(outcome) => outcome,
            }
        })
    }
}

impl Connection {
    async fn ask(&mut self, call: &Call) -> Result<Outcome, Outcome> {
        let mut body = self.speech.words.request(call).map_err(|why| Outcome::Fail(why.into()))?;
        self.asked += 1;
        let id = self.asked;
        body.insert("msg_id".to_owned(), id.into());
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => self.connect().await?,
        };
        let message = Value::of([
            ("src", self.me.as_str().into()),
            ("dest", self.node.as_str().into()),
            ("body", Value::Map(body)),
        ]);
        let line = json::to_string(&message) + "\n";
        let broken = |_| Outcome::Info("connection-broken".into());
        stream.write_all(line.as_bytes()).await.map_err(broken)?;
        let answer = loop {
            let mut line = Vec::new();
            if !next_line(&mut stream, &mut line).await.map_err(broken)? {
                return Err(Outcome::Info("connection-broken".into()));
            }
            let nonsense = |why: String| Outcome::Info(format!("bad-response: {why}").into());
            let text = std::str::from_utf8(&line).map_err(|_| nonsense("no UTF-8".to_owned()))?;
            let message = json::from_str(text).map_err(|e| nonsense(e.to_string()))?;
            let Some(body) = message.get("body") else { continue };
            // To another question, one nobody waits for any more.
            if body.get("in_reply_to").and_then(Value::int) == Some(id) {
                break body.clone();
            }
        };
        self.stream = Some(stream);
        Ok(self.read(call, &answer))
    }

    async fn connect(&self) -> Result<BufReader<TcpStream>, Outcome> {
        let nothing_sent = || Outcome::Fail("no-connection".into());
        let connecting = timeout(CONNECT, TcpStream::connect(self.at.as_str())).await;
        let stream = connecting.ok().and_then(Result::ok).ok_or_else(nothing_sent)?;
        let mut stream = BufReader::new(stream);
        // A word that asks for nothing.
        let said = stream.get_ref().set_nodelay(true).is_ok();
        if !said || stream.write_all(b"client\n").await.is_err() {
            return Err(nothing_sent());
        }
        Ok(stream)
    }

    fn read(&self, call: &Call, body: &Value) -> Outcome {
        let words = self.speech.words;
        let kind = body.get("type").and_then(Value::str).unwrap_or_default();
        if kind == "error" {
            let told = words.told_by(call, body).map(Outcome::Ok);
            return told.unwrap_or_else(|| errors::outcome(body, &self.speech.definite));
        }
        let want = call.f.replace('-', "_") + "_ok";
        if kind != want {
            let kind: String = kind.chars().take(60).collect();
            return Outcome::Info(format!("bad-response: `{kind}`, not `{want}`").into());
        }
        match words.answer(call, body) {
            Ok(value) => Outcome::Ok(value),
            Err(why) => Outcome::Info(format!("bad-response: {why}").into()),
        }
    }
}
