//! Linearizability of single objects, for any [`Model`].
//!
//! **What is decided.** There is one total order of the operations of each object that the model
//! accepts and that never puts an operation before one that had ended before it began. All `ok`
//! operations are in it; `fail` ones are not; `info` ones, and those still open at the end, may
//! or may not be, at any time after their invocation. Operations that only touch (equal stamps)
//! are concurrent.
//!
//! **Objects.** If every operation has a key, each key is an object of its own, decided by
//! itself: that loses nothing (linearizability is local). If no operation has a key, the whole
//! history is one object. If only some have one, the answer is `unknown`: nobody could say which
//! objects the others touch. The same goes for an operation that the model does not know.
//!
//! **How.** Depth-first search over configurations in normal form with exact memory of dead ones
//! (`search.rs`), after and with reductions that provably keep the verdict (`reduce.rs`). With *n*
//! operations, at most *c* of them open at once and *s* states reachable per set of linearized
//! operations, it visits at most *n*·2^*c*·*s* configurations, each in O(*c*²): linear in *n* for
//! bounded concurrency, exponential in *c* at worst (the problem is NP-complete). Operations of
//! unknown outcome multiply this by the ways to use them. On registers most of that never
//! happens: those that nobody can have observed are dropped, those that somebody must have
//! observed are given a deadline, and the search begins without counting them. Where no value is
//! written twice it is close to linear.
//!
//! The same search goes breadth first (`search/frontier.rs`) where memory runs out, and on a second
//! thread where one object is hard (`portfolio.rs`). [`live`] decides while a history is recorded.
//!
//! **Trust.** A linearization that was found is replayed against the model and real time before
//! the history is called valid. A refutation is repeated, within bounds, by a search without any
//! reasoning about values; and the few operations that are shown for it are refuted once more by
//! the plain search. Should these disagree, the answer is `unknown`, and says so.

mod demand;
mod judge;
pub mod live;
mod machine;
mod mask;
mod object;
pub mod polynomial;
mod portfolio;
mod reduce;
mod search;
mod timeline;
mod violation;
mod witness;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use danso_vocab::{Anomaly, Checker, Finding, History, Limits, LiveChecker, Model, Status};

use judge::{Judge, Judged, Ruling};
use reduce::Reductions;

/// Anomalies shown; the finding says how many more there are.
const SHOWN: usize = 10;

/// Decides whether every object of a history is linearizable with respect to `model`.
pub fn linearizable<M: Model + 'static>(model: M) -> Box<dyn Checker> {
    Box::new(Linearizable::new(model))
}

/// The checker [`linearizable`] returns.
#[derive(Clone, Debug)]
pub struct Linearizable<M> {
    model: M,
    reductions: Reductions,
}

impl<M: Model> Linearizable<M> {
    /// A checker with respect to `model`.
    pub fn new(model: M) -> Self {
        Linearizable { model, reductions: Reductions::ALL }
    }

    #[cfg(test)]
    fn with(model: M, reductions: Reductions) -> Self {
        Linearizable { model, reductions }
    }

    fn judge_all(&self, history: &History, objects: &[Vec<u32>], limits: &Limits) -> Vec<Judged> {
        let threads = limits.threads.clamp(1, objects.len().max(1));
        let judge = Judge {
            model: &self.model,
            reductions: self.reductions,
            limits,
            threads: threads as u64,
            spare: limits.threads >= 2 * objects.len(),
        };
        if threads == 1 {
            return objects.iter().map(|rows| judge.object(history, rows)).collect();
        }
        // The largest first, so that no thread is left alone with one at the end.
        let mut order: Vec<usize> = (0..objects.len()).collect();
        order.sort_by_key(|i| std::cmp::Reverse(objects[*i].len()));
        let (next, done) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    while let Some(&i) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let judged = judge.object(history, &objects[i]);
                        done.lock().expect("no thread panics holding this").insert(i, judged);
                    }
                });
            }
        });
        done.into_inner().expect("the scope has ended without a panic").into_values().collect()
    }
}

