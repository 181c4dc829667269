//! `danso run`: launch, drive, break, heal, check, report.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use danso_engine::means::{Means, Need};
use danso_engine::nemesis::{self, Ground};
use danso_engine::network::{
    self, Ability, Backend, Choice, Ip, Network, NetworkError, Shortfall, Spec as NetworkSpec,
};
use danso_engine::progress::{Interrupt, Monitor};
use danso_engine::run::Generators;
use danso_engine::site::Site;
use danso_engine::{Facts, RunError, Setup, target::Target};
use danso_vocab::{NodeId, ParamError, Params, Plan, Results, Verdict, Workload, codec};

use crate::args::{RunArgs, TestArgs};
use crate::check::Budget;
use crate::exit::{Exit, usage};
use crate::load::Loaded;
use crate::spec::Spec;
use crate::watch::Watch;
use crate::{check, display, draw, judge, load};

/// Runs a test.
pub(crate) fn run(args: &RunArgs) -> anyhow::Result<Exit> {
    let budget = Budget::of(&args.limits)?;
    let plan = plan(&args.test)?;
    let parts = Parts::of(&plan)?;
    println!("{}", super::plan::headline(&plan));
    parts.target.fits().map_err(usage)?;
    for reason in &plan.left_out {
        println!("left out: {reason}");
    }
    // Before anything starts a thread: a rootless network moves this process.
    let choice: Choice = plan.network.parse().map_err(|e: NetworkError| usage(e.to_string()))?;
    let prepared = network::prepare(choice).map_err(|e| usage(e.to_string()))?;
    let watch = args.check_live.then(|| parts.watch(&budget)).transpose()?;
    let site = site(&args.out, &plan)?;
    start_log(&site)?;
    for note in &prepared.notes {
        println!("network: {note}");
    }
    let interrupt = Interrupt::default();
    listen_for_signals(&interrupt)?;
    let nodes = NodeId::all(plan.target.nodes());
    let ports = parts.target.ports().to_vec();
    fits(&plan, &parts, prepared.backend)?;
    let mut spec = NetworkSpec::new(nodes, ports);
    if plan.ipv6 {
        spec.ip = Ip::V6;
    }
    spec.seed = danso_vocab::Rng::new(plan.seed).split("network").seed();
    spec.capture = args.pcap.then(|| site.root().join("nodes"));
    spec.traffic = args.traffic.then(|| site.root().join("traffic.jsonl"));
    let network = match parts.target.hosts() {
        Some(hosts) => hosts.open(&spec)?,
        None => prepared.open(&spec)?,
    };
    let about = network.describe();
    println!("network: {}: {about}", network.backend().word());
    let carrier = network.clone();
    let facts = match execute(&plan, &parts, &site, network, &interrupt, watch.as_ref()) {
        Ok(facts) => Some(facts),
        // A history that is cut off is still worth checking; the exit tells that it is.
        Err(RunError::Recording(_)) => None,
        Err(error) => return Err(error).with_context(|| site.root().display().to_string()),
    };
    let watched = watch.map(Watch::finish);
    watched.iter().for_each(|said| println!("live check  {said}"));
    println!("checking…");
    // What ended the run may have kept the history from saying so.
    let (loaded, mut results) = conclude(&site, &budget, interrupt.raised())?;
    results.environment = environment(&about, carrier.backend(), facts.as_ref());
    let shortfall = carrier.shortfall();
    if shortfall != Shortfall::default() {
        results.environment.insert("not carried".to_owned(), shortfall.to_string());
    }
    if let (Some(opened), Some(facts)) = (carrier.opened(), &facts) {
        let ahead = facts.base.saturating_duration_since(opened).as_nanos();
        let said = format!("times count from {ahead} ns before time 0 of the history");
        results.environment.insert("traffic.jsonl".to_owned(), said);
    }
    drop(carrier);
    if let Some(said) = watched {
        results.environment.insert("live check".to_owned(), said);
    }
    results.reproduce = reproduce(&plan);
    let stored = store(&site, &loaded, &results);
    print_summary(&loaded, &results);
    if facts.is_none() {
        let why = results.interrupted.unwrap_or_default();
        anyhow::bail!("{}: {why}; free some space and run again", site.history().display());
    }
    stored?;
    println!("report      {}", site.report().display());
    Ok(Exit::of(results.verdict))
}

