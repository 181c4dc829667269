//! Everything that was not an operation, in the order it happened.

use danso_vocab::event::note;
use maud::{Markup, html};

use crate::section::scroller;
use crate::windows::nodes;
use crate::{Record, inert};

/// More rows than this help nobody; the history has them.
const MOST: usize = 500;
/// More rows than this are folded away.
const FOLD: usize = 30;

pub(crate) fn render(record: &Record<'_>) -> Option<Markup> {
    // Readings of clocks make a picture, but no list.
    let events = || record.history.notes().filter(|(_, _, n)| n.f != note::CLOCK_OFFSET);
    let total = events().count();
    if total == 0 {
        return None;
    }
    let table = html! {
        table {
            thead { tr { th .num { "index" } th .num { "time" } th { "event" } th { "fault" } th { "nodes" } th { "details" } } }
            tbody {
                @for (index, time, note) in events().take(MOST) {
                    tr {
                        td .num { (index) }
                        td .num { (time) }
                        th scope="row" { (inert::clip(&note.f, 60)) }
                        td { @if let Some(id) = note.fault { (id) } }
                        td { (nodes(&note.nodes)) }
                        td .prose { @if !note.value.is_nil() { (inert::clip(&note.value, 240)) } }
                    }
                }
            }
        }
        @if total > MOST { p .none { "… and " (total - MOST) " more in the history." } }
    };
    let table = scroller("Events", &table);
    Some(match total {
        0..=FOLD => table,
        _ => html! { details { summary { "All " (total) " events" } (table) } },
    })
}
