//! What went wrong on purpose, and whether it was seen to.

use danso_vocab::Time;
use danso_vocab::results::FaultReport;
use danso_vocab::time::human;
use maud::{Markup, html};

use crate::section::scroller;
use crate::windows::{all, nodes};
use crate::{Record, inert};

pub(crate) fn render(record: &Record<'_>) -> Option<Markup> {
    let faults = &record.results.faults;
    if faults.is_empty() {
        return unreported(record);
    }
    let table = html! {
        table {
            thead { tr {
                th { "fault" } th { "kind" } th { "nodes" } th .num { "from" } th .num { "to" }
                th .num { "lasted" } th { "bitten?" } th { "effect observed" }
            } }
            tbody { @for fault in faults { (row(fault)) } }
        }
    };
    let toothless = faults.iter().filter(|f| !f.bit).count();
    Some(html! {
        @if toothless > 0 {
            p .warning {
                (toothless) " of " (faults.len()) " faults could not be shown to have had an effect."
            }
        }
        (scroller("Faults", &table))
    })
}

fn row(fault: &FaultReport) -> Markup {
    let time = |t: Option<Time>, none| t.map_or(none, |t| t.to_string());
    let lasted = fault.start.zip(fault.stop).map(|(start, stop)| human(stop - start));
    html! {
        tr {
            th scope="row" { (fault.id) }
            td { (inert::clip(&fault.kind, 60)) }
            td { (nodes(&fault.nodes)) }
            td .num { (time(fault.start, "never".to_owned())) }
            td .num { (time(fault.stop, if fault.start.is_some() { "not healed" } else { "–" }.to_owned())) }
            td .num { (lasted.unwrap_or_else(|| "–".to_owned())) }
            td {
                @if fault.bit { span .badge.bit { span aria-hidden="true" { "✓ " } "yes" } }
                @else { span .badge.unknown { span aria-hidden="true" { "? " } "not seen" } }
            }
            td .prose { (inert::clip(&fault.effect, 400)) }
        }
    }
}

/// The results tell of no faults: perhaps the history does.
fn unreported(record: &Record<'_>) -> Option<Markup> {
    let windows = all(record);
    if windows.is_empty() {
        // Of a history from elsewhere nobody here knows.
        record.plan?;
        return Some(html! { p .none { "No fault was injected." } });
    }
    let table = html! {
        table {
            thead { tr { th { "fault" } th { "nodes" } th .num { "from" } th .num { "to" } } }
            tbody {
                @for window in &windows {
                    tr {
                        th scope="row" { (window.short()) }
                        td { (nodes(&window.nodes)) }
                        td .num { (window.start) }
                        td .num { @if window.healed { (window.stop) } @else { "not healed" } }
                    }
                }
            }
        }
    };
    Some(html! {
        p .none { "As the history tells it; what these faults did was not reported." }
        (scroller("Faults", &table))
    })
}
