//! Sets: a replica ends with what was added and not removed.

use std::borrow::Cow;

use danso_vocab::{Op, OpId, Status, Value};
use rustc_hash::{FxHashMap, FxHashSet};

use super::elements::Elements;
use super::key::{Key, lives};
use super::quiet::Finals;
use super::replicas::Replicas;
use super::report::{Report, of_key, said};
use crate::models::lin_set::{LinSet, SetWord};

/// What is known of one element, given its updates.
#[derive(Clone, Copy)]
struct Fate {
    /// The addition that may have happened and began first, else one that failed.
    first: Option<u32>,
    lives: bool,
    /// An acknowledged addition that no removal can have taken away.
    kept: Option<u32>,
    /// All its additions were certainly taken away.
    gone: bool,
}

/// Judges a key of a set.
pub(super) fn judge(
    key: &Key<'_>,
    finals: &Finals<'_, '_>,
    elements: &mut Elements,
    replicas: &Replicas,
    report: &mut Report,
) {
    for id in &key.doubled {
        report.anomaly("duplicate-element", key, || {
            (vec![*id], format!("the read {id}{} lists an element twice", of_key(key)), Vec::new())
        });
    }
    let updates = Updates::of(key, elements);
    let fates: Vec<Fate> = updates.fates(key, elements.len());
    unexplained(key, &fates, elements, report);
    let mut told = FxHashSet::default();
    for (who, read) in finals {
        if !told.insert(read.state) {
            continue;
        }
        let members = elements.members(read.state);
        let name = || format!("{} ended", replicas.name(*who));
        for (element, fate) in fates.iter().enumerate() {
            let is_in = members.binary_search(&(element as u32)).is_ok();
            if let Some(kept) = fate.kept.filter(|_| !is_in) {
                let add = key.updates[kept as usize];
                report.anomaly("lost-element", key, || {
                    let because = format!(
                        "{} without {}{} ({}), although {} was acknowledged and no removal can \
                         have observed it",
                        name(),
                        add.arg(),
                        of_key(key),
                        read.op.id(),
                        said(add)
                    );
                    (vec![read.op.id(), add.id()], because, Vec::new())
                });
            }
            if fate.gone && is_in {
                report.anomaly("resurrected-element", key, || {
                    let value = elements.value(element as u32);
                    let history = updates.history_of(key, element as u32);
                    let took = |op: &&Op<'_>| {
                        removes(**op) && op.ret().is_some_and(|r| r.list() != Some(&[]))
                    };
                    let because = format!(
                        "{} with {value}{} ({}), although each of its {} additions was taken away \
                         by an acknowledged removal, the last of them by {}",
                        name(),
                        of_key(key),
                        read.op.id(),
                        history.iter().filter(|op| !removes(**op)).count(),
                        history.iter().rev().find(took).copied().map(said).unwrap_or_default(),
                    );
                    // The last ones tell how it went, if there are many.
                    let last = history.iter().rev().take(12).rev().map(|op| op.id());
                    (std::iter::once(read.op.id()).chain(last).collect(), because, Vec::new())
                });
            }
        }
    }
}

/// Reads that show elements nobody can have added by then.
fn unexplained(key: &Key<'_>, fates: &[Fate], elements: &Elements, report: &mut Report) {
    // The read that ended first is the hardest to explain.
    let mut earliest: Vec<Option<Op<'_>>> = vec![None; elements.sets()];
    for read in &key.reads {
        if let Some(slot) = earliest.get_mut(read.state as usize)
            && slot.is_none_or(|op| read.op.res_rank() < op.res_rank())
        {
            *slot = Some(read.op);
        }
    }
    let mut told = vec![false; fates.len()];
    for (set, read) in earliest.into_iter().enumerate() {
        let Some(read) = read else { continue };
        for element in elements.members(set as i64) {
            let fate = fates[*element as usize];
            let add = fate.first.map(|add| key.updates[add as usize]);
            let late = add.is_some_and(|add| add.inv_rank() > read.res_rank());
            if (fate.lives && !late) || std::mem::replace(&mut told[*element as usize], true) {
                continue;
            }
            let aborted = add.is_some() && !fate.lives;
            let name = if aborted { "aborted-read" } else { "invented-value" };
            report.anomaly(name, key, || {
                let why = match add {
                    None => "nobody ever added it".to_owned(),
                    Some(add) if aborted => format!("{} had failed", said(add)),
                    Some(add) => format!("{} began only later", said(add)),
                };
                let ops: Vec<OpId> = [read].into_iter().chain(add).map(Op::id).collect();
                let because = format!(
                    "{}'s read{} ({}) shows {}, but {why}",
                    read.process(),
                    of_key(key),
                    read.id(),
                    elements.value(*element)
                );
                (ops, because, Vec::new())
            });
        }
    }
}

