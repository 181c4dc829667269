//! How do I make it happen again? Everything that was decided before the run.

use std::collections::BTreeMap;
use std::time::Duration;

use danso_vocab::time::human;
use danso_vocab::{Fault, Injection, Nodes, Plan, Start, Value};
use maud::{Markup, html};

use crate::section::{pairs, scroller};
use crate::windows::nodes;
use crate::{Record, inert};

/// More injections than this are left to the plan's file.
const MOST: usize = 60;
/// More options than this are folded away.
const SHOWN: usize = 3;

pub(crate) fn render(record: &Record<'_>) -> Option<Markup> {
    let results = record.results;
    let Some(plan) = record.plan else {
        if results.reproduce.is_empty() {
            return None;
        }
        return Some(html! {
            p { "The history was recorded elsewhere; this command judges it again." }
            (command(&results.reproduce))
        });
    };
    let target = inert::clip(&plan.target.name, 80);
    let workload = inert::clip(&plan.workload.name, 80);
    Some(html! {
        p {
            "Seed " b { (plan.seed) } " fixes the plan: every client's operations, every fault and \
             when it strikes. How the cluster interleaves them is its own affair, so a rare \
             anomaly may need more than one try."
        }
        @if !results.reproduce.is_empty() { (command(&results.reproduce)) }
        (pairs(&decided(plan)))
        (choices(&format!("Options of {target}"), &plan.target.options))
        (choices(&format!("Parameters of {workload}"), &plan.workload.params))
        (schedule(plan))
        @if !plan.left_out.is_empty() {
            h3 { "Left out" }
            ul { @for line in &plan.left_out { li { (inert::clip(line, 400)) } } }
        }
    })
}

fn command(command: &str) -> Markup {
    html! { pre .command tabindex="0" { code { (inert::line(command)) } } }
}

fn decided(plan: &Plan) -> Vec<(String, String)> {
    let rate = plan.load.rate.map_or("full speed".to_owned(), |r| format!("{r} ops/s"));
    vec![
        ("target".to_owned(), inert::clip(&plan.target.name, 80)),
        ("nodes".to_owned(), plan.target.nodes().to_string()),
        ("workload".to_owned(), inert::clip(&plan.workload.name, 80)),
        (
            "load".to_owned(),
            format!(
                "{} clients, {rate}, for {}, giving up after {}",
                plan.load.workers(),
                plain(plan.load.time),
                plain(plan.load.timeout)
            ),
        ),
        ("network".to_owned(), inert::clip(&plan.network, 80)),
        (
            "expected".to_owned(),
            format!(
                "{}, at least {} ops ok and {:.0} % of them after healing",
                plan.expect.verdict,
                plan.expect.min_ops,
                plan.expect.ok_rate * 100.0
            ),
        ),
    ]
}

/// Names and values somebody could have chosen otherwise.
fn choices(title: &str, chosen: &BTreeMap<String, Value>) -> Markup {
    let row = |(name, value): (&String, &Value)| {
        let value = if value.is_nil() { "–".to_owned() } else { inert::clip(value, 200) };
        (inert::clip(name, 60), value)
    };
    let rows: Vec<_> = chosen.iter().map(row).collect();
    html! {
        @if !rows.is_empty() {
            details open[rows.len() <= SHOWN] {
                summary { (title) }
                (pairs(&rows))
            }
        }
    }
}

/// A span that somebody chose, so mostly a round one.
fn plain(span: Duration) -> String {
    human(span).replace(".000 s", " s").replace(".0 ms", " ms")
}

fn schedule(plan: &Plan) -> Markup {
    let injections = &plan.schedule.injections;
    if injections.is_empty() {
        return html! { p .none { "The plan schedules no faults." } };
    }
    let table = html! {
        table {
            thead { tr { th { "fault" } th { "kind" } th { "nodes" } th { "begins" } th { "lasts" } th { "details" } } }
            tbody {
                @for injection in injections.iter().take(MOST) { (row(injection)) }
            }
        }
        @if injections.len() > MOST {
            p .none { "… and " (injections.len() - MOST) " more." }
        }
    };
    html! {
        details {
            summary { "The schedule: " (injections.len()) " planned " @if injections.len() == 1 { "fault" } @else { "faults" } }
            (scroller("Schedule", &table))
        }
    }
}

fn row(Injection { id, fault, start, lasts }: &Injection) -> Markup {
    let Fault { kind, nodes: which, args } = fault;
    html! {
        tr {
            th scope="row" { (id) }
            td { (inert::clip(kind, 40)) }
            td { (match which {
                Nodes::These(these) => nodes(these),
                role => role.to_string(),
            }) }
            td { (match start {
                Start::At(time) => time.to_string(),
                Start::OnLog { from, text, delay } => {
                    let text = inert::clip(text, 80);
                    format!("{} after a log says “{text}”, from {from}", plain(*delay))
                }
            }) }
            td .num { (plain(*lasts)) }
            td .prose { @if !args.is_nil() { (inert::clip(args, 160)) } }
        }
    }
}
