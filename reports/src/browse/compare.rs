//! Two runs side by side.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use danso_vocab::results::FaultReport;
use danso_vocab::{History, Plan, Start};
use maud::{Markup, html};

use super::{Run, address, page, share, span};
use crate::inert;

/// One of the two.
#[derive(Clone, Debug)]
pub struct Side<'a> {
    /// The run.
    pub run: &'a Run,
    /// Its plan, or why it cannot be read.
    pub plan: Result<Plan, String>,
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
        h3 { (run.state.badge()) " " a href=(address("/run/", &run.path)) { (inert::clip(&run.name, 80)) } }
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
    let (left, right) = match (&a.plan, &b.plan) {
        (Ok(left), Ok(right)) => (settings(left), settings(right)),
        (Err(why), _) | (_, Err(why)) => return html! { p .warning { (inert::clip(why, 300)) } },
    };
    let keys: BTreeSet<&String> = left.keys().chain(right.keys()).collect();
    let told = |value: Option<&String>| match value {
        Some(value) => html! { (inert::clip(value, 200)) },
        None => html! { span .none { "not there" } },
    };
    let rows: Vec<_> = keys
        .into_iter()
        .filter(|key| left.get(*key) != right.get(*key))
        .map(|key| {
            let name = html! { code { (inert::clip(key, 120)) } };
            vec![name, told(left.get(key)), told(right.get(key))]
        })
        .collect();
    if rows.is_empty() {
        return html! { p .none { "Nothing: the plans are the same." } };
    }
    table("Differences between the plans", &["Setting", "One", "Other"], &rows)
}

/// A plan as names and values. What is drawn from the seed for each worker and node differs with
/// it and says nothing more.
fn settings(plan: &Plan) -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    let mut put = |name: &str, value: String| drop(out.insert(name.to_owned(), value));
    let (load, expect) = (&plan.load, &plan.expect);
    put("name", plan.name.clone());
    put("seed", plan.seed.to_string());
    put("nodes", plan.target.nodes().to_string());
    put("target", plan.target.name.clone());
    put("workload", plan.workload.name.clone());
    put("network", plan.network.clone());
    put("ip", if plan.ipv6 { "v6" } else { "v4" }.to_owned());
    put("load.processes", load.workers().to_string());
    put("load.rate", load.rate.map_or_else(|| "full speed".to_owned(), |r| r.to_string()));
    put("load.time", span(load.time));
    put("load.timeout", format!("{:?}", load.timeout));
    put("load.resilience", format!("{:?}", load.resilience));
    put("left out", plan.left_out.join("; "));
    put("expect.verdict", expect.verdict.word().to_owned());
    put("expect.anomalies", expect.anomalies.join(", "));
    put("expect.ok-rate", expect.ok_rate.to_string());
    put("expect.min-ops", expect.min_ops.to_string());
    let options = plan.target.options.iter().map(|(name, value)| ("options", name, value));
    let params = plan.workload.params.iter().map(|(name, value)| ("params", name, value));
    for (kind, name, value) in options.chain(params) {
        put(&format!("{kind}.{name}"), value.to_string());
    }
    for injection in &plan.schedule.injections {
        let (fault, lasts) = (&injection.fault, span(injection.lasts));
        let when = match &injection.start {
            Start::At(time) => format!("at {:.3} s", time.0 as f64 / 1e9),
            Start::OnLog { text, delay, .. } => format!("{delay:?} after a node says {text:?}"),
        };
        let told = format!("{} of {} {when} for {lasts}: {}", fault.kind, fault.nodes, fault.args);
        put(&format!("fault {:04}", injection.id.0), told);
    }
    out
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
        h3 { (inert::clip(&side.run.name, 80)) small { " " (side.faults.len()) " injected" } }
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
