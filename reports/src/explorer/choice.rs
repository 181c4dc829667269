//! Which operations a page carries, where there are too many for it.

use std::collections::BTreeSet;

use danso_vocab::{Op, Status};

use crate::Record;
use crate::label::number;
use crate::windows::{self, Window};

/// How far around what matters everything is kept: the first that leaves room. In ns, and in words.
const NEAR: [(u64, &str); 8] = [
    (10_000_000_000, "10 s"),
    (5_000_000_000, "5 s"),
    (2_000_000_000, "2 s"),
    (1_000_000_000, "1 s"),
    (500_000_000, "500 ms"),
    (200_000_000, "200 ms"),
    (50_000_000, "50 ms"),
    (10_000_000, "10 ms"),
];
/// The same for a history without times.
const NEAR_EVENTS: [(u64, &str); 4] = [
    (20_000, "20\u{202f}000 events"),
    (5_000, "5\u{202f}000 events"),
    (1_000, "1\u{202f}000 events"),
    (200, "200 events"),
];

/// The operations to carry.
#[derive(Debug)]
pub(super) struct Choice {
    /// Their rows, ascending.
    pub(super) rows: Vec<u32>,
    /// How they were chosen, in words; `None` if they are all.
    pub(super) rule: Option<String>,
}

/// Whether the operations carry times. If not, their order stands for time.
pub(super) fn timed(record: &Record<'_>) -> bool {
    record.history.ops().any(|op| op.inv_time().0 > 0)
}

/// All operations, or at most `most`: those an anomaly names, everything near to them and to the
/// edges of faults, what did not end well, and an even sample of the rest.
pub(super) fn choose(record: &Record<'_>, most: usize) -> Choice {
    let total = record.history.len();
    if total <= most {
        return Choice { rows: (0..total as u32).collect(), rule: None };
    }
    let named: BTreeSet<usize> = named(record).map(|op| op.row()).take(most).collect();
    let mut kept = vec![false; total];
    named.iter().for_each(|row| kept[*row] = true);

    let timed = timed(record);
    let distances = distances(record, timed);
    let near = if timed { &NEAR[..] } else { &NEAR_EVENTS };
    let room = most.saturating_sub(named.len()) / 2;
    let within = |span: u64| distances.iter().filter(|d| **d <= span).count();
    let near = near.iter().copied().find(|(span, _)| within(*span) <= room);
    if let Some((span, _)) = near {
        kept.iter_mut().zip(&distances).filter(|(_, d)| **d <= span).for_each(|(k, _)| *k = true);
    }

    let rest = |kept: &[bool], ok: bool| -> Vec<usize> {
        let wanted = |op: &Op<'_>| !kept[op.row()] && ok == (op.status() == Status::Ok);
        record.history.ops().filter(wanted).map(Op::row).collect()
    };
    let room = |kept: &[bool]| most.saturating_sub(kept.iter().filter(|k| **k).count());
    let bad = rest(&kept, false);
    // A sample of what went well stays, however much did not.
    let bad_room = bad.len().min(room(&kept) * 4 / 5);
    spread(bad.len(), bad_room).for_each(|i| kept[bad[i]] = true);
    let good = rest(&kept, true);
    let good_room = good.len().min(room(&kept));
    spread(good.len(), good_room).for_each(|i| kept[good[i]] = true);

    let share = |part: usize, whole: usize| {
        let (part, whole) = (number(part as u64), number(whole as u64));
        if part == whole { format!("all {whole}") } else { format!("{part} of {whole}") }
    };
    let mut parts = Vec::new();
    if !named.is_empty() {
        parts.push("every operation an anomaly names".to_owned());
    }
    let around = match (named.is_empty(), timed && !windows::all(record).is_empty()) {
        (false, false) => Some("those"),
        (true, true) => Some("where a fault began or ended"),
        (false, true) => Some("those and of where a fault began or ended"),
        (true, false) => None,
    };
    if let (Some((_, span)), Some(around)) = (near, around) {
        parts.push(format!("everything within {span} of {around}"));
    }
    if !bad.is_empty() {
        parts.push(format!(
            "{} of the others that failed or whose outcome nobody knows",
            share(bad_room, bad.len())
        ));
    }
    parts.push(format!("an even sample of the rest, {}", share(good_room, good.len())));
    let rows: Vec<u32> = (0..total as u32).filter(|row| kept[*row as usize]).collect();
    let shown = share(rows.len(), total);
    let rule = format!(
        "{shown} operations are in this page: {}. The history has them all.",
        parts.join("; ")
    );
    Choice { rows, rule: Some(rule) }
}

/// The operations that anomalies name.
pub(super) fn named<'h>(record: &Record<'h>) -> impl Iterator<Item = Op<'h>> {
    let history = record.history;
    let findings = record.results.findings.iter();
    findings.flat_map(|f| &f.anomalies).flat_map(|a| &a.ops).filter_map(|id| history.op(*id))
}

/// How far each operation begins from what matters.
fn distances(record: &Record<'_>, timed: bool) -> Vec<u64> {
    let begin = |op: Op<'_>| if timed { op.inv_time().0 } else { u64::from(op.id().0) };
    let end =
        |op: Op<'_>| if timed { op.res_time().map(|t| t.0) } else { op.res_index().map(u64::from) };
    let mut marks: Vec<u64> =
        named(record).flat_map(|op| [Some(begin(op)), end(op)]).flatten().collect();
    if timed {
        let edges = |w: Window| [w.start.0, w.stop.0];
        marks.extend(windows::all(record).into_iter().flat_map(edges));
    }
    marks.sort_unstable();
    marks.dedup();
    let distance = |op: Op<'_>| {
        let at = begin(op);
        let after = marks.partition_point(|mark| *mark < at);
        let right = marks.get(after).map_or(u64::MAX, |mark| mark - at);
        let left = after.checked_sub(1).map_or(u64::MAX, |i| at - marks[i]);
        left.min(right)
    };
    record.history.ops().map(distance).collect()
}

/// `count` of the numbers below `of`, evenly spread.
fn spread(of: usize, count: usize) -> impl Iterator<Item = usize> {
    (0..count).map(move |i| i * of / count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_even_and_without_repetition() {
        assert_eq!(spread(10, 5).collect::<Vec<_>>(), [0, 2, 4, 6, 8]);
        assert_eq!(spread(3, 3).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(spread(3, 0).count(), 0);
        assert!(spread(7, 5).is_sorted_by(|a, b| a < b));
    }
}
