//! [`Checker`]: decides one guarantee of one history.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::certificate::Certifier;
use crate::{Finding, History, LiveChecker};

/// Decides one guarantee. A pure function of history and limits: no I/O, no clock, no global
/// state. Total: out of limits is `Unknown` with the reason, never a guess.
pub trait Checker: Send + Sync {
    /// The checker's name: what it decides, as in `linearizable`.
    fn name(&self) -> &'static str;

    /// The guarantee in one sentence.
    fn decides(&self) -> &'static str;

    /// The names of the anomalies it can find.
    fn anomalies(&self) -> &'static [&'static str] {
        &[]
    }

    /// The finding about `history`.
    fn check(&self, history: &History, limits: &Limits) -> Finding;

    /// One that watches a history while it is being recorded, if there is one for this guarantee.
    fn live<'a>(&'a self, limits: &Limits) -> Option<Box<dyn LiveChecker + 'a>> {
        let _ = limits;
        None
    }

    /// Who proves its verdicts, if anybody can.
    fn certifier(&self) -> Option<&dyn Certifier> {
        None
    }
}

/// How much a checker may spend. A deadline reaches it as a [`Stop`] that the caller trips, so
/// that checkers need no clock and tests are exact.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Configurations a search may visit.
    pub states: u64,
    /// Bytes a search may hold.
    pub memory: u64,
    /// Threads it may use.
    pub threads: usize,
    /// Give up now.
    pub stop: Stop,
    /// Where to say how far it got.
    pub progress: Progress,
}

impl Default for Limits {
    /// No bound on states, 4 GiB, one thread, never stopped.
    fn default() -> Self {
        Limits {
            states: u64::MAX,
            memory: 4 << 30,
            threads: 1,
            stop: Stop::default(),
            progress: Progress::default(),
        }
    }
}

/// How far a check got, shared between whoever checks and whoever shows it.
#[derive(Clone, Debug, Default)]
pub struct Progress(Arc<[AtomicU64; 3]>);

impl Progress {
    /// So many objects are to be decided.
    pub fn objects(&self, count: u64) {
        self.0[0].fetch_add(count, Ordering::Relaxed);
    }

    /// One of them is.
    pub fn decided(&self) {
        self.0[1].fetch_add(1, Ordering::Relaxed);
    }

    /// A search visited about so many configurations more.
    pub fn visited(&self, count: u64) {
        self.0[2].fetch_add(count, Ordering::Relaxed);
    }

    /// How many objects there are, how many are decided, and how many configurations were
    /// visited.
    pub fn read(&self) -> [u64; 3] {
        [0, 1, 2].map(|i: usize| self.0[i].load(Ordering::Relaxed))
    }
}

/// A flag that says "give up now", shared between whoever trips it and whoever obeys.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<Flag>);

#[derive(Debug, Default)]
struct Flag {
    tripped: AtomicBool,
    parent: Option<Stop>,
}

impl Stop {
    /// A flag not yet tripped.
    pub fn new() -> Self {
        Stop::default()
    }

    /// A flag that counts as tripped if this one is, and that can be tripped by itself.
    #[must_use]
    pub fn child(&self) -> Stop {
        Stop(Arc::new(Flag { tripped: AtomicBool::new(false), parent: Some(self.clone()) }))
    }

    /// Trips it, for good.
    pub fn trip(&self) {
        self.0.tripped.store(true, Ordering::Relaxed);
    }

    /// Whether it was tripped.
    pub fn is_tripped(&self) -> bool {
        self.0.tripped.load(Ordering::Relaxed)
            || self.0.parent.as_ref().is_some_and(Stop::is_tripped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_stops_with_its_parent_but_not_the_other_way() {
        let parent = Stop::new();
        let (one, other) = (parent.child(), parent.child());
        one.trip();
        assert!(one.is_tripped() && !other.is_tripped() && !parent.is_tripped());
        parent.trip();
        assert!(other.is_tripped());
    }
}
