//! `raft-kv`: registers by key, replicated by [Raft](crate::raft), over HTTP and JSON.
//!
//! | file | what it is |
//! | --- | --- |
//! | `kv` | the state machine and its HTTP interface |
//! | `settings` | what it can be told, bugs among it |
//! | `speech` | the engine's side: calls as requests |
//! | `sim` | whole clusters of it in one thread under virtual time |

mod kv;
mod settings;
mod speech;

#[cfg(test)]
mod client_tests;
#[cfg(test)]
mod cluster_tests;
#[cfg(test)]
mod sim;

use self::kv::Kv;
use self::speech::KvSpeech;
use crate::raft::client::Recipe;
use crate::raft::{Host, Service};
use crate::{TargetSpec, kit};

/// The registry's row.
pub(crate) const SPEC: TargetSpec = TargetSpec {
    name: Kv::NAME,
    about: "a key-value store replicated by Raft; linearizable, with exactly-once retries",
    nodes: &[3, 5, 7],
    workloads: &["register"],
    params: &[],
    options: settings::OPTIONS,
    bugs: settings::BUGS,
    build: |options| {
        let (options, _) = settings::checked(options)?;
        kit::target::build(Recipe::<Kv, KvSpeech>::new(&options, KvSpeech::default)?)
    },
    node: Some(kit::shell::run::<Host<Kv>>),
};
