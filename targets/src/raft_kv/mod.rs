//! `raft-kv`: registers by key, replicated by Raft, over HTTP and JSON.
//!
//! | file | what it is |
//! | --- | --- |
//! | `core/` | the protocol, without I/O |
//! | `kv` | the replicated state machine with its client sessions |
//! | `node`, `waiters`, `answer` | protocol, state machine and waiting requests together, still without I/O |
//! | `storage`, `record` | the disk |
//! | `driver`, `peers`, `server`, `command` | the shell: loop, peers, HTTP, command line |
//! | `client`, `target` | the engine's side |
//! | `bug`, `settings` | what it can be told |

mod answer;
mod bug;
mod client;
mod command;
mod core;
mod driver;
pub(crate) mod json;
mod kv;
mod node;
mod peers;
pub(crate) mod record;
mod server;
mod settings;
mod storage;
mod target;
mod waiters;

#[cfg(test)]
mod cluster_tests;
#[cfg(test)]
mod sim;

use std::sync::Arc;

use self::settings::Settings;
use self::target::RaftKv;
use crate::TargetSpec;

/// The registry's row.
pub(crate) const SPEC: TargetSpec = TargetSpec {
    name: "raft-kv",
    about: "a key-value store replicated by Raft; linearizable, with exactly-once retries",
    nodes: &[3, 5, 7],
    workloads: &["register"],
    params: &[],
    options: settings::OPTIONS,
    bugs: bug::SPECS,
    build: |options| Ok(Arc::new(RaftKv { settings: Settings::new(options)? })),
    node: Some(command::run),
};
