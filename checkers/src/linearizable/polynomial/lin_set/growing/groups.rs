//! In which groups elements came, as reads of all of them tell.

use danso_vocab::{Stop, Value};

use super::super::super::Part;
use super::super::super::container::{NONE, Seen};
use super::super::parse::Parsed;
use super::Flaw;

/// What was read, from the least to the most, and what each result has that the one before has
/// not.
pub(super) struct Groups {
    /// By element: its group; that after the last if it was never read.
    pub(super) of: Vec<u32>,
    /// By group: its elements; last those never read.
    pub(super) elements: Vec<Vec<u32>>,
    /// By group: the read that completes it and ended first.
    pub(super) first: Vec<Seen>,
    /// By read: the last group it has.
    pub(super) of_read: Vec<u32>,
}

/// Why there are none.
pub(super) enum Stuck {
    /// Two reads contradict each other, or one has what nothing added.
    Flaw(Flaw),
    /// This read has an element twice.
    Twice(u32),
    /// It was told to stop.
    Stopped,
}

/// Sorts elements into groups.
///
/// # Errors
/// If there are none.
pub(super) fn groups(part: &Part<'_>, parsed: &Parsed, stop: &Stop) -> Result<Groups, Stuck> {
    let flaw = |name, rows| Stuck::Flaw(Flaw { name, rows });
    // Different results by value id: how many elements, the id, the first read with it.
    let mut results: Vec<(usize, u32, u32)> = Vec::new();
    let ids: Vec<u32> = parsed.reads.iter().map(|read| read.element).collect();
    let mut order: Vec<u32> = (0..ids.len() as u32).collect();
    order.sort_by_key(|i| (ids[*i as usize], parsed.reads[*i as usize].res));
    for i in order {
        let id = ids[i as usize];
        if results.last().is_none_or(|(_, last, _)| *last != id) {
            results.push((list(part, id).len(), id, i));
        }
    }
    results.sort_unstable();
    let mut of = vec![NONE; parsed.elements];
    let mut elements: Vec<Vec<u32>> = Vec::new();
    let mut first: Vec<Seen> = Vec::new();
    let mut group_of_id = rustc_hash::FxHashMap::default();
    let mut stamp = vec![NONE; parsed.elements];
    let mut size = 0;
    for (at, (_, id, read)) in results.into_iter().enumerate() {
        if stop.is_tripped() {
            return Err(Stuck::Stopped);
        }
        let read = parsed.reads[read as usize];
        let (mut new, mut known) = (Vec::new(), 0);
        for value in list(part, id) {
            let Some(v) = parsed.element(value) else {
                return Err(flaw("thin-air-read", vec![read.row]));
            };
            if std::mem::replace(&mut stamp[v as usize], at as u32) == at as u32 {
                return Err(Stuck::Twice(read.row));
            }
            match of[v as usize] {
                NONE => new.push(v),
                _ => known += 1,
            }
        }
        if known < size {
            let before = first.last().map_or(read.row, |read| read.row);
            return Err(flaw("stale-read", vec![read.row, before]));
        }
        // The same elements in another order.
        if new.is_empty() && !first.is_empty() {
            let group = first.len() as u32 - 1;
            group_of_id.insert(id, group);
            let first = &mut first[group as usize];
            if read.res < first.res {
                *first = read;
            }
            continue;
        }
        let group = first.len() as u32;
        size += new.len();
        new.iter().for_each(|v| of[*v as usize] = group);
        elements.push(new);
        first.push(read);
        group_of_id.insert(id, group);
    }
    let last = first.len() as u32;
    let never = (0..parsed.elements as u32).filter(|v| of[*v as usize] == NONE).collect();
    elements.push(never);
    of.iter_mut().filter(|of| **of == NONE).for_each(|of| *of = last);
    let of_read = ids.iter().map(|id| group_of_id[id]).collect();
    Ok(Groups { of, elements, first, of_read })
}

/// The elements of a result.
pub(super) fn list<'h>(part: &Part<'h>, id: u32) -> &'h [Value] {
    // What is not small is borrowed, and a list is not.
    match part.history.value(id) {
        std::borrow::Cow::Borrowed(value) => value.list().unwrap_or(&[]),
        std::borrow::Cow::Owned(_) => &[],
    }
}
