//! [`Checker`]: decides one guarantee of one history.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::certificate::Certifier;
use crate::{Finding, History};

/// Decides one guarantee. A pure function of history and limits: no I/O, no clock, no global
/// state. Total: out of limits is `Unknown` with the reason, never a guess.
pub trait Checker: Send + Sync {
    /// The checker's name: what it decides, as in `linearizable`.
    fn name(&self) -> &'static str;

    /// The guarantee in one sentence.
    fn decides(&self) -> &'static str;

    /// The finding about `history`.
    fn check(&self, history: &History, limits: &Limits) -> Finding;

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
}

impl Default for Limits {
    /// No bound on states, 4 GiB, one thread, never stopped.
    fn default() -> Self {
        Limits { states: u64::MAX, memory: 4 << 30, threads: 1, stop: Stop::default() }
    }
}

/// A flag that says "give up now", shared between whoever trips it and whoever obeys.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// A flag not yet tripped.
    pub fn new() -> Self {
        Stop::default()
    }

    /// Trips it, for good.
    pub fn trip(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it was tripped.
    pub fn is_tripped(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
