//! Making a plan small by running it: what `danso shrink --schedule` does.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use danso_engine::progress::Interrupt;
use danso_vocab::{Anomaly, History, Plan, Results, Value, Verdict};

use super::schedule::{Answer, described, in_milliseconds, minimize};
use super::test_file;
use crate::commands::{replay, run};
use crate::exit::{Exit, usage};
use crate::repeat::{Attempt, Rate, Repeat, anomalies};
use crate::{child, display, load, spec};

/// How to shrink a plan.
#[derive(Args)]
pub(crate) struct RerunArgs {
    /// With --schedule: how often a plan is tried. A smaller one is accepted if the anomaly recurs
    /// in more than half of the tries, or in as many as with the plan as it was, if that is less.
    #[arg(long, value_name = "N", default_value_t = 3, requires = "schedule",
          value_parser = clap::value_parser!(u32).range(1..))]
    tries: u32,
    /// With --schedule: how many runs tell how often the smallest plan shows the anomaly.
    #[arg(long, value_name = "N", default_value_t = 5, requires = "schedule",
          value_parser = clap::value_parser!(u32).range(1..))]
    confirm: u32,
    /// With --schedule: how long to look for a smaller plan, as in 5m; confirming comes after.
    #[arg(long, value_name = "TIME", default_value = "5m", requires = "schedule")]
    budget: String,
    /// With --schedule: where the test file goes.
    #[arg(long, value_name = "FILE.toml", default_value = "shrunk.toml", requires = "schedule")]
    test: PathBuf,
    /// With --schedule: where run folders go. Those in which the anomaly is gone are removed.
    #[arg(long, value_name = "DIR", default_value = "danso-runs", requires = "schedule")]
    runs: PathBuf,
}

/// Shrinks the plan of a run and writes a test file that draws to it.
///
/// # Errors
/// If the run has no plan or no anomaly, or the plan cannot be run here.
pub(crate) fn shrink(run: &Path, args: &RerunArgs) -> anyhow::Result<Exit> {
    let budget = spec::duration("--budget", &args.budget).map_err(usage)?;
    if args.test.extension().is_none_or(|extension| extension != "toml") {
        return Err(usage(format!("--test {}: test files end in .toml", args.test.display())));
    }
    let (original, results) = replay::planned(run)?;
    let results = results.ok_or_else(|| {
        let run = run.display();
        usage(format!("{run}: nobody knows what it showed; `danso report {run}` checks it again"))
    })?;
    let wanted = anomalies(&results);
    if wanted.is_empty() {
        let (run, verdict) = (run.display(), results.verdict);
        return Err(usage(format!("{run}: its verdict is {verdict}: there is no anomaly to keep")));
    }
    replay::runnable(&original, run)?;
    println!("{}", crate::commands::plan::headline(&original));
    println!("to recur    {}", wanted.iter().map(String::as_str).collect::<Vec<_>>().join(" or "));
    let interrupt = Interrupt::default();
    run::listen_for_signals(&interrupt)?;
    let out = replay::folder(&args.runs, "shrink", &original);
    let mut runner = Runner {
        wanted: &wanted,
        tries: args.tries,
        needed: args.tries,
        out: &out,
        interrupt: &interrupt,
        until: Instant::now() + budget,
        count: 0,
        recurred: None,
        accepted: Vec::new(),
    };
    let plan = in_milliseconds(&original);
    if !runner.begin(&plan)? {
        println!(
            "the plan as it is did not show it again in {} runs: raise --tries, or see how often \
             it does with `danso replay {}`",
            args.tries,
            display::shell([run.to_string_lossy().as_ref()])
        );
        return Ok(Exit::Unknown);
    }
    runner.until = Instant::now() + budget;
    let at = runner.recurred.as_ref().and_then(|(folder, names)| came_to_light(folder, names));
    let smallest = minimize(&plan, at, |plan| runner.answer(plan))?;
    let why = runner.over().map_or_else(String::new, |why| format!(" ({why})"));
    println!("smallest    {}{why}", described(&smallest));
    let Confirmed { plan: mut small, rate, folder } = runner.confirm(smallest, args.confirm)?;
    expect(&mut small, &wanted);
    let shown = shown(folder.as_deref().or(runner.recurred.as_ref().map(|(f, _)| f.as_path())));
    let heading = heading(&original, &small, &wanted, shown.as_deref(), rate, run);
    stored(&small, args, &heading)?;
    Ok(Exit::Invalid)
}

/// Runs plans and looks for the anomaly.
struct Runner<'a> {
    wanted: &'a BTreeSet<String>,
    tries: u32,
    /// In how many of them the anomaly must recur.
    needed: u32,
    out: &'a Path,
    interrupt: &'a Interrupt,
    until: Instant,
    count: u32,
    /// The last run folder in which it recurred, and what was found there.
    recurred: Option<(PathBuf, BTreeSet<String>)>,
    /// The plans with which it recurred, each smaller than the one before.
    accepted: Vec<Plan>,
}

