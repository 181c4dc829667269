//! One anomaly: its story, its picture, its operations, and the reasoning.

use danso_vocab::time::human;
use danso_vocab::{Figure, Op};
use maud::{Markup, html};

use super::{Found, on};
use crate::label::Roles;
use crate::section::scroller;
use crate::{Record, figure, inert, label, link, timeline};

/// More rows than this in one card would not be read.
const MOST_OPS: usize = 40;
/// Nor more lines of explanation.
const MOST_LINES: usize = 60;

pub(super) fn render(record: &Record<'_>, found: &Found<'_>) -> Markup {
    let Found { number, checker, anomaly } = *found;
    let ops: Vec<Op<'_>> = anomaly.ops.iter().filter_map(|id| record.history.op(*id)).collect();
    let missing = anomaly.ops.len() - ops.len();
    let roles = Roles::of(checker);
    html! {
        article .card id={ "anomaly-" (number) } aria-labelledby={ "anomaly-" (number) "-title" } {
            h3 id={ "anomaly-" (number) "-title" } {
                span .name { (inert::clip(&anomaly.name, 60)) }
                (on(anomaly))
                small { "found by " (inert::clip(checker, 60)) }
            }
            p .because { (link::prose(record, &inert::clip(&anomaly.because, 1200))) }
            @if let Some(span) = in_timeline(&ops) { (span) }
            // A graph tells more than who overlapped whom; orders are read after that.
            @let drawn = anomaly.figure.as_ref().and_then(|f| figure::render(record, f, number));
            @let first = matches!(anomaly.figure, Some(Figure::Graph(_)));
            @if let Some(drawn) = drawn.as_ref().filter(|_| first) { (drawn) }
            @if let Some(picture) = timeline::render(record, anomaly, number, roles) { (picture) }
            @if !ops.is_empty() { (table(record, &ops, number, roles)) }
            @if ops.len() > MOST_OPS {
                p .none { (ops.len() - MOST_OPS) " more operations take part; the results list them." }
            }
            @if missing > 0 {
                p .warning { (missing) " of the operations named are not in this history." }
            }
            @if let Some(drawn) = drawn.as_ref().filter(|_| !first) { (drawn) }
            @if !anomaly.explain.is_empty() {
                (explanation(record, &anomaly.explain, anomaly.figure.is_some()))
            }
        }
    }
}

/// The moment of an anomaly in the big timeline, with as much again around it.
fn in_timeline(ops: &[Op<'_>]) -> Option<Markup> {
    let from = ops.iter().map(|op| op.inv_time()).min()?;
    let to = ops.iter().map(|op| op.res_time().unwrap_or(op.inv_time())).max()?;
    if to <= from {
        return None;
    }
    let around = ((to - from) / 2).max(std::time::Duration::from_millis(5));
    let (from, to) = (from.0.saturating_sub(around.as_nanos() as u64), (to + around).0);
    Some(html! {
        p .elsewhere {
            a href=(link::TIMELINE) data-op=(ops[0].id().0) data-from=(from) data-to=(to) data-anomaly="1" {
                "Show it in the timeline of the whole run"
            }
        }
    })
}

fn table(record: &Record<'_>, ops: &[Op<'_>], number: usize, roles: Roles) -> Markup {
    let keyed = ops.iter().any(|op| op.key().is_some());
    scroller(
        &format!("The operations of anomaly {number}"),
        &html! {
            table .ops {
                thead { tr {
                    th .num { "index" } th { "process" } th { "node" } th { "f" }
                    @if keyed { th { "key" } }
                    th { "argument" } th { "result" }
                    th .num { "start" } th .num { "end" } th .num { "latency" } th { "part" }
                } }
                tbody {
                    @for (i, op) in ops.iter().take(MOST_OPS).enumerate() {
                        (row(record, *op, i == 0, keyed, roles))
                    }
                }
            }
        },
    )
}

fn row(record: &Record<'_>, op: Op<'_>, first: bool, keyed: bool, roles: Roles) -> Markup {
    let never = || "–".to_owned();
    let status = op.status().to_string();
    html! {
        tr .culprit[first] {
            th .num scope="row" title=(raw(op)) { (link::op(record, op.id(), op.id().to_string())) }
            td { (op.process()) }
            td { (op.node().map_or_else(never, |node| node.to_string())) }
            td .value { (inert::clip(op.f(), 60)) }
            @if keyed { td .value { @if let Some(key) = op.key() { (label::value(&key)) } } }
            td .value { @if !op.arg().is_nil() { (label::value(&op.arg())) } }
            td .value { span .key.(status) {} (label::result(op)) }
            td .num { (op.inv_time()) }
            td .num { (op.res_time().map_or_else(never, |t| t.to_string())) }
            td .num { (op.latency().map_or_else(never, human)) }
            td { @if first { b { (roles.culprit) } } @else { (roles.witness) } }
        }
    }
}

/// Where the raw history has it.
fn raw(op: Op<'_>) -> String {
    match op.res_index() {
        Some(end) => format!("in the history: invoked at index {}, completed at {end}", op.id().0),
        None => format!("in the history: invoked at index {}, never completed", op.id().0),
    }
}

fn explanation(record: &Record<'_>, lines: &[String], drawn: bool) -> Markup {
    html! {
        details open[lines.len() <= 12 && !drawn] {
            summary { "The reasoning, step by step" }
            ol .explain {
                @for line in lines.iter().take(MOST_LINES) {
                    li { (link::prose(record, &inert::clip(line, 600))) }
                }
            }
            @if lines.len() > MOST_LINES { p .none { "… and " (lines.len() - MOST_LINES) " more lines." } }
        }
    }
}
