//! A whole cluster in one thread under virtual time: real [`Node`](super::node::Node)s, a network
//! that drops, delays, repeats and reorders, disks that keep only what was persisted, clients
//! that retry, and a nemesis. Everything is drawn from one seed.
//!
//! After every step the [`oracle`] checks the paper's properties (figure 3) and, at every answer,
//! linearizability against the order of commits.

mod clients;
mod disk;
mod nemesis;
mod oracle;
mod setup;
mod tests;
mod world;
