//! The parts of the page, in the order of a reader's questions.

pub(crate) mod anomalies;
pub(crate) mod banner;
pub(crate) mod checkers;
pub(crate) mod counts;
pub(crate) mod environment;
pub(crate) mod events;
pub(crate) mod faults;
pub(crate) mod nodes;
pub(crate) mod plots;
pub(crate) mod reproduce;

use maud::{Markup, html};

use crate::{Record, explorer};

/// A part of the page.
pub(crate) struct Section {
    /// Its anchor.
    pub(crate) id: &'static str,
    /// Its heading.
    pub(crate) title: &'static str,
    /// What it says; `None` if it has nothing to say about this record.
    pub(crate) render: fn(&Record<'_>) -> Option<Markup>,
}

/// All parts but the banner, which opens every page.
pub(crate) const SECTIONS: &[Section] = &[
    Section { id: "anomalies", title: "What happened", render: anomalies::render },
    Section { id: "reproduce", title: "Do it again", render: reproduce::render },
    Section { id: "timeline", title: "Timeline", render: explorer::render },
    Section { id: "time", title: "Over time", render: plots::render },
    Section { id: "operations", title: "Operations", render: counts::render },
    Section { id: "faults", title: "Faults", render: faults::render },
    Section { id: "nodes", title: "Nodes", render: nodes::render },
    Section { id: "checkers", title: "Checkers", render: checkers::render },
    Section { id: "events", title: "Events", render: events::render },
    Section { id: "environment", title: "Environment", render: environment::render },
];

/// Something wider than a phone: it scrolls by itself, by touch and by keyboard.
pub(crate) fn scroller(label: &str, content: &Markup) -> Markup {
    html! { div .scroller tabindex="0" role="region" aria-label=(label) { (content) } }
}

/// A table of names and values.
pub(crate) fn pairs(rows: &[(String, String)]) -> Markup {
    html! {
        dl .pairs {
            @for (name, value) in rows {
                div { dt { (name) } dd { (value) } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::SECTIONS;

    #[test]
    fn anchors_are_unique_and_plain() {
        let mut ids: Vec<&str> = SECTIONS.iter().map(|s| s.id).collect();
        assert!(ids.iter().all(|id| id.bytes().all(|b| b.is_ascii_lowercase())));
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), SECTIONS.len());
    }
}
