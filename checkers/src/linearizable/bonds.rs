//! [`Bonds`]: which operations of an object cannot be left out without leaving out others.
//!
//! What is left of a history proves something about the whole only if a linearization of the
//! whole leaves one of the rest. Otherwise an enqueue that was left out makes a correct dequeue
//! look like a phantom, and a dequeue that was left out makes a correct queue look out of order.
//! So, by what the model says of its operations:
//!
//! - **Failed operations, and reads nobody knows the answer of,** constrain nothing and may go.
//! - **Registers.** An operation *p* that leaves a value may go if every operation that stays and
//!   needs the value (or another than the value, if it missed) had ended before *p* began, or
//!   began after an unconditional write had ended that stays and began after *p* had ended: take a
//!   linearization of the whole and an operation *x* in it that stays. The last change before *x*
//!   stays too, or that write would lie between them. So *x* sees the same value without those that
//!   went. Beyond that, one writer of each value needed stays, lest the anomaly become another one.
//! - **Containers.** Of an element everything goes or nothing: without it, what is left takes the
//!   others in the same order, and what found nothing finds nothing all the more. Removals nobody
//!   knows the answer of may go if all elements that stay are known to have been taken: then none
//!   of those took one of them.
//! - **Everything else** (counters, locks, sets that are read as a whole): observers may go, every
//!   change stays; but see [`Bonds::of`] for independent parts and for what comes later.

mod cover;

use std::collections::hash_map::Entry;

use danso_vocab::{Access, History, Model, Op, Parts, Ret, Status, Unit, Value};
use rustc_hash::{FxHashMap, FxHashSet};

use super::object::argument;
use crate::models::words::nothing;
use cover::Cover;

/// What an operation does, with values and elements as numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Does {
    /// It constrains nothing.
    Nothing,
    Reads(u32),
    Misses(u32),
    Writes(u32),
    Swaps(u32, u32),
    Puts(u32),
    Takes(u32),
    Peeks(u32),
    /// It found nothing.
    Lacks,
    /// It changes nothing, but what it saw is not told apart.
    Sees,
    /// It changes who knows what.
    Changes,
}

impl Does {
    fn needs(self) -> Option<u32> {
        match self {
            Does::Reads(value) | Does::Swaps(value, _) => Some(value),
            _ => None,
        }
    }

    fn leaves(self) -> Option<u32> {
        match self {
            Does::Writes(value) | Does::Swaps(_, value) => Some(value),
            _ => None,
        }
    }
}

/// An operation.
#[derive(Clone, Copy, Debug)]
struct Act {
    row: u32,
    inv: u32,
    /// [`History::NEVER`] if it need not have happened.
    res: u32,
    does: Does,
}

