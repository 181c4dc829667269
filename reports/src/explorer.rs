//! The big timeline: every operation of a run, to zoom into and to filter.
//!
//! The page's script draws it from data that the page carries: columns of small numbers and tables
//! of texts ([`data`]). Up to [`MOST`] operations are all there; of more there are those that
//! matter and an even sample of the rest ([`choice`]), and the page says so.

mod choice;
mod column;
mod data;
mod embed;
pub(crate) mod lanes;
mod table;

use maud::{Markup, PreEscaped, html};

use crate::Record;

/// The most operations a page carries.
pub(crate) const MOST: usize = 200_000;

/// What the page shows to those who run no script, and where the script draws.
pub(crate) fn render(record: &Record<'_>) -> Option<Markup> {
    if record.history.is_empty() {
        return None;
    }
    Some(html! {
        noscript {
            p .none { "Zooming and filtering need JavaScript. All the rest of this page does without." }
        }
        div #explorer {}
    })
}

/// The data the script draws from, as an element that cannot end early; nothing if there is
/// nothing to draw.
pub(crate) fn data(record: &Record<'_>) -> Option<Markup> {
    if record.history.is_empty() {
        return None;
    }
    let json = embed::harmless(&data::json(record, MOST));
    Some(html! { script #danso-data type="application/json" { (PreEscaped(json)) } })
}
