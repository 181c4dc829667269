//! A run that is under way.

use std::time::Duration;

use danso_vocab::history::Counts;
use maud::{Markup, html};

use super::{Run, address, page, run, share, span};
use crate::inert;
use crate::label::number;

/// A run that is under way.
#[derive(Clone, Debug)]
pub struct Live<'a> {
    /// The run, as far as it has come.
    pub run: &'a Run,
    /// What is going on: `load`, `heal`, `closing`, `end`; empty before.
    pub phase: &'a str,
    /// How long it has been going on, by its own clock.
    pub now: Duration,
    /// How long the load is to last.
    pub planned: Duration,
    /// Operations that ended in each second.
    pub seconds: &'a [Counts],
    /// The faults that are active now, in words.
    pub active: Vec<String>,
    /// The nodes, and how each of them is.
    pub nodes: Vec<(String, String)>,
    /// The newest of what happened beside operations, newest first.
    pub moments: &'a [Moment],
    /// The share of the history that has been read, if not all of it.
    pub behind: Option<f64>,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// When, by the run's clock.
    pub at: Duration,
    /// What.
    pub what: String,
}

/// How often the page looks again, seconds.
const AGAIN: u32 = 2;
/// The chart's columns at most, and how it is measured.
const COLUMNS: usize = 120;
const WIDTH: usize = 960;
const HEIGHT: usize = 120;

/// The page of a run that is under way.
pub fn live(about: &Live<'_>) -> String {
    let run = about.run;
    let total = run.total();
    // The second that is not over would look like a dip.
    let whole = about.seconds.len().saturating_sub(1);
    let rate = about.seconds[whole.saturating_sub(3)..whole].iter().map(|c| c.total()).sum::<u64>();
    let rate = rate / whole.clamp(1, 3) as u64;
    let phase = match about.phase {
        "" => "starting",
        "load" => "load",
        "heal" => "healing",
        "closing" => "closing reads",
        "end" => "checking",
        other => other,
    };
    let facts = html! {
        p .note { strong { (inert::clip(phase, 60)) } ", " (span(about.now)) " in; the load lasts " (span(about.planned)) }
        progress max=(about.planned.as_millis().max(1)) value=(about.now.min(about.planned).as_millis()) aria-label="How much of the load is over" {}
        @if let Some(behind) = about.behind { p .note { "Read so far: " (format!("{:.0} %", behind * 100.0)) " of the history" } }
    };
    let body = html! {
        (run::banner(run, Some(facts)))
        section aria-labelledby="now" {
            h2 #now { "Now" }
            dl .pairs {
                div { dt { "Operations" } dd { (share(total)) } }
                div { dt { "In the last seconds" } dd { (number(rate)) " a second" } }
                div { dt { "Active faults" } dd { @if about.active.is_empty() { "none" } @else { (inert::clip(about.active.join("; "), 400)) } } }
                @for (node, how) in &about.nodes { div { dt { (inert::clip(node, 20)) } dd { (inert::clip(how, 80)) } } }
            }
            (chart(about.seconds))
            div .scroller tabindex="0" role="region" aria-label="Operations by name" {
                table {
                    thead { tr { th { "Operation" } th .num { "ok" } th .num { "fail" } th .num { "info" } } }
                    tbody {
                        @for (f, counts) in &run.counts {
                            tr { th { (inert::clip(f, 60)) } td .num { (number(counts.ok)) } td .num { (number(counts.fail)) } td .num { (number(counts.info)) } }
                        }
                    }
                }
            }
        }
        section aria-labelledby="events" {
            h2 #events { "Last events" }
            @if about.moments.is_empty() { p .none { "Nothing yet." } }
            ol .story {
                @for moment in about.moments { li { time { (span(moment.at)) } (inert::clip(&moment.what, 300)) } }
            }
            p { a href=(address("/files/", &run.path)) { "Files so far" } " · " a href={ (address("/log/", &run.path)) "/danso.log" } { "danso.log" } }
        }
    };
    page(&format!("running · {}", run.name), Some(AGAIN), body)
}

/// Operations a second: what succeeded below, the rest on top.
fn chart(seconds: &[Counts]) -> Markup {
    let each = seconds.len().div_ceil(COLUMNS).max(1);
    let columns: Vec<Counts> = seconds.chunks(each).map(sum).collect();
    let most = columns.iter().map(|c| c.total()).max().unwrap_or(0).max(1);
    html! {
        figure {
            svg .plot.small viewBox={ "0 0 " (WIDTH) " " (HEIGHT + 2) } role="img" aria-label={ "Operations a second, at most " (most / each as u64) } preserveAspectRatio="none" {
                @for Part { class, x, y, width, height } in parts(&columns, most) {
                    rect .(class) x=(f(x)) y=(f(y)) width=(f(width)) height=(f(height)) {}
                }
            }
            figcaption .legend {
                span { span .key {} "ok" } span { span .key.fail {} "fail" } span { span .key.info {} "info" }
                span { "at most " (number(most / each as u64)) " a second" @if each > 1 { ", " (each) " s a column" } }
            }
        }
    }
}

/// A rectangle of the chart.
struct Part {
    class: &'static str,
    x: f64,
    y: f64,
    width: f64,
    height: f64,
}

fn parts(columns: &[Counts], most: u64) -> Vec<Part> {
    let wide = WIDTH as f64 / columns.len().clamp(30, COLUMNS) as f64;
    let mut parts = Vec::new();
    for (i, column) in columns.iter().enumerate() {
        let mut y = HEIGHT as f64;
        let kinds = [("f-ok", column.ok), ("f-fail", column.fail), ("f-info", column.info)];
        for (class, n) in kinds.into_iter().filter(|(_, n)| *n > 0) {
            let height = n as f64 / most as f64 * HEIGHT as f64;
            y -= height;
            parts.push(Part { class, x: i as f64 * wide, y, width: wide * 0.86, height });
        }
    }
    parts
}

fn f(number: f64) -> String {
    format!("{number:.1}")
}

fn sum(chunk: &[Counts]) -> Counts {
    let mut sum = Counts::default();
    for counts in chunk {
        sum.ok += counts.ok;
        sum.fail += counts.fail;
        sum.info += counts.info;
    }
    sum
}
