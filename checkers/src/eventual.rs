//! Eventual consistency: once updates have stopped, all replicas come to the same state, and that
//! state follows from the updates.
//!
//! What is judged, for each key (ALGORITHMS §4.5):
//!
//! | anomaly | it means |
//! | --- | --- |
//! | `divergence` | the last reads of two replicas, after the last update had ended, differ |
//! | `invented-value` | a read shows what nobody had asked for by then |
//! | `aborted-read` | a read shows what only updates that failed had asked for |
//! | `lost-write` | a register ends with a value although a later write was acknowledged, or with none at all |
//! | `duplicate-element` | a read lists an element of a set twice |
//! | `lost-element`, `resurrected-element` | a set ends without an element that nobody can have removed, or with one whose every addition was removed |
//! | `lost-increment`, `wrong-sum` | a counter ends outside of what its additions can sum up to |
//! | `same-updates-different-state` | two replicas that had heard of the same updates (`{value, seen}`) were in different states: no strong eventual consistency |
//!
//! A replica is the node that an operation names. Where no operation names one, every process
//! that still reads after the last update counts as a replica. A replica whose final read is
//! missing makes the verdict unknown, and so does a history that ends before anything is quiet.
//!
//! An update is over when its client knows how it ended or gave it up; what is still open at the
//! end of a history keeps its key from ever being quiet. A history that tells of its closing
//! phase is not quiet before that.
//!
//! Memory, beside the history: 8 bytes for every operation, and up to 95 for each of the key at
//! hand (the benchmark `eventual` measures it) with 4 for each element of each distinct read of a
//! set. Time: O(n log n).

mod counter;
mod elements;
mod key;
mod quiet;
mod register;
mod replicas;
mod report;
mod set;
mod staleness;
#[cfg(test)]
mod tests;
mod words;

use std::time::Duration;

use danso_vocab::{Checker, Finding, History, Limits, Value};

use key::{Begin, Key};
use quiet::Quiet;
use replicas::Replicas;
use report::Report;
use words::Words;

/// What the replicas hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Object {
    /// `read`, `write v`, `cas [old new]`: replicas end with any of the values written.
    Register,
    /// The same where the last write in real time wins: every write that is acknowledged
    /// overwrites all that ended before it began.
    LastWriteRegister,
    /// `add n` (`inc`, `increment`) with n ≥ 0, and `read`.
    GCounter,
    /// The same with any n (`dec`, `decrement`).
    PnCounter,
    /// `add v` (`broadcast`) and `read`, which answers a list.
    GSet,
    /// `add v`, `remove v` and `read`. A removal takes away the additions it has observed and no
    /// others. An `add` may answer its tag and a `remove` the list of the tags it took away:
    /// then everything is known. Otherwise a removal certainly observed what had been added at
    /// its own node before it began, and certainly not what was added after it ended.
    OrSet,
}

impl Object {
    fn name(self) -> &'static str {
        match self {
            Object::Register => "eventual-register",
            Object::LastWriteRegister => "last-write-register",
            Object::GCounter => "g-counter",
            Object::PnCounter => "pn-counter",
            Object::GSet => "g-set",
            Object::OrSet => "or-set",
        }
    }
}

/// Checks that the replicas of an object converge; see the [module](self).
#[derive(Clone, Debug)]
pub struct Eventual {
    object: Object,
    initial: Value,
    replicas: Option<u16>,
    grace: Duration,
}

/// Checks that the replicas of an object that begins with `initial` converge. A counter begins
/// with 0 if that is no integer; a set begins empty.
pub fn eventual(object: Object, initial: Value) -> Eventual {
    Eventual { object, initial, replicas: None, grace: Duration::ZERO }
}

impl Eventual {
    /// There must be final reads of this many replicas at least.
    #[must_use]
    pub fn replicas(mut self, count: u16) -> Self {
        self.replicas = Some(count);
        self
    }

