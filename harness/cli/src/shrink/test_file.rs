//! A test file that draws to a given plan, saying no more than it must.
//!
//! Nothing here is believed: whatever is written is drawn again, and compared with the plan.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use danso_vocab::plan::{Expect, Resilience};
use danso_vocab::{Fault, Injection, Nodes, Plan, Start, Value, Verdict};

use crate::args::TestArgs;
use crate::commands::plan::as_toml;
use crate::draw;
use crate::spec::Spec;

/// What a test file says, by table; faults one by one.
#[derive(Clone, Default)]
struct Said {
    /// The lines before the first table.
    top: Vec<(&'static str, Value)>,
    params: BTreeMap<String, Value>,
    load: BTreeMap<String, Value>,
    target: BTreeMap<String, Value>,
    client: BTreeMap<String, Value>,
    faults: Vec<(String, BTreeMap<String, Value>)>,
    expect: BTreeMap<String, Value>,
    /// There are no fractions among values.
    ok_rate: Option<f64>,
}

/// The test file for a plan, to be stored at `path`; `heading` becomes its first lines.
///
/// # Errors
/// If no test file draws to it, with the reason: then the plan itself has to do.
pub(crate) fn write(plan: &Plan, path: &Path, heading: &[String]) -> anyhow::Result<String> {
    let trial = Trial { plan, path: path.with_extension("try.toml") };
    let mut said = said(plan);
    for injection in &plan.schedule.injections {
        let ways = ways(injection);
        let kind = injection.fault.kind.to_string();
        let so_far = said.faults.len();
        // What is drawn by chance depends on where in the file it is asked for.
        let fits = |way: &BTreeMap<String, Value>| {
            let mut more = said.clone();
            more.faults.push((kind.clone(), way.clone()));
            let drawn = trial.drawn(&more).ok().map(|drawn| drawn.schedule.injections);
            drawn.is_some_and(|all| {
                all.len() == so_far + 1 && all.last().is_some_and(|last| same(last, injection))
            })
        };
        let way = ways.iter().find(|way| fits(way)).or(ways.first());
        let way = way.cloned().unwrap_or_default();
        said.faults.push((kind, way));
    }
    trial.draws(&said)?;
    trial.leave_out(&mut said, |said| &mut said.params);
    trial.leave_out(&mut said, |said| &mut said.load);
    for i in 0..said.faults.len() {
        trial.leave_out(&mut said, |said| &mut said.faults[i].1);
    }
    trial.leave_out_options(&mut said);
    let comments = heading.iter().map(|line| format!("# {}\n", one_line(line)));
    Ok(comments.collect::<String>() + &text(&said))
}

/// Drawing what is written.
struct Trial<'a> {
    plan: &'a Plan,
    /// Beside the file to be: paths in it are relative to its folder.
    path: PathBuf,
}

impl Trial<'_> {
    fn drawn(&self, said: &Said) -> anyhow::Result<Plan> {
        let shown = || self.path.display().to_string();
        std::fs::write(&self.path, text(said)).with_context(shown)?;
        let test = self.path.to_string_lossy().into_owned();
        let spec = Spec::of(&TestArgs { test, ..TestArgs::default() });
        let drawn = spec.and_then(|spec| draw::draw(&spec, self.plan.seed));
        std::fs::remove_file(&self.path).with_context(shown)?;
        drawn
    }

    /// Fails unless this draws to the plan.
    fn draws(&self, said: &Said) -> anyhow::Result<()> {
        let (drawn, plan) = (self.drawn(said)?, self.plan);
        let differs = [
            ("the target", drawn.target != plan.target),
            ("the workload", drawn.workload != plan.workload),
            ("the load", drawn.load != plan.load),
            ("the network", (drawn.network != plan.network) || drawn.ipv6 != plan.ipv6),
            ("the schedule", !same_schedule(&drawn, plan)),
            ("the expectation", drawn.expect != plan.expect),
        ];
        match differs.iter().find(|(_, differs)| *differs) {
            Some((what, _)) => anyhow::bail!("{what} cannot be written as a test file"),
            None => Ok(()),
        }
    }

    /// Leaves out what goes without saying.
    fn leave_out(
        &self,
        said: &mut Said,
        table: impl Fn(&mut Said) -> &mut BTreeMap<String, Value>,
    ) {
        // How long a fault lasts is worth reading, whatever would be taken for granted.
        let names: Vec<String> = table(said).keys().filter(|n| *n != "for").cloned().collect();
        for name in names {
            let mut less = said.clone();
            table(&mut less).remove(&name);
            if self.draws(&less).is_ok() {
                *said = less;
            }
        }
    }

    /// The same for the options of a bundled target.
    fn leave_out_options(&self, said: &mut Said) {
        let Some(options) = said.target.get("options").and_then(Value::map).cloned() else {
            return;
        };
        let mut kept = options.clone();
        for name in options.keys() {
            let mut fewer = kept.clone();
            fewer.remove(name);
            let mut less = said.clone();
            less.target.insert("options".to_owned(), Value::Map(fewer.clone()));
            if self.draws(&less).is_ok() {
                (*said, kept) = (less, fewer);
            }
        }
        if kept.is_empty() {
            said.target.remove("options");
        }
    }
}

