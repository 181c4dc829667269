//! [`Judge`]: rules on one object at a time.

use danso_vocab::{Access, Anomaly, History, Limits, Model, Op, OpId, Ret, Status, Value};

use super::machine::Machine;
use super::object::Object;
use super::portfolio::{decide, patience};
use super::reduce::{Reductions, reduce};
use super::search::{Bound, Budget, Outcome, Searched};
use super::timeline::{End, Timeline};
use super::violation::{Violation, explain};
use super::witness::replays;

/// Rules on single objects.
pub(super) struct Judge<'a, M> {
    pub(super) model: &'a M,
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
    Linearizable,
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
        let object = match Object::new(history, rows, self.model) {
            Ok(object) => object,
            Err(op) => {
                let model = self.model.name();
                return Judged::undecided(format!(
                    "the model `{model}` does not know the operation {op}: another model, or another workload?"
                ));
            }
        };
        let mut machine = Machine::new(self.model, &object.classes);
        let items = reduce(&object, &object.items, self.reductions);
        let line = Timeline::new(&object, &items, self.reductions.pools);
        let budget = Budget {
            states: self.limits.states,
            memory: self.limits.memory / self.threads,
            stop: self.limits.stop.clone(),
        };
        let alone = self.spare.then(|| patience(&line));
        let (model, reductions) = (self.model, self.reductions);
        let searched = decide(alone, model, &object, &line, &mut machine, reductions, &budget);
        let ruling = match &searched.outcome {
            Outcome::Linearizable(order) => {
                let rows: Vec<u32> = order.iter().map(|i| items[*i as usize].row).collect();
                if replays(&object, &rows, self.model) {
                    Ruling::Linearizable
                } else {
                    Ruling::Undecided(format!(
                        "{}a linearization was found that does not replay: this is a defect of danso, please report it",
                        prefix(&object)
                    ))
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
                    None => Ruling::Undecided(format!(
                        "{}a refutation was found that does not hold up: this is a defect of danso, please report it",
                        prefix(&object)
                    )),
                }
            }
            Outcome::OutOf(bound) => {
                Ruling::Undecided(self.gave_up(&object, &line, &items, &searched, *bound))
            }
        };
        Judged {
            ruling,
            ops: object.items.len() as u64,
            visited: searched.visited,
            concurrency: line.slots as u64,
            bytes: searched.bytes,
        }
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
            Bound::Stop => "it was told to stop".to_owned(),
        };
        format!(
            "{}linearizable up to operation {next} ({done} of {all}), then {limit}",
            prefix(object)
        )
    }
}

impl Judged {
    fn undecided(reason: String) -> Judged {
        Judged { ruling: Ruling::Undecided(reason), ops: 0, visited: 0, concurrency: 0, bytes: 0 }
    }
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
