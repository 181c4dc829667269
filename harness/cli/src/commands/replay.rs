//! `danso replay`: the plan of a run again, to see how often its anomaly comes back.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use clap::Args;
use danso_engine::progress::Interrupt;
use danso_vocab::{Plan, Results, codec};
use serde_json::json;

use crate::exit::{Exit, usage};
use crate::parts::Parts;
use crate::repeat::{Attempt, Rate, Repeat, anomalies};

/// Examples of `--help`.
pub(crate) const EXAMPLES: &str = "\
Examples:
  danso replay danso-runs/latest               the same plan five times
  danso replay danso-runs/latest -n 20 --jobs 2
  danso replay danso-runs/latest --until-found

Clusters are real: the plan fixes what is asked and what breaks, not how processes interleave.
Exit codes: of the worst verdict among the runs.";

/// What to replay, and how often.
#[derive(Args)]
pub(crate) struct ReplayArgs {
    /// A run folder, or the plan.json of one.
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// How many runs.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 5,
          value_parser = clap::value_parser!(u32).range(1..))]
    times: u32,
    /// Runs at once. More than one makes each slower, and changes what is likely.
    #[arg(long, value_name = "N", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(1..))]
    jobs: u32,
    /// Stop after the first run that shows the anomaly again; any, if RUN showed none.
    #[arg(long)]
    until_found: bool,
    /// Where run folders go.
    #[arg(long, value_name = "DIR", default_value = "danso-runs")]
    out: PathBuf,
    /// Print results as JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the plan again.
pub(crate) fn replay(args: &ReplayArgs) -> anyhow::Result<Exit> {
    let (plan, original) = planned(&args.run)?;
    runnable(&plan, &args.run)?;
    let wanted = original.as_ref().map(anomalies).unwrap_or_default();
    if !args.json {
        println!("{}", super::plan::headline(&plan));
        println!("{}", before(original.as_ref(), &wanted));
    }
    let interrupt = Interrupt::default();
    super::run::listen_for_signals(&interrupt)?;
    let out = folder(&args.out, "replay", &plan);
    let found = |attempt: &Attempt| {
        let names = attempt.anomalies();
        if wanted.is_empty() { !names.is_empty() } else { !names.is_disjoint(&wanted) }
    };
    let repeat = Repeat {
        plan: &plan,
        times: args.times,
        jobs: args.jobs,
        out: &out,
        interrupt: &interrupt,
    };
    let shown = |attempt: &Attempt| {
        if !args.json {
            println!("{}", line(attempt, args.times));
        }
    };
    let attempts = repeat.run(shown, |attempt| args.until_found && found(attempt))?;
    let rates = rates(&attempts, &wanted);
    if args.json {
        println!("{:#}", as_json(&attempts, &rates, &out));
    } else {
        summary(&rates, &attempts).iter().for_each(|line| println!("{line}"));
        if let Some(why) = interrupt.raised() {
            println!("interrupted {why}: {} of {} runs were made", attempts.len(), args.times);
        }
    }
    let worst = attempts.iter().map(exit).max();
    worst.ok_or_else(|| anyhow::anyhow!("interrupted before the first run ended"))
}

/// The plan of a run folder, or a plan.json, and what came of it, where that is known.
pub(crate) fn planned(run: &Path) -> anyhow::Result<(Plan, Option<Results>)> {
    let read = |file: &Path, mend: &str| {
        std::fs::read(file).map_err(|e| usage(format!("{}: {e}; {mend}", file.display())))
    };
    let file = match run.is_dir() {
        true => run.join("plan.json"),
        false => run.to_owned(),
    };
    let bytes = read(&file, "name a run folder, or its plan.json")?;
    let place = |e: codec::ReadError| usage(format!("{}: {e}", file.display()));
    let plan = codec::plan::read(&bytes).map_err(place)?;
    let results = run.join("results.json");
    let results = match results.is_file() {
        true => {
            let bytes = read(&results, "make it readable, or remove it")?;
            let place = |e: codec::ReadError| usage(format!("{}: {e}", results.display()));
            Some(codec::results::read(&bytes).map_err(place)?)
        }
        false => None,
    };
    Ok((plan, results))
}

/// Fails if this danso cannot run a plan.
pub(crate) fn runnable(plan: &Plan, run: &Path) -> anyhow::Result<()> {
    let parts = Parts::of(plan).map_err(|e| e.context(run.display().to_string()))?;
    parts.target.fits().map_err(usage)
}

/// A folder of this command's own.
pub(crate) fn folder(out: &Path, what: &str, plan: &Plan) -> PathBuf {
    let stamp = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
    out.join(format!("{what}-{stamp}-{}", plan.seed))
}

fn before(original: Option<&Results>, wanted: &BTreeSet<String>) -> String {
    match original {
        None => "before: no results were stored".to_owned(),
        Some(results) if wanted.is_empty() => format!("before: {}", results.verdict),
        Some(results) => format!("before: {}, {}", results.verdict, listed(wanted)),
    }
}

