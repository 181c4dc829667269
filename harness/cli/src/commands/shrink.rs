//! `danso shrink`: the few operations of a history that prove the violation.

use std::path::{Path, PathBuf};

use clap::Args;
use danso_checkers::checks;
use danso_checkers::models::{self, MODELS};
use danso_checkers::shrink::{Refusal, Without};
use danso_vocab::Value;
use danso_vocab::certificate::Certifier;
use serde_json::json;

use crate::args::{LimitArgs, ReadArgs};
use crate::check::Budget;
use crate::exit::{Exit, usage};
use crate::load::{self, Loaded};
use crate::parts::exam;
use crate::shrink::history::{Small, small};
use crate::shrink::rerun::{self, RerunArgs};
use crate::spec::no_such;
use crate::{display, judge};

/// Examples of `--help`.
pub(crate) const EXAMPLES: &str = "\
Examples:
  danso shrink danso-runs/latest
  danso shrink history.edn --model cas-register --out small.jsonl --report small.html
  danso shrink danso-runs/latest --schedule --budget 5m --test ci/regressions/my-bug.toml

Without --schedule no cluster is started: the recorded history is made smaller. With it the plan
is: it is run again and again, with fewer and shorter faults, less time and fewer clients, as long
as the anomaly recurs; then a test file is written. Ctrl-C keeps the best so far.

Exit codes: of the verdict on the history: 1 if it is invalid and was shrunk, 0 if it is valid
and there is nothing to shrink, 2 if nobody knows.";

/// What to shrink, and how.
#[derive(Args)]
pub(crate) struct ShrinkArgs {
    /// A history in any known format, or a run folder; `-` is standard input.
    #[arg(value_name = "HISTORY|RUN")]
    history: PathBuf,
    /// What the history is of (see `danso list models`). A run folder knows by itself.
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// The object's value before the first operation, as JSON. Without it as `danso check` has it.
    #[arg(long, value_name = "VALUE")]
    initial: Option<String>,
    #[command(flatten)]
    read: ReadArgs,
    /// Where the small history goes.
    #[arg(long, value_name = "FILE", default_value = "shrunk.jsonl")]
    out: PathBuf,
    /// Write a report of it here.
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,
    /// Print results as JSON.
    #[arg(long)]
    json: bool,
    /// Shrink the run's plan instead, by running it again with less of everything.
    #[arg(long, conflicts_with_all = ["model", "initial", "out", "report", "json"])]
    schedule: bool,
    #[command(flatten)]
    rerun: RerunArgs,
    #[command(flatten)]
    limits: LimitArgs,
}

/// Shrinks a history.
pub(crate) fn shrink(args: &ShrinkArgs) -> anyhow::Result<Exit> {
    if args.schedule {
        return rerun::shrink(&args.history, &args.rerun);
    }
    let budget = Budget::of(&args.limits)?;
    let mut loaded = load::load_as(&args.history, &args.read)?;
    let model = model(args, &loaded)?;
    let (usual, notice) = super::check::usual(Some(model), &loaded);
    let initial = match &args.initial {
        Some(text) => super::check::initial(text)?,
        None => {
            loaded.notices.extend(notice.map(str::to_owned));
            usual
        }
    };
    let spec = models::find(model).ok_or_else(|| unknown_model(model))?;
    let checker = (spec.checker)(initial);
    let (made, took) = super::run::timed(|| small(&loaded.history, &*checker, &budget));
    let small = match made? {
        Ok(small) => small,
        Err(Refusal::Valid) => {
            println!("{}: it is valid, so there is nothing to shrink", loaded.name);
            return Ok(Exit::Valid);
        }
        Err(Refusal::Unknown(why)) => {
            println!("{}: nobody knows whether it is valid: {why}", loaded.name);
            return Ok(Exit::Unknown);
        }
        Err(Refusal::Whole(why)) => {
            println!("{}: it is invalid, but cannot be shrunk: {why}", loaded.name);
            return Ok(Exit::Invalid);
        }
    };
    load::write_whole(&args.out, &small.file)?;
    if args.json {
        println!("{:#}", as_json(&small, &args.out));
    } else {
        print(&loaded, &small, took, args, model);
    }
    if let Some(file) = &args.report {
        std::fs::write(file, report(args, small)?)
            .map_err(|e| usage(format!("--report {}: {e}", file.display())))?;
    }
    Ok(Exit::Invalid)
}

