//! How operations ended, how long they took, and why some did not succeed.

use std::time::Duration;

use danso_vocab::time::human;
use maud::{Markup, html};

use crate::counts::{Figures, figures, reasons};
use crate::label::{number, percent};
use crate::section::scroller;
use crate::{Record, inert};

/// More reasons than this are summed up.
const MOST: usize = 12;

pub(crate) fn render(record: &Record<'_>) -> Option<Markup> {
    let (by_f, all) = figures(record);
    if all.counts.total() == 0 {
        return None;
    }
    let table = html! {
        table .figures {
            thead { tr {
                th { "operation" } th .num { "all" }
                th .num { span .key.ok {} "ok" } th .num { span .key.fail {} "fail" } th .num { span .key.info {} "info" }
                th { "outcomes" }
                th .num { "median" } th .num { "95 %" } th .num { "99 %" } th .num { "slowest" }
            } }
            tbody { @for (f, figures) in &by_f { (row(&inert::clip(f, 60), figures)) } }
            @if by_f.len() > 1 { tfoot { (row("all", &all)) } }
        }
    };
    Some(html! {
        (scroller("Operations by name and outcome", &table))
        p .none { "Waiting times are those of operations that ended ok." }
        (why_not(record))
    })
}

fn row(name: &str, figures: &Figures) -> Markup {
    let counts = figures.counts;
    let total = counts.total();
    let time = |d: Option<Duration>| d.map_or("–".to_owned(), human);
    html! {
        tr {
            th scope="row" { (name) }
            td .num { (number(total)) }
            td .num { (number(counts.ok)) small { (percent(counts.ok, total)) } }
            td .num { (number(counts.fail)) small { (percent(counts.fail, total)) } }
            td .num { (number(counts.info)) small { (percent(counts.info, total)) } }
            td { (bar(figures)) }
            @for per_mille in [500, 950, 990, 1000] {
                td .num { (time(figures.quantile(per_mille))) }
            }
        }
    }
}

/// The outcomes as parts of a bar; a part that exists is never too small to be seen.
fn bar(figures: &Figures) -> Markup {
    let counts = figures.counts;
    let total = counts.total().max(1) as f64;
    let parts = [("ok", counts.ok), ("fail", counts.fail), ("info", counts.info)];
    let wide = parts.map(|(_, n)| if n == 0 { 0.0 } else { (n as f64 / total).max(0.02) });
    let scale = 120.0 / wide.iter().sum::<f64>().max(1.0);
    let starts = [0.0, wide[0] * scale, (wide[0] + wide[1]) * scale];
    html! {
        svg .outcomes width="120" height="10" viewBox="0 0 120 10" aria-hidden="true" {
            @for (i, (name, n)) in parts.iter().enumerate() {
                @if *n > 0 {
                    rect .(name) x=(format!("{:.1}", starts[i])) y="0" width=(format!("{:.1}", wide[i] * scale)) height="10" {}
                }
            }
        }
    }
}

fn why_not(record: &Record<'_>) -> Markup {
    let reasons = reasons(record);
    if reasons.is_empty() {
        return html! {};
    }
    let rest: u64 = reasons.iter().skip(MOST).map(|(_, _, n)| n).sum();
    let table = html! {
        table {
            thead { tr { th .num { "ops" } th { "outcome" } th { "reason given" } } }
            tbody {
                @for (status, reason, n) in reasons.iter().take(MOST) {
                    @let status = status.to_string();
                    tr {
                        td .num { (number(*n)) }
                        td { span .key.(status) {} (status) }
                        td .prose { (inert::clip(reason, 240)) }
                    }
                }
            }
        }
        @if rest > 0 {
            p .none { (number(rest)) " more ops gave " (reasons.len() - MOST) " other reasons." }
        }
    };
    html! { h3 { "Why operations did not succeed" } (scroller("Reasons", &table)) }
}
