//! `lock`: lease locks with fencing tokens, and leader election, on [Raft](crate::raft).
//!
//! | file | what it is |
//! | --- | --- |
//! | `locks` | the state machine |
//! | `service` | its HTTP interface |
//! | `settings` | what it can be told, bugs among it |
//! | `speech` | the engine's side: calls as requests |

mod locks;
mod service;
mod settings;
mod speech;

#[cfg(test)]
mod tests;

use self::locks::Locks;
use self::speech::LockSpeech;
use crate::raft::client::Recipe;
use crate::raft::{Host, Service};
use crate::{TargetSpec, kit};

/// The registry's row.
pub(crate) const SPEC: TargetSpec = TargetSpec {
    name: Locks::NAME,
    about: "lease locks with fencing tokens and leader election, replicated by Raft",
    nodes: &[3, 5, 7],
    workloads: &["lock", "leader"],
    params: &[],
    options: settings::OPTIONS,
    bugs: settings::BUGS,
    build: |options| {
        let options = settings::options(options)?;
        kit::target::build(Recipe::<Locks, LockSpeech>::new(&options, LockSpeech::default)?)
    },
    node: Some(kit::shell::run::<Host<Locks>>),
};
