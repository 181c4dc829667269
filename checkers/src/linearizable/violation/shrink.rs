//! Taking operations away without changing the verdict.
//!
//! An operation may be taken away only if any linearization with it yields one without it, so
//! that what remains is refuted only if the whole is. That holds for
//!
//! - *observers*: they change nothing;
//! - all operations of one *unit*, as the model says (an element and all that happens to it), if
//!   every operation is of some unit;
//! - on a register, an operation whose value no remaining one observes, unless before it began:
//!   whatever follows it must be an unconditional write, or nothing;
//! - on a register, an operation that had ended before an unconditional write began which in turn
//!   had ended before any remaining operation began that observes its value: nobody can have
//!   observed it in between. That write is then kept, as the reason why;
//! - on a register, everything that had ended before an unconditional write began, with every
//!   observer that began before that write ended, if all compare-and-sets that happened lie
//!   wholly before or after it: only plain writes can then come before it, and it hides them.

use super::super::object::{Item, Object, Removable, Touch};
use super::prober::Prober;

/// Items beyond which single mutators are not tried, since each try looks at all items.
const MANY: usize = 3_000;

/// A part of `items` that is refuted as well and contains the row `keep`; small where possible.
pub(super) fn shrink(
    prober: &mut Prober<'_, '_, '_, '_>,
    items: Vec<Item>,
    keep: u32,
) -> Vec<Item> {
    let object = prober.object;
    let mut part = Part { items, kept: vec![keep] };
    if object.register {
        part = cut(prober, part);
    }
    loop {
        let before = part.items.len();
        part = take_away(prober, part, |part, chunk| {
            let gone = |item: &Item| object.class(item).observer && part.takes(chunk, item);
            let items = part.items.iter().filter(|item| !gone(item)).copied().collect();
            Part { items, kept: part.kept.clone() }
        });
        if object.register && part.items.len() <= MANY {
            part = take_away(prober, part, |part, chunk| mutators(object, part, chunk));
        }
        part = units(prober, part);
        if part.items.len() == before || prober.spent() {
            return part.items;
        }
    }
}

/// What is left, and the rows that stay: as the point of it all, or as a reason.
#[derive(Clone)]
struct Part {
    items: Vec<Item>,
    kept: Vec<u32>,
}

impl Part {
    /// Whether `item` is in `chunk` and may go.
    fn takes(&self, chunk: &[Item], item: &Item) -> bool {
        chunk.binary_search_by_key(&item.row, |other| other.row).is_ok()
            && !self.kept.contains(&item.row)
    }
}

/// Tries to take away many items at once, then fewer, then each by itself. `remove` takes away
/// what it may of a chunk.
fn take_away(
    prober: &mut Prober<'_, '_, '_, '_>,
    mut part: Part,
    mut remove: impl FnMut(&Part, &[Item]) -> Part,
) -> Part {
    let mut size = part.items.len();
    while size > 0 {
        let mut from = 0;
        while from < part.items.len() && !prober.spent() {
            let to = (from + size).min(part.items.len());
            let fewer = remove(&part, &part.items[from..to]);
            let gone = part.items.len() - fewer.items.len();
            from = to;
            if gone > 0 && prober.refuted(&fewer.items) {
                from -= gone;
                part = fewer;
            }
        }
        size /= 2;
    }
    part
}

/// Takes away whole units, many at once where that works. Only where nothing else is left: what
/// looks at a unit without being of it would be left with nothing to have seen.
fn units(prober: &mut Prober<'_, '_, '_, '_>, mut part: Part) -> Part {
    let object = prober.object;
    let unit = |item: &Item| match object.class(item).removable {
        Removable::With(unit) => Some(unit),
        Removable::No | Removable::Alone => None,
    };
    if part.items.iter().any(|item| unit(item).is_none()) {
        return part;
    }
    let mut all: Vec<u32> = part.items.iter().filter_map(unit).collect();
    all.sort_unstable();
    all.dedup();
    let mut size = all.len();
    while size > 0 {
        let mut from = 0;
        while from < all.len() && !prober.spent() {
            let to = (from + size).min(all.len());
            let gone =
                |item: &&Item| unit(item).is_some_and(|u| all[from..to].binary_search(&u).is_ok());
            let items: Vec<Item> = part.items.iter().filter(|i| !gone(i)).copied().collect();
            let kept = |row: &u32| items.iter().any(|item| item.row == *row);
            if part.kept.iter().all(kept) && prober.refuted(&items) {
                part.items = items;
                all.drain(from..to);
            } else {
                from = to;
            }
        }
        size /= 2;
    }
    part
}

