//! `danso run`: launch, drive, break, heal, check, report.

use std::path::Path;
use std::time::{Duration, Instant};

use danso_engine::network::{self, Choice, NetworkError};
use danso_engine::progress::Interrupt;
use danso_vocab::{Plan, Results, Verdict, codec};

use crate::args::{RunArgs, TestArgs};
use crate::check::Budget;
use crate::exit::{Exit, usage};
use crate::launch::Launch;
use crate::load::Loaded;
use crate::parts::Parts;
use crate::spec::Spec;
use crate::suite::single;
use crate::{display, draw, github, judge};

/// Runs a test.
pub(crate) fn run(args: &RunArgs) -> anyhow::Result<Exit> {
    let budget = Budget::of(&args.limits)?;
    let plan = plan(&args.test)?;
    let parts = Parts::of(&plan)?;
    let hushed = github::Hushed::new()?;
    println!("{}", super::plan::headline(&plan));
    parts.target.fits().map_err(usage)?;
    for reason in &plan.left_out {
        println!("left out: {reason}");
    }
    // Before anything starts a thread: a rootless network moves this process.
    let choice: Choice = plan.network.parse().map_err(|e: NetworkError| usage(e.to_string()))?;
    let prepared = network::prepare(choice).map_err(|e| usage(e.to_string()))?;
    let watch = args.check_live.then(|| parts.watch(&budget)).transpose()?;
    let interrupt = Interrupt::default();
    listen_for_signals(&interrupt)?;
    let mut ended = Launch {
        plan: &plan,
        parts: &parts,
        exe: &std::env::current_exe()?,
        out: &args.out,
        budget: &budget,
        pcap: args.pcap,
        traffic: args.traffic,
        watch,
        interrupt,
        reproduce: reproduce(&plan),
        shown: true,
    }
    .run(&prepared)?;
    print_summary(&ended.loaded, &ended.results);
    ended.whole()?;
    println!("report      {}", ended.site.report().display());
    drop(hushed);
    let mut suite = single::of_run(&plan, &ended.loaded, &ended.results);
    suite.file = Some(args.test.test.clone()).filter(|file| file.ends_with(".toml"));
    github::tell(&suite)?;
    Ok(Exit::of(ended.results.verdict))
}

/// The plan asked for: drawn, or read from a plan.json.
fn plan(args: &TestArgs) -> anyhow::Result<Plan> {
    if Path::new(&args.test).extension().is_some_and(|e| e == "json") {
        let only_file = TestArgs { test: args.test.clone(), ..TestArgs::default() };
        if format!("{:?}", Typed(args)) != format!("{:?}", Typed(&only_file)) {
            return Err(usage("a plan.json is complete: it takes no further settings"));
        }
        let bytes = std::fs::read(&args.test).map_err(|e| usage(format!("{}: {e}", args.test)))?;
        return codec::plan::read(&bytes).map_err(|e| usage(format!("{}: {e}", args.test)));
    }
    let spec = Spec::of(args)?;
    let seed = match spec.seed {
        Some(seed) => seed,
        None => draw::fresh_seed()?,
    };
    draw::draw(&spec, seed)
}

/// What was typed, comparable.
struct Typed<'a>(&'a TestArgs);

impl std::fmt::Debug for Typed<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let a = self.0;
        let numbers = (a.seed, a.nodes, a.processes, a.rate);
        let words = (&a.workload, &a.faults, &a.time, &a.bug, &a.set, &a.network, &a.ip);
        write!(out, "{numbers:?} {words:?}")
    }
}

/// The first Ctrl-C (or SIGTERM) ends the run in good order, the second at once.
pub(crate) fn listen_for_signals(interrupt: &Interrupt) -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let interrupt = interrupt.clone();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        runtime.block_on(async move {
            let (Ok(mut int), Ok(mut term)) =
                (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
            else {
                return;
            };
            for round in 1.. {
                let name = tokio::select! {
                    _ = int.recv() => "SIGINT",
                    _ = term.recv() => "SIGTERM",
                };
                if round == 2 {
                    eprintln!("second {name}: stopping at once");
                    // Nodes and namespaces die with us; the history on disk is readable.
                    std::process::exit(255);
                }
                eprintln!("{name}: healing and stopping; once more to stop at once");
                interrupt.raise(name);
            }
        });
    })?;
    Ok(())
}

/// Prints what a person wants to know first.
pub(crate) fn print_summary(loaded: &Loaded, results: &Results) {
    let record = super::report::record(loaded, results, &[]);
    println!("{}", danso_reports::text(&record).trim_end());
    let expected = loaded.plan.as_ref().and_then(|plan| judge::expectation::outcome(plan, results));
    if let Some(words) = expected {
        println!("expected    {words}");
    }
    if results.verdict == Verdict::Unknown {
        println!("unknown is not valid: mend what is named above and run again");
    }
}

/// The command that does it again.
fn reproduce(plan: &Plan) -> String {
    let mut words: Vec<String> = std::env::args().skip(1).collect();
    let is_plan = words.iter().any(|w| w.ends_with(".json"));
    if !is_plan && !words.iter().any(|w| w == "--seed" || w.starts_with("--seed=")) {
        words.extend(["--seed".to_owned(), plan.seed.to_string()]);
    }
    display::shell(std::iter::once("danso").chain(words.iter().map(String::as_str)))
}

/// How long something took.
pub(crate) fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let since = Instant::now();
    (work(), since.elapsed())
}
