//! Node processes: started, watched, paused, killed, limited; all of a node's processes, its
//! children's children included.
//!
//! | module | what it does |
//! | --- | --- |
//! | [`Supervisor`] | all nodes of a run and what becomes of them, in the controller |
//! | [`News`] | what happens to nodes, in the order it happens |
//! | [`Order`] | what shall be started, and the world it shall find itself in |
//! | `warden` | the process between controller and node, which starts it and outlives it |
//! | [`Isolation`] | how it is made sure that nothing of a node is left |
//! | [`Tight`] | limits of file descriptors and file sizes |
//! | [`cgroup`] | limits of processor time and memory |
//!
//! Wardens are children of one long-lived thread and hear from the kernel when it ends, so no node
//! outlives the controller, however the controller ends.

mod caps;
pub mod cgroup;
mod isolation;
mod limits;
mod mark;
mod news;
mod order;
mod output;
mod said;
mod spawn;
mod supervisor;
mod told;
pub(crate) mod tree;
mod warden;

/// Removes what killed controllers have left behind, as far as it is known by its mark: processes
/// and control groups. Says what was there; an error is one that is still there.
pub fn clean() -> Vec<Result<String, String>> {
    let mut done = Vec::new();
    match mark::kill_marked(mark::is_orphaned) {
        0 => {}
        killed => done.push(Ok(format!("{killed} processes killed"))),
    }
    done.extend(cgroup::sweep().into_iter().map(|group| match group {
        Ok(path) => Ok(format!("{} removed", path.display())),
        Err(error) => Err(error.to_string()),
    }));
    done
}

pub(crate) use caps::keep_across_exec;
pub use isolation::{Isolation, probe};
pub(crate) use limits::open_files;
pub use limits::{Grip, Tight};
pub use news::{Listener, News, Turn};
pub use order::{Bounded, Limit, Order};
pub use output::{LOG_CAP, LogLine};
pub use supervisor::Supervisor;
pub(crate) use told::words;
pub(crate) use warden::warden;
