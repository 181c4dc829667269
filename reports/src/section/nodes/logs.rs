//! What a node printed: around what went wrong, and at the end.

use std::time::Duration;

use danso_vocab::Time;
use maud::{Markup, html};

use crate::{NodeLog, Record, Stamped, inert, link};

/// The most of a log tail the page carries, in bytes.
const TAIL: usize = 64 << 10;
/// Lines around what went wrong, of one log, and the longest of them.
const LINES: usize = 200;
const LONGEST: usize = 400;

pub(super) fn render(record: &Record<'_>, log: &NodeLog) -> Markup {
    let name = inert::clip(&log.name, 60);
    html! {
        @if let Some(lines) = &log.around { (around(record, log, &name, lines)) }
        details {
            summary { (name) " of " (log.node) ", its end" }
            @if log.tail.trim().is_empty() { p .none { "It is empty." } }
            @else { pre .tail tabindex="0" { (inert::block(&log.tail, TAIL)) } }
        }
    }
}

/// What to say where lines near what went wrong cannot be told from others.
pub(super) fn unaligned(record: &Record<'_>) -> Markup {
    let anomalies = record.results.findings.iter().any(|f| !f.anomalies.is_empty());
    let asked_for = anomalies || !record.results.faults.is_empty();
    let any = record.logs.iter().any(|log| log.around.is_none() && !log.tail.trim().is_empty());
    html! {
        @if asked_for && any {
            p .none { "Logs whose lines carry no time that fits the run are shown by their end only." }
        }
    }
}

fn around(record: &Record<'_>, log: &NodeLog, name: &str, lines: &[Stamped]) -> Markup {
    if lines.is_empty() {
        return html! { p .none { (name) " says nothing around anomalies, faults and crashes." } };
    }
    html! {
        details {
            summary { (name) " of " (log.node) " around anomalies, faults and crashes (" (lines.len().min(LINES)) ")" }
            p .none { "By the times in its lines, which are those of the node's own clock." }
            ol .stamped {
                @for Stamped { time, line } in lines.iter().take(LINES) {
                    li {
                        time { (link::span(record, before(*time), *time + AROUND, time.to_string())) }
                        " " (inert::clip(line, LONGEST))
                    }
                }
            }
        }
    }
}

const AROUND: Duration = Duration::from_millis(250);

fn before(time: Time) -> Time {
    Time(time.0.saturating_sub(Time::from(AROUND).0))
}
