//! [`Table`]: the policy and the counters of every directed link, shared between whoever cuts
//! and the thread that forwards.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::network::{LinkStats, Policy};

/// All links of one switch, by number.
#[derive(Debug)]
pub(super) struct Table {
    policies: Mutex<Vec<Policy>>,
    generation: AtomicU64,
    counters: Vec<Counter>,
}

#[derive(Debug, Default)]
struct Counter {
    passed: AtomicU64,
    stopped: AtomicU64,
}

/// The forwarding thread's own copy of the policies.
#[derive(Debug, Default)]
pub(super) struct View {
    generation: u64,
    policies: Vec<Policy>,
}

impl Table {
    /// All links clean.
    pub(super) fn new(links: usize) -> Table {
        Table {
            policies: Mutex::new(vec![Policy::default(); links]),
            generation: AtomicU64::new(1),
            counters: (0..links).map(|_| Counter::default()).collect(),
        }
    }

    /// Changes these links; the forwarding thread sees all of the changes or none.
    pub(super) fn set(&self, changes: &[(usize, Policy)]) {
        let mut policies = self.policies.lock().unwrap_or_else(PoisonError::into_inner);
        for &(link, policy) in changes {
            policies[link] = policy;
        }
        // Published while the lock is held: a view of this generation has all of it.
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// The policy of `link` now. Costs one atomic load unless something has changed.
    pub(super) fn policy(&self, view: &mut View, link: usize) -> Policy {
        if self.generation.load(Ordering::Acquire) != view.generation {
            let policies = self.policies.lock().unwrap_or_else(PoisonError::into_inner);
            view.policies.clone_from(&policies);
            view.generation = self.generation.load(Ordering::Acquire);
        }
        view.policies[link]
    }

    /// One more packet went through.
    pub(super) fn passed(&self, link: usize) {
        self.counters[link].passed.fetch_add(1, Ordering::Relaxed);
    }

    /// One more packet was dropped.
    pub(super) fn stopped(&self, link: usize) {
        self.counters[link].stopped.fetch_add(1, Ordering::Relaxed);
    }

    /// What the link has seen.
    pub(super) fn stats(&self, link: usize) -> LinkStats {
        let counter = &self.counters[link];
        LinkStats {
            passed: counter.passed.load(Ordering::Relaxed),
            stopped: counter.stopped.load(Ordering::Relaxed),
            touched: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_follows_the_table() {
        let table = Table::new(4);
        let mut view = View::default();
        assert_eq!(table.policy(&mut view, 2), Policy::default());
        table.set(&[(2, Policy::CUT), (3, Policy::CUT)]);
        assert!(
            table.policy(&mut view, 2) == Policy::CUT && table.policy(&mut view, 3) == Policy::CUT
        );
        assert!(table.policy(&mut view, 1).is_clean());
        table.set(&[(2, Policy::default())]);
        assert!(table.policy(&mut view, 2).is_clean() && table.policy(&mut view, 3) == Policy::CUT);
    }
}