impl<M: Model> Checker for Linearizable<M> {
    fn name(&self) -> &'static str {
        "linearizable"
    }

    fn decides(&self) -> &'static str {
        "every operation appears to take effect at one instant between its invocation and its completion"
    }

    fn check(&self, history: &History, limits: &Limits) -> Finding {
        let name = self.name();
        if history.ops().all(|op| !op.is_ok()) {
            return Finding::unknown(name, "no operation succeeded, so there is nothing to decide");
        }
        let objects = match split(history) {
            Ok(objects) => objects,
            Err(reason) => return Finding::unknown(name, reason),
        };
        let judged = self.judge_all(history, &objects, limits);
        let mut finding = self.finding(history, judged);
        finding.stats.insert("keys".into(), objects.len() as u64);
        finding
    }

    fn live<'a>(&'a self, limits: &Limits) -> Option<Box<dyn LiveChecker + 'a>> {
        Some(Box::new(live::Live::new(&self.model, limits)))
    }
}

impl<M: Model> Linearizable<M> {
    fn finding(&self, history: &History, judged: Vec<Judged>) -> Finding {
        let (name, keys) = (self.name(), judged.len());
        let mut stats = [("ops", 0), ("states", 0), ("concurrency", 0), ("bytes", 0)];
        let mut violated: Vec<(u32, Anomaly)> = Vec::new();
        let mut undecided = Vec::new();
        for object in judged {
            stats[0].1 += object.ops;
            stats[1].1 += object.visited;
            stats[2].1 = object.concurrency.max(stats[2].1);
            stats[3].1 = object.bytes.max(stats[3].1);
            match object.ruling {
                Ruling::Linearizable => {}
                Ruling::Violated { at, anomaly } => violated.push((at, anomaly)),
                Ruling::Undecided(reason) => undecided.push(reason),
            }
        }
        // The first one to come to light first; ranks are unique, so the order is fixed.
        violated.sort_by_key(|(at, _)| *at);
        let (invalid, unknown) = (violated.len(), undecided.len());
        let mut finding = if invalid > 0 {
            let shown = violated.into_iter().take(SHOWN).map(|(_, anomaly)| anomaly).collect();
            Finding::invalid(name, shown)
        } else if let Some(first) = undecided.first() {
            let more = if unknown > 1 {
                format!(" (and {} more keys)", unknown - 1)
            } else {
                String::new()
            };
            Finding::unknown(name, format!("{first}{more}"))
        } else {
            let ok = history.ops().filter(|op| op.is_ok()).count();
            let on = if keys > 1 { format!(" on {keys} keys") } else { String::new() };
            Finding::valid(
                name,
                format!("{ok} operations{on} are linearizable ({})", self.model.name()),
            )
        };
        if invalid > 1 {
            finding.reason += &format!(" ({invalid} keys are violated");
            finding.reason += if invalid > SHOWN { ", the first 10 are shown)" } else { ")" };
        }
        for (name, value) in stats {
            finding.stats.insert(name.into(), value);
        }
        finding.stats.insert("keys-violated".into(), invalid as u64);
        finding.stats.insert("keys-undecided".into(), unknown as u64);
        finding
    }
}

/// The rows of each object, objects by first appearance.
fn split(history: &History) -> Result<Vec<Vec<u32>>, String> {
    let mut ids = rustc_hash::FxHashMap::default();
    let mut objects: Vec<Vec<u32>> = Vec::new();
    let (mut keyed, mut bare) = (None, None);
    // Failed operations come along: a read of what they would have written is worth a name.
    for op in history.ops() {
        if op.status() != Status::Fail {
            let which = if op.key_id().is_some() { &mut keyed } else { &mut bare };
            which.get_or_insert(op);
        }
        let object = *ids.entry(op.key_id()).or_insert_with(|| {
            objects.push(Vec::new());
            objects.len() - 1
        });
        objects[object].push(op.row() as u32);
    }
    match (keyed, bare) {
        (Some(keyed), Some(bare)) => Err(format!(
            "operation {bare} names no key although {keyed} does, so nobody can say which object it touches"
        )),
        _ => Ok(objects),
    }
}
