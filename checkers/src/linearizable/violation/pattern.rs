//! The known ways for a register to be wrong, and their names.
//!
//! All are about an operation *x* that needs a value *v* (a read that returned it, a
//! compare-and-set that succeeded from it) which the register cannot have held then. The
//! *writers* of *v* are the operations that leave it and began before *x* ended; an operation
//! whose outcome is unknown but whose value was read counts as ended when that read did.
//!
//! | name | what happened |
//! | --- | --- |
//! | `thin-air` | no operation ever left *v*, and it is not the initial value |
//! | `aborted-read` | the same, but an operation that failed would have left it |
//! | `future-read` | every operation that left *v* began after *x* had ended |
//! | `stale-read` | all writers of *v* had ended before the write of another value began, and that had ended before *x* began |
//! | `lost-write` | a stale read, where nobody saw the other value from then on and later operations saw *v* as well |
//! | `resurrected-value` | a stale read, where the other value was seen, but later operations saw *v* and not the other value |
//! | `non-monotonic-read` | all writers of *v* had ended before an operation began that saw another value, and that had ended before *x* began |
//! | `lost-update` | *x* is a compare-and-set, and *v* had been replaced as in a stale or non-monotonic read; or two compare-and-sets succeeded from *v* although it was written only once |
//!
//! If nothing fits, the search takes operations away (`shrink.rs`) and the last four are tried on
//! what is left, without regard to writers of unknown outcome: that these cannot help either is
//! what the search has shown. Whatever still fits nothing is called `non-linearizable`.

use danso_vocab::{Figure, Op, Value};

use super::super::object::{Item, NEVER, Object, Touch};
use super::super::reduce::with_evidence;
use super::cycle::{self, Writer};
use super::words::{self, answered, before, who, whose};

/// A known way to be wrong, found in a history.
pub(super) struct Pattern {
    pub(super) name: &'static str,
    /// The rows of the operations that show it, *x* first.
    pub(super) rows: Vec<u32>,
    pub(super) because: String,
    pub(super) explain: Vec<String>,
    /// The same as a graph, if it is a cycle.
    pub(super) figure: Option<Figure>,
}

/// The pattern that the operation `stuck` completes, if any.
pub(super) fn find<'h>(
    object: &Object<'h>,
    stuck: &Item,
    aborted: &dyn Fn(&Value) -> Option<Op<'h>>,
) -> Option<Pattern> {
    let items = with_evidence(object, &object.items);
    let case = Case::new(object, &items, stuck, false)?;
    case.out_of_nowhere(aborted).or_else(|| case.replaced()).or_else(|| case.taken_twice())
}

/// The pattern that `stuck` completes in `core`, which is known to be refuted.
pub(super) fn find_in(object: &Object<'_>, core: &[Item], stuck: &Item) -> Option<Pattern> {
    let items = with_evidence(object, core);
    Case::new(object, &items, stuck, true)?.replaced()
}

/// What is known about the operation and the value.
struct Case<'c, 'h> {
    object: &'c Object<'h>,
    /// The items looked at, with deadlines where there is evidence.
    items: &'c [Item],
    x: Item,
    value: u32,
    /// The value was there in the beginning.
    initial: bool,
    /// All operations that leave the value.
    all: Vec<Item>,
    /// The items are known to be refuted, so that writers of unknown outcome cannot help.
    refuted: bool,
}

impl<'c, 'h> Case<'c, 'h> {
    fn new(
        object: &'c Object<'h>,
        items: &'c [Item],
        stuck: &Item,
        refuted: bool,
    ) -> Option<Case<'c, 'h>> {
        if !object.register {
            return None;
        }
        let value = object.touch(stuck)?.needs()?;
        let x = *object.items.iter().find(|item| item.row == stuck.row)?;
        let leaves = |item: &&Item| {
            object.touch(item).and_then(Touch::leaves) == Some(value) && item.row != x.row
        };
        let all = items.iter().filter(leaves).copied().collect();
        let initial = object.initial == Some(value);
        Some(Case { object, items, x, value, initial, all, refuted })
    }

