//! Two runs side by side.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use danso_vocab::results::FaultReport;
use danso_vocab::{History, Value};
use maud::{Markup, html};

use super::{Run, href, page, share};
use crate::inert;

/// One of the two.
#[derive(Clone, Debug)]
pub struct Side<'a> {
    /// The run.
    pub run: &'a Run,
    /// Its plan, as stored.
    pub plan: Value,
    /// Its faults as they went.
    pub faults: Vec<FaultReport>,
    /// Each anomaly: its name and its story.
    pub anomalies: Vec<(String, String)>,
    /// How long operations took, or why that is not known.
    pub waits: Result<Waits, String>,
}

/// How long operations that succeeded took, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Waits(BTreeMap<String, [Duration; 4]>);

/// Two runs.
#[derive(Clone, Debug)]
pub struct Comparison<'a> {
    /// The one and the other.
    pub sides: [Side<'a>; 2],
}

const QUANTILES: [(&str, usize); 4] = [("p50", 500), ("p95", 950), ("p99", 990), ("max", 1000)];
/// What is shown of long lists.
const SHOWN: usize = 200;

/// How long operations took.
pub fn waits(history: &History) -> Waits {
    let mut all = BTreeMap::<&str, Vec<Duration>>::new();
    for op in history.ops().filter(|op| op.is_ok()) {
        all.entry(op.f()).or_default().extend(op.latency());
    }
    let quantiles = all.into_iter().filter(|(_, waits)| !waits.is_empty()).map(|(f, mut waits)| {
        waits.sort_unstable();
        let at = |per_mille: usize| waits[(waits.len() * per_mille).div_ceil(1000).max(1) - 1];
        (f.to_owned(), QUANTILES.map(|(_, per_mille)| at(per_mille)))
    });
    Waits(quantiles.collect())
}

/// The page of two runs.
pub fn compare(about: &Comparison<'_>) -> String {
    let [a, b] = &about.sides;
    let section = |id: &str, title: &str, content: Markup| {
        html! { section aria-labelledby=(id) { h2 #(id) { (title) } (content) } }
    };
    let both = |of: &dyn Fn(&Side<'_>) -> Markup| {
        html! { div .sides { div { (of(a)) } div { (of(b)) } } }
    };
    let body = html! {
        h1 { "Two runs" }
        (section("verdicts", "Verdicts", both(&verdict)))
        (section("differences", "What was planned differently", differences(a, b)))
        (section("counts", "Operations", counts(a, b)))
        (section("waits", "How long they took", latencies(a, b)))
        (section("faults", "Faults", both(&faults)))
        (section("anomalies", "Anomalies", both(&anomalies)))
    };
    page("two runs", None, body)
}

fn verdict(side: &Side<'_>) -> Markup {
    let run = side.run;
    html! {
        h3 { (run.state.badge()) " " a href=(href("/run/", &run.path)) { (inert::clip(&run.name, 80)) } }
        p .none { (run.began) " · seed " (run.seed.map_or_else(|| "–".to_owned(), |s| s.to_string())) " · " (run.lasted()) }
        p { (inert::clip(&run.reason, 600)) }
    }
}

/// A table with a column for each side.
fn table(label: &str, heads: &[&str], rows: &[Vec<Markup>]) -> Markup {
    html! {
        div .scroller tabindex="0" role="region" aria-label=(label) {
            table {
                thead { tr { @for head in heads { th { (head) } } } }
                tbody { @for row in rows.iter().take(SHOWN) { tr { @for cell in row { td .value { (cell) } } } } }
            }
        }
        @if rows.len() > SHOWN { p .none { (rows.len() - SHOWN) " more are left out." } }
    }
}

fn differences(a: &Side<'_>, b: &Side<'_>) -> Markup {
    let flat = |side: &Side<'_>| {
        let mut out = BTreeMap::new();
        flatten("", &side.plan, &mut out);
        out
    };
    let (left, right) = (flat(a), flat(b));
    let keys: BTreeSet<&String> = left.keys().chain(right.keys()).collect();
    let told = |value: Option<&String>| match value {
        Some(value) => html! { (inert::clip(value, 200)) },
        None => html! { span .none { "not there" } },
    };
    let rows: Vec<_> = keys
        .into_iter()
        .filter(|key| left.get(*key) != right.get(*key))
        .map(|key| {
            vec![
                html! { code { (inert::clip(key, 120)) } },
                told(left.get(key)),
                told(right.get(key)),
            ]
        })
        .collect();
    if rows.is_empty() {
        return html! { p .none { "Nothing: the plans are the same." } };
    }
    table("Differences between the plans", &["Setting", "One", "Other"], &rows)
}

/// A plan as paths and values. What is drawn from the seed for each worker and node differs with
/// it and says nothing more.
fn flatten(path: &str, value: &Value, out: &mut BTreeMap<String, String>) {
    if matches!(path, "node_seeds" | "load.streams") {
        let length = value.list().map_or(0, <[Value]>::len);
        out.insert(format!("{path} (how many)"), length.to_string());
        return;
    }
    let below =
        |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match (value.map(), value.list()) {
        (Some(map), _) if !map.is_empty() => {
            map.iter().for_each(|(name, value)| flatten(&below(name), value, out));
        }
        (_, Some(list)) if !list.is_empty() => {
            list.iter()
                .enumerate()
                .for_each(|(i, value)| flatten(&below(&i.to_string()), value, out));
        }
        _ => drop(out.insert(path.to_owned(), inert::clip(value, 1000))),
    }
}

fn counts(a: &Side<'_>, b: &Side<'_>) -> Markup {
    let fs: BTreeSet<&String> = a.run.counts.keys().chain(b.run.counts.keys()).collect();
    let cell = |side: &Side<'_>, f: &String| match side.run.counts.get(f) {
        Some(counts) => {
            html! { (share(*counts)) small { " · " (counts.fail) " fail · " (counts.info) " info" } }
        }
        None => html! { span .none { "none" } },
    };
    let mut rows: Vec<_> = fs
        .into_iter()
        .map(|f| vec![html! { (inert::clip(f, 60)) }, cell(a, f), cell(b, f)])
        .collect();
    rows.push(vec![html! { strong { "all" } }, share(a.run.total()), share(b.run.total())]);
    table("Operations", &["Operation", "One", "Other"], &rows)
}

