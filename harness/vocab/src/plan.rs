//! [`Plan`]: everything decided before a run, every random choice included.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::{Schedule, Value, Verdict};

/// A complete plan. Stored as `plan.json` it is enough to run again: the seed is kept for people,
/// and what was drawn from it stands beside it.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// What the run is called; names its folder.
    pub name: String,
    /// The seed everything was drawn from.
    pub seed: u64,
    /// The system under test.
    pub target: TargetPlan,
    /// What clients do.
    pub workload: WorkloadPlan,
    /// How many clients, how fast, how long.
    pub load: Load,
    /// The network backend asked for: `auto`, `switch`, `nft`, `proxy` or `none`.
    pub network: String,
    /// Whether nodes are told IPv6 addresses instead of IPv4 ones.
    pub ipv6: bool,
    /// What goes wrong.
    pub schedule: Schedule,
    /// Faults of the kinds asked for that were left out, and why.
    pub left_out: Vec<String>,
    /// What a good run looks like.
    pub expect: Expect,
}

/// The system under test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetPlan {
    /// A registered target's name.
    pub name: String,
    /// Options of that target, complete.
    pub options: BTreeMap<String, Value>,
    /// A seed for each node, for its own random choices. As many as there are nodes.
    pub seeds: Vec<u64>,
}

impl TargetPlan {
    /// The number of nodes.
    pub fn nodes(&self) -> u16 {
        self.seeds.len() as u16
    }
}

/// What clients do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkloadPlan {
    /// A registered workload's name.
    pub name: String,
    /// Its parameters, complete.
    pub params: BTreeMap<String, Value>,
}

/// The load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Load {
    /// Operations per second, all workers together; `None` is full speed.
    pub rate: Option<u32>,
    /// How long the load lasts; healing and closing operations come after it.
    pub time: Duration,
    /// How long a client waits before it calls an operation `info`.
    pub timeout: Duration,
    /// A seed for each worker's stream of calls. As many as there are workers.
    pub streams: Vec<u64>,
    /// What clients do when a node does not answer.
    pub resilience: Resilience,
}

/// What clients do when a node does not answer: the patterns of client libraries, which are under
/// test too. By default they do nothing of the kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resilience {
    /// How long an attempt waits; `None` for as long as the operation.
    pub attempt: Option<Duration>,
    /// How often a call is tried again after an attempt that was in vain. To the system that is
    /// another call: one that is not idempotent may have its effect twice.
    pub retries: u32,
    /// The pause before the second attempt; it doubles from one to the next, and each is drawn
    /// from half of it to all of it.
    pub backoff: Duration,
    /// The longest such pause.
    pub most: Duration,
    /// So many calls in vain in a row, and no worker asks the node for a while; 0 for never.
    pub breaker: u32,
    /// That while.
    pub open: Duration,
    /// Calls under way at one node at most, further ones are refused; 0 for any number.
    pub bulkhead: u32,
}

impl Default for Resilience {
    fn default() -> Self {
        Resilience {
            attempt: None,
            retries: 0,
            backoff: Duration::from_millis(50),
            most: Duration::from_secs(1),
            breaker: 0,
            open: Duration::from_secs(1),
            bulkhead: 0,
        }
    }
}

impl Load {
    /// The number of workers.
    pub fn workers(&self) -> u32 {
        self.streams.len() as u32
    }
}

/// What a good run looks like. A run that falls short is `unknown`, never `valid`.
#[derive(Clone, Debug, PartialEq)]
pub struct Expect {
    /// The verdict people expect.
    pub verdict: Verdict,
    /// The anomalies people expect, where they expect `invalid`: any of these.
    pub anomalies: Vec<String>,
    /// The least share of operations that must succeed after healing, 0 to 1.
    pub ok_rate: f64,
    /// The fewest operations that must have succeeded.
    pub min_ops: u64,
}

impl Default for Expect {
    fn default() -> Self {
        Expect { verdict: Verdict::Valid, anomalies: Vec::new(), ok_rate: 0.8, min_ops: 1 }
    }
}