    fn v(&self) -> &Value {
        &self.object.values[self.value as usize]
    }

    fn did(&self) -> String {
        format!("{} {}", who(self.object, &self.x), answered(self.object, &self.x))
    }

    fn pattern(&self, name: &'static str, others: &[u32], because: String) -> Pattern {
        let mut rows = vec![self.x.row];
        for row in others {
            if !rows.contains(row) {
                rows.push(*row);
            }
        }
        Pattern { name, rows, because, explain: Vec::new(), figure: None }
    }

    fn out_of_nowhere(&self, aborted: &dyn Fn(&Value) -> Option<Op<'h>>) -> Option<Pattern> {
        if self.initial {
            return None;
        }
        let did = self.did();
        let Some(first) = self.all.iter().min_by_key(|item| item.inv) else {
            let v = self.v();
            if let Some(failed) = aborted(v) {
                let (process, f, id) = (failed.process(), failed.f(), failed.id());
                let because = format!(
                    "{did}, but only {process}'s {f} ({id}) would have written {v}, and that failed"
                );
                let row = failed.row() as u32;
                return Some(self.pattern("aborted-read", &[row], because));
            }
            let alike = self.object.values.iter().any(|other| alike(other, v));
            let types = if alike { " (text and numbers are different values)" } else { "" };
            let because = format!("{did}, but nobody ever wrote {v}{types}");
            return Some(self.pattern("thin-air", &[], because));
        };
        if first.inv < self.x.res {
            return None;
        }
        let (whose, before) = (whose(self.object, first), before(self.object, &self.x, first));
        let because = format!(
            "{did}, although it had ended {before} {whose} began, the first to write {}",
            self.v()
        );
        Some(self.pattern("future-read", &[first.row], because))
    }

    /// The writers of the value.
    fn writers(&self) -> impl Iterator<Item = &Item> {
        self.all.iter().filter(|item| item.inv < self.x.res)
    }

    /// Whether all writers of the value come before `other` in every order.
    fn all_before(&self, other: &Item) -> bool {
        // One that takes the value away comes after the only operation that can have left it.
        let takes = matches!(self.object.touch(other), Some(Touch::Swaps(v, _)) if v == self.value);
        let only = self.all.len() + usize::from(self.initial) == 1;
        let hopeless = |writer: &Item| self.refuted && !self.object.op(writer).is_ok();
        takes && only || self.writers().all(|w| w.res < other.inv || hopeless(w))
    }

    /// The operation that shows that the value had been replaced before *x* began: the latest
    /// that replaced it, or else the latest that saw another. Where it takes a search to know that
    /// the value did not come back, the later of the two says more.
    fn replaced(&self) -> Option<Pattern> {
        // The sentence says that it had ended, so evidence that it could have is not enough.
        let ended = |item: &Item| {
            let op = self.object.op(item);
            op.is_ok() && u64::from(op.res_rank()) * 2 < self.x.inv
        };
        let known = |item: &&Item| ended(item) && self.all_before(item);
        let replaces = |item: &&Item| {
            self.object.touch(item).and_then(Touch::leaves).is_some_and(|v| v != self.value)
        };
        let sees = |item: &&Item| {
            self.object.touch(item).and_then(Touch::needs).is_some_and(|v| v != self.value)
        };
        let known = || self.items.iter().filter(known);
        let write = known().filter(replaces).max_by_key(|item| item.inv);
        let read = known().filter(sees).max_by_key(|item| item.inv);
        match (write, read) {
            (Some(m), Some(z)) if self.refuted && z.inv > m.inv => Some(self.by_read(z)),
            (Some(m), _) => Some(self.by_write(m)),
            (None, read) => read.map(|z| self.by_read(z)),
        }
    }

