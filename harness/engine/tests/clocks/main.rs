//! Clocks of their own, as programs of many kinds see them: from threads that were there before
//! the change, from children and from what they exec.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod denied;
mod kinds;
mod node;
mod runs;
mod servers;
mod skews;
