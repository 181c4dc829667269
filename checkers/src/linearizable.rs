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
//! **How.** Procedures that need no search are asked first ([`polynomial`]): they decide objects
//! whose values are unique or whose changes have a known order, in linear or nearly linear time,
//! and say themselves what they cannot decide. Then an object falls into its independent parts
//! (`parts.rs`), and on registers one sweep looks for an operation that no order can explain
//! (`impossible.rs`). What is left is searched.
//!
//! **The search.** Depth-first search over configurations in normal form with exact memory of dead ones
//! (`search.rs`), after and with reductions that provably keep the verdict (`reduce.rs`). With *n*
//! operations, at most *c* of them open at once and *s* states reachable per set of linearized
//! operations, it visits at most *n*·2^*c*·*s* configurations, each in O(*c*²): linear in *n* for
//! bounded concurrency, exponential in *c* at worst (the problem is NP-complete). Operations of
//! unknown outcome multiply this by the ways to use them. On registers most of that never
//! happens: those that nobody can have observed are dropped, those that somebody must have
//! observed are given a deadline, and the search begins without counting them. Where no value is
//! written twice it is close to linear. Where it runs out of memory, or of patience with a thread
//! to spare, a breadth-first engine takes over or joins (`portfolio.rs`).
//!
//! The same search goes breadth first (`search/frontier.rs`) where memory runs out, and on a second
//! thread where one object is hard (`portfolio.rs`). [`live`] decides while a history is recorded.
//!
//! **Trust.** A linearization that was found is replayed against the model and real time before
//! the history is called valid. A refutation is repeated, within bounds, by a search without any
//! reasoning about values; and the few operations that are shown for it are refuted once more by
//! the plain search. Should these disagree, the answer is `unknown`, and says so.

mod bonds;
mod certify;
mod demand;
mod impossible;
mod judge;
pub mod live;
mod machine;
mod mask;
mod object;
mod parts;
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

use danso_vocab::certificate::Certifier;
use danso_vocab::{
    Anomaly, Checker, Finding, History, Limits, LiveChecker, Model, Name, Op, OpId, Status,
};

pub use bonds::Bonds;
use judge::{Judge, Judged, Ruling};
use polynomial::Polynomial;
use reduce::Reductions;

/// Anomalies shown; the finding says how many more there are.
const SHOWN: usize = 10;

/// What registers are found to do wrong; objects of another kind have names of their own beside.
const ANOMALIES: &[&str] = &[
    "stale-read",
    "lost-write",
    "lost-update",
    "non-monotonic-read",
    "resurrected-value",
    "aborted-read",
    "future-read",
    "thin-air",
    "non-linearizable",
];

/// Decides whether every object of a history is linearizable with respect to `model`.
pub fn linearizable<M: Model + 'static>(model: M) -> Box<dyn Linearizability> {
    Box::new(Linearizable::new(model))
}

/// A checker of linearizability, whatever its model.
pub trait Linearizability: Checker {
    /// Decides in this way from now on.
    fn decide_by(&mut self, algorithm: Algorithm);

    /// What cannot be left out of the object that the operations `about` touch; of its beginning,
    /// if it can be `cut` behind them.
    fn bonds(&self, history: &History, about: &[OpId], cut: bool) -> Bonds;
}

impl<M: Model> Linearizability for Linearizable<M> {
    fn decide_by(&mut self, algorithm: Algorithm) {
        self.algorithm = algorithm;
    }

    fn bonds(&self, history: &History, about: &[OpId], cut: bool) -> Bonds {
        let about: Vec<_> = about.iter().filter_map(|id| history.op(*id)).collect();
        let key = about.first().and_then(|op| op.key_id());
        let of_object = |op: &Op<'_>| op.key_id() == key && !self.model.ignores(op.f());
        let rows: Vec<u32> = history.ops().filter(of_object).map(|op| op.row() as u32).collect();
        let about: Vec<u32> = about.iter().map(|op| op.row() as u32).collect();
        Bonds::of(&self.model, history, &rows, &about, cut)
    }
}

/// How to decide.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Algorithm {
    /// By a polynomial procedure if one can, else by search.
    #[default]
    Auto,
    /// By search.
    Search,
    /// By a polynomial procedure; unknown if none can.
    Polynomial,
    /// Both ways where possible. Should they disagree, the answer is unknown, and says so.
    Both,
}

/// The checker [`linearizable`] returns.
pub struct Linearizable<M> {
    model: M,
    procedures: Vec<Box<dyn Polynomial>>,
    algorithm: Algorithm,
    reductions: Reductions,
}

impl<M: Model> Linearizable<M> {
    /// A checker with respect to `model`.
    pub fn new(model: M) -> Self {
        Linearizable {
            model,
            procedures: Vec::new(),
            algorithm: Algorithm::Auto,
            reductions: Reductions::ALL,
        }
    }

    /// The same with a procedure that is asked before searching, after those already given.
    #[must_use]
    pub fn procedure(mut self, procedure: impl Polynomial + 'static) -> Self {
        self.procedures.push(Box::new(procedure));
        self
    }

    /// The same deciding in this way.
    #[must_use]
    pub fn algorithm(mut self, algorithm: Algorithm) -> Self {
        self.algorithm = algorithm;
        self
    }