impl Act {
    fn must(&self) -> bool {
        self.res != History::NEVER
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Register,
    Container,
    Other,
}

/// Which operations of an object must go or stay together for a part of it to stand for the whole.
pub struct Bonds {
    acts: Vec<Act>,
    kind: Kind,
    /// The rank of the last event that counts; all do if it is [`History::NEVER`].
    upto: u32,
    /// The value a register has in the beginning.
    initial: Option<u32>,
}

impl Bonds {
    /// The bonds of the object whose operations are in `rows`. Looks only at those independent
    /// parts of it that the operations `about` touch. Where every change has to stay, it can be
    /// `cut`: only what had happened when the last of `about` ended counts then, since a
    /// linearization begins with one of that. What was still open then stays open.
    pub(super) fn of<M: Model>(
        model: &M,
        history: &History,
        rows: &[u32],
        about: &[u32],
        cut: bool,
    ) -> Bonds {
        let ops: Vec<Op<'_>> = rows.iter().map(|row| history.row(*row as usize)).collect();
        let ops = of_parts(model, ops, about);
        let mut ids = Ids::default();
        let idle = |op: &Op<'_>| {
            op.status() == Status::Fail || op.status() == Status::Info && model.is_read(op.f())
        };
        let counted = || ops.iter().filter(|op| !idle(op));
        let kind = if counted().all(|op| touch(model, *op, &mut ids).is_some()) {
            Kind::Register
        } else {
            let mut any = false;
            let told = counted().all(|op| match unit(model, *op, &mut ids) {
                Does::Changes => !op.is_ok(),
                does => {
                    any |= matches!(does, Does::Puts(_) | Does::Takes(_));
                    true
                }
            });
            if any && told { Kind::Container } else { Kind::Other }
        };
        let act = |op: &Op<'_>| {
            let does = match kind {
                _ if idle(op) => Does::Nothing,
                Kind::Register => touch(model, *op, &mut ids).unwrap_or(Does::Changes),
                Kind::Container | Kind::Other => unit(model, *op, &mut ids),
            };
            Act { row: op.row() as u32, inv: op.inv_rank(), res: op.res_rank(), does }
        };
        let mut acts: Vec<Act> = ops.iter().map(act).collect();
        let initial = ops.iter().zip(&acts).find_map(|(op, act)| initial(model, *op, act.does));
        let mut upto = History::NEVER;
        if cut && kind == Kind::Other {
            let last = acts.iter().filter(|act| about.contains(&act.row) && act.must());
            upto = last.map(|act| act.res).max().unwrap_or(upto);
            acts.retain(|act| act.inv <= upto);
            acts.iter_mut().filter(|act| act.res > upto).for_each(|act| act.res = History::NEVER);
        }
        Bonds { acts, kind, upto, initial }
    }

    /// How many operations there are to choose from.
    pub fn len(&self) -> usize {
        self.acts.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.acts.is_empty()
    }

    /// The rows of the operations that `kept` marks.
    pub fn rows(&self, kept: &[bool]) -> Vec<u32> {
        let marked = self.acts.iter().zip(kept).filter(|(_, kept)| **kept);
        marked.map(|(act, _)| act.row).collect()
    }

    /// Marks the operations of these rows, as far as they are among those to choose from.
    pub fn marked(&self, rows: &[u32]) -> Vec<bool> {
        self.acts.iter().map(|act| rows.contains(&act.row)).collect()
    }

    /// The rank of the last event that counts: what ends later stays open.
    pub fn upto(&self) -> u32 {
        self.upto
    }

    /// Whether whatever refutes those kept refutes the whole, for the same reason.
    pub fn hold(&self, kept: &[bool]) -> bool {
        self.broken(kept).is_empty()
    }

    /// Marks whatever has to stay with those kept.
    pub fn complete(&self, kept: &mut [bool]) {
        loop {
            let broken = self.broken(kept);
            if broken.is_empty() {
                return;
            }
            broken.iter().for_each(|(gone, _)| kept[*gone] = true);
        }
    }

    /// Takes the mark from whatever cannot stay without those that went.
    pub fn release(&self, kept: &mut [bool]) {
        loop {
            let broken = self.broken(kept);
            if broken.is_empty() {
                return;
            }
            broken.iter().for_each(|(_, by)| kept[*by] = false);
        }
    }

    /// Pairs of one that went and one that stayed and cannot do without it.
    fn broken(&self, kept: &[bool]) -> Vec<(usize, usize)> {
        match self.kind {
            Kind::Register => self.unread(kept),
            Kind::Container => self.torn(kept),
            Kind::Other => {
                let gone = (0..self.len()).filter(|i| {
                    !kept[*i]
                        && !matches!(self.acts[*i].does, Does::Nothing | Does::Sees | Does::Lacks)
                });
                let Some(gone) = gone.min_by_key(|i| self.acts[*i].inv) else { return Vec::new() };
                (0..self.len()).filter(|i| kept[*i]).map(|by| (gone, by)).collect()
            }
        }
    }

    /// On a register: an operation left out whose value one that stays may have needed.
    fn unread(&self, kept: &[bool]) -> Vec<(usize, usize)> {
        let mut needing = FxHashMap::<u32, Vec<usize>>::default();
        let (mut missing, mut left) = (Vec::new(), FxHashSet::default());
        let mut writes = Vec::new();
        for (i, act) in self.acts.iter().enumerate().filter(|(i, _)| kept[*i]) {
            if let Some(value) = act.does.needs() {
                needing.entry(value).or_default().push(i);
            }
            left.extend(act.does.leaves());
            match act.does {
                Does::Misses(value) => missing.push((i, value)),
                Does::Writes(_) if act.must() => writes.push((act.inv, act.res)),
                _ => {}
            }
        }
        let cover = Cover::of(writes);
        let mut broken = Vec::new();
        let mut writers = FxHashMap::<u32, Vec<usize>>::default();
        for (i, act) in self.acts.iter().enumerate() {
            let Some(value) = act.does.leaves() else { continue };
            writers.entry(value).or_default().push(i);
            if kept[i] {
                continue;
            }
            let missed = missing.iter().filter(|(_, v)| *v != value).map(|(x, _)| *x);
            let needed = needing.get(&value).into_iter().flatten().copied();
            let may_see = |x: &usize| {
                let x = &self.acts[*x];
                x.res > act.inv && !cover.between(act.res, x.inv)
            };
            broken.extend(needed.chain(missed).filter(may_see).map(|x| (i, x)));
        }
        for (value, readers) in needing {
            if left.contains(&value) || self.initial == Some(value) {
                continue;
            }
            for x in readers {
                let before = |i: &&usize| self.acts[**i].inv < self.acts[x].res && **i != x;
                let of_value = writers.get(&value).into_iter().flatten();
                let last = of_value.clone().filter(before).max_by_key(|i| self.acts[**i].inv);
                let writer = last.or_else(|| of_value.filter(|i| **i != x).min());
                broken.extend(writer.map(|writer| (*writer, x)));
            }
        }
        broken
    }

    /// In a container: an element of which something stays and something does not.
    fn torn(&self, kept: &[bool]) -> Vec<(usize, usize)> {
        let mut staying = FxHashMap::<u32, Vec<usize>>::default();
        let (mut unsure, mut open, mut musts) =
            (Vec::new(), FxHashMap::<u32, i64>::default(), Vec::new());
        for (i, act) in self.acts.iter().enumerate().filter(|(i, _)| kept[*i]) {
            match act.does {
                Does::Puts(element) => *open.entry(element).or_default() += 1,
                Does::Takes(element) if act.must() => *open.entry(element).or_default() -= 1,
                Does::Sees => unsure.push(i),
                _ => {}
            }
            if let Does::Puts(e) | Does::Takes(e) | Does::Peeks(e) = act.does {
                staying.entry(e).or_default().push(i);
            }
            if act.must() {
                musts.push(i);
            }
        }
        let all_taken = open.values().all(|left| *left <= 0);
        let mut broken = Vec::new();
        for (i, act) in self.acts.iter().enumerate().filter(|(i, _)| !kept[*i]) {
            match act.does {
                Does::Puts(element) | Does::Takes(element) => {
                    let same = staying.get(&element).into_iter().flatten();
                    broken.extend(same.chain(&unsure).map(|by| (i, *by)));
                }
                Does::Changes if !all_taken => {
                    let later = musts.iter().filter(|by| self.acts[**by].res > act.inv);
                    broken.extend(later.map(|by| (i, *by)));
                }
                _ => {}
            }
        }
        broken
    }
}

