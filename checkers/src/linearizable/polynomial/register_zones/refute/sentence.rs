//! A conflict in words.

use std::borrow::Cow;

use danso_vocab::{Op, Status, Value};

use super::super::super::Part;
use super::super::super::register_acts::Alphabet;
use super::super::super::tell::{before, who};
use super::super::chains::{Chains, Conflict, NONE, Zone};
use super::super::{begins, ends};
use super::scan;
use crate::models::register::{plain, swap};

/// What to say, and about whom first.
pub(super) struct Told {
    pub(super) name: &'static str,
    pub(super) because: String,
    pub(super) blamed: Vec<u32>,
}

fn told(name: &'static str, blamed: &[Op<'_>], because: String) -> Told {
    Told { name, because, blamed: blamed.iter().map(|op| op.row() as u32).collect() }
}

/// Tells a conflict between the operations `core` of `all`, with the chains of `core`.
pub(super) fn tell(
    of: &Alphabet,
    all: &Part<'_>,
    core: &Part<'_>,
    chains: &Chains,
    conflict: Conflict,
) -> Told {
    let scene = Scene { of, all, core, chains };
    let sentence = match conflict {
        Conflict::Nowhere(value) => scene.nowhere(value),
        Conflict::Circle(value) => scene.circle(value),
        Conflict::Twice(a, b) => scene.twice(a, b),
        Conflict::Inverted { began, ended } => scene.inverted(began, ended),
        Conflict::Clash(outer, inner) => scene.clash(outer, inner),
        Conflict::Held { row, from, to, .. } => scene.held(row, from, to),
    };
    // Every conflict names operations of its chains, so this is for the compiler.
    sentence.unwrap_or_else(|| {
        told("non-linearizable", &[], "no order of these operations explains them".to_owned())
    })
}

struct Scene<'s> {
    of: &'s Alphabet,
    all: &'s Part<'s>,
    core: &'s Part<'s>,
    chains: &'s Chains,
}

