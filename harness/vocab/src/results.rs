//! [`Results`]: everything known after a run or a check; stored as `results.json`.

use std::collections::BTreeMap;

use crate::history::Counts;
use crate::{FaultId, Finding, Name, NodeId, Time, Verdict};

/// The answer and what it rests on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Results {
    /// The worst of the findings.
    pub verdict: Verdict,
    /// One sentence: why.
    pub reason: String,
    /// The run's seed, if the history came from a run.
    pub seed: Option<u64>,
    /// The exact command that does it again.
    pub reproduce: String,
    /// What each checker found.
    pub findings: Vec<Finding>,
    /// What went wrong on purpose, and what it did.
    pub faults: Vec<FaultReport>,
    /// How operations ended, by name.
    pub counts: BTreeMap<String, Counts>,
    /// The machine, the versions, the network backend.
    pub environment: BTreeMap<String, String>,
    /// Why the run ended early, if it did.
    pub interrupted: Option<String>,
}

/// One injection as it went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultReport {
    /// Its id in plan and history.
    pub id: FaultId,
    /// Its kind.
    pub kind: Name,
    /// The nodes it hit.
    pub nodes: Vec<NodeId>,
    /// When it was injected; `None` if it never was.
    pub start: Option<Time>,
    /// When it was healed; `None` if it never was.
    pub stop: Option<Time>,
    /// Whether its effect was seen: packets dropped, a pid gone, a process stopped.
    pub bit: bool,
    /// The effect in words, or why there is none.
    pub effect: String,
}
