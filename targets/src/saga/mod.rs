//! `saga`: an order business of three services, orchestrated or choreographed.
//!
//! | file | what it is |
//! | --- | --- |
//! | `words` | orders, steps, journal entries, messages |
//! | `service` | one service: steps and compensations, each once, whatever arrives how often |
//! | `stores` | what the three services keep account of |
//! | `coordinator`, `flow`, `breaker` | orchestrated: who asks the services, with retries and circuit breakers |
//! | `bus`, `reactor` | choreographed: an event log with consumers, and services that react to it |
//! | `node` | a node by its id: n1 decides, n2 to n4 are inventory, payment and shipping |
//! | `client`, `settings` | the engine's side, and what it can be told |
//!
//! Garcia-Molina and Salem, *Sagas*, SIGMOD 1987; the two flavours, and what goes wrong where,
//! as in Richardson, *Microservices Patterns*, 2018, chapter 4.

mod breaker;
mod bus;
mod client;
mod coordinator;
mod flow;
mod node;
mod reactor;
mod service;
mod settings;
mod stores;
mod words;

#[cfg(test)]
mod tests;

use crate::TargetSpec;
use crate::kit;

/// The registry's row.
pub(crate) const SPEC: TargetSpec = TargetSpec {
    name: "saga",
    about: "orders over three services, each done or undone as a whole; orchestrated or choreographed",
    nodes: &[4],
    workloads: &["saga-orders"],
    params: &[],
    options: settings::OPTIONS,
    bugs: settings::BUGS,
    build: |options| kit::target::build(client::Recipe::new(options)?),
    node: Some(kit::shell::run::<node::Business>),
};