/// Fails if this machine cannot do what a plan asks for, which may have been drawn elsewhere.
fn fits(plan: &Plan, parts: &Parts, backend: Backend) -> anyhow::Result<()> {
    let means = Means::of(backend, &*parts.target);
    if plan.ipv6 {
        let have = means.have(Need::Link(Ability::Ipv6));
        have.map_err(|e| usage(format!("ip = v6: {e}")))?;
    }
    let nodes = NodeId::all(plan.target.nodes());
    let ground = Ground { nodes: &nodes, means: &means, load: plan.load.time };
    for injection in &plan.schedule.injections {
        let fault = &injection.fault;
        let nemesis =
            nemesis::find(&fault.kind).ok_or_else(|| usage(nemesis::unknown_kind(&fault.kind)))?;
        let args = fault.args.map().cloned().unwrap_or_default();
        nemesis::available(nemesis, &args, &ground)
            .map_err(|e| usage(format!("{}: {e}", injection.id)))?;
    }
    Ok(())
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

/// What a plan's history is judged by. Needs nothing of the machine that made it.
///
/// # Errors
/// If its workload is unknown here.
pub(crate) fn exam(plan: &Plan) -> anyhow::Result<(&'static Workload, Params)> {
    let workload = draw::workload(&plan.workload.name).map_err(usage)?;
    Ok((workload, Params::stored(plan.workload.params.clone())))
}

/// What a plan's names stand for.
pub(crate) struct Parts {
    pub(crate) target: Arc<dyn Target>,
    pub(crate) workload: &'static Workload,
    pub(crate) params: Params,
}

impl Parts {
    /// Looks a plan's names up.
    ///
    /// # Errors
    /// If one is unknown here, or its settings make no sense.
    pub(crate) fn of(plan: &Plan) -> anyhow::Result<Parts> {
        let target = draw::recipe(&plan.target).map_err(usage)?;
        let (workload, params) = exam(plan)?;
        let nodes = plan.target.nodes();
        let seat = danso_vocab::Seat { worker: 0, workers: plan.load.workers(), nodes };
        let sane = |e: ParamError| usage(format!("{}: {e}", workload.name));
        (workload.generator)(&params, seat).map_err(sane)?;
        (workload.closing)(&params, seat).map_err(sane)?;
        Ok(Parts { target, workload, params })
    }

    /// Watches the history with the workload's checkers.
    ///
    /// # Errors
    /// If none of them can.
    fn watch(&self, budget: &Budget) -> anyhow::Result<Watch> {
        let checkers = (self.workload.checkers)(&self.params);
        let watch = Watch::start(checkers, budget)?;
        watch.ok_or_else(|| {
            let name = self.workload.name;
            usage(format!("--check-live: no checker of the workload `{name}` can check live"))
        })
    }

    fn generators(&self, closing: bool) -> Generators {
        let make = if closing { self.workload.closing } else { self.workload.generator };
        let params = self.params.clone();
        Box::new(move |seat| make(&params, seat).expect("settings were tried when planning"))
    }
}

/// Runs the plan with progress on screen.
pub(crate) fn execute(
    plan: &Plan,
    parts: &Parts,
    site: &Site,
    network: Arc<dyn Network>,
    interrupt: &Interrupt,
    watch: Option<&Watch>,
) -> Result<Facts, RunError> {
    let monitor = Arc::new(Monitor::default());
    let reads: BTreeSet<_> = parts.workload.ops.iter().filter(|o| o.reads).map(|o| o.f).collect();
    let exe = std::env::current_exe().map_err(|e| RunError::Internal(e.to_string()))?;
    let setup = Setup {
        target: parts.target.clone(),
        network,
        site: site.clone(),
        exe,
        load: parts.generators(false),
        closing: parts.generators(true),
        reads,
        interrupt: interrupt.clone(),
        observer: watch.map(Watch::observer),
        enough: watch.map(Watch::enough).unwrap_or_default(),
        source: std::sync::Mutex::default(),
        monitor: monitor.clone(),
    };
    let _live = display::Live::new(monitor);
    danso_engine::run(plan, setup)
}

/// Makes the run folder and stores the plan in it.
fn site(out: &Path, plan: &Plan) -> anyhow::Result<Site> {
    let stamp = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
    let unwritable = |e: std::io::Error| {
        usage(format!("--out {}: {e}; name a folder that can be written", out.display()))
    };
    let name: String = plan
        .name
        .chars()
        .map(|c| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '-' })
        .collect();
    let name = if name.trim_matches('.').is_empty() { "run" } else { &name };
    let site = Site::create(out, name, &format!("{stamp}-{}", plan.seed)).map_err(unwritable)?;
    std::fs::write(site.plan(), codec::plan::write(plan)).map_err(unwritable)?;
    Ok(site)
}

