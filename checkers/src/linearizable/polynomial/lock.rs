//! Locks and semaphores: who certainly has what, swept once.
//!
//! Processes are sequential, so an acquire that succeeded and the release that gave it back make a
//! *hold*, and from the end of the one to the beginning of the other the process certainly has it:
//! the hold's *core*. Take every hold to be its core and nothing else: each acquire at its end,
//! each release at its beginning, no acquire of unknown outcome, every release of unknown outcome.
//! At each instant no order of the same history has less taken. So, if nobody was refused, the
//! history is linearizable exactly if the cores fit together: no more than one at a time for a
//! mutex, one writer or readers for a read-write lock, no more permits than there are for a
//! semaphore. All of these are one rule, that the weights of what is taken at a time stay within a
//! capacity: a writer weighs as much as all readers together can.
//!
//! Cores of a mutex follow each other in a known order. Hence fencing tokens need only be compared
//! in this order; and who was refused needs an instant at which the lock can have been taken:
//! inside a hold or, if the core of none is near, before the end of a release, after the beginning
//! of an acquire, or, after the last hold, after the beginning of an acquire of unknown outcome.
//! (`refused.rs`.) Refusals by a semaphore of several permits, or by a read-write lock, are left
//! to the search.
//!
//! Where nobody asks who releases, a process might give back what another one took. No process
//! here does, or the history is unfit. It is unfit too if a release began at the same time as its
//! acquire ended, as far as the clock can tell: then even their order is open.

pub(crate) mod alphabet;
mod ledger;
mod refused;
mod words;

#[cfg(test)]
mod tests;

use super::{Decision, How, Part, Polynomial};
use ledger::{Hold, Ledger, NONE, by_rank};
use refused::Places;

/// Decides locks, in O(*n* log *n*) for *n* operations, O(*n*) if nobody was refused.
#[derive(Clone, Copy, Debug)]
pub struct Lock {
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Mutex,
    Fenced,
    Reentrant,
    ReadWrite,
    Semaphore(u32),
}

impl Lock {
    /// For [`Mutex`](crate::models::Mutex).
    pub fn mutex() -> Lock {
        Lock { kind: Kind::Mutex }
    }

    /// For [`FencedMutex`](crate::models::FencedMutex).
    pub fn fenced() -> Lock {
        Lock { kind: Kind::Fenced }
    }

    /// For [`ReentrantMutex`](crate::models::ReentrantMutex).
    pub fn reentrant() -> Lock {
        Lock { kind: Kind::Reentrant }
    }

    /// For [`RwLock`](crate::models::RwLock).
    pub fn read_write() -> Lock {
        Lock { kind: Kind::ReadWrite }
    }

    /// For a [`Semaphore`](crate::models::Semaphore) of so many permits.
    pub fn semaphore(permits: u32) -> Lock {
        Lock { kind: Kind::Semaphore(permits) }
    }
}

impl Polynomial for Lock {
    fn name(&self) -> &'static str {
        match self.kind {
            Kind::Mutex => "mutex",
            Kind::Fenced => "fenced-mutex",
            Kind::Reentrant => "reentrant-mutex",
            Kind::ReadWrite => "rw-lock",
            Kind::Semaphore(_) => "semaphore",
        }
    }

    fn decide(&self, part: &Part<'_>, how: &How) -> Decision {
        self.ruling(part, how).unwrap_or_else(|decision| decision)
    }
}

impl Lock {
    fn ruling(&self, part: &Part<'_>, how: &How) -> Result<Decision, Decision> {
        let ledger = Ledger::read(self.kind, part, &how.stop)?;
        let swept = sweep(&ledger);
        if let Some(at) = swept.exceeded {
            return Ok(Decision::Refuted(words::exceeded(&ledger, &together(&ledger, at))));
        }
        if self.kind == Kind::Fenced
            && let Some((first, then)) = unfenced(&ledger, &swept.order)
        {
            return Ok(Decision::Refuted(words::unfenced(&ledger, first, then)));
        }
        let mut places = Places::default();
        if !ledger.refused.is_empty() {
            if how.stop.is_tripped() {
                return Err(Decision::Stopped);
            }
            places = refused::places(&ledger, &swept.order)?;
        }
        Ok(Decision::Linearizable(how.witness.then(|| witness(&ledger, &places))))
    }
}

