//! What a node printed.

use maud::{Markup, html};

use crate::{NodeLog, Record, inert};

/// The most of a log tail the page carries, in bytes.
const TAIL: usize = 64 << 10;

pub(super) fn render(_: &Record<'_>, log: &NodeLog) -> Markup {
    html! {
        details {
            summary { (inert::clip(&log.name, 60)) " of " (log.node) ", its end" }
            @if log.tail.trim().is_empty() { p .none { "It is empty." } }
            @else { pre .tail tabindex="0" { (inert::block(&log.tail, TAIL)) } }
        }
    }
}