fn start_log(site: &Site) -> anyhow::Result<()> {
    let file = std::fs::File::create(site.log())
        .with_context(|| format!("{} cannot be made", site.log().display()))?;
    let filter = std::env::var("DANSO_LOG").unwrap_or_else(|_| "info".to_owned());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_writer(std::sync::Mutex::new(file))
        .try_init()
        .map_err(|e| anyhow::anyhow!("the log cannot be started: {e}"))
}

/// The first Ctrl-C (or SIGTERM) ends the run in good order, the second at once.
fn listen_for_signals(interrupt: &Interrupt) -> anyhow::Result<()> {
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

/// Checks what a run folder holds; `interrupted` is what its history may have missed.
///
/// # Errors
/// If it holds no readable history.
pub(crate) fn conclude(
    site: &Site,
    budget: &Budget,
    interrupted: Option<String>,
) -> anyhow::Result<(Loaded, Results)> {
    let loaded = load::load_run(site.root())?;
    for notice in &loaded.notices {
        println!("note: {notice}");
    }
    let results = judged(&loaded, budget, interrupted)?;
    Ok((loaded, results))
}

/// Checks a loaded run by its workload's own checkers.
pub(crate) fn judged(
    loaded: &Loaded,
    budget: &Budget,
    interrupted: Option<String>,
) -> anyhow::Result<Results> {
    let plan = loaded.plan.as_ref().context("a run folder has a plan")?;
    let (workload, params) = exam(plan)?;
    let checkers = (workload.checkers)(&params);
    let findings = check::check(&loaded.history, &checkers, budget);
    Ok(judge::judge(&loaded.history, Some(plan), workload.ops, findings, interrupted))
}

/// Stores results and report; each whole or not at all.
fn store(site: &Site, loaded: &Loaded, results: &Results) -> anyhow::Result<()> {
    let stored = load::write_whole(&site.results(), &codec::results::write(results));
    let html = super::report::html(loaded, results);
    stored.and(html.and_then(|html| load::write_whole(&site.report(), html.as_bytes())))
}

/// Prints what a person wants to know first.
pub(crate) fn print_summary(loaded: &Loaded, results: &Results) {
    let record = super::report::record(loaded, results, &[]);
    println!("{}", danso_reports::text(&record).trim_end());
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

/// What the run ran on.
fn environment(network: &str, backend: Backend, facts: Option<&Facts>) -> BTreeMap<String, String> {
    let mut environment = super::doctor::machine();
    environment.insert("network".to_owned(), network.to_owned());
    for (name, can) in [("links can have", true), ("links cannot have", false)] {
        let abilities = Ability::ALL.into_iter().filter(|a| backend.can(*a) == can);
        let words: Vec<_> = abilities.map(Ability::word).collect();
        environment.insert(name.to_owned(), words.join(", "));
    }
    if let Some(facts) = facts {
        let seconds = |d: Duration| format!("{:.3} s", d.as_secs_f64());
        environment.insert("cluster ready after".to_owned(), seconds(facts.ready));
        environment.insert("nodes kept together by".to_owned(), facts.isolation.clone());
        if let Some(clients) = &facts.clients {
            environment.insert("clients".to_owned(), clients.clone());
        }
        environment.insert("teardown".to_owned(), seconds(facts.teardown));
        environment.insert("controller CPU during the load".to_owned(), seconds(facts.cpu));
    }
    environment
}

/// How long something took.
pub(crate) fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let since = Instant::now();
    (work(), since.elapsed())
}