fn latencies(a: &Side<'_>, b: &Side<'_>) -> Markup {
    let nothing = Waits::default();
    let sides = [a, b].map(|side| side.waits.as_ref().unwrap_or(&nothing));
    let fs: BTreeSet<&String> = sides.iter().flat_map(|waits| waits.0.keys()).collect();
    let rows: Vec<_> = fs
        .into_iter()
        .flat_map(|f| {
            QUANTILES.iter().enumerate().map(move |(i, (name, _))| {
                let cell = |waits: &Waits| match waits.0.get(f) {
                    Some(quantiles) => {
                        html! { (format!("{:.1} ms", quantiles[i].as_secs_f64() * 1e3)) }
                    }
                    None => html! { span .none { "none" } },
                };
                vec![html! { (inert::clip(f, 60)) " " (name) }, cell(sides[0]), cell(sides[1])]
            })
        })
        .collect();
    html! {
        @for (which, side) in [("one", a), ("other", b)] {
            @if let Err(why) = &side.waits { p .warning { "Not known of the " (which) ": " (inert::clip(why, 300)) } }
        }
        @if !rows.is_empty() { (table("Waiting times of operations that succeeded", &["Operation", "One", "Other"], &rows)) }
    }
}

fn faults(side: &Side<'_>) -> Markup {
    let at = |time: Option<danso_vocab::Time>| {
        time.map_or_else(|| "never".to_owned(), |t| format!("{:.2} s", t.0 as f64 / 1e9))
    };
    html! {
        h3 { (inert::clip(&side.run.name, 80)) small { " " (side.faults.len()) " injections" } }
        @if side.faults.is_empty() { p .none { "none" } }
        ol .story {
            @for fault in side.faults.iter().take(SHOWN) {
                li {
                    time { (at(fault.start)) } strong { (inert::clip(&fault.kind, 40)) } " until " (at(fault.stop)) ": "
                    @if !fault.bit { "not seen to bite; " }
                    (inert::clip(&fault.effect, 160))
                }
            }
        }
    }
}

fn anomalies(side: &Side<'_>) -> Markup {
    html! {
        h3 { (inert::clip(&side.run.name, 80)) small { " " (side.anomalies.len()) " found" } }
        @if side.anomalies.is_empty() { p .none { "none" } }
        @for (name, story) in side.anomalies.iter().take(10) {
            article .card { h3 { span .name { (inert::clip(name, 80)) } } p .because { (inert::clip(story, 600)) } }
        }
    }
}