/// The updates of a set, by element.
struct Updates<'h> {
    /// Element and place in the key's updates.
    by_element: Vec<(u32, u32)>,
    /// Tags that acknowledged removals took away.
    taken: FxHashSet<&'h Value>,
}

impl<'h> Updates<'h> {
    fn of(key: &Key<'h>, elements: &mut Elements) -> Updates<'h> {
        let mut by_element: Vec<(u32, u32)> = Vec::with_capacity(key.updates.len());
        let mut taken = FxHashSet::default();
        for (place, op) in (0..).zip(&key.updates) {
            by_element.push((elements.id(&op.arg()), place));
            let ret = op.ret_id().filter(|_| removes(*op)).map(|id| key.history.value(id));
            // A list is always stored, and so can be borrowed.
            if let Some(Cow::Borrowed(Value::List(tags))) = ret {
                taken.extend(tags);
            }
        }
        by_element.sort_unstable();
        Updates { by_element, taken }
    }

    fn fates(&self, key: &Key<'_>, elements: usize) -> Vec<Fate> {
        let mut fates = vec![Fate { first: None, lives: false, kept: None, gone: false }; elements];
        for updates in self.by_element.chunk_by(|a, b| a.0 == b.0) {
            fates[updates[0].0 as usize] = self.fate(key, updates);
        }
        fates
    }

    /// What becomes of an element with these updates; see [`super::Object::OrSet`].
    fn fate(&self, key: &Key<'_>, updates: &[(u32, u32)]) -> Fate {
        let ops = || updates.iter().map(|(_, place)| (*place, key.updates[*place as usize]));
        let removals =
            Removals::of(ops().map(|(_, op)| op).filter(|op| removes(*op) && lives(*op)));
        let adds = || ops().filter(|(_, op)| !removes(*op));
        let live = || adds().filter(|(_, op)| lives(*op));
        let kept = |add: Op<'_>| match tag(add) {
            Some(tag) => !self.taken.contains(&tag) && removals.untagged_end < Some(add.inv_rank()),
            None => removals.end < Some(add.inv_rank()),
        };
        let gone = |add: Op<'_>| {
            let before = |ranks: &FxHashMap<u16, u32>| {
                let rank = add.node().and_then(|node| ranks.get(&node.0));
                rank.is_some_and(|rank| add.res_rank() < *rank)
            };
            match tag(add) {
                Some(tag) => self.taken.contains(&tag) || before(&removals.untagged_at),
                None => before(&removals.at),
            }
        };
        Fate {
            first: live().next().or_else(|| adds().next()).map(|(place, _)| place),
            lives: live().next().is_some(),
            kept: live().find(|(_, add)| add.is_ok() && kept(*add)).map(|(place, _)| place),
            gone: live().next().is_some() && live().all(|(_, add)| add.is_ok() && gone(add)),
        }
    }

    /// The additions and removals of an element that may have happened, by invocation.
    fn history_of(&self, key: &Key<'h>, element: u32) -> Vec<Op<'h>> {
        let from = self.by_element.partition_point(|(e, _)| *e < element);
        let to = self.by_element.partition_point(|(e, _)| *e <= element);
        let ops = self.by_element[from..to].iter().map(|(_, place)| key.updates[*place as usize]);
        ops.filter(|op| lives(*op)).collect()
    }
}

/// When removals of one element that may have happened ended at the latest, and at each node
/// began at the latest; and the same of those alone that do not tell what they took away. Ranks.
#[derive(Default)]
struct Removals {
    end: Option<u32>,
    untagged_end: Option<u32>,
    at: FxHashMap<u16, u32>,
    untagged_at: FxHashMap<u16, u32>,
}

impl Removals {
    fn of<'h>(removals: impl Iterator<Item = Op<'h>>) -> Removals {
        let mut all = Removals::default();
        for op in removals {
            let tagged = op.ret().is_some_and(|ret| ret.list().is_some());
            let node = op.node().filter(|_| op.status() == Status::Ok);
            let later = |ranks: &mut FxHashMap<u16, u32>| {
                if let Some(node) = node {
                    let rank = ranks.entry(node.0).or_default();
                    *rank = op.inv_rank().max(*rank);
                }
            };
            all.end = all.end.max(Some(op.res_rank()));
            later(&mut all.at);
            if !tagged {
                all.untagged_end = all.untagged_end.max(Some(op.res_rank()));
                later(&mut all.untagged_at);
            }
        }
        all
    }
}

/// Whether this is a removal.
fn removes(op: Op<'_>) -> bool {
    LinSet::word(op.f()) == Some(SetWord::Remove)
}

/// The tag an addition was given, if it says.
fn tag(add: Op<'_>) -> Option<Value> {
    let ret = add.ret()?;
    matches!(&*ret, Value::Int(_) | Value::Str(_) | Value::List(_)).then(|| ret.into_owned())
}