/// Everything but the faults.
fn said(plan: &Plan) -> Said {
    let mut said = Said::default();
    said.top.push(("name", plan.name.as_str().into()));
    // One of more than 63 bits is none that TOML could hold, and is refused when it is read.
    said.top.push(("seed", Value::Int(plan.seed.cast_signed())));
    said.top.push(("workload", plan.workload.name.as_str().into()));
    if plan.network != "auto" {
        said.top.push(("network", plan.network.as_str().into()));
    }
    if plan.ipv6 {
        said.top.push(("ip", "v6".into()));
    }
    let given = |map: &BTreeMap<String, Value>| -> BTreeMap<String, Value> {
        let some = map.iter().filter(|(_, value)| !value.is_nil());
        some.map(|(name, value)| (name.clone(), value.clone())).collect()
    };
    said.params = given(&plan.workload.params);
    let load = &plan.load;
    let mut put = |name: &str, value: Value| said.load.insert(name.to_owned(), value);
    put("processes", Value::Int(i64::from(load.workers())));
    put("time", time(load.time));
    put("timeout", time(load.timeout));
    if let Some(rate) = load.rate {
        put("rate", Value::Int(i64::from(rate)));
    }
    if load.resilience != Resilience::default() {
        put("client", resilience(&load.resilience));
    }
    let mut options = given(&plan.target.options);
    said.target.insert("kind".to_owned(), plan.target.name.as_str().into());
    said.target.insert("nodes".to_owned(), Value::Int(i64::from(plan.target.nodes())));
    if danso_adapters::find(&plan.target.name).is_some() {
        options.remove("dir");
        // Some kinds are told the workload's name by themselves.
        let called = options.remove("workload");
        if let Some(called) =
            called.filter(|_| !danso_adapters::spoken(&plan.target.name).is_empty())
        {
            said.top
                .iter_mut()
                .filter(|(name, _)| *name == "workload")
                .for_each(|(_, v)| *v = called.clone());
        }
        if let Some(Value::Map(client)) = options.remove("client") {
            said.client = client;
        }
        said.target.extend(options);
    } else {
        if let Some(bug) = options.remove("bug") {
            said.target.insert("bug".to_owned(), bug);
        }
        said.target.insert("options".to_owned(), Value::Map(options));
    }
    let expect = &plan.expect;
    said.expect.insert("verdict".to_owned(), expect.verdict.word().into());
    if expect.verdict == Verdict::Invalid && !expect.anomalies.is_empty() {
        let names = expect.anomalies.iter().map(|name| name.as_str().into());
        said.expect.insert("anomaly".to_owned(), Value::List(names.collect()));
    }
    said.ok_rate = Some(expect.ok_rate).filter(|rate| *rate != Expect::default().ok_rate);
    if expect.min_ops != 1 {
        said.expect.insert("min-ops".to_owned(), Value::Int(expect.min_ops.cast_signed()));
    }
    said
}

fn resilience(client: &Resilience) -> Value {
    let mut map = BTreeMap::from([
        ("retries".to_owned(), Value::Int(i64::from(client.retries))),
        ("backoff".to_owned(), time(client.backoff)),
        ("most".to_owned(), time(client.most)),
        ("breaker".to_owned(), Value::Int(i64::from(client.breaker))),
        ("open".to_owned(), time(client.open)),
        ("bulkhead".to_owned(), Value::Int(i64::from(client.bulkhead))),
    ]);
    if let Some(attempt) = client.attempt {
        map.insert("attempt".to_owned(), time(attempt));
    }
    Value::Map(map)
}

