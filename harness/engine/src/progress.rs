//! [`Monitor`]: what a run is doing right now, for whoever wants to show it; and
//! [`Interrupt`]: how to ask it to stop.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use danso_vocab::history::Counts;
use danso_vocab::{FaultId, Outcome};
use tokio::sync::watch;

/// Live figures of a run. Written by the engine, read by a display.
#[derive(Debug, Default)]
pub struct Monitor {
    ok: AtomicU64,
    fail: AtomicU64,
    info: AtomicU64,
    phase: Mutex<String>,
    active: Mutex<BTreeMap<FaultId, String>>,
}

impl Monitor {
    /// Operations so far.
    pub fn counts(&self) -> Counts {
        Counts {
            ok: self.ok.load(Ordering::Relaxed),
            fail: self.fail.load(Ordering::Relaxed),
            info: self.info.load(Ordering::Relaxed),
        }
    }

    /// What is going on: `starting`, `load`, `healing`, `closing`, `stopping`.
    pub fn phase(&self) -> String {
        lock(&self.phase).clone()
    }

    /// The faults active now, in words.
    pub fn active(&self) -> Vec<String> {
        lock(&self.active).values().cloned().collect()
    }

    pub(crate) fn count(&self, outcome: &Outcome) {
        let counter = match outcome {
            Outcome::Ok(_) => &self.ok,
            Outcome::Fail(_) => &self.fail,
            Outcome::Info(_) => &self.info,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn enter(&self, phase: &str) {
        phase.clone_into(&mut lock(&self.phase));
    }

    pub(crate) fn fault(&self, id: FaultId, words: Option<String>) {
        let mut active = lock(&self.active);
        match words {
            Some(words) => drop(active.insert(id, words)),
            None => drop(active.remove(&id)),
        }
    }
}

/// A request to end the run early: heal, stop, but still check and report.
#[derive(Clone, Debug)]
pub struct Interrupt {
    sender: Arc<watch::Sender<Option<String>>>,
}

impl Default for Interrupt {
    fn default() -> Self {
        Interrupt { sender: Arc::new(watch::Sender::new(None)) }
    }
}

impl Interrupt {
    /// Asks the run to end, with the reason for the report. The first reason stays.
    pub fn raise(&self, reason: &str) {
        self.sender.send_if_modified(|current| {
            let first = current.is_none();
            if first {
                *current = Some(reason.to_owned());
            }
            first
        });
    }

    /// Why the run should end, if it should.
    pub fn raised(&self) -> Option<String> {
        self.sender.borrow().clone()
    }

    /// Waits until the run should end.
    pub async fn wait(&self) {
        let mut receiver = self.sender.subscribe();
        // The sender lives in self, so this cannot fail while we wait.
        let _ = receiver.wait_for(Option::is_some).await;
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // A panic elsewhere must not keep us from healing and recording.
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
