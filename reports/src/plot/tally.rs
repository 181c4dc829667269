//! Operations counted by when they ended: one pass over a history for all pictures of rates.

use std::collections::BTreeMap;
use std::time::Duration;

use danso_vocab::{History, NodeId, Status, Time};

/// Widths of slots, in seconds: the first that needs at most `MOST`.
const WIDTHS: [f64; 13] =
    [0.001, 0.01, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0];
const MOST: f64 = 240.0;
/// In the order of [`at`].
const STATUSES: [Status; 3] = [Status::Ok, Status::Fail, Status::Info];

/// The place of an outcome in three figures.
pub(super) fn at(status: Status) -> usize {
    match status {
        Status::Ok => 0,
        Status::Fail => 1,
        Status::Info => 2,
    }
}

/// The time axis in equal parts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Slots {
    start: f64,
    end: f64,
    /// Seconds.
    pub(super) width: f64,
    pub(super) count: usize,
}

impl Slots {
    /// `None` if there is no time to divide.
    pub(super) fn of(start: f64, end: f64) -> Option<Slots> {
        let length = end - start;
        if length <= 0.0 {
            return None;
        }
        let fits = |most: f64| WIDTHS.into_iter().find(|w| length / w <= most);
        // A run shorter than ten seconds would be but a few points.
        let width = if length < 10.0 { fits(40.0) } else { fits(MOST).map(|w| w.max(0.5)) };
        let width = width.unwrap_or(length / MOST);
        // A last slot that would be less than half of one is counted with the one before.
        let count = (length / width).round().max(1.0) as usize;
        Some(Slots { start, end, width, count })
    }

    fn index(&self, secs: f64) -> usize {
        (((secs - self.start) / self.width).max(0.0) as usize).min(self.count - 1)
    }

    /// Where a slot begins and ends; the last one lasts to the end.
    pub(super) fn bounds(&self, slot: usize) -> (f64, f64) {
        let from = self.start + self.width * slot as f64;
        (from, if slot + 1 == self.count { self.end } else { from + self.width })
    }

    pub(super) fn middle(&self, slot: usize) -> f64 {
        let (from, to) = self.bounds(slot);
        f64::midpoint(from, to)
    }
}

/// Ok, fail and info in a slot.
pub(super) type Outcomes = [u32; 3];

/// Waiting times of the operations of one name and outcome.
pub(super) struct Waits<'h> {
    pub(super) f: &'h str,
    pub(super) status: Status,
    /// All of them, ascending.
    pub(super) all: Vec<u64>,
    /// By slot, each ascending.
    pub(super) slots: Vec<Vec<u64>>,
}

/// Everything counted.
pub(super) struct Tally<'h> {
    pub(super) slots: Slots,
    pub(super) outcomes: Vec<Outcomes>,
    /// By the node asked.
    pub(super) nodes: BTreeMap<NodeId, Vec<Outcomes>>,
    /// Those with the most operations first.
    pub(super) waits: Vec<Waits<'h>>,
}

