//! A linearization of a priority queue.

use super::super::How;
use super::super::container::{Container, NONE, Seen};
use super::first_good;

/// The rows in an order in which they can have taken effect. `None` if it was told to stop, or
/// if a peek can only have come before its element was certainly inside.
///
/// What takes an element out comes as early, what puts it in as late as possible; peeks come as
/// early as possible once it is certainly inside.
pub(super) fn schedule(
    queue: &Container,
    places: &[u32],
    peeks: &[Seen],
    instants: &[u32],
    how: &How,
) -> Option<Vec<u32>> {
    let late = |peek: &Seen| {
        let v = peek.element as usize;
        Seen { inv: peek.inv.max((queue.b[v] - 1).min(queue.c[v])), ..*peek }
    };
    let peeks: Vec<Seen> = peeks.iter().map(late).collect();
    let good = first_good(queue, places, &peeks, how)?;
    if good.peeks.contains(&NONE) {
        return None;
    }
    let taken = &good.takes;
    let mut put: Vec<u32> =
        queue.b.iter().zip(taken).map(|(b, taken)| (b - 1).min(*taken)).collect();
    for (peek, good) in peeks.iter().zip(&good.peeks) {
        let put = &mut put[peek.element as usize];
        *put = (*put).min(*good);
    }
    // What happens after the same event: elements leave, the foremost first, and if they only
    // came then, this is when; then those inside are looked at; then answers that there is
    // nothing; then elements come, the foremost last, and may be looked at.
    let mut steps = Vec::with_capacity(2 * queue.len() + peeks.len() + instants.len());
    let step = |v: usize, at: u32, sub: u8, row: u32| {
        let place = places[v];
        match (at == taken[v], at == put[v]) {
            (true, _) => (at, 0, NONE - place, sub, row),
            (_, true) => (at, 3, place, sub, row),
            _ => (at, 1, place, sub, row),
        }
    };
    for (v, row) in queue.put.iter().enumerate() {
        steps.push(step(v, put[v], 0, *row));
    }
    for v in (0..queue.len()).filter(|v| taken[*v] != NONE) {
        steps.extend(queue.taker(v).map(|row| step(v, taken[v], 2, row)));
    }
    for (peek, good) in peeks.iter().zip(&good.peeks) {
        steps.push(step(peek.element as usize, *good, 1, peek.row));
    }
    let empties = queue.empties.iter().zip(instants);
    steps.extend(empties.map(|(empty, at)| (*at, 2, 0, 0, empty.row)));
    steps.sort_unstable();
    Some(steps.into_iter().map(|(.., row)| row).collect())
}
