//! `danso check`: histories recorded by anything.

use std::path::Path;

use danso_checkers::checks::{self, CHECKS};
use danso_checkers::linearizable::{Algorithm, Linearizability};
use danso_checkers::models::{self, MODELS};
use danso_vocab::codec::history::Format;
use danso_vocab::{Checker, Value, codec};

use crate::args::{AlgorithmArg, CheckArgs};
use crate::check::Budget;
use crate::exit::{Exit, usage};
use crate::launch;
use crate::load::{self, Loaded};
use crate::spec::no_such;
use crate::{certificate, check as checking, display, judge};

/// Checks each history; answers with the worst exit.
pub(crate) fn check(args: &CheckArgs) -> anyhow::Result<Exit> {
    let budget = Budget::of(&args.limits)?;
    let model = args.model.as_deref().map(find).transpose()?;
    let given = args.initial.as_deref().map(initial).transpose()?;
    if args.certificate.is_some() && args.histories.len() > 1 {
        return Err(usage("--certificate takes one history"));
    }
    if args.report.is_some() && args.histories.len() > 1 {
        return Err(usage("--report takes one history"));
    }
    let mut worst = Exit::Valid;
    for path in &args.histories {
        let exit = match check_one(path, args, &budget, model, given.as_ref()) {
            Ok(exit) => exit,
            // One bad file among many must not hide the others' verdicts.
            Err(error) if args.histories.len() > 1 => {
                display::error(&error);
                crate::exit::of_error(&error)
            }
            Err(error) => return Err(error),
        };
        worst = worst.max(exit);
    }
    Ok(worst)
}

/// What `--model` names.
#[derive(Clone, Copy)]
enum Named {
    /// An object that must be linearizable.
    Model(fn(Value) -> Box<dyn Linearizability>),
    /// Anything else.
    Check(fn(Value) -> Box<dyn Checker>),
}

fn names() -> Vec<&'static str> {
    MODELS.iter().map(|m| m.name).chain(CHECKS.iter().map(|c| c.name)).collect()
}

fn find(name: &str) -> anyhow::Result<Named> {
    let model = models::find(name).map(|model| Named::Model(model.checker));
    let named = model.or_else(|| checks::find(name).map(|check| Named::Check(check.checker)));
    named.ok_or_else(|| usage(no_such("model", name, &names())))
}

impl Named {
    fn checker(self, initial: Value, algorithm: Algorithm) -> Box<dyn Checker> {
        match self {
            Named::Model(make) => {
                let mut checker = make(initial);
                checker.decide_by(algorithm);
                checker
            }
            Named::Check(make) => make(initial),
        }
    }
}

impl From<AlgorithmArg> for Algorithm {
    fn from(arg: AlgorithmArg) -> Self {
        match arg {
            AlgorithmArg::Auto => Algorithm::Auto,
            AlgorithmArg::Search => Algorithm::Search,
            AlgorithmArg::Polynomial => Algorithm::Polynomial,
            AlgorithmArg::Both => Algorithm::Both,
        }
    }
}

/// The value `--initial` gives.
pub(super) fn initial(text: &str) -> anyhow::Result<Value> {
    if text == "nil" {
        return Ok(Value::Nil);
    }
    codec::json::from_str(text)
        .map_err(|e| usage(format!("--initial {text}: {e}; write it as JSON, as in 0 or \"x\"")))
}

/// What an object begins with where nobody says: Porcupine's keys with empty text, Knossos'
/// registers with 0 where there are several, everything else with nil.
pub(super) fn usual(model: Option<&str>, loaded: &Loaded) -> (Value, Option<&'static str>) {
    match (loaded.format, model) {
        (Format::Kv, _) => ("".into(), Some("keys begin with empty text; --initial overrides")),
        (_, Some("multi-register")) => {
            (0.into(), Some("registers begin with 0; --initial overrides"))
        }
        _ => (Value::Nil, None),
    }
}

fn check_one(
    path: &Path,
    args: &CheckArgs,
    budget: &Budget,
    model: Option<Named>,
    given: Option<&Value>,
) -> anyhow::Result<Exit> {
    let mut loaded = load::load_as(path, &args.read)?;
    let initial = &match given {
        Some(given) => given.clone(),
        None => {
            let (initial, notice) = usual(args.model.as_deref(), &loaded);
            loaded.notices.extend(notice.map(str::to_owned));
            initial
        }
    };
    let (mut results, took) = super::run::timed(|| match (model, &loaded.plan) {
        (Some(checker), plan) => {
            let checkers = [checker.checker(initial.clone(), args.algorithm.into())];
            let findings = checking::check(&loaded.history, &checkers, budget);
            Ok(judge::judge(&loaded.history, plan.as_ref(), &[], findings, None))
        }
        (None, Some(_)) => launch::judged_again(&loaded, budget),
        (None, None) => Err(usage(format!(
            "{}: what is this a history of? say --model {}",
            loaded.name,
            names().join(" or --model ")
        ))),
    });
    if let Ok(results) = &mut results {
        let words: Vec<String> = std::env::args().skip(1).collect();
        results.reproduce =
            display::shell(std::iter::once("danso").chain(words.iter().map(String::as_str)));
        results.environment = super::doctor::machine();
    }
    let results = results?;
    if args.json {
        print!("{}", String::from_utf8_lossy(&codec::results::write(&results)));
    } else {
        print(&loaded, &results, took);
    }
    if let Some(file) = &args.report {
        let html = super::report::html(&loaded, &results)?;
        std::fs::write(file, html)
            .map_err(|e| usage(format!("--report {}: {e}", file.display())))?;
    }
    let exit = Exit::of(results.verdict);
    let Some(file) = &args.certificate else { return Ok(exit) };
    let model = args.model.as_deref();
    Ok(exit.max(certificate::write(file, &loaded, model, initial, &results, budget)?))
}

fn print(loaded: &Loaded, results: &danso_vocab::Results, took: std::time::Duration) {
    println!("{}: {} operations, checked in {took:.2?}", loaded.name, loaded.history.len());
    for notice in &loaded.notices {
        println!("note: {notice}");
    }
    super::run::print_summary(loaded, results);
}
