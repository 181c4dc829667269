//! Node processes: started, watched, paused, killed.
//!
//! Every process is a child of one long-lived thread and asks the kernel to kill it when that
//! thread dies, so no node outlives the controller, however the controller ends.

pub mod cgroup;
mod output;
mod spawn;
mod supervisor;

pub use output::{LOG_CAP, LogLine};
pub use spawn::Spawner;
pub use supervisor::{Died, Supervisor};
pub(crate) use supervisor::{state, words};