struct Swept {
    /// The hold whose core began when more was taken than there is.
    exceeded: Option<u32>,
    /// The holds, by the beginning of their cores.
    order: Vec<u32>,
}

/// Adds up what is certainly taken at each instant.
fn sweep(ledger: &Ledger<'_>) -> Swept {
    let begins = |i: usize, hold: &Hold| (ledger.from(hold), (i as u32) << 1 | 1);
    let ends = |i: usize, hold: &Hold| (ledger.until(hold), (i as u32) << 1);
    let events = || {
        let holds = || ledger.holds.iter().enumerate();
        let closed = holds().filter(|(_, hold)| hold.give != NONE);
        holds().map(|(i, hold)| begins(i, hold)).chain(closed.map(|(i, hold)| ends(i, hold)))
    };
    let (mut taken, mut order) = (0_u64, Vec::with_capacity(ledger.holds.len()));
    for event in by_rank(events) {
        let hold = event >> 1;
        let weight = u64::from(ledger.holds[hold as usize].weight);
        if event & 1 == 0 {
            taken -= weight;
            continue;
        }
        taken += weight;
        order.push(hold);
        if taken > ledger.capacity {
            return Swept { exceeded: Some(hold), order };
        }
    }
    Swept { exceeded: None, order }
}

/// As few holds as possible, that with core beginning last first, that do not fit together at the
/// instant at which it begins.
fn together(ledger: &Ledger<'_>, last: u32) -> Vec<u32> {
    let weight = |hold: u32| u64::from(ledger.holds[hold as usize].weight);
    let at = ledger.from(&ledger.holds[last as usize]);
    let others = (0..ledger.holds.len() as u32).filter(|i| {
        let hold = &ledger.holds[*i as usize];
        *i != last && ledger.from(hold) < at && at < ledger.until(hold)
    });
    let mut chosen: Vec<u32> = others.collect();
    let mut taken: u64 = weight(last) + chosen.iter().map(|hold| weight(*hold)).sum::<u64>();
    chosen.retain(|hold| {
        let spare = taken - weight(*hold) > ledger.capacity;
        taken -= if spare { weight(*hold) } else { 0 };
        !spare
    });
    chosen.insert(0, last);
    chosen
}

/// Two holds in succession, the second with a token that is not greater.
fn unfenced(ledger: &Ledger<'_>, order: &[u32]) -> Option<(u32, u32)> {
    let mut last: Option<(u32, i64)> = None;
    for &hold in order {
        let Some(token) = ledger.token(hold) else { continue };
        match last {
            Some((earlier, before)) if before >= token => return Some((earlier, hold)),
            _ => last = Some((hold, token)),
        }
    }
    None
}

/// All operations, each at its instant.
fn witness(ledger: &Ledger<'_>, places: &Places) -> Vec<u32> {
    let mut order: Vec<(u64, u32)> = Vec::with_capacity(2 * ledger.holds.len());
    for (i, hold) in ledger.holds.iter().enumerate() {
        order.push((places.taken(i).unwrap_or(refused::at(ledger.from(hold))), hold.take));
        if hold.give != NONE {
            let until = refused::at(ledger.until(hold));
            order.push((places.given(i).unwrap_or(until), hold.give));
        }
    }
    order.extend(ledger.inside.iter().map(|row| (refused::at(ledger.end(*row)), *row)));
    order.extend_from_slice(&places.others);
    order.sort_unstable();
    order.into_iter().map(|(_, row)| row).collect()
}
