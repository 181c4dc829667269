//! Ways into the big timeline, from wherever an operation or a moment is spoken of.
//!
//! The page's script follows them; without it they lead to the timeline's section.

use danso_vocab::{OpId, Time};
use maud::{Markup, Render, html};

use crate::Record;

/// The anchor of the big timeline.
pub(crate) const TIMELINE: &str = "#timeline";

/// Whether the page has a timeline to lead to.
pub(crate) fn leads(record: &Record<'_>) -> bool {
    !record.history.is_empty()
}

/// An operation, shown as `content`. Only a known one is a link.
pub(crate) fn op(record: &Record<'_>, id: OpId, content: impl Render) -> Markup {
    match record.history.op(id) {
        Some(_) => html! { a href=(TIMELINE) data-op=(id.0) { (content) } },
        None => html! { (content) },
    }
}

/// A span of the run, shown as `content`.
pub(crate) fn span(record: &Record<'_>, from: Time, to: Time, content: impl Render) -> Markup {
    if !leads(record) {
        return html! { (content) };
    }
    html! { a href=(TIMELINE) data-from=(from.0) data-to=(to.0) { (content) } }
}

/// A text in which operations are called by their names, `#812`: those become links. The text
/// must be harmless already.
pub(crate) fn prose(record: &Record<'_>, text: &str) -> Markup {
    html! {
        @for part in parts(text) {
            @match part {
                Part::Words(words) => (words),
                Part::Op(words, id) => (op(record, id, words)),
            }
        }
    }
}

/// A piece of a text.
#[derive(Debug, PartialEq, Eq)]
enum Part<'t> {
    Words(&'t str),
    Op(&'t str, OpId),
}

fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut from = 0;
    for (at, _) in text.match_indices('#') {
        let digits = text[at + 1..].bytes().take_while(u8::is_ascii_digit).count();
        let to = at + 1 + digits;
        // `a#1` and `#1x` are no names of operations.
        let alone = !text[..at].ends_with(char::is_alphanumeric)
            && !text[to..].starts_with(char::is_alphanumeric);
        let Ok(id) = text[at + 1..to].parse() else { continue };
        if alone {
            parts.push(Part::Words(&text[from..at]));
            parts.push(Part::Op(&text[at..to], OpId(id)));
            from = to;
        }
    }
    parts.push(Part::Words(&text[from..]));
    parts.retain(|part| *part != Part::Words(""));
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_operations_are_told_from_other_text() {
        assert_eq!(
            parts("read #12, not a#3, #4x or #; #99999999999 (#5)"),
            [
                Part::Words("read "),
                Part::Op("#12", OpId(12)),
                Part::Words(", not a#3, #4x or #; #99999999999 ("),
                Part::Op("#5", OpId(5)),
                Part::Words(")"),
            ]
        );
        assert_eq!(parts("#7"), [Part::Op("#7", OpId(7))]);
        assert_eq!(parts(""), []);
    }
}
