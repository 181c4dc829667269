//! Client `zookeeper`: registers in znodes, one for each key.
//!
//! `read` is a `getData`: at once with `reads = "local"`, after a `sync` with `"sync"`, after a
//! write to a node of its own with `"write"`, which a leader that was replaced meanwhile cannot
//! finish, as it can a `sync`. `write` is a `setData` of any version, or a `create` if there is no such node; `cas` reads value and version, and sets the
//! data if that is still its version. A client asks its own node only and keeps its session as
//! long as the connection lasts.
//!
//! | what comes back | outcome |
//! | --- | --- |
//! | an answer without error | `ok` |
//! | `cas`: another value, another version by then, or a node that was made meanwhile | `fail`: it was refused |
//! | `read` of a node that is not there | `ok` with nil |
//! | no session came about: no connection, no quorum, too late | `fail`: nothing was sent |
//! | any other error, a connection that breaks | `info` |
//!
//! It speaks the wire protocol itself: connect, sync, getData, setData, create are all there is
//! to it, and a session that silently moves to another server or sends again would say more
//! than it knows.

mod jute;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use danso_engine::target::{Client, Fut};
use danso_vocab::codec::json;
use danso_vocab::{Call, Outcome, Value};
use serde::Deserialize;
use tokio::time::Instant;

use self::jute::{Reader, Writer};
use super::wire::{self, Wire, broken, nonsense};
use super::{Dialect, Row, op};
use crate::mistake::read;
use crate::place::Place;
use crate::template::Template;
use crate::{Mistake, Settings};

/// The registry's row.
pub(super) const ROW: Row = Row {
    name: "zookeeper",
    about: "ZooKeeper: registers in znodes; reads with or without sync",
    build: |table, settings| Ok(Arc::new(ZooKeeper::new(table, settings)?)),
};

/// What the server is asked to keep a silent session for.
const SESSION: Duration = Duration::from_secs(10);
/// A session silent for so long is replaced by another before anything is sent.
const SILENT: Duration = Duration::from_secs(3);
/// The node that is written to before a read.
const BARRIER: &str = "/danso-barrier";
/// How often a write goes back and forth between a node that is not there and one that is.
const TRIES: u32 = 4;

/// Kinds of requests.
const CREATE: i32 = 1;
const GET_DATA: i32 = 4;
const SET_DATA: i32 = 5;
const SYNC: i32 = 9;

/// Errors that are answers.
const NO_NODE: i32 = -101;
const BAD_VERSION: i32 = -103;
const NODE_EXISTS: i32 = -110;

/// `[client]` of kind `zookeeper`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Table {
    #[serde(default)]
    reads: Reads,
    path: Option<String>,
    port: Option<u16>,
}

/// What comes before a read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Reads {
    #[default]
    Local,
    Sync,
    Write,
}

struct ZooKeeper {
    reads: Reads,
    path: Template,
    port: Option<u16>,
}

impl ZooKeeper {
    fn new(table: &Value, _: &Settings) -> Result<ZooKeeper, Mistake> {
        let table: Table = read(table)?;
        let path = table.path.unwrap_or_else(|| "/{key}".to_owned());
        let wrong = |why: String| Mistake::new(why).at("path");
        if !path.starts_with('/') {
            return Err(wrong(format!("`{path}`: a path begins with a slash, as in /{{key}}")));
        }
        let path = op::template(&path, &|_| false).map_err(wrong)?;
        Ok(ZooKeeper { reads: table.reads, path, port: table.port })
    }
}

impl Dialect for ZooKeeper {
    fn speaks(&self) -> Option<Vec<String>> {
        Some(["read", "write", "cas"].map(str::to_owned).to_vec())
    }

    fn client(&self, place: Place) -> Box<dyn Client> {
        let address = place.hosts.get(place.home).map(|host| host.address(self.port));
        Box::new(Connection {
            address: address.unwrap_or_default(),
            path: self.path.clone(),
            reads: self.reads,
            place,
            session: None,
        })
    }
}

struct Connection {
    address: String,
    path: Template,
    reads: Reads,
    place: Place,
    session: Option<Session>,
}

impl Client for Connection {
    fn invoke<'a>(&'a mut self, call: &'a Call) -> Fut<'a, Outcome> {
        Box::pin(async move {
            // Taken out: a call that is dropped takes its session with it.
            let mut session = match self.session.take().and_then(Session::usable) {
                Some(session) => session,
                None => match wire::connect(&self.address, Session::open).await {
                    Ok(session) => session,
                    Err(outcome) => return outcome,
                },
            };
            let value = |name: &str| op::value(name, call, self.place.process);
            let path = match self.path.fill(None, &value) {
                Ok(path) => path,
                Err(why) => return Outcome::Fail(why.into()),
            };
            let done = match &*call.f {
                "read" => session.read(&path, self.reads).await,
                "write" => session.write(&path, &call.arg).await,
                "cas" => session.cas(&path, &call.arg).await,
                _ => return Outcome::Fail("unsupported".into()),
            };
            match done {
                Ok(outcome) => {
                    session.used = Instant::now();
                    self.session = Some(session);
                    outcome
                }
                Err(error) => broken(&error),
            }
        })
    }
}

/// A session, while its connection lasts.
struct Session {
    wire: Wire,
    used: Instant,
    request: i32,
}

