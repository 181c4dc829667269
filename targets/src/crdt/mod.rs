//! `crdt`: counters and sets that every replica changes alone; gossip brings them together.
//!
//! | file | what it is |
//! | --- | --- |
//! | `counter`, `set`, `object` | the replicated types and how two states join |
//! | `node` | a replica: requests, gossip, what is durable |
//! | `settings` | its options and bugs |
//! | `client` | the engine's side |
//!
//! A change is durable and answered at one replica before any other has heard of it (strong
//! eventual consistency: Shapiro, Preguiça, Baquero, Zawirski, *Conflict-free replicated data
//! types*, 2011).

mod client;
mod counter;
mod node;
mod object;
mod set;
mod settings;
#[cfg(test)]
mod tests;

use self::client::Recipe;
use self::node::Replica;
use crate::{TargetSpec, kit};

/// The registry's row.
pub(crate) const SPEC: TargetSpec = TargetSpec {
    name: "crdt",
    about: "counters and or-sets replicated by gossip; always available, strongly eventual",
    nodes: &[3, 5, 7],
    workloads: &["crdt-set", "crdt-counter"],
    params: &[],
    options: settings::OPTIONS,
    bugs: settings::BUGS,
    build: |options| kit::target::build(Recipe::new(options)?),
    node: Some(kit::shell::run::<Replica>),
};