/// Arguments that may draw to this injection, the plainest first.
fn ways(injection: &Injection) -> Vec<BTreeMap<String, Value>> {
    let mut timing = BTreeMap::from([("for".to_owned(), time(injection.lasts))]);
    let at = match &injection.start {
        Start::At(at) => at,
        Start::OnLog { from, text, delay } => {
            timing.insert("on".to_owned(), text.as_str().into());
            if !delay.is_zero() {
                timing.insert("delay".to_owned(), time(*delay));
            }
            from
        }
    };
    timing.insert("at".to_owned(), vec![time(at.since_start())].into());
    let Fault { nodes, args, .. } = &injection.fault;
    let nodes: Value = match nodes {
        Nodes::These(nodes) => {
            Value::List(nodes.iter().map(|node| node.to_string().into()).collect())
        }
        role => role.word().unwrap_or_default().into(),
    };
    let mut drawn = args.map().cloned().unwrap_or_default();
    drawn.retain(|_, value| !value.is_nil());
    let cut = drawn.remove("cut");
    let with = |args: &BTreeMap<String, Value>, nodes: bool, own: Value| {
        let mut all = timing.clone();
        all.extend(args.clone());
        if nodes {
            all.insert("nodes".to_owned(), own);
        }
        all
    };
    let mut ways = vec![with(&drawn, true, nodes), with(&drawn, false, Value::Nil)];
    if let Some(cut) = cut {
        let mut links = drawn;
        links.insert("shape".to_owned(), "links".into());
        links.insert("links".to_owned(), cut);
        ways.push(with(&links, false, Value::Nil));
    }
    ways
}

fn same_schedule(one: &Plan, other: &Plan) -> bool {
    let (one, other) = (&one.schedule.injections, &other.schedule.injections);
    one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
}

/// Whether two injections do the same. How the links of a partition came to be chosen is for
/// people to read; those it cuts are what counts.
fn same(one: &Injection, other: &Injection) -> bool {
    let timing = one.start == other.start && one.lasts == other.lasts;
    let (one, other) = (&one.fault, &other.fault);
    if !timing || one.kind != other.kind {
        return false;
    }
    match (one.args.get("cut"), other.args.get("cut")) {
        (Some(Value::List(cut)), Some(Value::List(same))) => {
            let sorted = |links: &[Value]| {
                let mut links = links.to_vec();
                links.sort();
                links
            };
            sorted(cut) == sorted(same) && one.args.get("mode") == other.args.get("mode")
        }
        _ => one == other,
    }
}

/// A time as test files have it.
fn time(time: Duration) -> Value {
    Value::Str(if time.subsec_nanos() == 0 {
        format!("{}s", time.as_secs())
    } else if time.subsec_nanos().is_multiple_of(1_000_000) {
        format!("{}ms", time.as_millis())
    } else {
        format!("{}ns", time.as_nanos())
    })
}

fn text(said: &Said) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &Value| {
        text += &format!("{} = {}\n", key(name), as_toml(value));
    };
    said.top.iter().for_each(|(name, value)| line(name, value));
    for (name, table) in [("params", &said.params), ("load", &said.load)] {
        if !table.is_empty() {
            line(name, &Value::Map(table.clone()));
        }
    }
    put_table(&mut text, "target", &said.target);
    put_table(&mut text, "client", &said.client);
    for (kind, args) in &said.faults {
        text += &format!(
            "\n[[fault]]\nkind = {}\nargs = {}\n",
            as_toml(&kind.as_str().into()),
            as_toml(&Value::Map(args.clone()))
        );
    }
    put_table(&mut text, "expect", &said.expect);
    if let Some(rate) = said.ok_rate {
        text += &format!("ok-rate = {rate:?}\n");
    }
    text
}

/// A table, what it is about first.
fn put_table(text: &mut String, name: &str, table: &BTreeMap<String, Value>) {
    if table.is_empty() {
        return;
    }
    *text += &format!("\n[{name}]\n");
    let first = |name: &str| name == "kind" || name == "verdict";
    let (head, rest): (Vec<_>, Vec<_>) = table.iter().partition(|(name, _)| first(name));
    for (name, value) in head.into_iter().chain(rest) {
        *text += &format!("{} = {}\n", key(name), as_toml(value));
    }
}

/// A name as TOML has it on the left.
fn key(name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
    match !name.is_empty() && name.chars().all(bare) {
        true => name.to_owned(),
        false => as_toml(&name.into()),
    }
}

/// A comment: what a target said must not end it.
fn one_line(text: &str) -> String {
    let plain = |c: char| if c.is_control() || "\u{2028}\u{2029}".contains(c) { ' ' } else { c };
    text.chars().map(plain).take(400).collect()
}

#[cfg(test)]
mod tests;
