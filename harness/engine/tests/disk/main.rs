//! Disks of nodes, seen from inside a process that has one.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod inside;
mod model;
mod nemeses;
mod power;
mod random;
mod remains;
mod rules;
mod servers;
mod user;
