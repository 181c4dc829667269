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

pub(super) fn render(record: &Record<'_>) -> Markup {
    if record.logs.is_empty() {
        return html! {};
    }
    html! {
        h3 { "What the nodes printed" }
        @for log in record.logs { (of(record, log)) }
        @if is_unaligned(record) {
            p .none { "Logs whose lines carry no time that fits the run are shown by their end only." }
        }
    }
}

fn of(record: &Record<'_>, log: &NodeLog) -> Markup {
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

/// Whether there were moments to look for in logs, and logs in which they cannot be found.
fn is_unaligned(record: &Record<'_>) -> bool {
    let anomalies = record.results.findings.iter().any(|f| !f.anomalies.is_empty());
    let asked_for = anomalies || !record.results.faults.is_empty();
    asked_for && record.logs.iter().any(|log| log.around.is_none() && !log.tail.trim().is_empty())
}

fn around(record: &Record<'_>, log: &NodeLog, name: &str, lines: &[Stamped]) -> Markup {
    if lines.is_empty() {
        return html! { p .none { (name) " of " (log.node) " says nothing around anomalies, faults and crashes." } };
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
