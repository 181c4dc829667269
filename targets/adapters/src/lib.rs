//! Systems that are not ours: described in a test file, started, reached and asked in their own
//! protocols. Nothing of them is modified.
//!
//! | module | what it is |
//! | --- | --- |
//! | [`KINDS`] | kinds of targets a test file can describe: `[target]` |
//! | [`client`] | protocols a client can speak: `[client]` |
//! | `template` | `{ip}`, `{key|base64}`: what is filled in |
//! | `reading` | `json | at /value | int`: what an answer means |
//! | `ask` | `GET …`, `tcp …`, `log …`, `run …`: questions to a node |
//!
//! Everything a test file says of its system is in the plan, as options of the target: `client`
//! is its `[client]`, `dir` the folder of the file. A [`Mistake`] names the setting it is in.

mod ask;
pub mod client;
mod external;
mod maelstrom;
mod mistake;
mod names;
mod place;
mod process;
mod program;
mod reading;
mod ssh;
mod template;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use danso_engine::target::Target;
use danso_vocab::Value;

pub use self::mistake::{Mistake, nearest, no_such};
pub use self::ssh::clean as clean_hosts;

/// A kind of target that a test file can describe.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// Its name, as in `kind = "process"`.
    pub name: &'static str,
    /// What it is, in one line.
    pub about: &'static str,
    /// The network it lives in, unless the user says another.
    pub network: &'static str,
    /// Makes the target from its settings and the number of nodes the user asks for.
    pub build: fn(&Settings, Option<u16>) -> Result<Declared, Mistake>,
}

/// What a test file says of its system: `[target]` without `kind` and `nodes`, and beside it
/// `client` and `dir`.
pub type Settings = BTreeMap<String, Value>;

/// A target as described.
#[derive(Clone)]
pub struct Declared {
    /// The recipe.
    pub target: Arc<dyn Target>,
    /// How many nodes it has.
    pub nodes: u16,
    /// The operations its client knows; `None` if that is for the client to say.
    pub speaks: Option<Vec<String>>,
}

/// The folder of the test file, and what `[target]` itself says.
fn own(settings: &Settings) -> (PathBuf, Value) {
    let mut own = settings.clone();
    own.remove("client");
    let dir = own.remove("dir");
    let dir = dir.as_ref().and_then(Value::str).unwrap_or(".").into();
    (dir, Value::Map(own))
}

/// All kinds.
pub const KINDS: &[Kind] = &[process::KIND, external::KIND, ssh::KIND, maelstrom::KIND];

/// The kind of this name.
pub fn find(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name)
}

/// A parameter and its value.
pub type Param = (&'static str, fn() -> Value);

/// A workload as a kind of target calls it.
#[derive(Clone, Copy, Debug)]
pub struct Spoken {
    /// Its name there.
    pub name: &'static str,
    /// The workload it is.
    pub workload: &'static str,
    /// Parameters it must have.
    pub params: &'static [Param],
    /// Parameters it has unless the user says others.
    pub usual: &'static [Param],
}

/// A parameter's name, and its value.
pub type Param = (&'static str, fn() -> Value);

/// The workloads that targets of this kind speak by names of their own; none if clients are
/// described in the test file. The target is told which it is: the setting `workload`.
pub fn spoken(kind: &str) -> &'static [Spoken] {
    if kind == maelstrom::KIND.name { maelstrom::SPOKEN } else { &[] }
}

/// Runs one node with these arguments until it is told to stop; the error is one line.
pub type RunNode = fn(Vec<String>) -> Result<(), String>;

/// Nodes of ours that stand in for others': `danso node NAME`.
pub const NODES: &[(&str, RunNode)] = &[(maelstrom::KIND.name, maelstrom::node::run)];