    /// The rows that show where a value came from: its last writer before `than`, and what proves
    /// that this one happened.
    fn origin(&self, value: u32, than: &Item) -> Vec<u32> {
        let leaves = |item: &&Item| {
            item.row != self.x.row
                && item.inv < than.res
                && self.object.touch(item).and_then(Touch::leaves) == Some(value)
        };
        let key = |item: &&Item| if item.res == NEVER { (0, item.inv) } else { (1, item.res) };
        let Some(writer) = self.items.iter().filter(leaves).max_by_key(key) else {
            return Vec::new();
        };
        let mut rows = vec![writer.row];
        if !self.object.op(writer).is_ok() {
            let needs = |item: &&Item| {
                item.must() && self.object.touch(item).and_then(Touch::needs) == Some(value)
            };
            rows.extend(self.items.iter().filter(needs).min_by_key(|i| i.res).map(|i| i.row));
        }
        rows
    }

    /// Operations that began after *x* had ended and needed `value`, until anybody wrote the
    /// value of *x* again.
    fn later(&self, value: u32) -> Vec<&Item> {
        let after = self.all.iter().filter(|item| item.inv > self.x.res);
        let until = after.map(|item| item.inv).min().unwrap_or(NEVER);
        let needs = |item: &&Item| {
            item.must()
                && item.inv > self.x.res
                && item.res < until
                && self.object.touch(item).and_then(Touch::needs) == Some(value)
        };
        self.items.iter().filter(needs).collect()
    }

    /// Why the value of *x* cannot be.
    fn gone(&self) -> String {
        match self.refuted {
            false => format!("nothing wrote {} after that", self.v()),
            true => format!("no order of these {} operations explains both", self.items.len()),
        }
    }

    fn by_write(&self, m: &Item) -> Pattern {
        let new = self.object.touch(m).and_then(Touch::leaves).unwrap_or(self.value);
        let needs_new = |item: &&Item| {
            item.must() && self.object.touch(item).and_then(Touch::needs) == Some(new)
        };
        let seen = self.items.iter().filter(needs_new).find(|item| item.res > m.inv);
        let ever = self.items.iter().any(|item| needs_new(&item));
        let (again, instead) = (self.later(self.value).len(), self.later(new).len());
        let (v, u) = (self.v(), &self.object.values[new as usize]);
        let (did, whose) = (self.did(), whose(self.object, m));
        let before = before(self.object, m, &self.x);
        let persists = again > 0 && instead == 0;
        let plain =
            format!("{did} although {whose} had finished {before} it began, and {}", self.gone());
        let (name, because) = match (self.object.touch(&self.x), seen) {
            (Some(Touch::Swaps(..)), _) => {
                ("lost-update", format!("{plain}: it replaced {u} unseen"))
            }
            (_, None) if persists => {
                let and = others(again);
                let nobody = if ever { "nobody any more" } else { "nobody ever" };
                ("lost-write", format!("{plain}; {and} {v} as well, and {nobody} saw {u}"))
            }
            (_, Some(seen)) if persists => {
                let (id, and) = (self.object.op(seen).id(), others(again));
                (
                    "resurrected-value",
                    format!("{plain}; {and} {v} as well, although {id} had seen {u}"),
                )
            }
            _ => ("stale-read", plain),
        };
        let origin = self.origin(self.value, &self.x);
        let mut rows = vec![m.row];
        rows.extend(&origin);
        let mut pattern = self.pattern(name, &rows, because);
        pattern.explain.push(self.where_from(&origin, m));
        pattern.figure = self.gone_by(m, &origin);
        pattern
    }

