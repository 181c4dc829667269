//! [`Event`]: one line of a history, as it happens.

use std::fmt;
use std::str::FromStr;

use crate::{Call, FaultId, Name, Value};

/// A logical single-threaded client. Retired after an `info`: a new process takes its worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Process(pub u32);

impl fmt::Display for Process {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "p{}", self.0)
    }
}

/// A member of the cluster, counted from 1 and written `n1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub u16);

impl NodeId {
    /// The position in a list of all nodes, counted from 0.
    pub fn index(self) -> usize {
        usize::from(self.0) - 1
    }

    /// All nodes of a cluster of `count`, in order.
    pub fn all(count: u16) -> Vec<NodeId> {
        (1..=count).map(NodeId).collect()
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "n{}", self.0)
    }
}

impl FromStr for NodeId {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        s.strip_prefix('n')
            .and_then(|n| n.parse().ok())
            .filter(|n| *n > 0)
            .map(NodeId)
            .ok_or_else(|| format!("`{s}` is no node: nodes are written n1, n2, …"))
    }
}

/// How an operation ended, as its client saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It happened, with this result.
    Ok(Value),
    /// It certainly did not happen, for this reason.
    Fail(Name),
    /// Nobody knows; it stays concurrent with everything after its invocation.
    Info(Name),
}

/// What the harness or a node did, beside the clients' operations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// What happened: a fault kind at its injection, `heal`, `node-crashed`, `phase`…
    pub f: Name,
    /// The injection it belongs to.
    pub fault: Option<FaultId>,
    /// The nodes it concerns.
    pub nodes: Vec<NodeId>,
    /// Details: arguments of the fault, its *observed effect*, a log tail…
    pub value: Value,
}

impl Note {
    /// A note about `f` with `value` as its detail.
    pub fn new(f: impl Into<Name>, value: impl Into<Value>) -> Self {
        Note { f: f.into(), fault: None, nodes: Vec::new(), value: value.into() }
    }

    /// The same note about these nodes.
    #[must_use]
    pub fn nodes(mut self, nodes: impl Into<Vec<NodeId>>) -> Self {
        self.nodes = nodes.into();
        self
    }

    /// The same note about this injection.
    #[must_use]
    pub fn fault(mut self, fault: FaultId) -> Self {
        self.fault = Some(fault);
        self
    }
}

/// Words that notes use for `f`, beside the fault kinds.
pub mod note {
    /// A fault was undone; its value carries `bit` and `effect`.
    pub const HEAL: &str = "heal";
    /// An injection could not be carried out; its value is the reason.
    pub const FAULT_FAILED: &str = "fault-failed";
    /// In the value of an injection that nodes may end of: how long it took to inject, ns.
    pub const TOOK: &str = "took";
    /// A node's process came up (first start or restart).
    pub const NODE_UP: &str = "node-up";
    /// A node died although no fault asked it to; its value carries `status` and `stderr`.
    pub const NODE_CRASHED: &str = "node-crashed";
    /// A node's process ended because a fault asked it to.
    pub const NODE_DOWN: &str = "node-down";
    /// A node's processes stand still.
    pub const NODE_PAUSED: &str = "node-paused";
    /// They go on.
    pub const NODE_RESUMED: &str = "node-resumed";
    /// Who leads, from now on: the note's nodes; none if nobody says so any more.
    pub const LEADER: &str = "leader";
    /// A node's wall clock was read from inside: its value is how far it is ahead of the true
    /// one, ns.
    pub const CLOCK_OFFSET: &str = "clock-offset";
    /// A phase of the run begins; its value is one of `load`, `heal`, `closing`, `end`.
    pub const PHASE: &str = "phase";
    /// The run was cut short; its value is the reason.
    pub const INTERRUPTED: &str = "interrupted";
    /// The first line of a stored history.
    pub const HISTORY: &str = "history";
}

/// One event: the atom of the history file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A process begins an operation. Stamped before the request leaves.
    Invoke {
        /// Who asks.
        process: Process,
        /// The node it asks, if known.
        node: Option<NodeId>,
        /// What it asks for.
        call: Call,
    },
    /// The operation of `process` ended. Stamped after the answer arrived.
    Complete {
        /// Who had asked.
        process: Process,
        /// How it ended.
        outcome: Outcome,
    },
    /// Anything else worth knowing.
    Note(Note),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_names_round_trip() {
        for id in NodeId::all(7) {
            assert_eq!(id.to_string().parse(), Ok(id));
        }
        for bad in ["", "n", "n0", "1", "m1", "n-1"] {
            assert!(bad.parse::<NodeId>().is_err(), "{bad}");
        }
    }
}
