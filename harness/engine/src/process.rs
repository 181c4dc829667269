//! Node processes: started, watched, paused, killed, limited; all of a node's processes, its
//! children's children included.
//!
//! | module | what it does |
//! | --- | --- |
//! | [`Supervisor`] | all nodes of a run and what becomes of them, in the controller |
//! | [`Order`] | what shall be started, and the world it shall find itself in |
//! | [`warden`] | the process between controller and node, which starts it and outlives it |
//! | [`Isolation`] | how it is made sure that nothing of a node is left |
//! | [`cgroup`] | limits of processor time and memory |
//!
//! Wardens are children of one long-lived thread and hear from the kernel when it ends, so no node
//! outlives the controller, however the controller ends.

mod caps;
pub mod cgroup;
mod isolation;
mod mark;
mod order;
mod output;
mod said;
mod spawn;
mod supervisor;
pub(crate) mod tree;
mod warden;

pub(crate) use caps::keep_across_exec;
pub use isolation::{Isolation, probe};
pub use order::{Bounded, Limit, Order};
pub use output::{LOG_CAP, LogLine};
pub(crate) use supervisor::words;
pub use supervisor::{Died, Supervisor};
pub(crate) use warden::warden;
