//! [`Generator`]: what a client asks next.

use std::time::Duration;

use crate::{Call, NodeId, Outcome, Rng};

/// What to do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Call this.
    Invoke(Call),
    /// Wait this long, then ask again.
    Wait(Duration),
    /// Nothing more, ever.
    Done,
}

/// A stream of calls for one worker. The stream depends on the worker's own seed and, where a
/// generator chooses to, on what that worker observed: never on time or on other workers.
pub trait Generator: Send {
    /// The next step.
    fn next(&mut self, rng: &mut Rng) -> Step;

    /// A call of this worker ended like this.
    fn observe(&mut self, call: &Call, outcome: &Outcome) {
        let _ = (call, outcome);
    }
}

/// Which of the workers a generator is for. Lets workers write values nobody else writes, and
/// share out what has to be asked of every node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seat {
    /// This worker, from 0.
    pub worker: u32,
    /// All workers.
    pub workers: u32,
    /// The nodes of the cluster.
    pub nodes: u16,
}

impl Seat {
    /// The node this worker asks first.
    pub fn home(self) -> NodeId {
        NodeId((self.worker % u32::from(self.nodes.max(1))) as u16 + 1)
    }

    /// Whether this worker is the first of those whose home is the same: the one that asks what
    /// needs to be asked of each node once.
    pub fn speaks_for_home(self) -> bool {
        self.worker < u32::from(self.nodes.max(1))
    }
}
