//! Where everything goes: a longest path through the events, wide enough for every label.

use danso_vocab::{History, Op, Process, Time};

use super::select::{Part, Selection};
use crate::label;

/// Left and right of all bars, in pixels.
const MARGIN: i32 = 14;
/// Between ticks.
const TICK: i32 = 92;

/// An operation in the picture.
pub(super) struct Bar<'h> {
    pub(super) op: Op<'h>,
    pub(super) part: Part,
    pub(super) lane: usize,
    pub(super) start: i32,
    /// `None` if nobody knows its end.
    pub(super) end: Option<i32>,
    pub(super) label: String,
}

/// A place where operations are left out.
pub(super) struct Gap {
    pub(super) x: i32,
    pub(super) ops: usize,
}

/// The picture.
pub(super) struct Layout<'h> {
    pub(super) lanes: Vec<Process>,
    /// Those that matter last, so that they lie on top.
    pub(super) bars: Vec<Bar<'h>>,
    pub(super) gaps: Vec<Gap>,
    pub(super) ticks: Vec<(i32, String)>,
    pub(super) width: i32,
    /// Event times and their places, ascending.
    knots: Vec<(Time, i32)>,
}

/// One end of a bar.
struct End {
    rank: u32,
    bar: usize,
    completes: bool,
    time: Time,
}

impl<'h> Layout<'h> {
    pub(super) fn of(selection: &Selection<'h>) -> Layout<'h> {
        let lanes = lanes(selection);
        let mut bars: Vec<Bar<'h>> = selection
            .ops
            .iter()
            .map(|(op, part)| Bar {
                op: *op,
                part: *part,
                lane: lanes.iter().position(|l| *l == op.process()).unwrap_or(0),
                start: 0,
                end: None,
                label: label::bar(*op),
            })
            .collect();
        let ends = ends(&bars);
        let knots = place(&mut bars, &ends);
        let labels = bars.iter().map(|b| b.start + text_width(&b.label) + 30);
        let last = knots.last().map_or(0, |k| k.1);
        let width = labels.max().unwrap_or(0).max(last + MARGIN + 10);
        let gaps = selection
            .gaps
            .iter()
            .map(|(at, ops)| Gap { x: bars[*at].start - 5, ops: *ops })
            .collect();
        bars.sort_by_key(|bar| bar.part as u8);
        let ticks = ticks(&knots, width);
        Layout { lanes, bars, gaps, ticks, width, knots }
    }

    /// The times the picture spans; `None` if the history carries none.
    pub(super) fn span(&self) -> Option<(Time, Time)> {
        let (first, last) = (self.knots.first()?.0, self.knots.last()?.0);
        (last > first).then_some((first, last))
    }

    /// Where to look first.
    pub(super) fn aim(&self) -> Option<i32> {
        self.bars.iter().find(|bar| bar.part == Part::Culprit).map(|bar| bar.start)
    }

    /// The place of a time, between the events around it.
    pub(super) fn x(&self, time: Time) -> i32 {
        let after = self.knots.partition_point(|(t, _)| *t <= time);
        match (after.checked_sub(1).map(|i| self.knots[i]), self.knots.get(after)) {
            (None, _) => 0,
            (Some(_), None) => self.width,
            (Some((t0, x0)), Some((t1, x1))) => {
                let part = (time - t0).as_secs_f64() / (*t1 - t0).as_secs_f64().max(1e-12);
                x0 + (f64::from(x1 - x0) * part) as i32
            }
        }
    }
}

/// The processes of the anomaly first, since that is where people look; then all others.
fn lanes(selection: &Selection<'_>) -> Vec<Process> {
    let mut lanes: Vec<(bool, Process)> = Vec::new();
    for (op, _) in &selection.ops {
        let process = op.process();
        let part = selection.parts().any(|own| own.process() == process);
        lanes.push((!part, process));
    }
    lanes.sort_unstable();
    lanes.dedup();
    lanes.into_iter().map(|(_, process)| process).collect()
}

fn ends(bars: &[Bar<'_>]) -> Vec<End> {
    let mut ends = Vec::new();
    for (bar, Bar { op, .. }) in bars.iter().enumerate() {
        let end = |rank, completes, time| End { rank, bar, completes, time };
        ends.push(end(op.inv_rank(), false, op.inv_time()));
        if op.res_rank() != History::NEVER
            && let Some(time) = op.res_time()
        {
            ends.push(end(op.res_rank(), true, time));
        }
    }
    ends.sort_by_key(|end| end.rank);
    ends
}

/// Gives every event its place, left to right; returns times and places.
fn place(bars: &mut [Bar<'_>], ends: &[End]) -> Vec<(Time, i32)> {
    let mut knots: Vec<(Time, i32)> = Vec::new();
    let mut x = MARGIN;
    let mut last: Option<Time> = None;
    for end in ends {
        if let Some(last) = last {
            x += step(end.time.0.saturating_sub(last.0));
        }
        let bar = &mut bars[end.bar];
        if end.completes {
            x = x.max(bar.start + text_width(&bar.label) + 14);
            bar.end = Some(x);
        } else {
            bar.start = x;
        }
        // A foreign history's clock may step back; places never do.
        let time = last.map_or(end.time, |last| last.max(end.time));
        last = Some(time);
        match knots.last_mut() {
            Some(knot) if knot.0 == time => knot.1 = x,
            _ => knots.push((time, x)),
        }
    }
    knots
}

/// The room between two events: more for a longer wait, but never much.
fn step(ns: u64) -> i32 {
    let tens_of_us = ns as f64 / 1e4;
    (8.0 + 7.0 * (1.0 + tens_of_us).log10()).min(52.0) as i32
}

/// The width of a label in the page's monospaced face.
fn text_width(text: &str) -> i32 {
    text.chars()
        .map(|c| if u32::from(c) < 0x1100 || c == '→' || c == '…' { 73 } else { 130 })
        .sum::<i32>()
        / 10
}

fn ticks(knots: &[(Time, i32)], width: i32) -> Vec<(i32, String)> {
    let (Some(first), Some(last)) = (knots.first(), knots.last()) else { return Vec::new() };
    let span = last.0 - first.0;
    if span.is_zero() {
        return Vec::new();
    }
    let digits = match span.as_micros() {
        0..20_000 => 6,
        20_000..200_000 => 4,
        _ => 3,
    };
    let mut ticks: Vec<(i32, String)> = Vec::new();
    for (time, x) in knots {
        let free = ticks.last().is_none_or(|(last, _)| x - last >= TICK);
        if free && x + TICK - 10 <= width {
            ticks.push((*x, format!("{:.digits$} s", time.secs())));
        }
    }
    ticks
}
