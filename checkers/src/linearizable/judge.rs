//! [`Judge`]: rules on one object at a time.

use danso_vocab::{Access, Anomaly, History, Limits, Model, Op, OpId, Ret, Status, Value};

use super::machine::Machine;
use super::object::Object;
use super::parts;
use super::polynomial::{Decision, How, Part, Polynomial, Refutation};
use super::portfolio::{decide, patience};
use super::reduce::{Reductions, reduce};
use super::search::{Bound, Budget, Outcome, Searched};
use super::timeline::{End, Timeline};
use super::violation::{Violation, confirm, explain, explain_impossible};
use super::witness::replays;
use super::{Algorithm, impossible};

/// Operations of an object up to which what a procedure accepts is always replayed, asked for or
/// not, and what it refutes is named as the search would: it costs nothing there.
const REPLAYED: usize = 100_000;

/// Rules on single objects.
pub(super) struct Judge<'a, M> {
    pub(super) model: &'a M,
    pub(super) procedures: &'a [Box<dyn Polynomial>],
    pub(super) algorithm: Algorithm,
    /// A linearization is wanted of every object, large ones included.
    pub(super) witness: bool,
    pub(super) reductions: Reductions,
    pub(super) limits: &'a Limits,
    /// Objects ruled on at a time: they share the memory.
    pub(super) threads: u64,
    /// There is a thread to spare for each object.
    pub(super) spare: bool,
}

/// What became of one object.
pub(super) struct Judged {
    pub(super) ruling: Ruling,
    /// What decided: the name of a procedure, or `search`.
    pub(super) by: &'static str,
    /// Operations taken into account.
    pub(super) ops: u64,
    /// Configurations visited.
    pub(super) visited: u64,
    /// The greatest number of operations open at once, without those of unknown outcome.
    pub(super) concurrency: u64,
    /// Bytes the search held.
    pub(super) bytes: u64,
}

/// The answer about one object.
pub(super) enum Ruling {
    /// Rows in order, if that was asked for or costs nothing.
    Linearizable(Option<Vec<u32>>),
    Violated {
        /// The rank of the event at which the violation came to light.
        at: u32,
        anomaly: Anomaly,
    },
    Undecided(String),
}

