//! From a plan to a history, on a live cluster.
//!
//! Knows nodes, networks, clients and faults; knows neither what a workload means nor who will
//! check the history.
//!
//! | module | what it does |
//! | --- | --- |
//! | [`target`] | the recipe for one kind of system, and its clients |
//! | [`network`] | addresses, and links that can be cut |
//! | [`process`] | starts, watches, pauses and kills node processes |
//! | [`clock`], [`disk`] | clocks and disks of their own for nodes |
//! | [`cluster`] | a running target: its members, processes and network |
//! | [`remote`] | nodes on other machines |
//! | [`means`] | what machine, network and target allow |
//! | [`internal`] | helper processes danso starts from its own binary |
//! | [`nemesis`] | kinds of faults: drawing, injecting, healing, evidence |
//! | [`schedule`] | carries out a plan's injections and heals them |
//! | [`recorder`] | the history file, as it happens |
//! | `interpreter` | workers that drive clients from generators |
//! | `observe` | what a run sees by itself: nodes that come and go, leaders, clocks |
//! | [`mod@run`] | all of it, in order |
//! | [`site`], [`undo`], [`progress`] | the run folder, the undo log, what to show meanwhile |

mod access;
pub mod clock;
pub mod cluster;
mod collect;
pub mod disk;
pub mod internal;
mod interpreter;
pub mod means;
pub mod nemesis;
pub mod network;
mod observe;
pub mod process;
pub mod progress;
pub mod recorder;
pub mod remote;
mod resilience;
pub mod run;
pub mod schedule;
pub mod shell;
pub mod site;
pub mod target;
pub mod undo;

pub use run::{Facts, RunError, Setup, run};