impl<'h> Tally<'h> {
    pub(super) fn of(history: &'h History, start: f64, end: f64) -> Option<Tally<'h>> {
        let slots = Slots::of(start, end)?;
        let empty = || vec![[0; 3]; slots.count];
        let mut outcomes = empty();
        let mut nodes: Vec<Option<Vec<Outcomes>>> = Vec::new();
        let fs: Vec<&str> = history.fs().collect();
        let mut waits: Vec<Vec<Vec<u64>>> = vec![Vec::new(); 3 * fs.len()];
        for op in history.ops() {
            let (own, status) = (op.res_time().unwrap_or(op.inv_time()), at(op.status()));
            let slot = slots.index(own.secs());
            outcomes[slot][status] += 1;
            if let Some(node) = op.node() {
                if nodes.len() <= node.index() {
                    nodes.resize_with(node.index() + 1, || None);
                }
                nodes[node.index()].get_or_insert_with(empty)[slot][status] += 1;
            }
            if let Some(latency) = op.latency() {
                let waits = &mut waits[3 * usize::from(op.f_id()) + status];
                if waits.is_empty() {
                    waits.resize_with(slots.count, Vec::new);
                }
                waits[slot].push(Time::from(latency).0);
            }
        }
        let nodes = (1..).zip(nodes).filter_map(|(id, n)| Some((NodeId(id), n?))).collect();
        let mut waits: Vec<Waits<'h>> = waits
            .into_iter()
            .enumerate()
            .filter(|(_, slots)| !slots.is_empty())
            .map(|(i, slots)| sorted(fs[i / 3], STATUSES[i % 3], slots))
            .collect();
        waits.sort_by_key(|w| std::cmp::Reverse(w.all.len()));
        Some(Tally { slots, outcomes, nodes, waits })
    }
}

fn sorted(f: &str, status: Status, mut slots: Vec<Vec<u64>>) -> Waits<'_> {
    let mut all = Vec::with_capacity(slots.iter().map(Vec::len).sum());
    for slot in &mut slots {
        slot.sort_unstable();
        all.extend_from_slice(slot);
    }
    all.sort_unstable();
    Waits { f, status, all, slots }
}

/// The time that `per_mille` of a thousand did not exceed, of times in ascending order.
pub(super) fn quantile(sorted: &[u64], per_mille: usize) -> Option<Duration> {
    let rank = (sorted.len() * per_mille).div_ceil(1000).max(1) - 1;
    sorted.get(rank).copied().map(Duration::from_nanos)
}

#[cfg(test)]
mod tests {
    use danso_vocab::{Call, Event, Outcome, Process};

    use super::*;

    #[test]
    fn slots_cover_the_axis() {
        for (start, end) in [(0.0, 0.0004), (0.0, 2.4), (3.0, 12.9), (0.0, 61.3), (0.0, 1e6)] {
            let slots = Slots::of(start, end).unwrap();
            assert!((1..=241).contains(&slots.count), "{slots:?}");
            assert_eq!(slots.bounds(0).0, start);
            assert_eq!(slots.bounds(slots.count - 1).1, end);
            assert_eq!(slots.index(end), slots.count - 1);
        }
        assert_eq!(Slots::of(1.0, 1.0), None);
    }

    #[test]
    fn everything_is_counted_once() {
        let second = 1_000_000_000;
        let ops = (0..24u32).flat_map(|i| {
            let (process, node) = (Process(i), Some(NodeId(1 + (i % 2) as u16 * 2)));
            let invoke = Event::Invoke { process, node, call: Call::new("w", 1) };
            let outcome = match i {
                5 => Outcome::Fail("no".into()),
                _ => Outcome::Ok(().into()),
            };
            let at = u64::from(i) * second / 10;
            [(Time(at), invoke), (Time(at + 7), Event::Complete { process, outcome })]
        });
        let history = History::of(ops).unwrap();
        let tally = Tally::of(&history, 0.0, 2.4).unwrap();
        let sum = |of: &[Outcomes], i: usize| of.iter().map(|o| o[i]).sum::<u32>();
        assert_eq!((sum(&tally.outcomes, 0), sum(&tally.outcomes, 1)), (23, 1));
        assert_eq!(tally.nodes.keys().copied().collect::<Vec<_>>(), [NodeId(1), NodeId(3)]);
        assert_eq!(sum(&tally.nodes[&NodeId(3)], 1), 1);
        let waits: Vec<_> = tally.waits.iter().map(|w| (w.status, w.all.len())).collect();
        assert_eq!(waits, [(Status::Ok, 23), (Status::Fail, 1)]);
        assert_eq!(quantile(&tally.waits[0].all, 500), Some(Duration::from_nanos(7)));
    }

    #[test]
    fn quantiles_are_nearest_ranks() {
        let sorted: Vec<u64> = (1..=100).collect();
        let ns = |per_mille| quantile(&sorted, per_mille).unwrap().as_nanos();
        assert_eq!((ns(500), ns(990), ns(1000)), (50, 99, 100));
        assert_eq!(quantile(&[], 500), None);
    }
}
