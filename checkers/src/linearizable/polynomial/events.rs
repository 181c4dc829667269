//! The beginnings and ends of operations, in order.

use danso_vocab::{Op, Status};

use super::Part;

/// One event: the place of its operation among the rows, and whether it is the end.
pub(super) type Event = (usize, bool);

const NONE: u32 = u32::MAX;

/// All events of the operations that did not fail, by rank. By buckets, or by comparison if these
/// are a small part of their history.
pub(super) fn events(part: &Part<'_>) -> impl Iterator<Item = Event> + use<> {
    let ops = || {
        let happened = |(_, op): &(usize, Op<'_>)| op.status() != Status::Fail;
        let op = |row: &u32| part.history.row(*row as usize);
        part.rows.iter().map(op).enumerate().filter(happened)
    };
    let low = ops().next().map_or(0, |(_, op)| op.inv_rank());
    let high = ops().map(|(_, op)| if op.is_ok() { op.res_rank() } else { op.inv_rank() }).max();
    let span = (high.unwrap_or(low) - low) as usize + 1;
    let mut order;
    if span > part.rows.len().saturating_mul(8) {
        let mut ranked = Vec::with_capacity(2 * part.rows.len());
        for (place, op) in ops() {
            ranked.push((op.inv_rank(), (place as u32) << 1));
            ranked.extend(op.is_ok().then(|| (op.res_rank(), (place as u32) << 1 | 1)));
        }
        ranked.sort_unstable();
        order = ranked.into_iter().map(|(_, event)| event).collect::<Vec<_>>();
    } else {
        order = vec![NONE; span];
        for (place, op) in ops() {
            order[(op.inv_rank() - low) as usize] = (place as u32) << 1;
            if op.is_ok() {
                order[(op.res_rank() - low) as usize] = (place as u32) << 1 | 1;
            }
        }
    }
    let known = order.into_iter().filter(|event| *event != NONE);
    known.map(|event| (event as usize >> 1, event & 1 == 1))
}
