//! `quorum-kv`: a key-value store of equal nodes with tunable quorums, after Dynamo (DeCandia et
//! al. 2007).
//!
//! | file | what it is |
//! | --- | --- |
//! | `ring`, `members` | who keeps a key |
//! | `state`, `siblings` | what is kept under a key, and how two replicas' states are reconciled |
//! | `store`, `message` | what a node keeps in memory and on disk; what nodes tell each other |
//! | `detector` | who seems to be down |
//! | `merkle` | hash trees |
//! | `node/` | a node made of these |
//! | `client` | the engine's side |
//! | `settings` | options and bugs |
//!
//! What it promises depends on its options:
//!
//! | | registers |
//! | --- | --- |
//! | `mode = abd`, R + W > N, strict quorums | linearizable, whatever clocks say |
//! | `mode = lww`, R + W > N | not linearizable: a write that is on its way is seen and unseen; eventual as long as clocks are right |
//! | `mode = lww`, R + W ≤ N | eventual |
//! | `mode = siblings` | no acknowledged write is lost; who reads reconciles |
//! | `sloppy = true` | quorums need not meet: eventual in any mode |

mod client;
mod detector;
mod members;
mod merkle;
mod message;
mod node;
mod ring;
mod settings;
mod siblings;
mod state;
mod store;

#[cfg(test)]
mod tests;

use danso_vocab::Value;

use self::client::Cluster;
use self::settings::Settings;
use crate::{TargetSpec, kit};

/// The registry's row.
pub(crate) const SPEC: TargetSpec = TargetSpec {
    name: "quorum-kv",
    about: "a Dynamo-style store with tunable quorums: linearizable registers (ABD), last-write-wins, or siblings",
    nodes: &[3, 5, 7],
    workloads: &["register", "set"],
    params: &[
        // No quorum system can compare and set.
        ("register", "mix", || Value::of([("read", 2.into()), ("write", 1.into())])),
        ("set", "options.mode", || "siblings".into()),
    ],
    options: settings::OPTIONS,
    bugs: settings::BUG_SPECS,
    build: |options| kit::target::build(Cluster { settings: Settings::new(options)? }),
    node: Some(kit::shell::run::<node::QuorumKv>),
};