impl Runner<'_> {
    /// Why no further plan is tried.
    fn over(&self) -> Option<&'static str> {
        if self.interrupt.raised().is_some() {
            return Some("interrupted: the best so far");
        }
        (Instant::now() >= self.until).then_some("the budget is spent: the best so far")
    }

    /// Runs the plan as it is; whether the anomaly recurs at all. How often it does sets what is
    /// asked of smaller plans: one that shows it by luck would lead astray.
    fn begin(&mut self, plan: &Plan) -> anyhow::Result<bool> {
        let found = self.tried(plan, true)?;
        self.needed = found.clamp(1, self.tries / 2 + 1);
        Ok(found > 0)
    }

    fn answer(&mut self, plan: &Plan) -> anyhow::Result<Answer> {
        if self.over().is_some() {
            return Ok(Answer::Over);
        }
        let found = self.tried(plan, false)?;
        Ok(match found >= self.needed {
            true => Answer::Recurs,
            false if self.interrupt.raised().is_some() => Answer::Over,
            false => Answer::Gone,
        })
    }

    /// In how many tries of a plan the anomaly recurs: of `all`, or of as many as it takes to know
    /// whether that is often enough.
    fn tried(&mut self, plan: &Plan, all: bool) -> anyhow::Result<u32> {
        self.count += 1;
        let out = self.out.join(format!("plan-{}", self.count));
        let (tries, interrupt) = (self.tries, self.interrupt);
        let repeat = Repeat { plan, times: tries, jobs: 1, out: &out, interrupt };
        let since = Instant::now();
        let found = |attempt: &Attempt| !attempt.anomalies().is_disjoint(self.wanted);
        let (hits, misses) = (AtomicU32::new(0), AtomicU32::new(0));
        let attempts = repeat.run(
            |_| {},
            |attempt| {
                let counted = if found(attempt) { &hits } else { &misses };
                counted.fetch_add(1, Ordering::Relaxed);
                let told = hits.load(Ordering::Relaxed) >= self.needed
                    || misses.load(Ordering::Relaxed) > tries - self.needed;
                told && !all
            },
        )?;
        let hit: Vec<&Attempt> = attempts.iter().filter(|attempt| found(attempt)).collect();
        let (what, runs) = (described(plan), attempts.len());
        let took = since.elapsed().as_secs_f64();
        let names: BTreeSet<String> = hit.iter().flat_map(|hit| hit.anomalies()).collect();
        let said: Vec<&str> = names.intersection(self.wanted).map(String::as_str).collect();
        // A plan that cannot be run shows nothing either; but if none can, somebody should know.
        let lost = attempts.iter().find(|attempt| attempt.ended.results.is_none());
        let why = lost.and_then(|attempt| attempt.ended.said.lines().last());
        let why = why.map_or_else(String::new, |why| format!("; {why}"));
        let often = hit.len() as u32;
        let word = if said.is_empty() { "gone".to_owned() } else { said.join(", ") };
        println!("  {what}: {word}, {often} of {runs} ({took:.1} s){why}");
        let folder = hit.first().and_then(|hit| hit.ended.folder.clone());
        match folder.filter(|_| often >= self.needed || all) {
            Some(folder) => {
                if let Some((before, _)) = self.recurred.replace((folder, names)) {
                    self.forget(&before);
                }
                self.accepted.push(plan.clone());
            }
            None => self.forget(&out),
        }
        Ok(often)
    }

    /// Removes run folders that nobody needs any more.
    fn forget(&self, folder: &Path) {
        let ours = folder.canonicalize().ok().zip(self.out.canonicalize().ok());
        let Some((folder, out)) = ours.filter(|(folder, out)| folder.starts_with(out)) else {
            return;
        };
        // The folder of the plan they are of.
        let plan = folder.ancestors().find(|above| above.parent() == Some(&out));
        if let Some(Err(error)) = plan.map(std::fs::remove_dir_all) {
            eprintln!("note: {}: {error}: remove it by hand", folder.display());
        }
    }

    /// How often the smallest plan shows the anomaly, and where it did. If that is too rarely for
    /// a test, the last steps are taken back.
    fn confirm(&mut self, smallest: Plan, times: u32) -> anyhow::Result<Confirmed> {
        let mut best = Confirmed { plan: smallest, rate: None, folder: None };
        self.accepted.pop_if(|last| *last == best.plan);
        let mut candidate = best.plan.clone();
        for step in 0..=TAKEN_BACK {
            let Some((rate, folder)) = self.confirmed(&candidate, times, step)? else { break };
            println!("recurs in   {rate}: {}", described(&candidate));
            if best.rate.is_none_or(|before| before.share() < rate.share()) {
                best = Confirmed { plan: candidate, rate: Some(rate), folder };
            }
            if rate.found * 2 >= rate.of {
                break;
            }
            let Some(before) = self.accepted.pop() else { break };
            println!("that is too rarely for a test: taking back the last step");
            candidate = before;
        }
        Ok(best)
    }

    /// How often a plan shows the anomaly, and where it did; `None` if interrupted.
    fn confirmed(
        &self,
        plan: &Plan,
        times: u32,
        step: usize,
    ) -> anyhow::Result<Option<(Rate, Option<PathBuf>)>> {
        if self.interrupt.raised().is_some() {
            return Ok(None);
        }
        let out = self.out.join(format!("confirmed-{}", step + 1));
        let repeat = Repeat { plan, times, jobs: 1, out: &out, interrupt: self.interrupt };
        let found = |names: &BTreeSet<String>| !names.is_disjoint(self.wanted);
        let shown = |attempt: &Attempt| {
            let word = if found(&attempt.anomalies()) { "recurred" } else { "gone" };
            println!("  confirming, run {} of {times}: {word}", attempt.number);
        };
        let attempts = repeat.run(shown, |_| false)?;
        let counted = attempts.iter().filter(|attempt| attempt.ended.results.is_some());
        let hits = || attempts.iter().filter(|attempt| found(&attempt.anomalies()));
        let rate = Rate { found: hits().count() as u32, of: counted.count() as u32 };
        Ok(Some((rate, hits().find_map(|attempt| attempt.ended.folder.clone()))))
    }
}