impl<'s> Scene<'s> {
    fn op(&self, row: u32) -> Op<'s> {
        self.all.history.row(row as usize)
    }

    fn ops(part: &Part<'s>) -> impl Iterator<Item = Op<'s>> {
        let history = part.history;
        part.rows.iter().map(move |row| history.row(*row as usize))
    }

    fn beginning(&self, at: u32) -> Option<Op<'s>> {
        Scene::ops(self.core).find(|op| op.status() != Status::Fail && begins(*op) == at)
    }

    fn ending(&self, at: u32) -> Option<Op<'s>> {
        Scene::ops(self.core).find(|op| op.is_ok() && ends(*op) == at)
    }

    fn nowhere(&self, value: u32) -> Option<Told> {
        let lacking = scan(self.of, self.core, |_, act| act.needs() == Some(value));
        let op = self.op(lacking.first()?.0);
        let value = needed(op)?;
        let failed = Scene::ops(self.all)
            .filter(|op| op.status() == Status::Fail)
            .find(|op| left(*op).as_deref() == Some(&*value));
        let (blamed, did) = match op.is_ok() {
            true => (op, who(op)),
            false => {
                let proof = Scene::ops(self.core).find(|op| op.is_ok())?;
                (proof, format!("{} shows that {} took effect", who(proof), who(op)))
            }
        };
        if let Some(failed) = failed {
            let because = format!(
                "{did}, but only {} would have written {value}, and that failed",
                who(failed)
            );
            return Some(told("aborted-read", &[blamed], because));
        }
        Some(told("thin-air", &[blamed], format!("{did}, but nobody ever wrote {value}")))
    }

    fn circle(&self, value: u32) -> Option<Told> {
        let maker = self.op(self.chains.slots[value as usize].row);
        let sure = Scene::ops(self.core).find(|op| op.is_ok())?;
        let (old, new) = (needed(maker)?, left(maker)?);
        let because = format!(
            "{}, but {new} was only made from {old}, by {}, and that only came from {new} itself",
            who(sure),
            who(maker)
        );
        Some(told("thin-air", &[sure], because))
    }

    fn twice(&self, a: u32, b: u32) -> Option<Told> {
        let row = |value: u32| self.op(self.chains.slots[value as usize].row);
        // The one that ended later is the one that should not have succeeded.
        let (y, x) = if ends(row(a)) < ends(row(b)) { (row(a), row(b)) } else { (row(b), row(a)) };
        let old = needed(x)?;
        let origin = &self.chains.slots[self.chains.slots[a as usize].old as usize];
        let once = match origin.row {
            NONE => "was only the initial value".to_owned(),
            row => format!("was written only once, by {}", who(self.op(row))),
        };
        let because = format!("{} and {} both replaced {old}, which {once}", who(x), who(y));
        Some(told("lost-update", &[x, y], because))
    }

    fn inverted(&self, began: u32, ended: u32) -> Option<Told> {
        let (late, early) = (self.beginning(began)?, self.ending(ended)?);
        let before = before(early, late);
        if let Some(new) = left(late) {
            let needed = needed(early)?;
            let because = match needed == new {
                true => format!(
                    "{} although it had finished {before} {} began, the only one to write {new}",
                    who(early),
                    who(late)
                ),
                false => format!(
                    "{} although it had finished {before} {} began, and {needed} comes from {new}",
                    who(early),
                    who(late)
                ),
            };
            return Some(told("future-read", &[early, late], because));
        }
        let (old, new) = (needed(late)?, left(early).or(needed(early))?);
        let name = if left(early).is_some() { "stale-read" } else { "non-monotonic-read" };
        let because = format!(
            "{} although {} had finished {before} it began, and {new} comes from {old}, which was written only once",
            who(late),
            who(early)
        );
        Some(told(name, &[late, early], because))
    }

    fn clash(&self, outer: Zone, inner: Zone) -> Option<Told> {
        // The chain that is seen last is the one that should have been over.
        let outlives = outer.last_begin > inner.last_begin || outer.first_end == 0;
        let (a, b) = if outlives { (outer, inner) } else { (inner, outer) };
        let (x, y) = (self.beginning(a.last_begin)?, self.ending(b.first_end)?);
        let (v, u) = (needed(x)?, left(y).or(needed(y))?);
        let plain =
            format!("{} although {} had finished {} it began", who(x), who(y), before(y, x));
        let earlier = match self.ending(a.first_end) {
            None if self.chains.slots.first().is_some_and(|slot| slot.last == a.last_begin) => {
                format!("{v} was only the initial value")
            }
            None => format!("{v} comes from the initial value"),
            Some(first) => {
                let second = self.beginning(b.last_begin)?;
                let second = match second.row() == y.row() {
                    true => "that".to_owned(),
                    false => who(second),
                };
                format!(
                    "{v} cannot have come after {u}, since {} had finished before {second} began",
                    who(first)
                )
            }
        };
        let (again, seen) = self.afterwards(y, &v, &u);
        let (name, more) = match (needed(y).is_none(), left(x).is_some()) {
            (_, true) => ("lost-update", String::new()),
            (false, _) => ("non-monotonic-read", String::new()),
            (true, _) if again > 1 && !seen => (
                "lost-write",
                format!("; {again} operations saw {v} after that, and nobody ever saw {u}"),
            ),
            (true, _) => ("stale-read", String::new()),
        };
        Some(told(name, &[x, y], format!("{plain}, and {earlier}{more}")))
    }

    /// How many operations needed `v` that began after `y` had ended, and whether anybody needed
    /// `u`.
    fn afterwards(&self, y: Op<'_>, v: &Value, u: &Value) -> (u32, bool) {
        let (mut again, mut seen) = (0, false);
        for op in Scene::ops(self.all).filter(|op| op.is_ok()) {
            let needed = needed(op);
            again += u32::from(begins(op) > ends(y) && needed.as_deref() == Some(v));
            seen |= needed.as_deref() == Some(u);
        }
        (again, seen)
    }

    fn held(&self, row: u32, from: u32, to: u32) -> Option<Told> {
        let op = self.op(row);
        let arg = op.arg();
        let (old, _) = swap(&arg)?;
        let since = match self.ending(from) {
            Some(op) => format!("{} had finished before it began", who(op)),
            None => "it was the initial value".to_owned(),
        };
        let until = match self.beginning(to) {
            Some(next) => format!("{} began after it had finished", who(next)),
            None => "nothing else was written in time".to_owned(),
        };
        let because =
            format!("{} although the value was {old} all the time: {since}, and {until}", who(op));
        Some(told("wrong-refusal", &[op], because))
    }
}

/// The value an operation of known or unknown outcome leaves.
fn left(op: Op<'_>) -> Option<Cow<'_, Value>> {
    match (op.f(), op.arg()) {
        ("write", arg) => Some(arg),
        ("delete", _) => Some(Cow::Owned(Value::Nil)),
        ("cas", arg) => {
            swap(&arg).filter(|(old, new)| old != new).map(|(_, new)| Cow::Owned(new.clone()))
        }
        _ => None,
    }
}

/// The value it needs.
fn needed(op: Op<'_>) -> Option<Cow<'_, Value>> {
    match op.f() {
        "read" => op.ret().map(|ret| Cow::Owned(plain(&ret).clone())),
        "cas" => swap(&op.arg()).map(|(old, _)| Cow::Owned(old.clone())),
        _ => None,
    }
}
