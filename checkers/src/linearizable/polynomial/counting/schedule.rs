//! [`Schedule`]: steps of one size, as late as possible.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::super::events::events;
use super::super::{How, Part};
use super::{Act, act};

/// Why there is none.
pub(super) enum Stuck {
    Stopped,
    Unfit(String),
    /// This read saw less than had been counted when it began. With the reads that forced steps
    /// before their ends.
    Low(u32, Vec<u32>),
    /// This read saw more than had begun when it ended.
    High(u32),
}

/// The steps in order, and how many each read saw.
pub(super) struct Schedule {
    initial: i64,
    size: i64,
    /// Rows.
    steps: Vec<u32>,
}

/// How many steps a read of `value` saw.
fn seen(initial: i64, size: i64, value: i64) -> Option<i128> {
    let distance = i128::from(value) - i128::from(initial);
    (distance % i128::from(size) == 0).then(|| distance / i128::from(size))
}

impl Schedule {
    /// The schedule of these operations, with the order of the steps if a witness is wanted.
    ///
    /// # Errors
    /// If there is none, or nobody can say.
    pub(super) fn of(
        initial: i64,
        size: i64,
        part: &Part<'_>,
        how: &How,
    ) -> Result<Schedule, Stuck> {
        let mut waiting = Waiting { ending: BinaryHeap::new(), unknown: Vec::new() };
        let mut done = vec![false; part.rows.len()];
        let (mut count, mut steps, mut forced) = (0_i128, Vec::new(), Vec::new());
        let mut step = |place: u32, done: &mut Vec<bool>| {
            done[place as usize] = true;
            if how.witness {
                steps.push(part.rows[place as usize]);
            }
        };
        for (i, (place, end)) in events(part).enumerate() {
            if i & 0xffff == 0 && how.stop.is_tripped() {
                return Err(Stuck::Stopped);
            }
            let row = part.rows[place];
            let op = part.history.row(row as usize);
            match (act(op).map_err(Stuck::Unfit)?, end) {
                (Act::Nothing, _) => {}
                (Act::Add(_), false) if op.is_ok() => waiting.add(op.res_rank(), place as u32),
                (Act::Add(_), false) => waiting.unknown.push(place as u32),
                (Act::Add(_), true) if done[place] => {}
                (Act::Add(_), true) => {
                    // All that ended before were counted, so this is the first to end.
                    let first = waiting.ending.pop();
                    debug_assert!(first.is_some_and(|Reverse(first)| first as u32 == place as u32));
                    step(place as u32, &mut done);
                    count += 1;
                }
                (Act::Read(value), false) => match seen(initial, size, value) {
                    Some(seen) if seen >= count => {}
                    _ => return Err(Stuck::Low(row, forced)),
                },
                (Act::Read(value), true) => {
                    let seen = seen(initial, size, value).unwrap_or(-1);
                    // It saw no less when it began, so it has seen every number in between.
                    if seen > count {
                        forced.push(row);
                    }
                    while seen > count {
                        let place = waiting.next().ok_or(Stuck::High(row))?;
                        step(place, &mut done);
                        count += 1;
                    }
                }
            }
        }
        Ok(Schedule { initial, size, steps })
    }

    /// A linearization: after each step, who saw that many, by beginning.
    pub(super) fn order(self, part: &Part<'_>) -> Vec<u32> {
        // A read that sees more than all steps would have been refuted.
        let mut ends = vec![0_u32; self.steps.len() + 1];
        let group = |row: u32| match act(part.history.row(row as usize)) {
            Ok(Act::Read(value)) => {
                seen(self.initial, self.size, value).and_then(|seen| usize::try_from(seen).ok())
            }
            _ => None,
        };
        for seen in part.rows.iter().filter_map(|row| group(*row)) {
            ends[seen] += 1;
        }
        let mut sum = 0;
        for (before, end) in ends.iter_mut().enumerate() {
            // One more for the step each group but the first begins with.
            let start = sum + u32::from(before > 0);
            sum = start + *end;
            *end = start;
        }
        let mut order = vec![0; sum as usize];
        for (step, start) in self.steps.iter().zip(&ends[1..]) {
            order[*start as usize - 1] = *step;
        }
        for &row in part.rows {
            if let Some(seen) = group(row) {
                order[ends[seen] as usize] = row;
                ends[seen] += 1;
            }
        }
        order
    }
}

/// Steps that began and are not counted yet, by their places.
struct Waiting {
    /// By end: end << 32 | place.
    ending: BinaryHeap<Reverse<u64>>,
    /// Those of unknown outcome.
    unknown: Vec<u32>,
}

impl Waiting {
    fn add(&mut self, end: u32, place: u32) {
        self.ending.push(Reverse(u64::from(end) << 32 | u64::from(place)));
    }

    /// The first to end.
    fn next(&mut self) -> Option<u32> {
        let first = self.ending.pop().map(|Reverse(first)| first as u32);
        first.or_else(|| self.unknown.pop())
    }
}
