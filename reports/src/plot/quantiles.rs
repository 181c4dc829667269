//! Waiting times by operation and outcome: quantiles over time, and as a table.

use danso_vocab::Status;
use danso_vocab::time::human;
use maud::{Markup, html};
use plotters::element::{Circle, PathElement};
use plotters::style::{Color, RGBColor};

use super::tally::{Tally, Waits, quantile};
use super::{Backdrop, Drawn, Plot, Q50, Q95, Q99, QMAX, logarithmic, picture};
use crate::inert;
use crate::label::number;
use crate::section::scroller;

const HEIGHT: u32 = 190;
/// Panels at most, and how many of them are open.
const PANELS: usize = 6;
const OPEN: usize = 2;
/// The fewest operations worth a panel.
const FEW: usize = 20;
/// Rows of the table.
const ROWS: usize = 60;
/// The quantiles drawn as lines, in thousandths.
const LINES: [(usize, RGBColor, u32); 3] = [(500, Q50, 2), (950, Q95, 1), (990, Q99, 1)];

/// A panel for each of the commonest pairs of operation and outcome.
pub(super) fn panels(tally: &Tally<'_>, backdrop: &Backdrop) -> Vec<Plot> {
    let worth = tally.waits.iter().filter(|waits| waits.all.len() >= FEW);
    let mut plots: Vec<Plot> =
        worth.clone().take(PANELS).filter_map(|waits| panel(tally, waits, backdrop)).collect();
    let left_out = worth.count().saturating_sub(PANELS);
    plots.iter_mut().skip(OPEN).for_each(|plot| plot.folded = true);
    if let Some(last) = plots.iter_mut().take(OPEN).next_back() {
        last.words = format!(
            "Waiting times by when the operation ended, in slots of {} s. Thick: half of them took \
             no longer. Thin: 95 %. Dashed: 99 %. Dots: the slowest.",
            tally.slots.width
        );
        if left_out > 0 {
            last.words.push_str(&format!(" {left_out} rarer pairs are in the table only."));
        }
        last.more = Some(table(&tally.waits));
    }
    plots
}

fn panel(tally: &Tally<'_>, waits: &Waits<'_>, backdrop: &Backdrop) -> Option<Plot> {
    let name = inert::brief(waits.f, 40);
    let word = match waits.status {
        Status::Ok => "ok",
        Status::Fail => "fail",
        Status::Info => "info",
    };
    let secs = |per_mille| quantile(&waits.all, per_mille).map(|d| d.as_secs_f64().max(1e-9));
    let low = waits.slots.iter().filter_map(|s| quantile(s, 500)).min()?.as_secs_f64().max(1e-9);
    let range = low..secs(1000)?;
    let svg = picture("Quantiles of latency over time", word, HEIGHT, |area| -> Drawn {
        let mut chart = logarithmic(area, backdrop, HEIGHT, range, 5)?;
        for (per_mille, colour, width) in LINES {
            let lines = lines(tally, waits, per_mille).into_iter();
            chart.draw_series(lines.map(|l| PathElement::new(l, colour.stroke_width(width))))?;
        }
        let slowest = lines(tally, waits, 1000).into_iter().flatten();
        chart.draw_series(slowest.map(|p| Circle::new(p, 2, QMAX.filled())))?;
        Ok(())
    })?;
    Some(Plot::new(format!("Latency of {name}, {word}"), svg, String::new()))
}

/// A quantile over time, in stretches without an empty slot.
fn lines(tally: &Tally<'_>, waits: &Waits<'_>, per_mille: usize) -> Vec<Vec<(f64, f64)>> {
    let mut lines = vec![Vec::new()];
    for (i, slot) in waits.slots.iter().enumerate() {
        match (quantile(slot, per_mille), lines.last_mut()) {
            (Some(took), Some(line)) => {
                line.push((tally.slots.middle(i), took.as_secs_f64().max(1e-9)));
            }
            (None, Some(line)) if !line.is_empty() => lines.push(Vec::new()),
            _ => {}
        }
    }
    lines.retain(|line| !line.is_empty());
    lines
}

fn table(waits: &[Waits<'_>]) -> Markup {
    let mut rows: Vec<&Waits<'_>> = waits.iter().collect();
    rows.sort_by_key(|w| (w.f, w.status));
    let cell = |waits: &Waits<'_>, per_mille| quantile(&waits.all, per_mille).map(human);
    let table = html! {
        table {
            thead { tr {
                th { "operation" } th { "outcome" } th .num { "answered" }
                th .num { "median" } th .num { "95 %" } th .num { "99 %" } th .num { "slowest" }
            } }
            tbody {
                @for waits in rows.iter().take(ROWS) {
                    @let status = waits.status.to_string();
                    tr {
                        th scope="row" { (inert::clip(waits.f, 60)) }
                        td { span .key.(status) {} (status) }
                        td .num { (number(waits.all.len() as u64)) }
                        @for per_mille in [500, 950, 990, 1000] {
                            td .num { (cell(waits, per_mille).unwrap_or_default()) }
                        }
                    }
                }
            }
        }
        @if rows.len() > ROWS { p .none { "… and " (rows.len() - ROWS) " more." } }
    };
    html! {
        details {
            summary { "Waiting times in numbers" }
            (scroller("Waiting times by operation and outcome", &table))
        }
    }
}
