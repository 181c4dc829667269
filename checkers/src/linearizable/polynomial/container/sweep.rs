//! One pass over the events: where nothing is certainly inside, and what leaves too early.

use super::{Container, How, NONE, Seen, Suspects, stopped};

/// What a sweep found.
pub(in super::super) enum Swept {
    /// By place in [`Container::empties`]: an event of the operation after which nothing is
    /// certainly inside.
    Free(Vec<u32>),
    /// An answer that there was nothing has no such event.
    Empty(u32),
    /// The first element was certainly inside before the second could be and after it was gone.
    Around(u32, u32),
    /// It was told to stop.
    Stopped,
}

const PUT: u32 = 0;
const INSIDE: u32 = 1;
const LEAVES: u32 = 2;
const EMPTY: u32 = 3;

/// Looks for an instant for each answer that there was nothing and, if `around` says so, for an
/// element that another one is inside around. O(n).
pub(in super::super) fn sweep(container: &Container, around: bool, how: &How) -> Swept {
    let mut at = vec![NONE; container.events as usize];
    for v in 0..container.len() {
        let mark = (v as u32) << 2;
        if around && container.d[v] != NONE {
            at[container.a[v] as usize] = mark | PUT;
        }
        if container.is_inside(v) {
            at[container.b[v] as usize] = mark | INSIDE;
            if let Some(at) = at.get_mut(container.c[v] as usize) {
                *at = mark | LEAVES;
            }
        }
    }
    for (e, empty) in container.empties.iter().enumerate() {
        at[empty.res as usize] = (e as u32) << 2 | EMPTY;
    }
    // Of those that were inside, the one that stays longest; how many are; the last event after
    // which none was.
    let (mut longest, mut stays, mut inside, mut free) = (NONE, 0, 0_u32, NONE);
    let mut instants = vec![NONE; container.empties.len()];
    for (now, event) in at.iter().enumerate() {
        if stopped(&how.stop, now) {
            return Swept::Stopped;
        }
        let which = (event >> 2) as usize;
        match event & 3 {
            _ if *event == NONE => {}
            PUT if stays > container.d[which] => return Swept::Around(longest, which as u32),
            INSIDE => {
                inside += 1;
                if container.c[which] > stays {
                    (longest, stays) = (which as u32, container.c[which]);
                }
            }
            LEAVES => inside -= 1,
            EMPTY => {
                if free == NONE || free < container.empties[which].inv {
                    return Swept::Empty(which as u32);
                }
                instants[which] = free;
            }
            _ => {}
        }
        if inside == 0 {
            free = now as u32;
        }
    }
    Swept::Free(instants)
}

/// Elements one of which is certainly inside at every instant of `empties[empty]`, as few as
/// possible; with all that were left before it ended if one of them was, as it may have been
/// taken out with unknown result.
pub(in super::super) fn cover(container: &Container, empty: u32) -> Suspects {
    let Seen { inv, res, .. } = container.empties[empty as usize];
    let Container { b, taken, .. } = container;
    let mut elements = chain(container, inv, res, |_| true);
    if !container.crashed.is_empty() && elements.iter().any(|v| taken[*v as usize] == NONE) {
        elements.retain(|v| taken[*v as usize] != NONE);
        let left = (0..container.len()).filter(|v| taken[*v] == NONE && b[*v] < res);
        elements.extend(left.map(|v| v as u32));
    }
    Suspects { elements, empties: vec![empty] }
}

/// Of these elements, as few as possible one of which is certainly inside at every instant
/// between two events, if there are some.
pub(in super::super) fn chain(
    container: &Container,
    inv: u32,
    res: u32,
    of: impl Fn(usize) -> bool,
) -> Vec<u32> {
    let Container { b, c, .. } = container;
    let mut around: Vec<usize> = (0..container.len())
        .filter(|v| container.is_inside(*v) && b[*v] < res && c[*v] > inv && of(*v))
        .collect();
    around.sort_unstable_by_key(|v| b[*v]);
    let (mut covered, mut elements, mut next) = (inv, Vec::new(), 0);
    while covered < res {
        let mut best: Option<usize> = None;
        while let Some(&v) = around.get(next).filter(|v| b[**v] <= covered) {
            best = best.filter(|best| c[*best] >= c[v]).or(Some(v));
            next += 1;
        }
        let Some(best) = best.filter(|best| c[*best] > covered) else { break };
        elements.push(best as u32);
        covered = c[best];
    }
    elements
}
