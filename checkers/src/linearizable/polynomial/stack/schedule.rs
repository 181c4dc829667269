//! A linearization of a stack.

use super::super::container::{Container, NONE};
use super::Line;
use super::peel::Peeled;

/// The rows in an order in which they can have taken effect.
///
/// Every element was given places where nothing else was left, as close as possible to where it
/// is certainly inside; so two elements are one after the other or one above the other. At a
/// place, elements first leave, those above first; then comes what looks at those that stay, at
/// nothing, or at an element that comes and leaves at once; then elements come, those below first.
pub(super) fn schedule(
    stack: &Container,
    line: &Line,
    peeled: &Peeled,
    instants: &[u32],
) -> Vec<u32> {
    let mut steps: Vec<(u32, u8, u32, u8, u32)> = Vec::with_capacity(2 * stack.len());
    for v in 0..stack.len() {
        let (put, taken, turn) = (stack.put[v], stack.taker(v), peeled.turn[v]);
        if turn == NONE {
            steps.push((stack.c[v], 1, put, 0, put));
            steps.extend(taken.map(|taken| (stack.c[v], 1, put, 2, taken)));
            continue;
        }
        steps.push((line.end(peeled.put[v] as usize), 2, turn, 0, put));
        if let Some(taken) = taken {
            steps.push((line.start(peeled.taken[v] as usize), 0, NONE - turn, 1, taken));
        }
    }
    for (peek, place) in stack.peeks.iter().zip(&peeled.peeked) {
        let v = peek.element as usize;
        let turn = peeled.turn[v];
        if turn == NONE {
            steps.push((stack.c[v], 1, stack.put[v], 1, peek.row));
            continue;
        }
        let place = (*place).clamp(peeled.put[v], peeled.taken[v]);
        let (start, end) = (line.start(place as usize), line.end(place as usize));
        steps.push(match place {
            _ if place == peeled.taken[v] => (start, 0, NONE - turn, 0, peek.row),
            _ if place == peeled.put[v] => (end, 2, turn, 1, peek.row),
            _ => (start.max(peek.inv), 1, peek.row, 0, peek.row),
        });
    }
    let empties = stack.empties.iter().zip(instants);
    steps.extend(empties.map(|(empty, instant)| (*instant, 1, empty.row, 0, empty.row)));
    steps.sort_unstable();
    steps.into_iter().map(|(.., row)| row).collect()
}
