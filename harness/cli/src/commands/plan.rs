//! `danso plan`: what a run would do.

use std::io::Write;

use danso_vocab::{Plan, Start, codec};

use crate::args::PlanArgs;
use crate::draw;
use crate::exit::Exit;
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
