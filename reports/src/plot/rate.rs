//! How many operations ended per second, over time.

use danso_vocab::{History, Status};
use plotters::chart::ChartBuilder;
use plotters::element::{Circle, PathElement, TriangleMarker};
use plotters::series::AreaSeries;
use plotters::style::Color;

use super::{
    AREA, Area, Backdrop, Drawn, FAINT, GRID, INK, LEFT, RIGHT, colour, picture, seconds,
    words_style,
};

const HEIGHT: u32 = 230;
/// Widths of the slots operations are counted in, in seconds: the first that needs at most
/// `MOST` slots.
const SLOTS: [f64; 13] =
    [0.001, 0.01, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0];
const MOST: f64 = 240.0;

/// Rates of one outcome: places on the time axis and operations per second.
type Series = Vec<(f64, f64)>;

/// The picture and a sentence on how it was counted.
pub(crate) fn draw(history: &History, backdrop: &Backdrop) -> Option<(String, String)> {
    let (start, end) = (backdrop.span.start, backdrop.span.end);
    let length = end - start;
    let slot = SLOTS.into_iter().find(|s| *s >= 0.5 && length / s <= MOST);
    // A run shorter than ten seconds would be but a few points.
    let slot = match slot {
        Some(0.5) if length < 10.0 => SLOTS.into_iter().find(|s| length / s <= 40.0)?,
        Some(slot) => slot,
        None => length / MOST,
    };
    let series = count(history, start, end, slot);
    let top = series.iter().flat_map(|(_, s)| s).map(|p| p.1).fold(0.0, f64::max);
    if top <= 0.0 {
        return None;
    }
    let svg = picture("Operations per second over time, by outcome", HEIGHT, |area| {
        render(area, backdrop, &series, top)
    })?;
    Some((svg, format!("Operations per second, by when they ended, in slots of {slot} s.")))
}

fn count(history: &History, start: f64, end: f64, slot: f64) -> [(Status, Series); 3] {
    // A last slot that would be less than half of one is counted with the one before.
    let slots = ((end - start) / slot).round().max(1.0) as usize;
    let mut counts = [Status::Ok, Status::Fail, Status::Info].map(|s| (s, vec![0u64; slots]));
    for op in history.ops() {
        let at = op.res_time().unwrap_or(op.inv_time()).secs();
        let index = (((at - start) / slot).max(0.0) as usize).min(slots - 1);
        if let Some((_, counts)) = counts.iter_mut().find(|(s, _)| *s == op.status()) {
            counts[index] += 1;
        }
    }
    counts.map(|(status, counts)| {
        let rates = counts.iter().enumerate().map(|(i, n)| {
            let from = start + slot * i as f64;
            // The last slot counts for as long as it lasted.
            let lasted = if i + 1 == slots { end - from } else { slot };
            (from + lasted / 2.0, *n as f64 / lasted)
        });
        (status, rates.collect())
    })
}

fn render(area: &Area<'_>, backdrop: &Backdrop, series: &[(Status, Series); 3], top: f64) -> Drawn {
    backdrop.draw(area, HEIGHT as i32 - 26)?;
    let mut chart = ChartBuilder::on(area)
        .margin_top(backdrop.top())
        .margin_right(RIGHT)
        .x_label_area_size(26)
        .y_label_area_size(LEFT)
        .build_cartesian_2d(backdrop.span.clone(), 0.0..top * 1.08)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .bold_line_style(GRID)
        .light_line_style(FAINT.mix(0.0))
        .axis_style(INK)
        .x_labels(12)
        .y_labels(5)
        .x_label_formatter(&seconds)
        .y_label_formatter(&|rate| format!("{rate} /s"))
        .label_style(words_style(INK, 11.5))
        .draw()?;
    chart.draw_series(AreaSeries::new(series[0].1.iter().copied(), 0.0, AREA.filled()))?;
    for (status, points) in series {
        if points.iter().all(|p| p.1 == 0.0) {
            continue;
        }
        let colour = colour(*status);
        let stretches = stretches(points);
        chart.draw_series(
            stretches.into_iter().map(|s| PathElement::new(s.to_vec(), colour.stroke_width(2))),
        )?;
        let marked = || points.iter().copied().filter(|p| p.1 > 0.0);
        match status {
            Status::Ok => {}
            Status::Fail => {
                chart.draw_series(marked().map(|p| Circle::new(p, 3, colour.stroke_width(2))))?;
            }
            Status::Info => {
                chart.draw_series(marked().map(|p| TriangleMarker::new(p, 4, colour.filled())))?;
            }
        }
    }
    Ok(())
}

/// The stretches in which there was something: a line along zero only hides others.
fn stretches(points: &[(f64, f64)]) -> Vec<&[(f64, f64)]> {
    let quiet = |i: usize| {
        let around = i.saturating_sub(1)..(i + 2).min(points.len());
        points[around].iter().all(|p| p.1 == 0.0)
    };
    let mut stretches = Vec::new();
    let mut from = 0;
    for i in 0..=points.len() {
        if i == points.len() || quiet(i) {
            if i - from > 1 {
                stretches.push(&points[from..i]);
            }
            from = i + 1;
        }
    }
    stretches
}

#[cfg(test)]
mod tests {
    use danso_vocab::{Call, Event, Outcome, Process, Time};

    use super::*;

    #[test]
    fn a_short_last_slot_is_no_dip() {
        let second = 1_000_000_000;
        let ops = (0..24).flat_map(|i| {
            let process = Process(i);
            let invoke = Event::Invoke { process, node: None, call: Call::new("w", 1) };
            let complete = Event::Complete { process, outcome: Outcome::Ok(().into()) };
            let at = Time(u64::from(i) * second / 10);
            [(at, invoke), (at, complete)]
        });
        let history = History::of(ops).unwrap();
        let [(_, ok), (_, fail), _] = count(&history, 0.0, 2.4, 1.0);
        assert_eq!(ok.iter().map(|p| p.1).map(f64::round).collect::<Vec<_>>(), [10.0, 10.0]);
        assert_eq!(
            stretches(&[(0.0, 0.0), (1.0, 0.0), (2.0, 5.0), (3.0, 0.0), (4.0, 0.0)]).len(),
            1
        );
        assert!(fail.iter().all(|p| p.1 == 0.0));
    }
}
