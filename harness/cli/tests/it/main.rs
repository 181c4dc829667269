//! The binary as users run it. Tests that start clusters take turns: two cores are few.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod canaries;
mod certificates;
mod ci;
mod declared;
mod docs;
mod faults;
mod harness;
mod hostile;
mod killed;
mod library;
mod live;
mod maelstrom;
mod mistakes;
mod new;
mod observed;
mod privileges;
mod replay;
mod reports;
mod runs;
mod serve;
mod shrink;
mod sql;
mod ssh;
mod suite;
mod systems;
mod usage;
