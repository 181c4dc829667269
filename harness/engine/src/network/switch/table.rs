//! [`Table`]: the policy and the counters of every directed link, shared between whoever changes
//! them and the thread that forwards.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::network::{Block, LinkStats, Policy};

/// New policies of links.
pub(super) type Changes = Vec<(usize, Policy)>;

/// All links of one switch, by number.
#[derive(Debug)]
pub(super) struct Table {
    /// What no view has seen yet, in order; each entry was set at once.
    news: Mutex<Vec<Changes>>,
    generation: AtomicU64,
    counters: Vec<Counter>,
    /// Packets to nobody: broadcasts, other networks.
    pub(super) strays: AtomicU64,
    /// Packets a receiver's kernel did not take.
    pub(super) lost: AtomicU64,
}

#[derive(Debug, Default)]
struct Counter {
    passed: AtomicU64,
    stopped: AtomicU64,
    touched: AtomicU64,
}

/// What a link needs done, at a glance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Nothing.
    Clean,
    /// Everything stops here.
    Closed(Block),
    /// Packets pass, and something is done to them.
    Shaped,
}

/// The forwarding thread's own copy of the policies.
#[derive(Debug)]
pub(super) struct View {
    generation: u64,
    policies: Vec<Policy>,
    modes: Vec<Mode>,
}

impl View {
    /// All links clean.
    pub(super) fn new(links: usize) -> View {
        View {
            generation: 0,
            policies: vec![Policy::default(); links],
            modes: vec![Mode::Clean; links],
        }
    }

    /// The policy of a link.
    pub(super) fn policy(&self, link: usize) -> &Policy {
        &self.policies[link]
    }

    /// What it needs.
    pub(super) fn mode(&self, link: usize) -> Mode {
        self.modes[link]
    }

    /// Takes this change over; whether it is one.
    pub(super) fn apply(&mut self, link: usize, policy: Policy) -> bool {
        let changes = self.policies[link] != policy;
        self.policies[link] = policy;
        self.modes[link] = match policy.block {
            Block::Open if policy.is_clean() => Mode::Clean,
            Block::Open => Mode::Shaped,
            block => Mode::Closed(block),
        };
        changes
    }
}

impl Table {
    /// All links clean.
    pub(super) fn new(links: usize) -> Table {
        Table {
            news: Mutex::default(),
            generation: AtomicU64::new(0),
            counters: (0..links).map(|_| Counter::default()).collect(),
            strays: AtomicU64::new(0),
            lost: AtomicU64::new(0),
        }
    }

    /// Changes these links; the forwarding thread sees all of the changes or none.
    pub(super) fn set(&self, changes: &[(usize, Policy)]) {
        let mut news = self.news.lock().unwrap_or_else(PoisonError::into_inner);
        news.push(changes.to_vec());
        // Published while the lock is held: a view of this generation has all of it.
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// What has changed since `view` last asked. Costs one atomic load where nothing has.
    pub(super) fn news(&self, view: &mut View) -> Vec<Changes> {
        if self.generation.load(Ordering::Acquire) == view.generation {
            return Vec::new();
        }
        let mut news = self.news.lock().unwrap_or_else(PoisonError::into_inner);
        view.generation = self.generation.load(Ordering::Acquire);
        std::mem::take(&mut *news)
    }

    /// So many more packets went through.
    pub(super) fn passed(&self, link: usize, packets: u64) {
        self.counters[link].passed.fetch_add(packets, Ordering::Relaxed);
    }

    /// So many more were dropped or held.
    pub(super) fn stopped(&self, link: usize, packets: u64) {
        self.counters[link].stopped.fetch_add(packets, Ordering::Relaxed);
    }

    /// Something was done to one more.
    pub(super) fn touched(&self, link: usize) {
        self.counters[link].touched.fetch_add(1, Ordering::Relaxed);
    }

    /// What the link has seen.
    pub(super) fn stats(&self, link: usize) -> LinkStats {
        let counter = &self.counters[link];
        LinkStats {
            passed: counter.passed.load(Ordering::Relaxed),
            stopped: counter.stopped.load(Ordering::Relaxed),
            touched: counter.touched.load(Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_follows_the_table() {
        let table = Table::new(4);
        let mut view = View::new(4);
        let follow = |view: &mut View| {
            let news = table.news(view);
            let news = news.into_iter().flatten();
            news.filter(|(link, policy)| view.apply(*link, *policy)).count()
        };
        assert_eq!(follow(&mut view), 0);
        table.set(&[(2, Policy::CUT), (3, Policy::CUT)]);
        table.set(&[(1, Policy { longest: Some(900), ..Policy::default() })]);
        assert_eq!(follow(&mut view), 3);
        assert_eq!(view.mode(2), Mode::Closed(Block::Drop));
        assert_eq!((view.mode(1), view.mode(0)), (Mode::Shaped, Mode::Clean));
        table.set(&[(2, Policy::default()), (3, Policy::CUT)]);
        assert_eq!(follow(&mut view), 1);
        assert_eq!((view.mode(2), view.mode(3)), (Mode::Clean, Mode::Closed(Block::Drop)));
        assert!(view.policy(2).is_clean());
    }
}
