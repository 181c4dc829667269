//! From a plan to a history, on a live cluster.
//!
//! Knows nodes, networks, clients and faults; knows nothing of workloads' meaning or checkers.

pub mod network;
pub mod target;