/// Takes away those operations of a chunk of a register that nobody can have observed, one after
/// the other, since taking one away may leave another unobserved.
fn mutators(object: &Object<'_>, part: &Part, chunk: &[Item]) -> Part {
    let mut part = part.clone();
    for item in chunk {
        if !part.takes(chunk, item) {
            continue;
        }
        if let Some(reason) = unobserved(object, &part, item) {
            part.kept.extend(reason);
            part.items.retain(|other| other.row != item.row);
        }
    }
    part
}

/// Whether nobody can have observed the value `item` left; and the write that hid it, if somebody
/// might have otherwise.
fn unobserved(object: &Object<'_>, part: &Part, item: &Item) -> Option<Option<u32>> {
    let value = object.touch(item)?.leaves()?;
    let observes = |other: &&Item| {
        other.row != item.row
            && other.res > item.inv
            && match object.touch(other) {
                Some(Touch::Reads(v) | Touch::Swaps(v, _)) => v == value,
                Some(Touch::Misses(v)) => v != value,
                Some(Touch::Writes(_)) => false,
                None => true,
            }
    };
    let Some(first) = part.items.iter().filter(observes).map(|other| other.inv).min() else {
        return Some(None);
    };
    let hides = |other: &&Item| {
        matches!(object.touch(other), Some(Touch::Writes(_)))
            && item.res < other.inv
            && other.res < first
    };
    // One that is kept anyway, or else the last one: what should have been seen instead.
    let hiding = part.items.iter().filter(hides);
    let best = hiding.max_by_key(|other| (part.kept.contains(&other.row), other.res))?;
    Some(Some(best.row))
}

/// Drops everything before an unconditional write, as late a one as possible.
fn cut(prober: &mut Prober<'_, '_, '_, '_>, part: Part) -> Part {
    let object = prober.object;
    let keep = part.kept[0];
    let sorted = |times: &mut Vec<u64>| times.sort_unstable();
    let swaps =
        part.items.iter().filter(|i| i.must() && matches!(object.touch(i), Some(Touch::Swaps(..))));
    let (mut begun, mut ended): (Vec<u64>, Vec<u64>) = swaps.map(|i| (i.inv, i.res)).unzip();
    sorted(&mut begun);
    sorted(&mut ended);
    // No compare-and-set that happened overlaps it: as many have begun before its end as ended
    // before its beginning.
    let alone =
        |w: &Item| begun.partition_point(|t| *t < w.res) == ended.partition_point(|t| *t < w.inv);
    let writes: Vec<Item> = part
        .items
        .iter()
        .rev()
        .filter(|i| i.must() && matches!(object.touch(i), Some(Touch::Writes(_))) && alone(i))
        .copied()
        .collect();
    let mut nth = 0;
    while let Some(write) = writes.get(nth).filter(|_| !prober.spent()) {
        let stays = |item: &&Item| {
            item.row == write.row
                || match object.class(item).observer {
                    true => item.inv > write.res,
                    false => item.res > write.inv,
                }
        };
        let fewer: Vec<Item> = part.items.iter().filter(stays).copied().collect();
        if fewer.iter().any(|item| item.row == keep) && prober.refuted(&fewer) {
            return Part { items: fewer, kept: vec![keep, write.row] };
        }
        nth = 2 * nth + 1;
    }
    part
}
