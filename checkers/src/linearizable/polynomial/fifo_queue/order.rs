//! In which order elements can have gone through a queue.

use super::super::How;
use super::super::container::{Container, NONE, by_rank, stopped};

/// What became of it.
pub(super) enum Order {
    /// All elements in an order that no operation contradicts.
    Linear(Vec<u32>),
    /// Elements each of which must come before the next, and the last before the first.
    Cycle(Vec<u32>),
    /// It was told to stop.
    Stopped,
}

/// Peels off elements that none of those left must come before. For each of the two orders it
/// suffices to compare with the one left that ends first; all pointers only move forward. O(n).
pub(super) fn extension(queue: &Container, how: &How) -> Order {
    let n = queue.len();
    // The first response of an operation that saw the element at the head.
    let mut head = queue.d.clone();
    for peek in &queue.peeks {
        let first = &mut head[peek.element as usize];
        *first = peek.res.min(*first);
    }
    let [by_put, by_inside] = [&queue.a, &queue.b].map(|ranks| by_rank(queue.events, ranks));
    let [by_leaves, by_head] = [&queue.c, &head].map(|ranks| by_rank(queue.events, ranks));
    let (mut puts, mut leaves) = (by_put.iter().peekable(), by_leaves.iter().peekable());
    let (mut inside, mut first, mut second) = (0, 0, 1);
    let mut state = vec![0_u8; n];
    let (mut order, mut done) = (Vec::with_capacity(n), 0);
    while order.len() < n {
        if stopped(&how.stop, done) {
            return Order::Stopped;
        }
        let gone = |at: usize, by: &[u32], state: &[u8]| {
            by.get(at).is_some_and(|v| state[*v as usize] & GONE != 0)
        };
        while gone(inside, &by_inside, &state) {
            inside += 1;
        }
        while gone(first, &by_head, &state) {
            first += 1;
        }
        second = second.max(first + 1);
        while gone(second, &by_head, &state) {
            second += 1;
        }
        let mut ready = |v: u32, bit: u8, state: &mut [u8]| {
            let state = &mut state[v as usize];
            *state |= bit;
            if *state == PUT | HEAD {
                *state |= GONE;
                order.push(v);
            }
        };
        let next = queue.b[by_inside[inside] as usize];
        while let Some(&v) = puts.next_if(|v| queue.a[**v as usize] < next) {
            ready(v, PUT, &mut state);
        }
        let next = |at: usize| by_head.get(at).map_or(NONE, |v| head[*v as usize]);
        while let Some(&v) = leaves.next_if(|v| queue.c[**v as usize] <= next(first)) {
            ready(v, HEAD, &mut state);
        }
        // The one that is seen first is not in its own way.
        let alone = by_head.get(first).filter(|v| queue.c[**v as usize] <= next(second));
        if let Some(&v) = alone.filter(|v| state[**v as usize] & HEAD == 0) {
            ready(v, HEAD, &mut state);
        }
        if order.len() == done {
            return Order::Cycle(cycle(queue, &head, &state, by_inside[inside], &by_head[first..]));
        }
        done = order.len();
    }
    Order::Linear(order)
}

const PUT: u8 = 1;
const HEAD: u8 = 2;
const GONE: u8 = 4;

/// A cycle among the elements left, each of which has another one that must come before it:
/// `inside` or the first one of `heads` that is left.
fn cycle(queue: &Container, head: &[u32], state: &[u8], inside: u32, heads: &[u32]) -> Vec<u32> {
    let left = |v: &&u32| state[**v as usize] & GONE == 0;
    let heads: Vec<u32> = heads.iter().filter(left).take(2).copied().collect();
    let before = |v: u32| {
        let seen = heads.iter().find(|w| **w != v && head[**w as usize] < queue.c[v as usize]);
        let put = queue.b[inside as usize] < queue.a[v as usize];
        if put { Some(inside) } else { seen.copied() }
    };
    let mut path = vec![inside];
    while let Some(v) = path.last().and_then(|v| before(*v)) {
        if let Some(at) = path.iter().position(|w| *w == v) {
            return path.split_off(at);
        }
        path.push(v);
    }
    // Nothing is before the last one: this cannot be, and the caller looks at all elements.
    Vec::new()
}
