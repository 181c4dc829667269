//! Clocks of their own for nodes, without touching the host's.
//!
//! Every node has a [`Clock`]: a page of memory that says how its clocks run. Each process of
//! the node has code between itself and the kernel's clocks that reads the page: put there at
//! `execve` by ptrace ([`mod@patch`], [`launch`], [`exec`]), or preloaded where that is not
//! permitted ([`preload`]). A change takes effect in all of them at once, threads and children
//! included, and stays in force while the node is down.
//!
//! | module | what it does |
//! | --- | --- |
//! | `line` | how one clock runs: the arithmetic |
//! | [`page`] | the lines of all clocks, in shared memory |
//! | [`skew`] | what faults do to a node's clocks, added up |
//! | `arch` | the code that goes into processes, for each processor |
//! | `elf`, `tracee`, [`mod@patch`] | putting it there |
//! | [`launch`], [`exec`] | at the first `execve`, and at every later one |
//! | [`nodes`] | the clocks of all nodes of a run |
//! | [`inside`] | what a running process's clock reads |
//! | `probe` | whether all this works here |

mod arch;
mod elf;
pub mod exec;
pub(crate) mod helper;
pub mod inside;
pub mod launch;
mod line;
pub mod nodes;
pub mod page;
pub mod patch;
pub mod preload;
mod probe;
pub mod skew;
mod tracee;

pub use line::Line;
pub use nodes::Clocks;
pub use probe::{Way, probe, way, witness};
pub use skew::{Clock, Layer, Skew};
pub use tracee::PatchError;
