//! What exactly happened: each violation with the operations that prove it.

mod card;

use std::collections::BTreeSet;

use danso_vocab::{Anomaly, Name, Value, Verdict};
use maud::{Markup, html};

use crate::{Record, inert, link};

/// More cards than this would not be read.
const MOST: usize = 20;
/// Cards of one name that stand open; the others of that name are folded.
const OPEN: usize = 3;
/// Of what has no card, a line each, and no more lines than this.
const MOST_LINES: usize = 200;

/// An anomaly with its checker and its number on the page, from 1 in the order of the results.
struct Found<'r> {
    number: usize,
    checker: &'r Name,
    anomaly: &'r Anomaly,
}

/// All anomalies of one name.
struct Group<'r> {
    name: &'r Name,
    found: Vec<Found<'r>>,
    /// How many of them have a card.
    cards: usize,
}

pub(crate) fn render(record: &Record<'_>) -> Option<Markup> {
    let groups = groups(record);
    if groups.is_empty() {
        return Some(html! { p .none { (nothing(record)) } });
    }
    let alone = groups.len() == 1 && groups[0].found.len() == 1;
    Some(html! {
        @if !alone { (index(record, &groups)) }
        @for group in &groups { (cards(record, group)) }
        (others(record, &groups))
    })
}

/// Why there is nothing to show. Silence must not pass for success.
fn nothing(record: &Record<'_>) -> &'static str {
    match (record.results.verdict, &record.results.interrupted, record.history.is_empty()) {
        (_, _, true) => "No operation was recorded, so there was nothing to judge.",
        (_, Some(_), _) => {
            "No anomaly was found in what was recorded before the run was cut short."
        }
        (Verdict::Valid, None, _) => "No anomaly was found.",
        (Verdict::Unknown, None, _) => {
            "No anomaly was found, but that is no proof: the banner says what is missing."
        }
        (Verdict::Invalid, None, _) => {
            "The verdict is invalid, but no anomaly was recorded with it."
        }
    }
}

/// Anomalies by name, in order of first appearance. Cards are shared out so that a frequent name
/// does not take a rare one's.
fn groups<'r>(record: &Record<'r>) -> Vec<Group<'r>> {
    let mut groups: Vec<Group<'r>> = Vec::new();
    let all =
        record.results.findings.iter().flat_map(|f| f.anomalies.iter().map(|a| (&f.checker, a)));
    for (i, (checker, anomaly)) in all.enumerate() {
        let found = Found { number: i + 1, checker, anomaly };
        match groups.iter_mut().find(|group| *group.name == anomaly.name) {
            Some(group) => group.found.push(found),
            None => groups.push(Group { name: &anomaly.name, found: vec![found], cards: 0 }),
        }
    }
    let mut left = MOST;
    for round in 0.. {
        let before = left;
        for group in groups.iter_mut().filter(|g| g.cards == round && g.found.len() > round) {
            if left > 0 {
                group.cards += 1;
                left -= 1;
            }
        }
        if left == before {
            break;
        }
    }
    groups
}

/// What there is of each name.
fn index(record: &Record<'_>, groups: &[Group<'_>]) -> Markup {
    html! {
        ul .index {
            @for group in groups.iter().take(MOST_LINES) {
                li {
                    @match group.found.as_slice() {
                        [first] => {
                            (to_card(record, first, group.cards > 0, &inert::clip(group.name, 60)))
                            (on(first.anomaly))
                        }
                        many => {
                            (to_card(record, &many[0], group.cards > 0, &inert::clip(group.name, 60)))
                            " × " (many.len()) ": "
                            @let distinct = keys_differ(many);
                            @for (i, found) in many.iter().take(8).enumerate() {
                                @if i > 0 { ", " }
                                (to_card(record, found, i < group.cards, &subject(found, distinct)))
                            }
                            @if many.len() > 8 { " …" }
                        }
                    }
                }
            }
        }
    }
}

/// Leads to the card; without one, to the anomaly's first operation in the timeline.
fn to_card(record: &Record<'_>, found: &Found<'_>, has_card: bool, words: &str) -> Markup {
    match found.anomaly.ops.first() {
        _ if has_card => html! { a href={ "#anomaly-" (found.number) } { (words) } },
        Some(op) => link::op(record, *op, words),
        None => html! { (words) },
    }
}

/// Whether keys tell anomalies apart.
fn keys_differ(found: &[Found<'_>]) -> bool {
    let keys: BTreeSet<&Value> = found.iter().filter_map(|f| f.anomaly.key.as_ref()).collect();
    keys.len() == found.len()
}

/// What an anomaly is about, in a word: its key if that is like no other's, else its first
/// operation.
fn subject(found: &Found<'_>, distinct: bool) -> String {
    match (&found.anomaly.key, found.anomaly.ops.first()) {
        (Some(key), _) if distinct => inert::clip(key, 40),
        (_, Some(op)) => op.to_string(),
        (_, None) => format!("no. {}", found.number),
    }
}

fn on(anomaly: &Anomaly) -> Markup {
    html! {
        @if let Some(key) = &anomaly.key { " on " code { (inert::clip(key, 80)) } }
    }
}

fn cards(record: &Record<'_>, group: &Group<'_>) -> Markup {
    let shown = &group.found[..group.cards];
    let (open, folded) = shown.split_at(group.cards.min(OPEN));
    html! {
        @for found in open { (card::render(record, found)) }
        @if !folded.is_empty() {
            details .more {
                summary { (folded.len()) " more " (inert::clip(group.name, 60)) }
                @for found in folded { (card::render(record, found)) }
            }
        }
    }
}

/// A line for each anomaly without a card.
fn others(record: &Record<'_>, groups: &[Group<'_>]) -> Markup {
    let rest: Vec<&Found<'_>> = groups.iter().flat_map(|g| &g.found[g.cards..]).collect();
    if rest.is_empty() {
        return html! {};
    }
    html! {
        details .more {
            summary { (rest.len()) " more anomalies in a line each" }
            ol .explain {
                @for found in rest.iter().take(MOST_LINES) {
                    li {
                        b { (inert::clip(&found.anomaly.name, 60)) } (on(found.anomaly)) ": "
                        (link::prose(record, &inert::clip(&found.anomaly.because, 400)))
                    }
                }
            }
            @if rest.len() > MOST_LINES {
                p .warning { (rest.len() - MOST_LINES) " more anomalies are in the results and not shown here." }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use danso_vocab::{Finding, History, Results};

    use super::*;

    fn anomaly(name: &'static str) -> Anomaly {
        Anomaly {
            name: name.into(),
            key: None,
            ops: Vec::new(),
            because: String::new(),
            explain: Vec::new(),
            figure: None,
        }
    }

    #[test]
    fn a_rare_anomaly_gets_its_card() {
        let mut anomalies = vec![anomaly("common"); 47];
        anomalies.push(anomaly("rare"));
        let findings = vec![Finding::invalid("saga", anomalies)];
        let (history, results) = (History::default(), Results { findings, ..Results::default() });
        let record =
            Record { title: "", plan: None, history: &history, results: &results, logs: &[] };
        let groups = groups(&record);
        assert_eq!(groups.iter().map(|g| g.cards).collect::<Vec<_>>(), [19, 1]);
        assert_eq!(groups[1].found[0].number, 48);
    }
}