fn listed(names: &BTreeSet<String>) -> String {
    names.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

/// How a run ended, for the shell.
fn exit(attempt: &Attempt) -> Exit {
    match (attempt.ended.code, &attempt.ended.results) {
        (Some(254), _) => Exit::Usage,
        (Some(0..=2), Some(results)) => Exit::of(results.verdict),
        _ => Exit::Internal,
    }
}

/// A run in a line.
fn line(attempt: &Attempt, times: u32) -> String {
    let (number, ended) = (attempt.number, &attempt.ended);
    let seconds = ended.took.as_secs_f64();
    let cut = ended.cut.map_or_else(String::new, |why| format!(", {why}"));
    let head = format!("run {number} of {times}: {seconds:.1} s{cut}: ");
    match (&ended.results, &ended.folder) {
        (Some(results), Some(folder)) => {
            let names = attempt.anomalies();
            let found =
                if names.is_empty() { String::new() } else { format!(" {}", listed(&names)) };
            let report = folder.join("report.html");
            format!("{head}{}{found}  {}", results.verdict, report.display())
        }
        _ => {
            format!("{head}no results: {}", ended.said.lines().last().unwrap_or("it said nothing"))
        }
    }
}

/// How often each anomaly was found; those of the original are there even if never.
fn rates(attempts: &[Attempt], wanted: &BTreeSet<String>) -> BTreeMap<String, Rate> {
    let of = decided(attempts).count() as u32;
    let mut rates: BTreeMap<_, _> =
        wanted.iter().map(|name| (name.clone(), Rate { found: 0, of })).collect();
    for name in decided(attempts).flat_map(Attempt::anomalies) {
        rates.entry(name).or_insert(Rate { found: 0, of }).found += 1;
    }
    rates
}

/// The runs that came to an answer.
fn decided(attempts: &[Attempt]) -> impl Iterator<Item = &Attempt> {
    attempts.iter().filter(|attempt| attempt.ended.results.is_some())
}

fn any(attempts: &[Attempt]) -> Rate {
    let found = decided(attempts).filter(|attempt| !attempt.anomalies().is_empty()).count() as u32;
    Rate { found, of: decided(attempts).count() as u32 }
}

fn summary(rates: &BTreeMap<String, Rate>, attempts: &[Attempt]) -> Vec<String> {
    let mut lines: Vec<String> =
        rates.iter().map(|(name, rate)| format!("{name} in {rate}")).collect();
    if rates.len() != 1 {
        lines.push(format!("any anomaly in {}", any(attempts)));
    }
    let lost = attempts.len() - decided(attempts).count();
    if lost > 0 {
        lines.push(format!("not counted, for they have no results: {lost} of {}", attempts.len()));
    }
    lines
}

fn as_json(attempts: &[Attempt], rates: &BTreeMap<String, Rate>, out: &Path) -> serde_json::Value {
    let rate = |rate: Rate| {
        let (low, high) = rate.interval();
        json!({ "runs": rate.found, "of": rate.of, "share": rate.share(), "low": low, "high": high })
    };
    let run = |attempt: &Attempt| {
        let ended = &attempt.ended;
        let word = ended.results.as_ref().map(|results| results.verdict.word());
        json!({
            "run": attempt.number,
            "verdict": word,
            "anomalies": attempt.anomalies(),
            "exit": ended.code,
            "cut": ended.cut,
            "seconds": ended.took.as_secs_f64(),
            "folder": ended.folder,
            "said": if word.is_none() { Some(&ended.said) } else { None },
        })
    };
    let rates: BTreeMap<_, _> = rates.iter().map(|(name, r)| (name, rate(*r))).collect();
    json!({
        "format": 1,
        "plan": out.join("plan.json"),
        "runs": attempts.iter().map(run).collect::<Vec<_>>(),
        "anomalies": rates,
        "any": rate(any(attempts)),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use danso_vocab::{Anomaly, Finding, Verdict};

    use super::*;
    use crate::child::Ended;

    fn attempt(number: u32, names: &[&'static str], code: i32) -> Attempt {
        let anomaly = |name: &&'static str| Anomaly {
            name: (*name).into(),
            key: None,
            ops: Vec::new(),
            because: String::new(),
            explain: Vec::new(),
            figure: None,
        };
        let verdict = if names.is_empty() { Verdict::Valid } else { Verdict::Invalid };
        let found = (!names.is_empty())
            .then(|| Finding::invalid("linearizable", names.iter().map(anomaly).collect()));
        let results =
            Results { verdict, findings: found.into_iter().collect(), ..Results::default() };
        let ended = Ended {
            code: Some(code),
            cut: None,
            folder: None,
            results: (code < 254).then_some(results),
            said: "error: no such thing".to_owned(),
            took: Duration::from_secs(1),
        };
        Attempt { number, ended }
    }

    #[test]
    fn what_recurred_is_counted_by_name() {
        let attempts = [
            attempt(1, &["stale-read", "stale-read"], 1),
            attempt(2, &[], 0),
            attempt(3, &["lost-write", "stale-read"], 1),
            attempt(4, &[], 255),
        ];
        let wanted = BTreeSet::from(["stale-read".to_owned(), "thin-air".to_owned()]);
        let lines = summary(&rates(&attempts, &wanted), &attempts);
        assert!(lines[0].starts_with("lost-write in 1 of 3 runs (33 %"), "{lines:?}");
        assert!(lines[1].starts_with("stale-read in 2 of 3 runs (67 %"), "{lines:?}");
        assert!(lines[2].starts_with("thin-air in 0 of 3 runs (0 %"), "{lines:?}");
        assert!(lines[3].starts_with("any anomaly in 2 of 3 runs"), "{lines:?}");
        assert!(lines[4].ends_with("no results: 1 of 4"), "{lines:?}");
        assert!(line(&attempts[3], 4).ends_with("no results: error: no such thing"));
    }

    #[test]
    fn the_worst_run_decides_the_exit() {
        let worst = |runs: &[Attempt]| runs.iter().map(exit).max();
        let (bad, good, broken) =
            (attempt(1, &["stale-read"], 1), attempt(2, &[], 0), attempt(3, &[], 255));
        assert_eq!(worst(&[good]), Some(Exit::Valid));
        assert_eq!(worst(&[attempt(1, &[], 0), bad]), Some(Exit::Invalid));
        assert_eq!(worst(&[broken, attempt(2, &["x"], 1)]), Some(Exit::Internal));
    }
}