impl<M: Model> Judge<'_, M> {
    /// Rules on the object made of these rows.
    pub(super) fn object(&self, history: &History, rows: &[u32]) -> Judged {
        let unfit = match self.algorithm {
            Algorithm::Search => Vec::new(),
            Algorithm::Auto | Algorithm::Polynomial | Algorithm::Both => {
                match self.without_search(history, rows) {
                    Ok(judged) if self.algorithm == Algorithm::Both => {
                        return self.compared(judged, self.by_search(history, rows));
                    }
                    Ok(judged) => return judged,
                    Err(unfit) => unfit,
                }
            }
        };
        if self.algorithm == Algorithm::Polynomial {
            let why = match unfit.is_empty() {
                true => format!("there is none for the model `{}`", self.model.name()),
                false => unfit.join("; "),
            };
            return Judged::undecided(format!("no polynomial procedure decides this: {why}"));
        }
        self.by_search(history, rows)
    }

    /// Rules by the first procedure that can.
    ///
    /// # Errors
    /// With why none can.
    fn without_search(&self, history: &History, rows: &[u32]) -> Result<Judged, Vec<String>> {
        let mut unfit = Vec::new();
        let how =
            How { witness: self.witness || rows.len() <= REPLAYED, stop: self.limits.stop.clone() };
        for procedure in self.procedures {
            let ruling = match procedure.decide(&Part { history, rows }, &how) {
                Decision::Unfit(why) => {
                    unfit.push(format!("{}: {why}", procedure.name()));
                    continue;
                }
                Decision::Linearizable(None) => Ruling::Linearizable(None),
                Decision::Linearizable(Some(order)) => self.replayed(history, rows, order),
                Decision::Refuted(refutation) => self.confirmed(history, rows, refutation),
                Decision::Stopped => Ruling::Undecided("time was up".to_owned()),
            };
            return Ok(Judged {
                ruling,
                by: procedure.name(),
                ops: rows.len() as u64,
                visited: 0,
                concurrency: 0,
                bytes: 0,
            });
        }
        Err(unfit)
    }

    fn replayed(&self, history: &History, rows: &[u32], order: Vec<u32>) -> Ruling {
        match Object::new(history, rows, self.model) {
            Ok(object) if replays(&object, &order, self.model) => Ruling::Linearizable(Some(order)),
            Ok(object) => {
                Ruling::Undecided(defect(&object, "a linearization that does not replay"))
            }
            Err(op) => self.unknown(op).ruling,
        }
    }

    fn confirmed(&self, history: &History, rows: &[u32], refutation: Refutation) -> Ruling {
        if rows.len() <= REPLAYED
            && let Ok(object) = Object::new(history, rows, self.model)
        {
            // What the search would say, so that an anomaly has one name whoever finds it.
            let mut machine = Machine::new(self.model, &object.classes);
            if let Some(ruling) = self.impossible(&object, &mut machine, rows) {
                return ruling;
            }
        }
        let mut core = refutation.rows.clone();
        core.sort_unstable();
        core.dedup();
        let object = match Object::new(history, &core, self.model) {
            Ok(object) => object,
            Err(op) => return self.unknown(op).ruling,
        };
        debug_assert!(core.iter().all(|row| rows.contains(row)), "a core is part of its object");
        let mut machine = Machine::new(self.model, &object.classes);
        match confirm(&object, &mut machine, &self.budget(), refutation) {
            Some(Violation { anomaly, at }) => Ruling::Violated { at, anomaly },
            None => Ruling::Undecided(defect(&object, "a refutation that does not hold up")),
        }
    }

    /// What both ways say, if they agree.
    fn compared(&self, fast: Judged, search: Judged) -> Judged {
        let word = |judged: &Judged| match judged.ruling {
            Ruling::Linearizable(_) => "valid",
            Ruling::Violated { .. } => "invalid",
            Ruling::Undecided(_) => "unknown",
        };
        match (word(&fast), word(&search)) {
            (a, b) if a == b || a == "unknown" => search,
            (_, "unknown") => fast,
            (a, b) => Judged::undecided(format!(
                "`{}` says {a} and the search says {b}: this is a defect of danso, please report it",
                fast.by
            )),
        }
    }

    /// Rules by search, on each independent part by itself.
    pub(super) fn by_search(&self, history: &History, rows: &[u32]) -> Judged {
        let parts = parts::split(history, rows, self.model);
        if let [part] = parts.as_slice() {
            return self.part(history, part);
        }
        let mut whole = Judged { by: "search", ..Judged::undecided(String::new()) };
        let mut orders = Vec::with_capacity(parts.len());
        let (mut violated, mut undecided) = (None::<(u32, Anomaly)>, None);
        for part in &parts {
            let judged = self.part(history, part);
            whole.ops += judged.ops;
            whole.visited += judged.visited;
            whole.concurrency = whole.concurrency.max(judged.concurrency);
            whole.bytes = whole.bytes.max(judged.bytes);
            match judged.ruling {
                Ruling::Linearizable(order) => orders.extend(order),
                Ruling::Violated { at, anomaly } => {
                    if violated.as_ref().is_none_or(|(first, _)| at < *first) {
                        violated = Some((at, anomaly));
                    }
                }
                Ruling::Undecided(reason) => undecided = undecided.or(Some(reason)),
            }
        }
        whole.ruling = match (violated, undecided) {
            (Some((at, anomaly)), _) => Ruling::Violated { at, anomaly },
            (None, Some(reason)) => Ruling::Undecided(reason),
            (None, None) => Ruling::Linearizable(
                (orders.len() == parts.len()).then(|| parts::merge(history, &orders)),
            ),
        };
        whole
    }

    fn unknown(&self, op: Op<'_>) -> Judged {
        Judged::undecided(format!(
            "the model `{}` does not know the operation {op}: another model, or another workload?",
            self.model.name()
        ))
    }

    pub(super) fn budget(&self) -> Budget {
        Budget {
            states: self.limits.states,
            memory: self.limits.memory / self.threads,
            stop: self.limits.stop.clone(),
            progress: self.limits.progress.clone(),
        }
    }

    /// Rules by search on a part that has no parts, or on the whole.
    fn part(&self, history: &History, rows: &[u32]) -> Judged {
        let object = match Object::new(history, rows, self.model) {
            Ok(object) => object,
            Err(op) => return self.unknown(op),
        };
        let mut machine = Machine::new(self.model, &object.classes);
        if self.reductions.impossible
            && let Some(ruling) = self.impossible(&object, &mut machine, rows)
        {
            let ops = object.items.len() as u64;
            return Judged { ruling, by: "search", ops, ..Judged::undecided(String::new()) };
        }
        let items = reduce(&object, &object.items, self.reductions);
        let line = Timeline::new(&object, &items, self.reductions.pools);
        let budget = self.budget();
        let alone = self.spare.then(|| patience(&line));
        let (model, reductions) = (self.model, self.reductions);
        let searched = decide(alone, model, &object, &line, &mut machine, reductions, &budget);
        let ruling = match &searched.outcome {
            Outcome::Linearizable(order) => {
                let rows: Vec<u32> = order.iter().map(|i| items[*i as usize].row).collect();
                if replays(&object, &rows, self.model) {
                    Ruling::Linearizable(Some(rows))
                } else {
                    Ruling::Undecided(defect(&object, "a linearization that does not replay"))
                }
            }
            Outcome::Refuted => {
                let guess = match line.event_at(searched.furthest) {
                    Some(End::Response(item)) => Some(items[item as usize]),
                    _ => None,
                };
                let aborted = |value: &Value| self.aborted(history, rows, value);
                let violation = explain(&object, &mut machine, &budget, &searched, guess, &aborted);
                match violation {
                    Some(Violation { anomaly, at }) => Ruling::Violated { at, anomaly },
                    None => {
                        Ruling::Undecided(defect(&object, "a refutation that does not hold up"))
                    }
                }
            }
            Outcome::OutOf(bound) => {
                Ruling::Undecided(self.gave_up(&object, &line, &items, &searched, *bound))
            }
        };
        Judged {
            ruling,
            by: "search",
            ops: object.items.len() as u64,
            visited: searched.visited,
            concurrency: line.slots as u64,
            bytes: searched.bytes,
        }
    }

    /// The violation by an operation that no order can explain, if there is one.
    fn impossible(
        &self,
        object: &Object<'_>,
        machine: &mut Machine<'_>,
        rows: &[u32],
    ) -> Option<Ruling> {
        let stuck = impossible::find(object)?;
        let aborted = |value: &Value| self.aborted(object.history, rows, value);
        let found = explain_impossible(object, machine, &self.budget(), stuck, &aborted);
        found.map(|Violation { anomaly, at }| Ruling::Violated { at, anomaly })
    }

    /// A failed operation that would have left this value.
    fn aborted<'h>(&self, history: &'h History, rows: &[u32], value: &Value) -> Option<Op<'h>> {
        let leaves = |op: &Op<'h>| match self.model.access(op.f(), &op.arg(), Ret::Unknown) {
            Some(Access::Writes(v) | Access::Swaps { new: v, .. }) => v == value,
            _ => false,
        };
        let ops = rows.iter().map(|row| history.row(*row as usize));
        ops.filter(|op| op.status() == Status::Fail).find(leaves)
    }

    fn gave_up(
        &self,
        object: &Object<'_>,
        line: &Timeline,
        items: &[super::object::Item],
        searched: &Searched,
        bound: Bound,
    ) -> String {
        let responses =
            |upto: u32| (0..upto).filter(|at| matches!(line.event(*at), End::Response(_))).count();
        let (done, all) = (responses(searched.furthest), responses(line.len()));
        let End::Response(item) = line.event(searched.furthest) else {
            unreachable!("a configuration only waits for responses")
        };
        let next: OpId = object.op(&items[item as usize]).id();
        let limit = match bound {
            Bound::States => format!("the limit of {} states was reached", self.limits.states),
            Bound::Memory if self.threads > 1 => {
                let (all, each) = (self.limits.memory, self.limits.memory / self.threads);
                format!("the memory limit of {} ({} a thread) was reached", size(all), size(each))
            }
            Bound::Memory => {
                format!("the memory limit of {} was reached", size(self.limits.memory))
            }
            Bound::Stop => "time was up".to_owned(),
        };
        format!(
            "{}linearizable up to operation {next} ({done} of {all}), then {limit}",
            prefix(object)
        )
    }
}

impl Judged {
    fn undecided(reason: String) -> Judged {
        Judged {
            ruling: Ruling::Undecided(reason),
            by: "nobody",
            ops: 0,
            visited: 0,
            concurrency: 0,
            bytes: 0,
        }
    }
}

fn defect(object: &Object<'_>, what: &str) -> String {
    format!("{}danso found {what}: this is a defect of danso, please report it", prefix(object))
}

fn prefix(object: &Object<'_>) -> String {
    object.key.as_ref().map_or(String::new(), |key| format!("key {key}: "))
}

/// Bytes as people say them.
fn size(bytes: u64) -> String {
    let units = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    match units.iter().find(|(_, unit)| bytes >= *unit) {
        Some((name, unit)) if bytes.is_multiple_of(*unit) => format!("{} {name}", bytes / unit),
        Some((name, unit)) => format!("{:.1} {name}", bytes as f64 / *unit as f64),
        None => format!("{bytes} bytes"),
    }
}
