//! Locks and leaders of clusters: what a client holds, and until when it can be sure.
//!
//! A lock that is leased can be held by nobody for certain but for a while; what protects a
//! resource is the fencing token that comes with it. These checkers judge what follows from that:
//! [`LeaseLock`] and [`Leader`]. A plain mutex is a model (`mutex`, `fenced-mutex`).

mod leader;
mod lease;

pub use leader::Leader;
pub use lease::LeaseLock;
