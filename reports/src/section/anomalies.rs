//! What exactly happened: each violation with the operations that prove it.

use danso_vocab::time::human;
use danso_vocab::{Anomaly, Name, Op, Verdict};
use maud::{Markup, html};

use crate::label;
use crate::section::scroller;
use crate::timeline;
use crate::{Record, inert};

/// More cards than this would not be read; the results have them all.
const MOST: usize = 20;
/// More rows than this in one card would not either.
const MOST_OPS: usize = 40;
/// Nor more lines of explanation.
const MOST_LINES: usize = 60;

pub(crate) fn render(record: &Record<'_>) -> Option<Markup> {
    let found: Vec<(&Name, &Anomaly)> = record
        .results
        .findings
        .iter()
        .flat_map(|finding| finding.anomalies.iter().map(|a| (&finding.checker, a)))
        .collect();
    if found.is_empty() {
        return Some(html! { p .none { (nothing(record)) } });
    }
    Some(html! {
        @if found.len() > 1 { (index(&found)) }
        @for (i, (checker, anomaly)) in found.iter().take(MOST).enumerate() {
            (card(record, i + 1, checker, anomaly))
        }
        @if found.len() > MOST {
            p .warning { (found.len() - MOST) " more anomalies are in the results and not shown here." }
        }
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

/// A line for each card, where there are several.
fn index(found: &[(&Name, &Anomaly)]) -> Markup {
    html! {
        ol .index {
            @for (i, (_, anomaly)) in found.iter().take(MOST).enumerate() {
                li { a href={ "#anomaly-" (i + 1) } { (inert::clip(&anomaly.name, 60)) } (on(anomaly)) }
            }
        }
    }
}

fn on(anomaly: &Anomaly) -> Markup {
    html! {
        @if let Some(key) = &anomaly.key { " on " code { (inert::clip(key, 80)) } }
    }
}

fn card(record: &Record<'_>, number: usize, checker: &Name, anomaly: &Anomaly) -> Markup {
    let ops: Vec<Op<'_>> = anomaly.ops.iter().filter_map(|id| record.history.op(*id)).collect();
    let missing = anomaly.ops.len() - ops.len();
    html! {
        article .card id={ "anomaly-" (number) } {
            h3 {
                span .name { (inert::clip(&anomaly.name, 60)) }
                (on(anomaly))
                small { "found by " (inert::clip(checker, 60)) }
            }
            p .because { (inert::clip(&anomaly.because, 1200)) }
            @if let Some(picture) = timeline::render(record, anomaly, number) { (picture) }
            @if !ops.is_empty() { (table(&ops, number)) }
            @if ops.len() > MOST_OPS {
                p .none { (ops.len() - MOST_OPS) " more operations take part; the results list them." }
            }
            @if missing > 0 {
                p .warning { (missing) " of the operations named are not in this history." }
            }
            @if !anomaly.explain.is_empty() { (explanation(&anomaly.explain)) }
        }
    }
}

fn table(ops: &[Op<'_>], number: usize) -> Markup {
    let keyed = ops.iter().any(|op| op.key().is_some());
    scroller(
        "The operations of the anomaly",
        &html! {
            table .ops {
                thead { tr {
                    th .num { "index" } th { "process" } th { "node" } th { "f" }
                    @if keyed { th { "key" } }
                    th { "argument" } th { "result" }
                    th .num { "start" } th .num { "end" } th .num { "latency" } th { "part" }
                } }
                tbody {
                    @for (i, op) in ops.iter().take(MOST_OPS).enumerate() { (row(*op, number, i == 0, keyed)) }
                }
            }
        },
    )
}

fn row(op: Op<'_>, number: usize, first: bool, keyed: bool) -> Markup {
    let never = || "–".to_owned();
    let status = op.status().to_string();
    html! {
        tr .culprit[first] {
            th .num scope="row" { a href={ "#" (timeline::anchor(number, op.id())) } { (op.id()) } }
            td { (op.process()) }
            td { (op.node().map_or_else(never, |node| node.to_string())) }
            td .value { (inert::clip(op.f(), 60)) }
            @if keyed { td .value { @if let Some(key) = op.key() { (label::value(&key)) } } }
            td .value { @if !op.arg().is_nil() { (label::value(&op.arg())) } }
            td .value { span .key.(status) {} (label::result(op)) }
            td .num { (op.inv_time()) }
            td .num { (op.res_time().map_or_else(never, |t| t.to_string())) }
            td .num { (op.latency().map_or_else(never, human)) }
            td { @if first { b { "cannot be ordered" } } @else { "contradicts it" } }
        }
    }
}

fn explanation(lines: &[String]) -> Markup {
    html! {
        details open[lines.len() <= 12] {
            summary { "The reasoning, step by step" }
            ol .explain {
                @for line in lines.iter().take(MOST_LINES) { li { (inert::clip(line, 600)) } }
            }
            @if lines.len() > MOST_LINES { p .none { "… and " (lines.len() - MOST_LINES) " more lines." } }
        }
    }
}
