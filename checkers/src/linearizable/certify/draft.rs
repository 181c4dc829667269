//! [`Draft`]: shrinking a refuted object to a core, with the search as an oracle.

use std::collections::BTreeSet;

use danso_vocab::certificate::{Core, Step};
use danso_vocab::{Access, Model, Op, OpId, Value};

use super::super::object::Item;
use super::super::violation::prober::Prober;
use super::{MANY, tied, way};
use crate::verify::{Held, Part};

/// A core that gets smaller.
pub(super) struct Draft<'p, 'm, 'o, 'h, 'a, M> {
    model: &'p M,
    prober: &'p mut Prober<'o, 'h, 'm, 'a>,
    upto: Op<'h>,
    parts: Vec<Value>,
    steps: Vec<Step>,
    /// What stays, as the point of it all or as a reason: the verifier could do without.
    kept: Vec<OpId>,
    /// What the verifier would have left.
    left: Part<'h, 'p, M>,
    /// The same for the search.
    items: Vec<Item>,
}

impl<'p, 'm, 'o, 'h, 'a, M: Model> Draft<'p, 'm, 'o, 'h, 'a, M> {
    /// Begins with all items up to the completion that makes them impossible.
    pub(super) fn new(
        model: &'p M,
        prober: &'p mut Prober<'o, 'h, 'm, 'a>,
        items: Vec<Item>,
    ) -> Result<Self, String> {
        let last = items.iter().filter(|item| item.must()).max_by_key(|item| item.res);
        let upto = prober.object.op(last.ok_or("nothing was refuted")?);
        let mut left =
            Part::upto(model, upto, prober.object.history).map_err(|why| why.to_string())?;
        // Observers that need not have happened are none of the search's items.
        left.forget_observers(|op| has(&items, op));
        let (parts, steps, kept) = (Vec::new(), Vec::new(), vec![upto.id()]);
        Ok(Draft { model, prober, upto, parts, steps, kept, left, items })
    }

    pub(super) fn shrink(mut self) -> Core {
        self.only_parts();
        self.cut();
        loop {
            let before = self.left.ops.len();
            self.observers();
            self.units();
            self.mutators();
            if self.left.ops.len() == before || self.prober.spent() {
                break;
            }
        }
        Core {
            ops: self.left.ops.iter().map(|held| held.op.id()).collect(),
            upto: self.upto.id(),
            parts: self.parts,
            steps: self.steps,
        }
    }

    /// Goes on with what is left, if that is still refuted.
    fn accept(&mut self, left: Part<'h, 'p, M>, steps: &[Step]) -> bool {
        let mut items = self.items.clone();
        let mut stays = left.ops.iter().map(|held| held.op.row() as u32).peekable();
        items.retain(|item| {
            while stays.next_if(|row| *row < item.row).is_some() {}
            stays.peek() == Some(&item.row)
        });
        let refuted = self.prober.refuted(&items);
        if refuted {
            (self.left, self.items) = (left, items);
            self.kept.extend(steps.iter().filter_map(reason));
            self.steps.extend(steps);
        }
        refuted
    }

    /// Tries all of `things` at once, then halves, then each by itself.
    fn halve<T>(&mut self, mut things: Vec<T>, mut without: impl FnMut(&mut Self, &[T]) -> bool) {
        let mut size = things.len();
        while size > 0 {
            let mut from = 0;
            while from < things.len() && !self.prober.spent() {
                let to = (from + size).min(things.len());
                if without(self, &things[from..to]) {
                    things.drain(from..to);
                } else {
                    from = to;
                }
            }
            size /= 2;
        }
    }

    /// Looks only at the parts the last operation touches, with all that are tied to them.
    fn only_parts(&mut self) {
        let (mut left, parts) = (self.left.clone(), tied(self.model, &self.left, self.upto.id()));
        if left.only(&parts).is_ok() && self.accept(left, &[]) {
            self.parts = parts;
        }
    }

    /// Drops everything before an unconditional write, as late a one as possible.
    fn cut(&mut self) {
        if !self.left.is_register() {
            return;
        }
        let swap = |held: &&Held<'_>| {
            held.must() && matches!(held.access(self.model), Some(Access::Swaps { .. }))
        };
        let swaps = self.left.ops.iter().filter(swap);
        let (mut begun, mut ended): (Vec<u32>, Vec<u32>) =
            swaps.map(|held| (held.inv, held.end)).unzip();
        begun.sort_unstable();
        ended.sort_unstable();
        // As many swaps have begun before its end as ended before its beginning.
        let alone = |held: &Held<'_>| {
            begun.partition_point(|t| *t < held.end) == ended.partition_point(|t| *t < held.inv)
        };
        let write = |held: &&Held<'_>| {
            let writes = matches!(held.access(self.model), Some(Access::Writes(_)));
            writes && held.must() && alone(held)
        };
        let writes: Vec<OpId> =
            self.left.ops.iter().rev().filter(write).map(|held| held.op.id()).collect();
        let mut nth = 0;
        while let Some(write) = writes.get(nth).filter(|_| !self.prober.spent()) {
            let (mut left, step) = (self.left.clone(), Step::Cut(*write));
            if left.take(step).is_ok() && self.accept(left, &[step]) {
                return;
            }
            nth = 2 * nth + 1;
        }
    }

    fn observers(&mut self) {
        let all = self.left.ops.iter().filter(|held| held.observes(self.model));
        let all: Vec<OpId> = all.map(|held| held.op.id()).collect();
        self.halve(all, |draft, chunk| {
            let mut left = draft.left.clone();
            left.forget_observers(|op| {
                chunk.binary_search(&op.id()).is_err() || draft.kept.contains(&op.id())
            });
            draft.accept(left, &[])
        });
    }

    fn units(&mut self) {
        let unit = |held: &Held<'_>| held.unit(self.model);
        let all: BTreeSet<Value> = self.left.ops.iter().filter_map(unit).collect();
        self.halve(all.into_iter().collect(), |draft, chunk| {
            let mut left = draft.left.clone();
            let gone = |held: &&Held<'_>| {
                held.unit(draft.model).is_some_and(|unit| chunk.binary_search(&unit).is_ok())
            };
            let gone: BTreeSet<OpId> =
                draft.left.ops.iter().filter(gone).map(|held| held.op.id()).collect();
            left.forget_units(|op| !gone.contains(&op.id())).is_ok() && draft.accept(left, &[])
        });
    }

    /// Takes single operations of a register away, in order, since taking one away may leave
    /// another unobserved.
    fn mutators(&mut self) {
        if !self.left.is_register() {
            return;
        }
        let many = self.left.ops.len() > MANY;
        let tried = |held: &&Held<'_>| !(held.observes(self.model) || many && held.must());
        let all = self.left.ops.iter().filter(tried).map(|held| held.op.id()).collect();
        self.halve(all, |draft, chunk| {
            let (mut left, mut steps) = (draft.left.clone(), Vec::new());
            for &op in chunk {
                if draft.kept.contains(&op) || steps.iter().filter_map(reason).any(|o| o == op) {
                    continue;
                }
                steps.extend(way(&mut left, op));
            }
            !steps.is_empty() && draft.accept(left, &steps)
        });
    }
}

/// The operation without which a step would be no good.
fn reason(step: &Step) -> Option<OpId> {
    match step {
        Step::Cut(op) | Step::Hidden { by: op, .. } => Some(*op),
        Step::Unseen(_) => None,
    }
}

fn has(items: &[Item], op: Op<'_>) -> bool {
    items.binary_search_by_key(&(op.row() as u32), |item| item.row).is_ok()
}