    /// Replicas have this long to converge: earlier reads are not final.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }
}

/// Bytes an operation costs, at most, beside the elements of distinct sets.
const OP_BYTES: u64 = 100;

impl Checker for Eventual {
    fn name(&self) -> &'static str {
        self.object.name()
    }

    fn decides(&self) -> &'static str {
        match self.object {
            Object::Register => {
                "once writes stop, all replicas come to hold the same value, one that was written"
            }
            Object::LastWriteRegister => {
                "once writes stop, all replicas come to hold the value written last"
            }
            Object::GCounter | Object::PnCounter => {
                "once additions stop, all replicas come to hold their sum"
            }
            Object::GSet => "once additions stop, all replicas come to hold all that was added",
            Object::OrSet => {
                "once updates stop, all replicas come to hold what was added and not removed since"
            }
        }
    }

    fn anomalies(&self) -> &'static [&'static str] {
        match self.object {
            Object::Register | Object::LastWriteRegister => &[
                "divergence",
                "lost-write",
                "invented-value",
                "aborted-read",
                "same-updates-different-state",
            ],
            Object::GCounter | Object::PnCounter => {
                &["divergence", "lost-increment", "wrong-sum", "same-updates-different-state"]
            }
            Object::GSet | Object::OrSet => &[
                "divergence",
                "lost-element",
                "resurrected-element",
                "invented-value",
                "aborted-read",
                "duplicate-element",
                "same-updates-different-state",
            ],
        }
    }

    /// O(n log n); see the [module](self) for memory.
    fn check(&self, history: &History, limits: &Limits) -> Finding {
        if history.len() as u64 * OP_BYTES > limits.memory {
            return Finding::unknown(
                self.name(),
                format!(
                    "{} operations may need {} MiB, more than the limit; raise --memory",
                    history.len(),
                    (history.len() as u64 * OP_BYTES) >> 20
                ),
            );
        }
        let alphabet = match key::Alphabet::of(self.object, history) {
            Ok(alphabet) => alphabet,
            Err(why) => return Finding::unknown(self.name(), why),
        };
        let replicas = Replicas::of(history, self.replicas);
        let begin = Begin { alphabet, closing: Quiet::closing(history), stop: &limits.stop };
        let mut report = Report::default();
        let rows = key::by_key(history);
        limits.progress.objects(rows.chunk_by(|a, b| a.0 == b.0).count() as u64);
        for rows in rows.chunk_by(|a, b| a.0 == b.0) {
            if let Err(why) = self.one(history, rows, &begin, &replicas, &mut report) {
                return Finding::unknown(self.name(), why);
            }
            limits.progress.decided();
        }
        report.finding(self.name(), &replicas)
    }
}

impl Eventual {
    /// Judges one key; the error says which operation is none of this object, or that time is up.
    fn one(
        &self,
        history: &History,
        rows: &[(u32, u32)],
        begin: &Begin<'_>,
        replicas: &Replicas,
        report: &mut Report,
    ) -> Result<(), String> {
        let mut elements = elements::Elements::default();
        let key = Key::of(self, history, rows, begin, &mut elements)?;
        quiet::same_updates(&key, report);
        let finals = quiet::finals(&key, replicas, self.grace, report);
        let words = Words { object: self.object, elements: &elements };
        quiet::agreement(&key, &finals, replicas, &words, report);
        match self.object {
            Object::Register | Object::LastWriteRegister => {
                let rule = (self.object == Object::LastWriteRegister, &self.initial);
                register::judge(&key, &finals, rule, &mut elements, replicas, report);
            }
            Object::GCounter | Object::PnCounter => {
                let initial = counter::initial(&self.initial);
                counter::judge(&key, &finals, initial, replicas, report);
            }
            Object::GSet | Object::OrSet => {
                set::judge(&key, &finals, &mut elements, replicas, report);
            }
        }
        Ok(())
    }
}
