//! What went wrong on purpose, and whether it was seen to.

use std::collections::BTreeMap;

use danso_vocab::event::note;
use danso_vocab::results::FaultReport;
use danso_vocab::time::human;
use danso_vocab::{Note, Time, Value};
use maud::{Markup, html};

use crate::section::scroller;
use crate::windows::{all, nodes};
use crate::{Record, inert, link};

/// More rows than this are left to the results.
const MOST: usize = 300;

pub(crate) fn render(record: &Record<'_>) -> Option<Markup> {
    let faults = &record.results.faults;
    if faults.is_empty() {
        return unreported(record);
    }
    let table = html! {
        table {
            thead { tr {
                th { "fault" } th { "kind" } th { "nodes" } th .num { "from" } th .num { "to" }
                th .num { "lasted" } th { "bitten?" } th { "how" } th { "effect observed" }
            } }
            tbody { @for fault in faults.iter().take(MOST) { (row(record, fault)) } }
        }
    };
    let toothless = faults.iter().filter(|f| !f.bit).count();
    Some(html! {
        (summary(faults))
        @if toothless > 0 {
            p .warning {
                (toothless) " of " (faults.len()) " faults could not be shown to have had an effect."
            }
        }
        (scroller("Faults", &table))
        @if faults.len() > MOST {
            p .none { (faults.len() - MOST) " more faults are in the results and not shown here." }
        }
    })
}

/// How often each kind struck, in a line.
fn summary(faults: &[FaultReport]) -> Markup {
    let mut kinds: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for fault in faults {
        let (all, bit) = kinds.entry(&fault.kind).or_default();
        *all += 1;
        *bit += usize::from(fault.bit);
    }
    html! {
        @if faults.len() > 3 {
            ul .kinds {
                @for (kind, (all, bit)) in kinds.iter().take(40) {
                    li { b { (inert::clip(kind, 40)) } " × " (all) @if bit < all { ", " (bit) " seen to bite" } }
                }
            }
        }
    }
}

fn row(record: &Record<'_>, fault: &FaultReport) -> Markup {
    let time = |t: Option<Time>, none| t.map_or(none, |t| t.to_string());
    let lasted = fault.start.zip(fault.stop).map(|(start, stop)| human(stop - start));
    let id = fault.id.to_string();
    let end = fault.stop.unwrap_or(record.history.end());
    html! {
        tr {
            th scope="row" {
                @match fault.start {
                    Some(start) => (link::span(record, start, end.max(start), id)),
                    None => (id),
                }
            }
            td { (inert::clip(&fault.kind, 60)) }
            td { (nodes(&fault.nodes)) }
            td .num { (time(fault.start, "never".to_owned())) }
            td .num { (time(fault.stop, if fault.start.is_some() { "not healed" } else { "–" }.to_owned())) }
            td .num { (lasted.unwrap_or_else(|| "–".to_owned())) }
            td {
                @if fault.bit { span .badge.bit { span aria-hidden="true" { "✓ " } "yes" } }
                @else { span .badge.unknown { span aria-hidden="true" { "? " } "not seen" } }
            }
            td .how { @if let Some(how) = how(record, fault) { (how) } }
            td .prose { (inert::clip(&fault.effect, 400)) }
        }
    }
}

/// The arguments of a fault as planned, in words; what was settled only at injection, as noted
/// then.
fn how(record: &Record<'_>, fault: &FaultReport) -> Option<String> {
    let planned = record
        .plan
        .and_then(|plan| plan.schedule.injections.iter().find(|i| i.id == fault.id))
        .map(|injection| &injection.fault);
    let noted = || {
        let own = |what: &&Note| what.fault == Some(fault.id) && what.f == fault.kind;
        record.history.notes().map(|(_, _, what)| what).find(own).map(|what| &what.value)
    };
    let role = planned.and_then(|f| f.nodes.word().map(|_| f.nodes.to_string()));
    let args = planned.map(|f| &f.args).filter(|args| !args.is_nil()).or_else(noted);
    let said: Vec<String> = role.into_iter().chain(args.map(arguments)).collect();
    let said = said.join("; ");
    (!said.is_empty()).then(|| inert::clip(said, 240))
}

/// `mode drop, shape majority, cut n1→n2 n2→n1`.
fn arguments(args: &Value) -> String {
    let Some(map) = args.map() else {
        return if args.is_nil() { String::new() } else { inert::clip(args, 160) };
    };
    let link = |value: &Value| match value.pair() {
        Some((from, to)) => format!("{}→{}", inert::brief(from, 20), inert::brief(to, 20)),
        None => inert::brief(value, 60),
    };
    let words = |value: &Value| match value {
        Value::Bool(true) => String::new(),
        Value::Str(text) => inert::brief(text, 80),
        Value::List(list) => list.iter().take(24).map(link).collect::<Vec<_>>().join(" "),
        value => inert::brief(value, 80),
    };
    let entry = |(name, value): (&String, &Value)| {
        format!("{} {}", inert::brief(name, 30), words(value)).trim_end().to_owned()
    };
    // Details that only the injection itself needed are no news beside the observed effect.
    let entries = map.iter().filter(|(name, value)| !value.is_nil() && *name != note::TOOK);
    entries.map(entry).collect::<Vec<_>>().join(", ")
}

/// The results tell of no faults: perhaps the history does.
fn unreported(record: &Record<'_>) -> Option<Markup> {
    let windows = all(record);
    if windows.is_empty() {
        // Of a history from elsewhere nobody here knows.
        record.plan?;
        return Some(html! { p .none { "No fault was injected." } });
    }
    let table = html! {
        table {
            thead { tr { th { "fault" } th { "nodes" } th .num { "from" } th .num { "to" } } }
            tbody {
                @for window in &windows {
                    tr {
                        th scope="row" { (link::span(record, window.start, window.stop, window.short())) }
                        td { (nodes(&window.nodes)) }
                        td .num { (window.start) }
                        td .num { @if window.healed { (window.stop) } @else { "not healed" } }
                    }
                }
            }
        }
    };
    Some(html! {
        p .none { "As the history tells it; what these faults did was not reported." }
        (scroller("Faults", &table))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_read_as_words() {
        let cut = Value::List(vec![["n1", "n2"].into(), ["n2", "n1"].into()]);
        let args = Value::of([
            ("cut", cut),
            ("mode", "drop".into()),
            ("symmetric", true.into()),
            ("took", 12.into()),
            ("none", ().into()),
        ]);
        assert_eq!(arguments(&args), "cut n1→n2 n2→n1, mode drop, symmetric");
        assert_eq!(arguments(&Value::Nil), "");
        assert_eq!(arguments(&7.into()), "7");
    }
}
