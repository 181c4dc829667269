//! A linearization of a queue.

use super::super::container::{Container, Seen};

/// The rows in an order in which they can have taken effect, given an order of the elements and,
/// by answer that there was nothing, the event after which it takes effect.
///
/// These instants cut the history into segments. An element comes after an instant if it was not
/// certainly inside yet, else it is gone. Within a segment everything takes effect as early as
/// its own invocation and those of the elements before it allow.
pub(super) fn schedule(queue: &Container, mut order: Vec<u32>, instants: &[u32]) -> Vec<u32> {
    let mut empties: Vec<usize> = (0..instants.len()).collect();
    empties.sort_by_key(|e| instants[*e]);
    let mut cuts = instants.to_vec();
    cuts.sort_unstable();
    cuts.dedup();
    let segment = |v: &u32| cuts.partition_point(|cut| *cut < queue.b[*v as usize]);
    if !cuts.is_empty() {
        order.sort_by_cached_key(segment);
    }
    let mut peeks = queue.peeks.clone();
    peeks.sort_by_key(|peek| peek.element);
    let mut rows = Vec::with_capacity(2 * order.len() + peeks.len() + empties.len());
    let (mut elements, mut empties) = (order.as_slice(), empties.into_iter().peekable());
    for at in 0..=cuts.len() {
        let many = match at == cuts.len() {
            true => elements.len(),
            false => elements.partition_point(|v| segment(v) <= at),
        };
        let (now, later) = elements.split_at(many);
        let start = at.checked_sub(1).map_or(0, |at| cuts[at]);
        merge(puts(queue, now, start), heads(queue, &peeks, now, start), &mut rows);
        if let Some(cut) = cuts.get(at) {
            while let Some(e) = empties.next_if(|e| instants[*e] == *cut) {
                rows.push(queue.empties[e].row);
            }
        }
        elements = later;
    }
    rows
}

/// What puts these elements in, and after which event.
fn puts<'q>(
    queue: &'q Container,
    elements: &'q [u32],
    start: u32,
) -> impl Iterator<Item = (u32, u32)> + 'q {
    let mut now = start;
    elements.iter().map(move |v| {
        now = queue.a[*v as usize].max(now);
        (now, queue.put[*v as usize])
    })
}

/// What sees them at the head and takes them out, and after which event.
fn heads(queue: &Container, peeks: &[Seen], elements: &[u32], start: u32) -> Vec<(u32, u32)> {
    let (mut put, mut now, mut rows) = (start, start, Vec::with_capacity(elements.len()));
    for &v in elements {
        put = queue.a[v as usize].max(put);
        now = now.max(put);
        let mine = peeks.partition_point(|peek| peek.element < v);
        for peek in peeks[mine..].iter().take_while(|peek| peek.element == v) {
            now = peek.inv.max(now);
            rows.push((now, peek.row));
        }
        if let Some(taker) = queue.taker(v as usize) {
            now = queue.c[v as usize].max(now);
            rows.push((now, taker));
        }
    }
    rows
}

/// Both by time; of those at the same instant, the first before the second.
fn merge(first: impl Iterator<Item = (u32, u32)>, second: Vec<(u32, u32)>, rows: &mut Vec<u32>) {
    let mut second = second.into_iter().peekable();
    for (now, row) in first {
        while let Some((_, before)) = second.next_if(|(then, _)| *then < now) {
            rows.push(before);
        }
        rows.push(row);
    }
    rows.extend(second.map(|(_, row)| row));
}
