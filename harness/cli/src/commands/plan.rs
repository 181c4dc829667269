//! `danso plan`: what a run would do.

use std::collections::BTreeMap;
use std::io::Write;

use danso_vocab::codec::json;
use danso_vocab::{Plan, Start, Value, codec};

use crate::args::PlanArgs;
use crate::draw;
use crate::exit::Exit;
use crate::judge;
use crate::spec::Spec;

/// Prints a plan.
pub(crate) fn plan(args: &PlanArgs) -> anyhow::Result<Exit> {
    let spec = Spec::of(&args.test)?;
    let seed = match spec.seed {
        Some(seed) => seed,
        None => draw::fresh_seed()?,
    };
    let plan = draw::draw(&spec, seed)?;
    if args.json {
        std::io::stdout().write_all(&codec::plan::write(&plan))?;
    } else {
        println!("{}", headline(&plan));
        for line in described(&plan) {
            println!("  {line}");
        }
        for line in schedule(&plan) {
            println!("  {line}");
        }
        for reason in &plan.left_out {
            println!("  left out: {reason}");
        }
    }
    Ok(Exit::Valid)
}

/// The plan in a line.
pub(crate) fn headline(plan: &Plan) -> String {
    let bug = match plan.target.options.get("bug").and_then(|b| b.str()) {
        Some(bug) => format!(" --bug {bug}"),
        None => String::new(),
    };
    let rate = plan.load.rate.map_or("full speed".to_owned(), |r| format!("{r} ops/s"));
    format!(
        "seed {}: {} nodes of {}{bug}, {} clients doing {} at {rate} for {:?}, {} faults",
        plan.seed,
        plan.target.nodes(),
        plan.target.name,
        plan.load.workers(),
        plan.workload.name,
        plan.load.time,
        plan.schedule.injections.len(),
    )
}

/// What a test file says of a target it describes, and of what clients send it.
fn described(plan: &Plan) -> Vec<String> {
    if danso_adapters::find(&plan.target.name).is_none() {
        return Vec::new();
    }
    let mut lines = Vec::new();
    let settings = |map: &BTreeMap<String, Value>, without: &[&str]| -> Vec<String> {
        let shown = map.iter().filter(|(name, _)| !without.contains(&name.as_str()));
        shown.map(|(name, value)| format!("{name} = {}", as_toml(value))).collect()
    };
    lines.extend(settings(&plan.target.options, &["client", "dir"]));
    let client = plan.target.options.get("client").and_then(Value::map).cloned();
    let client = client.unwrap_or_default();
    lines.extend(settings(&client, &["ops"]).into_iter().map(|line| format!("client.{line}")));
    let asked = judge::asked_for(plan);
    for (op, how) in client.get("ops").and_then(Value::map).into_iter().flatten() {
        let unused = asked.as_ref().is_some_and(|asked| !asked.contains(op.as_str()));
        let unused = if unused { " (not asked for)" } else { "" };
        match how.map() {
            Some(how) => {
                lines.push(format!("{op}{unused}"));
                lines.extend(settings(how, &[]).into_iter().map(|line| format!("  {line}")));
            }
            None => lines.push(format!("{op}{unused} = {}", as_toml(how))),
        }
    }
    lines
}

/// A value as a test file has it, in one line.
pub(crate) fn as_toml(value: &Value) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
    match value {
        Value::Map(map) => {
            let entries = map.iter().map(|(name, value)| {
                let bare = !name.is_empty() && name.chars().all(bare);
                let name = if bare { name.clone() } else { as_toml(&name.as_str().into()) };
                format!("{name} = {}", as_toml(value))
            });
            format!("{{ {} }}", entries.collect::<Vec<_>>().join(", "))
        }
        Value::List(list) => {
            format!("[{}]", list.iter().map(as_toml).collect::<Vec<_>>().join(", "))
        }
        other => json::to_string(other),
    }
}

fn schedule(plan: &Plan) -> Vec<String> {
    let line = |i: &danso_vocab::Injection| {
        let start = match &i.start {
            Start::At(time) => format!("at {time}"),
            Start::OnLog { from, text, delay } => {
                format!("after {from}, {delay:?} behind \"{text}\"")
            }
        };
        let shape = i.fault.args.get("shape").map_or_else(String::new, |s| format!(" {s}"));
        format!("{} {}{shape} {} {start} for {:?}", i.id, i.fault.kind, i.fault.nodes, i.lasts)
    };
    plan.schedule.injections.iter().map(line).collect()
}