/// A plan that has been tried often enough.
struct Confirmed {
    plan: Plan,
    /// `None` if nobody had time to count.
    rate: Option<Rate>,
    /// A run folder in which the anomaly recurred.
    folder: Option<PathBuf>,
}

/// How many steps are taken back at most.
const TAKEN_BACK: usize = 5;

/// When the first of the anomalies had come to light, as the history of a run tells.
fn came_to_light(folder: &Path, wanted: &BTreeSet<String>) -> Option<Duration> {
    let loaded = load::load_run(folder).ok()?;
    let results = loaded.results.as_ref()?;
    let all = results.findings.iter().flat_map(|finding| &finding.anomalies);
    let named = all.filter(|anomaly| wanted.contains(&*anomaly.name));
    named.filter_map(|anomaly| ended(anomaly, &loaded.history)).min()
}

/// When the last operation of an anomaly had ended.
fn ended(anomaly: &Anomaly, history: &History) -> Option<Duration> {
    let ops = anomaly.ops.iter().filter_map(|id| history.op(*id));
    ops.filter_map(|op| op.res_time()).max().map(|time| time.since_start())
}

/// What must come of the test: of a planted bug that it is found, else that it is mended.
fn expect(plan: &mut Plan, wanted: &BTreeSet<String>) {
    let planted = plan.target.options.get("bug").is_some_and(|bug| *bug != Value::Nil);
    plan.expect.verdict = if planted { Verdict::Invalid } else { Verdict::Valid };
    plan.expect.anomalies = if planted { wanted.iter().cloned().collect() } else { Vec::new() };
}

/// The sentence of the anomaly in this run.
fn shown(folder: Option<&Path>) -> Option<String> {
    let results: Results = load::load_run(folder?).ok()?.results?;
    Some(results.reason)
}

fn heading(
    original: &Plan,
    small: &Plan,
    wanted: &BTreeSet<String>,
    sentence: Option<&str>,
    rate: Option<Rate>,
    run: &Path,
) -> Vec<String> {
    let names: Vec<&str> = wanted.iter().map(String::as_str).collect();
    let day = jiff::Timestamp::now().strftime("%Y-%m-%d");
    let folder = run.canonicalize().unwrap_or_else(|_| run.to_owned());
    let name = folder.file_name().map(|name| name.to_string_lossy().into_owned());
    let mut lines = vec![match sentence {
        Some(sentence) => format!("{}: {sentence}.", names.join(", ")),
        None => format!("{}.", names.join(", ")),
    }];
    lines.push(format!(
        "Made by danso shrink on {day} from the run {} (seed {}): {} became {}.",
        name.unwrap_or_default(),
        original.seed,
        described(original),
        described(small)
    ));
    lines.push(match rate {
        Some(rate) => format!("It then recurred in {rate}."),
        None => "Interrupted before anybody counted how often it recurs.".to_owned(),
    });
    lines
}

/// Writes the test file, or, where that cannot say it, the plan.
fn stored(small: &Plan, args: &RerunArgs, heading: &[String]) -> anyhow::Result<()> {
    match test_file::write(small, &args.test, heading) {
        Ok(text) => {
            load::write_whole(&args.test, text.as_bytes())?;
            println!("test file   {}", args.test.display());
            println!(
                "run         {}",
                display::shell(["danso", "run", &args.test.to_string_lossy()])
            );
        }
        Err(why) => {
            let file = args.test.with_extension("json");
            child::write_plan(small, &file)?;
            println!("note: no test file: {why:#}");
            if let Some(dir) = small.target.options.get("dir").and_then(Value::str) {
                println!(
                    "note: its paths begin at {dir}: a test file in there could say it (--test)"
                );
            }
            println!("plan        {}", file.display());
            println!("run         {}", display::shell(["danso", "run", &file.to_string_lossy()]));
        }
    }
    Ok(())
}
