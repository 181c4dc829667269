//! What became of each node, and its last words.

use std::collections::BTreeSet;

use danso_vocab::event::note;
use danso_vocab::{NodeId, Note, Time, Value};
use maud::{Markup, html};

use crate::{NodeLog, Record, inert};

/// The most of a log tail the page carries, in bytes.
const TAIL: usize = 64 << 10;
/// More lines about one node than this are left to the events.
const MOST: usize = 40;

pub(crate) fn render(record: &Record<'_>) -> Option<Markup> {
    let planned = record.plan.map_or(0, |plan| plan.target.nodes());
    let mut nodes: BTreeSet<NodeId> = NodeId::all(planned).into_iter().collect();
    nodes.extend(record.history.notes().flat_map(|(_, _, note)| note.nodes.iter().copied()));
    nodes.extend(record.logs.iter().map(|log| log.node));
    if nodes.is_empty() {
        return None;
    }
    Some(html! { div .nodes { @for id in nodes { (node(record, id)) } } })
}

fn node(record: &Record<'_>, id: NodeId) -> Markup {
    let read = |n: &Note| n.f == note::CLOCK_OFFSET;
    let notes = record.history.notes().filter(|(_, _, n)| n.nodes.contains(&id) && !read(n));
    let about: Vec<_> = notes.collect();
    let count = |f: &str| about.iter().filter(|(_, _, n)| n.f == f).count();
    let (ups, crashes) = (count(note::NODE_UP), count(note::NODE_CRASHED));
    let mut ever_up = false;
    html! {
        article .node aria-label={ "Node " (id) } {
            h3 { (id) @if crashes > 0 { span .badge.invalid { span aria-hidden="true" { "✗ " } "crashed" @if crashes > 1 { " " (crashes) "×" } } } }
            p .none {
                "came up " (times(ups))
                ", crashed " (times(crashes))
            }
            ol .story {
                @for (_, time, note) in about.iter().take(MOST) {
                    (line(*time, note, &mut ever_up))
                }
            }
            @if about.len() > MOST { p .none { "… and " (about.len() - MOST) " more events." } }
            @for log in record.logs.iter().filter(|log| log.node == id) { (tail(log)) }
        }
    }
}

fn times(n: usize) -> String {
    match n {
        0 => "never".to_owned(),
        1 => "once".to_owned(),
        n => format!("{n} times"),
    }
}

fn line(time: Time, what: &Note, ever_up: &mut bool) -> Markup {
    let crashed = what.f == note::NODE_CRASHED;
    let words = match &*what.f {
        note::NODE_UP if *ever_up => "up again".to_owned(),
        note::NODE_UP => "up".to_owned(),
        note::NODE_CRASHED => match what.value.get("status") {
            Some(Value::Str(status)) => format!("crashed: {}", inert::clip(status, 200)),
            Some(status) => format!("crashed: {}", inert::clip(status, 200)),
            None => "crashed".to_owned(),
        },
        note::HEAL => "healed".to_owned(),
        f => inert::clip(f, 60),
    };
    *ever_up |= what.f == note::NODE_UP;
    let stderr = what.value.get("stderr").and_then(|v| v.str()).unwrap_or_default();
    html! {
        li .crash[crashed] {
            time { (time) } " "
            @if let Some(id) = what.fault { b { (id) } " " }
            (words)
            @if crashed && !stderr.is_empty() {
                pre .tail tabindex="0" { (inert::block(stderr, 4 << 10)) }
            }
        }
    }
}

fn tail(log: &NodeLog) -> Markup {
    html! {
        details {
            summary { (inert::clip(&log.name, 60)) " of " (log.node) }
            @if log.tail.trim().is_empty() { p .none { "It is empty." } }
            @else { pre .tail tabindex="0" { (inert::block(&log.tail, TAIL)) } }
        }
    }
}
