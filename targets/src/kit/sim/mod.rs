//! A whole cluster in one thread under virtual time: real [`Node`](super::Node)s, a network that
//! drops, delays, repeats and reorders, disks that keep only what was persisted, clients, and
//! misfortune. Everything is drawn from one seed. What clients saw is a history, to be judged by
//! the checkers that judge real clusters.
//!
//! Messages and records travel as JSON, so their encoding is tried, too.

mod clients;
mod trouble;
mod world;

pub(crate) use self::clients::Load;
pub(crate) use self::world::{Setup, run};
