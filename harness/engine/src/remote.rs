//! Nodes on other machines: [`Hosts`], what is known of them when planning; [`Remote`], what can
//! be done to them in a run. The processes the supervisor starts then only stand for the nodes'
//! own, which are out of reach of its signals.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use danso_vocab::{NodeId, Value};
use nix::sys::signal::Signal;
use nix::unistd::Pid;

use crate::means::{Need, Obstacle};
use crate::network::{Network, NetworkError, Spec};
use crate::target::{Fut, NodeCommand};

/// The note of a node that was lost together with the way to its machine: nobody knows what it
/// does. Its value carries `stderr`.
pub const NODE_LOST: &str = "node-lost";
/// How a [`Remote::stand_in`] ends then, and never else: what `ssh` keeps for itself.
pub(crate) const LOST: &str = "exit status 255";

/// The machines a target's nodes are to run on.
pub trait Hosts: fmt::Debug + Send + Sync {
    /// Whether all of them allow what a fault needs. Tried on them, when planning.
    ///
    /// # Errors
    /// Which does not, why, and the mend.
    fn have(&self, need: Need) -> Result<(), Obstacle>;

    /// Connects to all of them. [`Network::remote`] of what comes back is `Some`. Leaves no trace
    /// on them yet.
    ///
    /// # Errors
    /// Which does not answer, and why.
    fn open(&self, spec: &Spec) -> Result<Arc<dyn Network>, NetworkError>;
}

/// What is done to all processes of a node at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// They are killed, and gone when this is over.
    Kill,
    /// They stand still when this is over.
    Pause,
    /// They go on.
    Resume,
    /// They are sent this signal.
    Signal(Signal),
}

/// The machines, connected.
pub trait Remote: Send + Sync {
    /// The folder of `node` on its machine. It is there from [`Remote::settle`] to
    /// [`Remote::leave`].
    fn folder(&self, node: NodeId) -> PathBuf;

    /// The process to run here that stands for `node`: it runs `script` on the node's machine,
    /// prints what that prints, ends as that ends or with 255 if it is lost, and takes it along when it is killed.
    fn stand_in(&self, node: NodeId, script: &Path) -> NodeCommand;

    /// What [`Remote::leave`] will undo, to undo it even after this process is gone.
    fn traces(&self) -> Value;

    /// Makes what a run needs on the machines.
    fn settle(&self) -> Fut<'_, Result<(), String>>;

    /// Does this to all processes of `node`. Returns their numbers there; none if it does not run.
    fn act(&self, node: NodeId, act: Act) -> Fut<'_, Result<Vec<Pid>, String>>;

    /// Copies the files there that match a pattern of the shell, the beginning of each, into a
    /// folder here. Returns how many.
    fn fetch<'a>(
        &'a self,
        node: NodeId,
        pattern: &'a str,
        to: &'a Path,
        most: u64,
    ) -> Fut<'a, Result<usize, String>>;

    /// Removes everything of ours from the machines.
    fn leave(&self) -> Fut<'_, Result<(), String>>;
}
