//! How many operations ended per second, and what share of them ok.

use danso_vocab::Status;
use plotters::element::{Circle, PathElement, Rectangle, TriangleMarker};
use plotters::series::AreaSeries;
use plotters::style::Color;

use super::tally::{Slots, Tally, at};
use super::{AREA, Backdrop, Drawn, Plot, colour, linear, picture};

const HEIGHT: u32 = 230;
const SHARE_HEIGHT: u32 = 150;

/// Rates of one outcome: places on the time axis and operations per second.
type Series = Vec<(f64, f64)>;

/// Operations per second by outcome.
pub(super) fn throughput(tally: &Tally<'_>, backdrop: &Backdrop) -> Option<Plot> {
    let series =
        [Status::Ok, Status::Fail, Status::Info].map(|status| (status, rates(tally, at(status))));
    let top = series.iter().flat_map(|(_, s)| s).map(|p| p.1).fold(0.0, f64::max);
    if top <= 0.0 {
        return None;
    }
    let svg = picture("Operations per second over time, by outcome", "", HEIGHT, |area| {
        let mut chart = linear(area, backdrop, HEIGHT, 0.0..top * 1.08, 5, &|r| format!("{r} /s"))?;
        chart.draw_series(AreaSeries::new(series[0].1.iter().copied(), 0.0, AREA.filled()))?;
        for (status, points) in &series {
            if points.iter().all(|p| p.1 == 0.0) {
                continue;
            }
            let colour = colour(*status);
            let lines = stretches(points).into_iter();
            chart.draw_series(lines.map(|s| PathElement::new(s, colour.stroke_width(2))))?;
            let marked = || points.iter().copied().filter(|p| p.1 > 0.0);
            match status {
                Status::Ok => {}
                Status::Fail => {
                    chart
                        .draw_series(marked().map(|p| Circle::new(p, 3, colour.stroke_width(2))))?;
                }
                Status::Info => {
                    chart.draw_series(
                        marked().map(|p| TriangleMarker::new(p, 4, colour.filled())),
                    )?;
                }
            }
        }
        Ok(())
    })?;
    let words =
        format!("Operations per second, by when they ended, in slots of {} s.", tally.slots.width);
    Some(Plot::new("Throughput", svg, words))
}

fn rates(tally: &Tally<'_>, outcome: usize) -> Series {
    let rate = |(slot, counts): (usize, &[u32; 3])| {
        let (from, to) = tally.slots.bounds(slot);
        (tally.slots.middle(slot), f64::from(counts[outcome]) / (to - from))
    };
    tally.outcomes.iter().enumerate().map(rate).collect()
}

/// The stretches in which there was something: a line along zero only hides others.
fn stretches(points: &[(f64, f64)]) -> Vec<Vec<(f64, f64)>> {
    let quiet = |i: usize| {
        let around = i.saturating_sub(1)..(i + 2).min(points.len());
        points[around].iter().all(|p| p.1 == 0.0)
    };
    let mut stretches = Vec::new();
    let mut from = 0;
    for i in 0..=points.len() {
        if i == points.len() || quiet(i) {
            if i - from > 1 {
                stretches.push(points[from..i].to_vec());
            }
            from = i + 1;
        }
    }
    stretches
}

/// The share of operations that ended ok.
pub(super) fn ok_share(tally: &Tally<'_>, backdrop: &Backdrop) -> Option<Plot> {
    let shares: Vec<Option<f64>> = tally.outcomes.iter().map(share).collect();
    let worst = shares.iter().flatten().copied().reduce(f64::min)?;
    let svg = picture("Share of operations that ended ok, over time", "", SHARE_HEIGHT, |area| {
        let mut chart = linear(area, backdrop, SHARE_HEIGHT, 0.0..100.0, 3, &|p| format!("{p} %"))?;
        chart
            .draw_series(steps(&tally.slots, &shares).map(|(from, to, share)| {
                Rectangle::new([(from, 0.0), (to, share)], AREA.filled())
            }))?;
        outline(&mut chart, &tally.slots, &shares)
    })?;
    let words = format!(
        "Share of the operations ended in each slot of {} s that were ok; {} in the worst. A gap \
         means that nothing ended.",
        tally.slots.width,
        if worst == 100.0 { "all".to_owned() } else { format!("{:.1} %", worst.min(99.9)) }
    );
    Some(Plot::new("Share ok", svg, words))
}

fn share(counts: &[u32; 3]) -> Option<f64> {
    let all = counts.iter().sum::<u32>();
    (all > 0).then(|| 100.0 * f64::from(counts[0]) / f64::from(all))
}

/// Runs of slots with the same share.
fn steps<'s>(
    slots: &'s Slots,
    shares: &'s [Option<f64>],
) -> impl Iterator<Item = (f64, f64, f64)> + 's {
    let mut i = 0;
    std::iter::from_fn(move || {
        while i < shares.len() && shares[i].is_none() {
            i += 1;
        }
        let share = (*shares.get(i)?)?;
        let from = i;
        while i < shares.len() && shares[i] == Some(share) {
            i += 1;
        }
        Some((slots.bounds(from).0, slots.bounds(i - 1).1, share))
    })
}

fn outline(chart: &mut super::Linear<'_, '_>, slots: &Slots, shares: &[Option<f64>]) -> Drawn {
    let mut line: Vec<(f64, f64)> = Vec::new();
    let mut lines = Vec::new();
    for (from, to, share) in steps(slots, shares) {
        if line.last().is_some_and(|(end, _)| *end != from) {
            lines.push(std::mem::take(&mut line));
        }
        line.extend([(from, share), (to, share)]);
    }
    lines.push(line);
    let colour = colour(Status::Ok);
    chart.draw_series(lines.into_iter().map(|l| PathElement::new(l, colour.stroke_width(2))))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_along_zero_is_not_drawn() {
        let points = [(0.0, 0.0), (1.0, 0.0), (2.0, 5.0), (3.0, 0.0), (4.0, 0.0)];
        assert_eq!(stretches(&points).len(), 1);
    }

    #[test]
    fn equal_shares_are_one_step_and_gaps_none() {
        let slots = Slots::of(0.0, 50.0).unwrap();
        let mut shares = vec![Some(100.0); slots.count];
        shares[10] = None;
        shares[11] = Some(50.0);
        let steps: Vec<_> = steps(&slots, &shares).collect();
        assert_eq!(steps.len(), 3);
        assert_eq!((steps[0].0, steps[0].1), (0.0, slots.bounds(9).1));
        assert_eq!(steps[1].2, 50.0);
        assert_eq!(share(&[1, 1, 2]), Some(25.0));
        assert_eq!(share(&[0, 0, 0]), None);
    }
}