    fn by_read(&self, z: &Item) -> Pattern {
        let new = self.object.touch(z).and_then(Touch::needs).unwrap_or(self.value);
        let (again, instead) = (self.later(self.value).len(), self.later(new).len());
        let (v, u) = (self.v(), &self.object.values[new as usize]);
        let (did, whose) = (self.did(), whose(self.object, z));
        let before = before(self.object, z, &self.x);
        let plain = format!(
            "{did} although {whose} had finished {before} it began and had seen {u}, and {}",
            self.gone()
        );
        let (name, because) = match self.object.touch(&self.x) {
            Some(Touch::Swaps(..)) => ("lost-update", plain),
            _ if again > 0 && instead == 0 => {
                ("resurrected-value", format!("{plain}; {} {v} as well", others(again)))
            }
            _ => ("non-monotonic-read", plain),
        };
        let origin = self.origin(self.value, &self.x);
        let mut rows = vec![z.row];
        rows.extend(self.origin(new, z));
        rows.extend(&origin);
        let mut pattern = self.pattern(name, &rows, because);
        pattern.explain.push(self.where_from(&origin, z));
        pattern.figure = self.gone_by(z, &origin);
        pattern
    }

    /// Two compare-and-sets from one value that was written once.
    fn taken_twice(&self) -> Option<Pattern> {
        let takes = |item: &&Item| matches!(self.object.touch(item), Some(Touch::Swaps(v, _)) if v == self.value);
        if !takes(&&self.x) || self.all.len() + usize::from(self.initial) != 1 {
            return None;
        }
        let taken =
            |item: &&Item| takes(item) && item.row != self.x.row && self.object.op(item).is_ok();
        let other = self.items.iter().filter(taken).min_by_key(|item| item.res)?;
        // The one that responded later is the one that should not have succeeded.
        let (x, y) = if other.res > self.x.res { (other, &self.x) } else { (&self.x, other) };
        let (who, whose, v) = (who(self.object, x), whose(self.object, y), self.v());
        let once = match self.all.first() {
            Some(writer) => {
                let writer = words::whose(self.object, writer);
                format!("{v} was written only once, by {writer}")
            }
            None => format!("{v} was the initial value and never written again"),
        };
        let because = format!("{who} and {whose} both succeeded although {once}");
        let mut rows = vec![x.row, y.row];
        rows.extend(self.all.first().map(|writer| writer.row));
        let figure = cycle::taken(self.object, v, x, y, self.all.first());
        let figure = Some(figure);
        Some(Pattern { name: "lost-update", rows, because, explain: Vec::new(), figure })
    }

    /// The cycle: *x* comes after `later` in time, and before it by its value. That takes more
    /// than these operations where only a search knows it.
    fn gone_by(&self, later: &Item, origin: &[u32]) -> Option<Figure> {
        if self.refuted {
            return None;
        }
        let only = self.all.len() + usize::from(self.initial) == 1;
        let touch = self.object.touch(later);
        let taken = only && matches!(touch, Some(Touch::Swaps(v, _)) if v == self.value);
        let writer = self.items.iter().find(|item| Some(&item.row) == origin.first());
        let writer = writer.map(|item| Writer { item, only, taken });
        Some(cycle::gone(self.object, self.v(), &self.x, later, writer))
    }

    /// Why the value cannot have come back.
    fn where_from(&self, origin: &[u32], than: &Item) -> String {
        let (v, id) = (self.v(), self.object.op(than).id());
        match origin.first().map(|row| self.object.history.row(*row as usize).id()) {
            Some(last) => {
                format!("{v} was last written by {last}, and no order puts that after {id}")
            }
            None => format!("{v} was the initial value, and nobody wrote it"),
        }
    }
}

fn others(count: usize) -> String {
    match count {
        1 => "1 later operation saw".to_owned(),
        n => format!("{n} later operations saw"),
    }
}

/// Whether two different values look alike: the number 3 and the text "3".
fn alike(a: &Value, b: &Value) -> bool {
    let text = |value: &Value| match value {
        Value::Str(text) => text.clone(),
        other => other.to_string(),
    };
    a != b && text(a) == text(b)
}
