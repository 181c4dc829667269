//! Client `redis`: a command for each operation, or several steps, over one connection.
//!
//! | what comes back | outcome of the step |
//! | --- | --- |
//! | a reply | `ok` with what the steps under `ok` make of it; `fail` if `expect` says so; `info` if it makes no sense |
//! | an error that begins with a word listed under `fail` | `fail`: the user's claim that nothing happened |
//! | one that says that the command was not begun, and it is no script | `fail`; the words are `REFUSED` in `command` |
//! | any other error | `info` |
//! | no connection came about, or a command of `connect` was not answered by OK | `fail`: nothing was sent |
//! | no sentinel ever named a primary | `fail`: nothing was sent |
//! | a connection that breaks, a reply too long or too late | `info`, and the next call connects anew |
//!
//! Of an operation of several steps, each ends like this; how the whole does is in `steps`.
//!
//! **Who is asked** is the process' own node. With `sentinels` it is whom a sentinel names: the
//! process' own node's, or if that does not answer, the next one's. It is asked again every 500 ms.

mod command;
mod link;
mod sentinel;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use danso_engine::target::{Client, Fut};
use danso_vocab::{Call, Outcome, Value};
use serde::Deserialize;

use self::command::{Command, CommandTable, Words};
use self::link::Link;
use self::sentinel::{Sentinels, SentinelsTable};
use super::steps::{self, Saved};
use super::{Dialect, Row};
use crate::mistake::read;
use crate::place::Place;
use crate::{Mistake, Settings};

/// The registry's row.
pub(super) const ROW: Row = Row {
    name: "redis",
    about: "RESP, as Redis and Valkey speak it: commands for each operation; sentinels",
    build: |table, _: &Settings| Ok(Arc::new(Redis::new(table)?)),
};

/// Bytes of a reply that are read, unless told otherwise.
const REPLY: u64 = 16 << 20;

/// `[client]` of kind `redis`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Table {
    port: Option<u16>,
    max_response: Option<u64>,
    /// Commands that come first on every connection, such as AUTH and SELECT.
    #[serde(default)]
    connect: Vec<Words>,
    /// Errors of any command that say that nothing happened.
    #[serde(default)]
    fail: Vec<String>,
    sentinels: Option<SentinelsTable>,
    /// Read by [`steps::ops`].
    #[allow(dead_code, reason = "read by another name")]
    ops: BTreeMap<String, serde::de::IgnoredAny>,
}

struct Redis {
    ops: Arc<BTreeMap<String, Vec<Command>>>,
    greeting: Arc<Vec<Vec<u8>>>,
    port: Option<u16>,
    most: u64,
    sentinels: Option<Arc<SentinelsTable>>,
}

impl Redis {
    fn new(settings: &Value) -> Result<Redis, Mistake> {
        let table: Table = read(settings)?;
        let ops = steps::ops(settings, |step: &CommandTable, saved| {
            Command::new(step, &table.fail, saved)
        })?;
        let greeting = table.connect.iter().map(Words::packed).collect::<Result<_, _>>();
        Ok(Redis {
            ops: Arc::new(ops),
            greeting: Arc::new(greeting.map_err(|why| Mistake::new(why).at("connect"))?),
            port: table.port,
            most: table.max_response.unwrap_or(REPLY),
            sentinels: table.sentinels.map(Arc::new),
        })
    }
}

impl Dialect for Redis {
    fn speaks(&self) -> Option<Vec<String>> {
        Some(self.ops.keys().cloned().collect())
    }

    fn client(&self, place: Place) -> Box<dyn Client> {
        let sentinels = self.sentinels.clone();
        let home = place.hosts.get(place.home).map(|host| host.address(self.port));
        Box::new(Connection {
            ops: self.ops.clone(),
            greeting: self.greeting.clone(),
            most: self.most,
            server: home.unwrap_or_default(),
            sentinels: sentinels.map(|table| Sentinels::new(&table, &place)),
            place,
            saved: Saved::default(),
            link: None,
        })
    }
}

struct Connection {
    ops: Arc<BTreeMap<String, Vec<Command>>>,
    greeting: Arc<Vec<Vec<u8>>>,
    most: u64,
    /// Whom it asks, unless sentinels name another.
    server: String,
    sentinels: Option<Sentinels>,
    place: Place,
    saved: Saved,
    /// Only while no reply is outstanding: whoever uses it takes it out.
    link: Option<Link>,
}

impl Client for Connection {
    fn invoke<'a>(&'a mut self, call: &'a Call) -> Fut<'a, Outcome> {
        Box::pin(async {
            let ops = self.ops.clone();
            match ops.get(&*call.f) {
                Some(commands) => self.run(commands, call).await.unwrap_or_else(|end| end),
                None => Outcome::Fail("unsupported".into()),
            }
        })
    }
}

impl Connection {
    async fn run(&mut self, commands: &[Command], call: &Call) -> Result<Outcome, Outcome> {
        let mut link = self.link().await.map_err(|why| Outcome::Fail(why.into()))?;
        let (mut begun, mut result) = (false, Value::Nil);
        for command in commands {
            let end = |outcome: Outcome| steps::whole(outcome, begun, command.effect);
            let value = |name: &str| self.saved.value(name, call, self.place.process);
            let words = command.words(&value).map_err(|why| end(Outcome::Fail(why.into())))?;
            let reply = link.ask(&words, self.most).await;
            let reply = reply.map_err(|why| end(Outcome::Info(why.into())))?;
            match command.read(reply, &mut self.saved) {
                Ok(value) => result = value,
                Err(outcome) => {
                    // Whoever is no primary may know a new one. And between MULTI and EXEC
                    // nothing else can be asked of this connection.
                    self.sentinels.iter_mut().for_each(Sentinels::doubt);
                    self.link = (commands.len() == 1).then_some(link);
                    return Err(end(outcome));
                }
            }
            begun |= command.effect;
        }
        self.link = Some(link);
        Ok(Outcome::Ok(result))
    }

    /// A connection to whom it is to ask, with no reply outstanding.
    async fn link(&mut self) -> Result<Link, String> {
        let link = self.link.take();
        if let Some(sentinels) = &mut self.sentinels {
            let primary = sentinels.primary(self.most).await.ok_or("no-primary")?;
            self.server.clone_from(primary);
        }
        match link.filter(|link| link.server() == self.server && link.stands()) {
            Some(link) => Ok(link),
            None => Link::new(&self.server, &self.greeting, self.most).await,
        }
    }
}
