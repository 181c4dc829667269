//! What clients of SQL databases share: `[client]` of kind `postgres` and `mysql`.
//!
//! ```toml
//! [client]
//! kind = "postgres"
//! user = "postgres"
//! isolation = "serializable"
//! init = ["CREATE TABLE IF NOT EXISTS kv (k text PRIMARY KEY, v bigint)"]
//! [client.ops]
//! read = { send = "SELECT v FROM kv WHERE k = {key}", ok = "int" }
//! cas  = { send = "UPDATE kv SET v = {new} WHERE k = {key} AND v = {old}", ok = "affected | expect 1 | nil" }
//! ```
//!
//! `send` is one statement, which commits by itself, or a list: one transaction, which danso
//! begins and commits. `steps` is a transaction, too; each step may `save` what it read under a
//! name, and end the transaction by an `expect` in its `ok`. Names are bound as parameters, never
//! pasted into the text. `init` is run by whoever connects first, once.
//!
//! | module | what it is |
//! | --- | --- |
//! | `session` | what a database does: statements and what can go wrong with them |
//! | `statement` | SQL with parameters, and what its answer means |
//! | `worker` | a client: which node it asks, and how an operation ends |
//!
//! Which errors of a server are definite is said by each database's own table.

mod session;
mod statement;
mod worker;

use std::collections::BTreeMap;
use std::sync::Arc;

use danso_engine::target::Client;
use danso_vocab::Value;
use serde::Deserialize;

pub(super) use self::session::{Database, Login, Session, Trouble};
pub(super) use self::statement::Answer;
use self::statement::{Op, OpTable};
use self::worker::{Shared, To, Worker};
use super::Dialect;
use crate::Mistake;
use crate::mistake::read;
use crate::place::Place;

/// Bytes of an answer that are read, unless told otherwise.
const ANSWER: u64 = 1 << 24;

/// `[client]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Table {
    user: String,
    password: Option<String>,
    database: Option<String>,
    port: Option<u16>,
    #[serde(default)]
    to: To,
    isolation: Option<Isolation>,
    #[serde(default)]
    init: Vec<String>,
    max_response: Option<u64>,
    #[serde(default)]
    fail: Vec<String>,
    ops: BTreeMap<String, OpTable>,
}

/// The isolation level of all transactions; the server's usual one if it is not given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
enum Isolation {
    #[serde(rename = "read uncommitted")]
    ReadUncommitted,
    #[serde(rename = "read committed")]
    ReadCommitted,
    #[serde(rename = "repeatable read")]
    RepeatableRead,
    #[serde(rename = "serializable")]
    Serializable,
}

impl Isolation {
    fn sql(self) -> &'static str {
        match self {
            Isolation::ReadUncommitted => "READ UNCOMMITTED",
            Isolation::ReadCommitted => "READ COMMITTED",
            Isolation::RepeatableRead => "REPEATABLE READ",
            Isolation::Serializable => "SERIALIZABLE",
        }
    }
}

/// The dialect of `[client]`.
pub(super) fn dialect<D: Database>(table: &Value) -> Result<Arc<dyn Dialect>, Mistake> {
    let table: Table = read(table)?;
    let mut ops = BTreeMap::new();
    for (f, op) in &table.ops {
        ops.insert(f.clone(), Op::new(op, D::parameter).map_err(|m| m.at(f).at("ops"))?);
    }
    let database = D::new(Login {
        user: table.user,
        password: table.password,
        database: table.database,
        most: table.max_response.unwrap_or(ANSWER),
    });
    Ok(Arc::new(Sql(Arc::new(Shared {
        database,
        ops,
        port: table.port,
        to: table.to,
        isolate: table.isolation.map(|level| D::isolate(level.sql())),
        fail: table.fail,
        init: table.init,
        begun: tokio::sync::Mutex::new(false),
    }))))
}

struct Sql<D>(Arc<Shared<D>>);

impl<D: Database> Dialect for Sql<D> {
    fn speaks(&self) -> Option<Vec<String>> {
        Some(self.0.ops.keys().cloned().collect())
    }

    fn client(&self, place: Place) -> Box<dyn Client> {
        Box::new(Worker::new(self.0.clone(), place))
    }
}
