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
    asks: &[Seen],
    instants: &[u32],
    how: &How,
) -> Option<Vec<u32>> {
    let late = |ask: &Seen| {
        let v = ask.element as usize;
        Seen { inv: ask.inv.max(queue.b[v].min(queue.c[v])), ..*ask }
    };
    let asks: Vec<Seen> = asks.iter().map(late).collect();
    let good = first_good(queue, places, &asks, how)?;
    if good.contains(&NONE) {
        return None;
    }
    let mut put: Vec<u32> = queue.b.iter().map(|b| b - 1).collect();
    let mut taken = vec![NONE; queue.len()];
    for (ask, good) in asks.iter().zip(&good) {
        let v = ask.element as usize;
        put[v] = put[v].min(*good);
        if ask.row == queue.taken[v] {
            taken[v] = *good;
        }
    }
    // What happens after the same event: elements leave, the foremost first, and if they only
    // came then, this is when; then those inside are looked at; then answers that there is
    // nothing; then elements come, the foremost last, and may be looked at.
    let mut steps = Vec::with_capacity(2 * asks.len() + instants.len());
    let step = |v: usize, at: u32, sub: u8, row: u32| {
        let place = places[v];
        match (at == taken[v], at == put[v]) {
            (true, _) => (at, 0, NONE - place, sub, row),
            (_, true) => (at, 3, place, sub, row),
            _ => (at, 1, place, sub, row),
        }
    };
    for v in 0..queue.len() {
        steps.push(step(v, put[v], 0, queue.put[v]));
    }
    for (ask, good) in asks.iter().zip(&good) {
        let v = ask.element as usize;
        let sub = if ask.row == queue.taken[v] { 2 } else { 1 };
        steps.push(step(v, *good, sub, ask.row));
    }
    let empties = queue.empties.iter().zip(instants);
    steps.extend(empties.map(|(empty, at)| (*at, 2, 0, 0, empty.row)));
    steps.sort_unstable();
    Some(steps.into_iter().map(|(.., row)| row).collect())
}