impl Session {
    async fn open(mut wire: Wire) -> io::Result<Session> {
        let millis = i32::try_from(SESSION.as_millis()).unwrap_or(i32::MAX);
        // Protocol 0, nothing seen before, a new session without a password, no read-only server.
        let hello = Writer::new().int(0).long(0).int(millis).long(0).buffer([0; 16]).bool(false);
        hello.send(&mut wire).await?;
        let mut welcome = Reader::receive(&mut wire).await?;
        let (_protocol, lasts) = (welcome.int()?, welcome.int()?);
        if lasts <= 0 {
            return Err(io::Error::other("the session was refused"));
        }
        Ok(Session { wire, used: Instant::now(), request: 0 })
    }

    /// The session, unless the server may have forgotten it.
    fn usable(mut self) -> Option<Session> {
        (self.used.elapsed() < SILENT && self.wire.open()).then_some(self)
    }

    /// Asks and waits: 0 or an error, and what else is said.
    async fn ask(
        &mut self,
        kind: i32,
        body: impl FnOnce(Writer) -> Writer,
    ) -> io::Result<(i32, Reader)> {
        self.request += 1;
        body(Writer::new().int(self.request).int(kind)).send(&mut self.wire).await?;
        let mut answer = Reader::receive(&mut self.wire).await?;
        let (request, _zxid, error) = (answer.int()?, answer.long()?, answer.int()?);
        if request != self.request {
            return Err(nonsense("an answer to something else"));
        }
        Ok((error, answer))
    }

    /// The data of a node and its version, if it is there.
    async fn get(&mut self, path: &str) -> io::Result<Result<Option<(Value, i32)>, Outcome>> {
        let (error, mut answer) =
            self.ask(GET_DATA, |request| request.buffer(path).bool(false)).await?;
        match error {
            0 => {}
            NO_NODE => return Ok(Ok(None)),
            error => return Ok(Err(refused(error))),
        }
        let text = std::str::from_utf8(answer.buffer()?).map_err(|_| nonsense("no UTF-8"))?;
        let value = json::from_str(text).map_err(|_| nonsense("data danso has not written"))?;
        for _ in 0..4 {
            let _created_and_changed = answer.long()?;
        }
        Ok(Ok(Some((value, answer.int()?))))
    }

    /// Sets the data if this is its version: 0 or an error.
    async fn set(&mut self, path: &str, value: &Value, version: i32) -> io::Result<i32> {
        let data = json::to_string(value);
        let set = |request: Writer| request.buffer(path).buffer(data).int(version);
        Ok(self.ask(SET_DATA, set).await?.0)
    }

    /// Makes a node open to everybody: 0 or an error.
    async fn create(&mut self, path: &str, value: &Value) -> io::Result<i32> {
        let data = json::to_string(value);
        let create = |request: Writer| {
            let anyone = request.buffer(path).buffer(data).int(1).int(31);
            anyone.buffer("world").buffer("anyone").int(0)
        };
        Ok(self.ask(CREATE, create).await?.0)
    }

    async fn read(&mut self, path: &str, reads: Reads) -> io::Result<Outcome> {
        let barrier = match reads {
            Reads::Local => Outcome::Ok(Value::Nil),
            Reads::Write => self.write(BARRIER, &Value::Nil).await?,
            Reads::Sync => match self.ask(SYNC, |request| request.buffer(path)).await?.0 {
                // What is not there yet can be waited for as well.
                0 | NO_NODE => Outcome::Ok(Value::Nil),
                error => refused(error),
            },
        };
        if !matches!(barrier, Outcome::Ok(_)) {
            return Ok(barrier);
        }
        Ok(match self.get(path).await? {
            Ok(found) => Outcome::Ok(found.map(|(value, _)| value).unwrap_or_default()),
            Err(outcome) => outcome,
        })
    }

    async fn write(&mut self, path: &str, value: &Value) -> io::Result<Outcome> {
        for _ in 0..TRIES {
            match self.set(path, value, -1).await? {
                0 => return Ok(Outcome::Ok(Value::Nil)),
                NO_NODE => {}
                error => return Ok(refused(error)),
            }
            match self.create(path, value).await? {
                0 => return Ok(Outcome::Ok(Value::Nil)),
                NODE_EXISTS => {}
                error => return Ok(refused(error)),
            }
        }
        // Every try was refused.
        Ok(Outcome::Fail("contended".into()))
    }

    async fn cas(&mut self, path: &str, arg: &Value) -> io::Result<Outcome> {
        let mismatch = || Ok(Outcome::Fail("mismatch".into()));
        let Some((old, new)) = arg.pair() else {
            return Ok(Outcome::Fail(format!("cas wants [old, new], not {arg}").into()));
        };
        let found = match self.get(path).await? {
            Ok(found) => found,
            // Nothing was to be changed yet.
            Err(_) => return Ok(Outcome::Fail("unread".into())),
        };
        let error = match found {
            None if old.is_nil() => self.create(path, new).await?,
            Some((value, version)) if value == *old => self.set(path, new, version).await?,
            _ => return mismatch(),
        };
        match error {
            0 => Ok(Outcome::Ok(Value::Nil)),
            BAD_VERSION | NODE_EXISTS | NO_NODE => mismatch(),
            error => Ok(refused(error)),
        }
    }
}

/// An error that is no answer: whether anything came of it is not known.
fn refused(error: i32) -> Outcome {
    Outcome::Info(format!("zookeeper{error}").into())
}