/// Numbers for values and elements.
#[derive(Default)]
struct Ids(FxHashMap<Value, u32>);

impl Ids {
    fn of(&mut self, value: &Value) -> u32 {
        let next = self.0.len() as u32;
        match self.0.get(value) {
            Some(id) => *id,
            None => *match self.0.entry(value.clone()) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => new.insert(next),
            },
        }
    }
}

/// What it does to a register, if it does anything of the kind.
fn touch<M: Model>(model: &M, op: Op<'_>, ids: &mut Ids) -> Option<Does> {
    let (arg, ret) = (argument(op, model), op.ret());
    let saw = ret.as_deref().map_or(Ret::Unknown, Ret::Saw);
    Some(match model.access(op.f(), &arg, saw)? {
        Access::Reads(v) => Does::Reads(ids.of(v)),
        Access::Misses(v) => Does::Misses(ids.of(v)),
        Access::Writes(v) => Does::Writes(ids.of(v)),
        Access::Swaps { old, new } if old == new => Does::Reads(ids.of(old)),
        Access::Swaps { old, new } => Does::Swaps(ids.of(old), ids.of(new)),
    })
}

/// What it does to the elements of a container.
fn unit<M: Model>(model: &M, op: Op<'_>, ids: &mut Ids) -> Does {
    let (arg, ret) = (argument(op, model), op.ret());
    let saw = ret.as_deref().map_or(Ret::Unknown, Ret::Saw);
    match model.unit(op.f(), &arg, saw) {
        Unit::Of(element) if model.is_read(op.f()) => Does::Peeks(ids.of(element)),
        Unit::Of(element) if *element == arg => Does::Puts(ids.of(element)),
        Unit::Of(element) => Does::Takes(ids.of(element)),
        Unit::Observer if !op.is_ok() => Does::Nothing,
        Unit::Observer if ret.as_deref().is_some_and(nothing) => Does::Lacks,
        Unit::Observer => Does::Sees,
        Unit::Fixed => Does::Changes,
    }
}

/// The value a register has in the beginning, if this operation gives it away.
fn initial<M: Model>(model: &M, op: Op<'_>, does: Does) -> Option<u32> {
    let (Does::Reads(value) | Does::Swaps(value, _)) = does else { return None };
    let (arg, ret) = (argument(op, model), op.ret());
    let next = model.step(&model.init(), op.f(), &arg, Ret::Saw(ret.as_deref()?));
    next.map(|_| value)
}

/// Those of `ops` that touch the same independent parts as those `about`, or parts tied to them;
/// all of them if any touches the object as a whole.
fn of_parts<'h, M: Model>(model: &M, ops: Vec<Op<'h>>, about: &[u32]) -> Vec<Op<'h>> {
    let mut parts_of = Vec::with_capacity(ops.len());
    for op in &ops {
        let (arg, ret) = (argument(*op, model), op.ret());
        let saw = ret.as_deref().map_or(Ret::Unknown, Ret::Saw);
        let Parts::Of(parts) = model.parts(op.f(), &arg, saw) else { return ops };
        parts_of.push(parts.into_iter().cloned().collect::<Vec<Value>>());
    }
    let asked = |op: &Op<'_>| about.contains(&(op.row() as u32));
    let named = ops.iter().zip(&parts_of).filter(|(op, _)| asked(op));
    let mut chosen: FxHashSet<&Value> = named.flat_map(|(_, parts)| parts).collect();
    loop {
        let before = chosen.len();
        for parts in &parts_of {
            if parts.iter().any(|part| chosen.contains(part)) {
                chosen.extend(parts);
            }
        }
        if chosen.len() == before {
            break;
        }
    }
    let stays = parts_of.iter().map(|parts| parts.iter().any(|part| chosen.contains(part)));
    ops.iter().zip(stays).filter(|(_, stays)| *stays).map(|(op, _)| *op).collect()
}