    #[cfg(test)]
    fn with(model: M, reductions: Reductions) -> Self {
        Linearizable { reductions, ..Linearizable::new(model) }
    }

    /// A judge of that many objects; with `witness` of linearizations, too.
    fn judge<'a>(&'a self, limits: &'a Limits, objects: usize, witness: bool) -> Judge<'a, M> {
        Judge {
            model: &self.model,
            procedures: &self.procedures,
            algorithm: self.algorithm,
            witness,
            reductions: self.reductions,
            limits,
            threads: limits.threads.clamp(1, objects.max(1)) as u64,
            spare: limits.threads >= 2 * objects,
        }
    }

    fn judge_all(&self, history: &History, objects: &[Vec<u32>], limits: &Limits) -> Vec<Judged> {
        let judge = self.judge(limits, objects.len(), false);
        limits.progress.objects(objects.len() as u64);
        let object = |rows: &Vec<u32>| {
            let judged = judge.object(history, rows);
            limits.progress.decided();
            judged
        };
        let threads = judge.threads;
        if threads == 1 {
            return objects.iter().map(object).collect();
        }
        // The largest first, so that no thread is left alone with one at the end.
        let mut order: Vec<usize> = (0..objects.len()).collect();
        order.sort_by_key(|i| std::cmp::Reverse(objects[*i].len()));
        let (next, done) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    while let Some(&i) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let judged = object(&objects[i]);
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

    fn anomalies(&self) -> &'static [&'static str] {
        ANOMALIES
    }

    fn certifier(&self) -> Option<&dyn Certifier> {
        Some(self)
    }

    fn check(&self, history: &History, limits: &Limits) -> Finding {
        let name = self.name();
        let objects = match split(history, &self.model) {
            Ok(objects) => objects,
            Err(reason) => return Finding::unknown(name, reason),
        };
        if objects.rows.is_empty() {
            let reason = "there is no operation, so there is nothing to decide";
            return Finding::unknown(name, format!("{reason}{}", objects.left_out()));
        }
        let judged = self.judge_all(history, &objects.rows, limits);
        let mut finding = self.finding(history, judged);
        finding.stats.insert("keys".into(), objects.rows.len() as u64);
        finding.reason += &objects.left_out();
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
        let mut by = BTreeMap::<&'static str, u64>::new();
        for object in judged {
            *by.entry(object.by).or_default() += 1;
            stats[0].1 += object.ops;
            stats[1].1 += object.visited;
            stats[2].1 = object.concurrency.max(stats[2].1);
            stats[3].1 = object.bytes.max(stats[3].1);
            match object.ruling {
                Ruling::Linearizable(_) => {}
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
                format!(
                    "{ok} operations{on} are linearizable ({}, decided by {})",
                    self.model.name(),
                    by.keys().copied().collect::<Vec<_>>().join(" and ")
                ),
            )
        };
        if invalid > 1 {
            finding.reason += &format!(" ({invalid} keys are violated");
            finding.reason += if invalid > SHOWN { ", the first 10 are shown)" } else { ")" };
        }
        for (name, value) in stats {
            finding.stats.insert(name.into(), value);
        }
        for (procedure, keys) in by {
            finding.stats.insert(Name::Owned(format!("by-{procedure}")), keys);
        }
        finding.stats.insert("keys-violated".into(), invalid as u64);
        finding.stats.insert("keys-undecided".into(), unknown as u64);
        finding
    }
}

/// What a history is of.
#[derive(Default)]
struct Objects {
    /// The rows of each object, objects by first appearance.
    rows: Vec<Vec<u32>>,
    /// How many operations are none of the model's business, by name.
    ignored: BTreeMap<String, u64>,
}

impl Objects {
    fn left_out(&self) -> String {
        if self.ignored.is_empty() {
            return String::new();
        }
        let what: Vec<String> = self.ignored.iter().map(|(f, n)| format!("{n} {f}")).collect();
        format!("; left out, being none of its operations: {}", what.join(", "))
    }
}

fn split<M: Model>(history: &History, model: &M) -> Result<Objects, String> {
    let ignored: Vec<bool> = history.fs().map(|f| model.ignores(f)).collect();
    let mut ids = rustc_hash::FxHashMap::default();
    let mut objects = Objects::default();
    let (mut keyed, mut bare) = (None, None);
    // Neighbours often share a key.
    let mut last = (None, usize::MAX);
    for op in history.ops() {
        if ignored[usize::from(op.f_id())] {
            *objects.ignored.entry(op.f().to_owned()).or_default() += 1;
            continue;
        }
        // Failed operations come along: a read of what they would have written is worth a name.
        if op.status() != Status::Fail {
            let which = if op.key_id().is_some() { &mut keyed } else { &mut bare };
            which.get_or_insert(op);
        }
        if last.1 == usize::MAX || last.0 != op.key_id() {
            let object = *ids.entry(op.key_id()).or_insert_with(|| {
                objects.rows.push(Vec::new());
                objects.rows.len() - 1
            });
            last = (op.key_id(), object);
        }
        objects.rows[last.1].push(op.row() as u32);
    }
    match (keyed, bare) {
        (Some(keyed), Some(bare)) => Err(format!(
            "operation {bare} names no key although {keyed} does, so nobody can say which object it touches"
        )),
        _ => Ok(objects),
    }
}
