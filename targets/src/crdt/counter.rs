//! A counter that goes up and down at every replica (state-based PN-Counter: Shapiro et al., *A
//! comprehensive study of convergent and commutative replicated data types*, 2011, specification
//! 7).

use std::collections::BTreeMap;

use danso_vocab::{NodeId, Value};
use serde::{Deserialize, Serialize};

use super::object::pairs;
use super::settings::Bug;

/// What every replica has added and taken away so far. A replica only ever raises its own
/// entries, so of two numbers for one replica the greater is the later.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Counter {
    #[serde(with = "pairs")]
    up: BTreeMap<u16, u64>,
    #[serde(with = "pairs")]
    down: BTreeMap<u16, u64>,
}

impl Counter {
    /// The state that, joined to this one, has `delta` added at `node`.
    pub(super) fn add(&self, node: NodeId, delta: i64) -> Counter {
        let mut change = Counter::default();
        let (side, of) = match delta < 0 {
            true => (&mut change.down, &self.down),
            false => (&mut change.up, &self.up),
        };
        let so_far = of.get(&node.0).copied().unwrap_or(0);
        side.insert(node.0, so_far.saturating_add(delta.unsigned_abs()));
        change
    }

    /// The number: all that was added less all that was taken away.
    pub(super) fn value(&self) -> Value {
        let sum = |side: &BTreeMap<u16, u64>| side.values().map(|n| i128::from(*n)).sum::<i128>();
        let value = sum(&self.up) - sum(&self.down);
        Value::Int(value.clamp(i64::MIN.into(), i64::MAX.into()) as i64)
    }

    /// The least upper bound of both: the greater number for each replica.
    pub(super) fn join(&mut self, other: &Counter, bug: Option<Bug>) {
        for (ours, theirs) in [(&mut self.up, &other.up), (&mut self.down, &other.down)] {
            for (node, count) in theirs {
                let entry = ours.entry(*node).or_default();
                if bug == Some(Bug::MergeDrops) {
                    // Whoever speaks last is right, even about what this replica counted since.
                    *entry = *count;
                } else {
                    *entry = (*entry).max(*count);
                }
            }
        }
    }
}