/// The model to shrink by: named, or that of the run's workload.
fn model<'a>(args: &'a ShrinkArgs, loaded: &Loaded) -> anyhow::Result<&'a str> {
    match (args.model.as_deref(), &loaded.plan) {
        (Some(name), _) if models::find(name).is_some() => Ok(name),
        (Some(name), _) if checks::find(name).is_some() => Err(unshrinkable(name)),
        (Some(name), _) => Err(unknown_model(name)),
        (None, Some(plan)) => {
            let (workload, params) = exam(plan)?;
            let checkers = (workload.checkers)(&params);
            let mut models = checkers.iter().filter_map(|c| c.certifier()).map(Certifier::model);
            let known = models.find(|name| models::find(name).is_some());
            known.ok_or_else(|| unshrinkable(&plan.workload.name))
        }
        (None, None) => {
            let known: Vec<_> = MODELS.iter().map(|model| model.name).collect();
            Err(usage(format!(
                "{}: what is this a history of? say --model {}",
                loaded.name,
                known.join(" or --model ")
            )))
        }
    }
}

fn unknown_model(name: &str) -> anyhow::Error {
    let known: Vec<_> = MODELS.iter().map(|model| model.name).collect();
    usage(no_such("model", name, &known))
}

/// Why histories that are not decided by linearizability stay as they are.
fn unshrinkable(what: &str) -> anyhow::Error {
    usage(format!(
        "{what} cannot be shrunk: what its checker finds is about all operations at once, and a \
         part of them would break promises that the whole keeps; only histories of linearizable \
         objects can (danso list models), and a run's schedule of faults (--schedule)"
    ))
}

fn print(
    loaded: &Loaded,
    small: &Small,
    took: std::time::Duration,
    args: &ShrinkArgs,
    model: &str,
) {
    println!("{}: {} operations", loaded.name, loaded.history.len());
    for notice in &loaded.notices {
        println!("note: {notice}");
    }
    if small.shift > 0 {
        println!("note: in the small history they are numbered one higher");
    }
    if !small.timed {
        println!("note: there are no times; those in the small history only keep the order");
    }
    let Some(anomaly) = small.anomaly() else { return };
    let on = anomaly.key.as_ref().map_or_else(String::new, |key| format!(" on {key}"));
    let (left, of, tried) = (small.history.len(), small.shrunk.of, small.shrunk.tried);
    println!(
        "{}{on}: {left} of {of} operations show it ({tried} parts checked in {took:.2?})",
        anomaly.name
    );
    for line in small.lines() {
        println!("  {line}");
    }
    println!("{}", anomaly.because);
    for line in &anomaly.explain {
        println!("  {line}");
    }
    println!("minimal     {}", small.claim());
    println!("shrunk      {}", args.out.display());
    let file = args.out.to_string_lossy();
    let mut words = vec!["danso", "check", &file, "--model", model];
    if let Some(initial) = &args.initial {
        words.extend(["--initial", initial]);
    }
    println!("check       {}", display::shell(words));
}

fn as_json(small: &Small, out: &Path) -> serde_json::Value {
    let anomaly = &small.shrunk.anomaly;
    let without = |without: &Without| match without {
        Without::Valid => json!("valid"),
        Without::Unfounded => json!("unfounded"),
        Without::Other(name) => json!({ "invalid": name }),
        Without::Unknown(why) => json!({ "unknown": why }),
    };
    let each = small.shrunk.each.iter().map(|(id, w)| (id.0.to_string(), without(w)));
    json!({
        "format": 1,
        "verdict": "invalid",
        "anomaly": anomaly.name,
        "key": anomaly.key.as_ref().map(Value::to_string),
        "because": anomaly.because,
        "operations": small.history.len(),
        "of": small.shrunk.of,
        "parts-checked": small.shrunk.tried,
        "minimal": !small.shrunk.each.is_empty(),
        "without": each.collect::<serde_json::Map<_, _>>(),
        "numbers-shifted-by": small.shift,
        "file": out,
    })
}

/// The report of the small history.
fn report(args: &ShrinkArgs, small: Small) -> anyhow::Result<String> {
    let mut results = judge::judge(&small.history, None, &[], vec![small.finding], None);
    let words: Vec<String> = std::env::args().skip(1).collect();
    results.reproduce =
        display::shell(std::iter::once("danso").chain(words.iter().map(String::as_str)));
    results.environment = super::doctor::machine();
    let loaded = Loaded {
        name: args.out.display().to_string(),
        history: small.history,
        format: danso_vocab::codec::history::Format::Jsonl,
        plan: None,
        results: None,
        site: None,
        notices: Vec::new(),
    };
    super::report::html(&loaded, &results)
}
