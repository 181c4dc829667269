//! Protocols that clients speak: `[client]`.
//!
//! To add one: a file here with its [`Row`], a line in [`CLIENTS`], a table of its outcomes in
//! its own documentation.

mod amqp;
mod command;
mod http;
#[cfg(feature = "mysql")]
mod mysql;
mod nats;
mod op;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "redis")]
mod redis;
mod rust;
#[cfg(any(feature = "mysql", feature = "postgres"))]
mod sql;
mod steps;
mod tcp_line;
mod wire;
mod zookeeper;

use std::sync::Arc;

use danso_engine::target::Client;
use danso_vocab::Value;

use crate::mistake::no_such;
use crate::place::Place;
use crate::template::plain;
use crate::{Mistake, Settings};

/// A protocol.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Its name, as in `kind = "http"`.
    pub name: &'static str,
    /// What it is, in one line.
    pub about: &'static str,
    /// Makes it from `[client]` without `kind` and `role`. The other settings are the target's.
    build: Build,
}

type Build = fn(&Value, &Settings) -> Result<Arc<dyn Dialect>, Mistake>;

/// All protocols.
pub const CLIENTS: &[Row] = &[
    // Anything.
    http::ROW,
    command::ROW,
    tcp_line::ROW,
    rust::ROW,
    // One system each.
    amqp::ROW,
    nats::ROW,
    #[cfg(feature = "redis")]
    redis::ROW,
    #[cfg(feature = "postgres")]
    postgres::ROW,
    #[cfg(feature = "mysql")]
    mysql::ROW,
    zookeeper::ROW,
];

/// The client that is not of here, but given in Rust.
pub const RUST: &str = "rust";

/// What is said to a system, as `[client]` has it.
pub(crate) trait Dialect: Send + Sync {
    /// The operations it can say; `None` if only whoever answers knows.
    fn speaks(&self) -> Option<Vec<String>>;

    /// Fails if this machine lacks something it needs: one line, with the mend.
    fn fits(&self) -> Result<(), String> {
        Ok(())
    }

    /// A client. Cheap and without I/O: a connection is made at the first call.
    fn client(&self, place: Place) -> Box<dyn Client>;
}

/// The dialect of `[client]`, and the role whose nodes it asks, if it asks only those.
pub(crate) fn build(settings: &Settings) -> Result<(Arc<dyn Dialect>, Option<String>), Mistake> {
    let known = || CLIENTS.iter().map(|row| row.name).collect::<Vec<_>>().join(", ");
    let Some(table) = settings.get("client").and_then(Value::map) else {
        let why = format!("[client] is missing: how to speak to it; kind is one of {}", known());
        return Err(Mistake::new(why));
    };
    let mut table = table.clone();
    let (kind, role) = (table.remove("kind"), table.remove("role"));
    let unknown = |kind: &Value| {
        let known: Vec<_> = CLIENTS.iter().map(|row| row.name).collect();
        no_such("client", &plain(kind), &known)
    };
    let of = |why: String, at: &str| Mistake::new(why).at(at).at("client");
    let kind = kind.ok_or_else(|| of(format!("kind is missing: one of {}", known()), "kind"))?;
    let row = CLIENTS
        .iter()
        .find(|row| kind.str() == Some(row.name))
        .ok_or_else(|| of(unknown(&kind), "kind"))?;
    let role = match role {
        None => None,
        Some(Value::Str(role)) => Some(role),
        Some(other) => return Err(of(format!("{other} is no role's name"), "role")),
    };
    let dialect = (row.build)(&Value::Map(table), settings).map_err(|m| m.at("client"))?;
    Ok((dialect, role))
}
