//! What became of each node, and its last words.

mod logs;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use danso_vocab::event::note;
use danso_vocab::history::Counts;
use danso_vocab::time::human;
use danso_vocab::{NodeId, Note, Time, Value};
use maud::{Markup, html};

use crate::explorer::lanes::{self, Lane, State};
use crate::label::{number, percent};
use crate::section::scroller;
use crate::{Record, inert, link, windows};

/// More lines about one node than this are left to the events.
const MOST: usize = 40;

pub(crate) fn render(record: &Record<'_>) -> Option<Markup> {
    let nodes = nodes(record);
    if nodes.is_empty() {
        return None;
    }
    Some(html! {
        (table(record, &nodes))
        div .nodes { @for node in &nodes { (card(record, node)) } }
        (logs::render(record))
    })
}

/// What is known of one node.
struct Node<'r> {
    id: NodeId,
    lane: Lane,
    notes: Vec<(Time, &'r Note)>,
    asked: Counts,
}

fn nodes<'r>(record: &Record<'r>) -> Vec<Node<'r>> {
    let planned = record.plan.map_or(0, |plan| plan.target.nodes());
    let mut ids: BTreeSet<NodeId> = NodeId::all(planned).into_iter().collect();
    let mut notes: BTreeMap<NodeId, Vec<(Time, &Note)>> = BTreeMap::new();
    for (_, time, what) in record.history.notes() {
        for id in &what.nodes {
            ids.insert(*id);
            // Clocks and leaders are told by the plots, the timeline and the table.
            if what.f != note::CLOCK_OFFSET && what.f != note::LEADER {
                notes.entry(*id).or_default().push((time, what));
            }
        }
    }
    let mut asked: BTreeMap<NodeId, Counts> = BTreeMap::new();
    for op in record.history.ops() {
        if let Some(id) = op.node() {
            asked.entry(id).or_default().add(op.status());
        }
    }
    let mut lanes = lanes::lanes(record, &windows::all(record));
    ids.extend(asked.keys().chain(lanes.keys()));
    ids.extend(record.logs.iter().map(|log| log.node));
    let node = |id| Node {
        id,
        lane: lanes.remove(&id).unwrap_or_default(),
        notes: notes.remove(&id).unwrap_or_default(),
        asked: asked.remove(&id).unwrap_or_default(),
    };
    ids.into_iter().map(node).collect()
}

impl Node<'_> {
    fn count(&self, f: &str) -> usize {
        self.notes.iter().filter(|(_, what)| what.f == f).count()
    }

    /// How long it was in a state.
    fn spent(&self, wanted: State) -> Duration {
        let of = self.lane.states.iter().filter(|(_, _, state)| *state == wanted);
        of.map(|(from, to, _)| *to - *from).sum()
    }

    fn led(&self) -> Duration {
        self.lane.leads.iter().map(|(from, to)| *to - *from).sum()
    }

    fn last(&self) -> Option<State> {
        self.lane.states.last().map(|(_, _, state)| *state)
    }
}

fn table(record: &Record<'_>, nodes: &[Node<'_>]) -> Markup {
    let led = nodes.iter().any(|node| !node.lane.leads.is_empty());
    let asked = nodes.iter().any(|node| node.asked.total() > 0);
    // Before its first start a node is not missed.
    let share = |node: &Node<'_>, part: Duration| {
        let from = node.lane.states.first().map_or(Time::ZERO, |(from, ..)| *from);
        let whole = Time::from(record.history.end() - from).0;
        percent(Time::from(part).0.min(whole), whole)
    };
    scroller(
        "Nodes",
        &html! {
            table {
                thead { tr {
                    th { "node" } th { "at the end" } th .num { "up" } th .num { "down" } th .num { "paused" }
                    th .num { "restarts" } th .num { "crashes" }
                    @if led { th .num { "led" } }
                    @if asked { th .num { "asked" } th .num { "ok" } th .num { "fail" } th .num { "info" } }
                } }
                tbody {
                    @for node in nodes {
                        tr {
                            th scope="row" { (node.id) }
                            td { (status(node.last())) }
                            td .num { @if !node.lane.states.is_empty() { (share(node, node.spent(State::Up))) } }
                            td .num { (spell(node.spent(State::Down) + node.spent(State::Crashed))) }
                            td .num { (spell(node.spent(State::Paused))) }
                            td .num { (node.count(note::NODE_UP).saturating_sub(1)) }
                            td .num { (node.count(note::NODE_CRASHED)) }
                            @if led { td .num { (share(node, node.led())) } }
                            @if asked {
                                td .num { (number(node.asked.total())) }
                                @for n in [node.asked.ok, node.asked.fail, node.asked.info] {
                                    td .num { (percent(n, node.asked.total())) }
                                }
                            }
                        }
                    }
                }
            }
        },
    )
}

fn spell(time: Duration) -> String {
    if time.is_zero() { "–".to_owned() } else { human(time) }
}

fn status(state: Option<State>) -> Markup {
    let (class, sign) = match state {
        Some(State::Up) => ("valid", "▲"),
        Some(State::Down) => ("unknown", "▼"),
        Some(State::Crashed) => ("invalid", "✗"),
        Some(State::Paused) => ("interrupted", "‖"),
        None => return html! { "not recorded" },
    };
    html! {
        span .badge.(class) {
            span aria-hidden="true" { (sign) " " } (state.map_or("", State::word))
        }
    }
}

fn card(record: &Record<'_>, node: &Node<'_>) -> Markup {
    let Node { id, notes, .. } = node;
    let crashes = node.count(note::NODE_CRASHED);
    let mut ever_up = false;
    html! {
        article .node aria-label={ "Node " (id) } {
            h3 { (id) @if crashes > 0 { span .badge.invalid { span aria-hidden="true" { "✗ " } "crashed" @if crashes > 1 { " " (crashes) "×" } } } }
            @if notes.is_empty() { p .none { "Nothing was recorded of it." } }
            ol .story {
                @for (time, note) in notes.iter().take(MOST) {
                    (line(record, *time, note, &mut ever_up))
                }
            }
            @if notes.len() > MOST { p .none { "… and " (notes.len() - MOST) " more events." } }
        }
    }
}

fn line(record: &Record<'_>, time: Time, what: &Note, ever_up: &mut bool) -> Markup {
    let crashed = what.f == note::NODE_CRASHED;
    let words = match &*what.f {
        note::NODE_UP if *ever_up => "up again".to_owned(),
        note::NODE_UP => "up".to_owned(),
        note::NODE_DOWN => match what.value.str() {
            Some(how) => format!("down: {}", inert::clip(how, 200)),
            None => "down".to_owned(),
        },
        note::NODE_PAUSED => "paused".to_owned(),
        note::NODE_RESUMED => "goes on".to_owned(),
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
    let around = Duration::from_millis(500);
    let from = Time(time.0.saturating_sub(Time::from(around).0));
    html! {
        li .crash[crashed] {
            time { (link::span(record, from, time + around, time.to_string())) } " "
            @if let Some(id) = what.fault { b { (id) } " " }
            (words)
            @if crashed && !stderr.is_empty() {
                pre .tail tabindex="0" { (inert::block(stderr, 4 << 10)) }
            }
        }
    }
}
