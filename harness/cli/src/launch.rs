//! [`Launch`]: one run, from its plan to its report. What `danso run` and [`crate::Test`] share.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use danso_engine::means::{Means, Need};
use danso_engine::nemesis::{self, Ground};
use danso_engine::network::{
    Ability, Backend, Ip, Network, Prepared, Shortfall, Spec as NetworkSpec,
};
use danso_engine::progress::{Interrupt, Monitor};
use danso_engine::site::Site;
use danso_engine::{Facts, RunError, Setup};
use danso_vocab::{NodeId, Params, Plan, Results, Workload, codec};

use crate::alive::Alive;
use crate::check::Budget;
use crate::commands::{doctor, report};
use crate::exit::usage;
use crate::load::{Loaded, TIME_ZERO};
use crate::parts::{Parts, exam};
use crate::suite::single;
use crate::watch::Watch;
use crate::{check, display, judge, load, log};

/// Everything a run needs beside the network.
pub(crate) struct Launch<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) parts: &'a Parts,
    /// The danso binary.
    pub(crate) exe: &'a Path,
    /// Where run folders go.
    pub(crate) out: &'a Path,
    pub(crate) budget: &'a Budget,
    pub(crate) pcap: bool,
    pub(crate) traffic: bool,
    pub(crate) watch: Option<Watch>,
    pub(crate) interrupt: Interrupt,
    /// The command that does it again.
    pub(crate) reproduce: String,
    /// Whether to say on screen how it goes.
    pub(crate) shown: bool,
}

/// A run that is over.
pub(crate) struct Ended {
    pub(crate) site: Site,
    pub(crate) loaded: Loaded,
    pub(crate) results: Results,
    /// Why the history has no end, if it has none.
    torn: Option<String>,
    stored: anyhow::Result<()>,
}

impl Ended {
    /// Fails if the run folder lacks something, whatever the verdict.
    ///
    /// # Errors
    /// If the history or the report could not be written.
    pub(crate) fn whole(&mut self) -> anyhow::Result<()> {
        if let Some(why) = &self.torn {
            let history = self.site.history();
            anyhow::bail!("{}: {why}; free some space and run again", history.display());
        }
        std::mem::replace(&mut self.stored, Ok(()))
    }
}

impl Launch<'_> {
    fn say(&self, words: impl FnOnce() -> String) {
        if self.shown {
            println!("{}", words());
        }
    }

    /// Runs it, checks it, and stores what came of it.
    ///
    /// # Errors
    /// If there is no history to check.
    pub(crate) fn run(mut self, prepared: &Prepared) -> anyhow::Result<Ended> {
        fits(self.plan, self.parts, prepared.backend)?;
        let site = site(self.out, self.plan)?;
        let _alive = Alive::hold(site.root()).with_context(|| site.root().display().to_string())?;
        let _log = log::start(&site)?;
        prepared.notes.iter().for_each(|note| self.say(|| format!("network: {note}")));
        let wiring = self.wiring(&site);
        let network = match self.parts.target.hosts() {
            Some(hosts) => hosts.open(&wiring)?,
            None => prepared.open(&wiring)?,
        };
        let about = network.describe();
        self.say(|| format!("network: {}: {about}", network.backend().word()));
        let carrier = network.clone();
        let facts = match self.execute(&site, network) {
            Ok(facts) => Some(facts),
            // A history that is cut off is still worth checking; the exit tells that it is.
            Err(RunError::Recording(_)) => None,
            Err(error) => return Err(error).with_context(|| site.root().display().to_string()),
        };
        if let Some(left) = facts.as_ref().and_then(|facts| facts.left.as_ref()) {
            self.say(|| format!("left on hosts: {left}; `danso doctor --clean` removes it"));
        }
        let watched = self.watch.take().map(Watch::finish);
        watched.iter().for_each(|said| self.say(|| format!("live check  {said}")));
        self.say(|| "checking…".to_owned());
        // What ended the run may have kept the history from saying so.
        let interrupted = self.interrupt.raised();
        let (loaded, mut results) = conclude(&site, self.parts, self.budget, interrupted)?;
        loaded.notices.iter().for_each(|notice| self.say(|| format!("note: {notice}")));
        results.environment = environment(&about, &*carrier, facts.as_ref());
        drop(carrier);
        if let Some(said) = watched {
            results.environment.insert("live check".to_owned(), said);
        }
        if let Some(words) = judge::expectation::outcome(self.plan, &results) {
            results.environment.insert("expected".to_owned(), words);
        }
        results.reproduce.clone_from(&self.reproduce);
        let stored = store(&site, &loaded, &results);
        let torn = facts.is_none().then(|| results.interrupted.clone().unwrap_or_default());
        Ok(Ended { site, loaded, results, torn, stored })
    }

    /// From the plan to the history.
    ///
    /// # Errors
    /// As [`danso_engine::run`].
    pub(crate) fn execute(
        &self,
        site: &Site,
        network: Arc<dyn Network>,
    ) -> Result<Facts, RunError> {
        let monitor = Arc::new(Monitor::default());
        let Parts { target, workload, connect, .. } = self.parts;
        let setup = Setup {
            target: target.clone(),
            network,
            site: site.clone(),
            exe: self.exe.to_owned(),
            connect: connect.clone(),
            load: self.parts.generators(false),
            closing: self.parts.generators(true),
            reads: workload.ops.iter().filter(|o| o.reads).map(|o| o.f).collect(),
            interrupt: self.interrupt.clone(),
            observer: self.watch.as_ref().map(Watch::observer),
            enough: self.watch.as_ref().map(Watch::enough).unwrap_or_default(),
            source: std::sync::Mutex::default(),
            monitor: monitor.clone(),
        };
        let _live = self.shown.then(|| display::Live::new(monitor));
        danso_engine::run(self.plan, setup)
    }

    /// The network it wants.
    fn wiring(&self, site: &Site) -> NetworkSpec {
        let nodes = NodeId::all(self.plan.target.nodes());
        let mut spec = NetworkSpec::new(nodes, self.parts.target.ports().to_vec());
        if self.plan.ipv6 {
            spec.ip = Ip::V6;
        }
        spec.seed = danso_vocab::Rng::new(self.plan.seed).split("network").seed();
        spec.capture = self.pcap.then(|| site.root().join("nodes"));
        spec.traffic = self.traffic.then(|| site.root().join("traffic.jsonl"));
        spec
    }
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

/// Checks what a run folder holds; `interrupted` is what its history may have missed.
///
/// # Errors
/// If it holds no readable history.
pub(crate) fn conclude(
    site: &Site,
    parts: &Parts,
    budget: &Budget,
    interrupted: Option<String>,
) -> anyhow::Result<(Loaded, Results)> {
    let loaded = load::load_run(site.root())?;
    let results = judged(&loaded, parts.workload, &parts.params, budget, interrupted);
    Ok((loaded, results))
}

/// Checks a loaded run by its workload's own checkers.
pub(crate) fn judged(
    loaded: &Loaded,
    workload: &Workload,
    params: &Params,
    budget: &Budget,
    interrupted: Option<String>,
) -> Results {
    let checkers = (workload.checkers)(params);
    let findings = check::check(&loaded.history, &checkers, budget);
    judge::judge(&loaded.history, loaded.plan.as_ref(), workload.ops, findings, interrupted)
}

/// Checks a loaded run by the checkers its plan names.
///
/// # Errors
/// If it has no plan, or that names what there is not.
pub(crate) fn judged_again(loaded: &Loaded, budget: &Budget) -> anyhow::Result<Results> {
    let plan = loaded.plan.as_ref().context("a run folder has a plan")?;
    let (workload, params) = exam(plan)?;
    Ok(judged(loaded, workload, &params, budget, None))
}

/// Stores results, report and junit.xml; each whole or not at all.
fn store(site: &Site, loaded: &Loaded, results: &Results) -> anyhow::Result<()> {
    let stored = load::write_whole(&site.results(), &codec::results::write(results));
    let html = report::html(loaded, results);
    let stored =
        stored.and(html.and_then(|html| load::write_whole(&site.report(), html.as_bytes())));
    let Some(plan) = &loaded.plan else { return stored };
    let junit = danso_reports::junit(&single::of_run(plan, loaded, results));
    stored.and(load::write_whole(&site.root().join("junit.xml"), junit.as_bytes()))
}

/// What the run ran on.
fn environment(
    network: &str,
    carrier: &dyn Network,
    facts: Option<&Facts>,
) -> BTreeMap<String, String> {
    let backend = carrier.backend();
    let mut environment = doctor::machine();
    environment.insert("network".to_owned(), network.to_owned());
    for (name, can) in [("links can have", true), ("links cannot have", false)] {
        let abilities = Ability::ALL.into_iter().filter(|a| backend.can(*a) == can);
        let words: Vec<_> = abilities.map(Ability::word).collect();
        environment.insert(name.to_owned(), words.join(", "));
    }
    let shortfall = carrier.shortfall();
    if shortfall != Shortfall::default() {
        environment.insert("not carried".to_owned(), shortfall.to_string());
    }
    if let (Some(opened), Some(facts)) = (carrier.opened(), facts) {
        let ahead = facts.base.saturating_duration_since(opened).as_nanos();
        let said = format!("times count from {ahead} ns before time 0 of the history");
        environment.insert("traffic.jsonl".to_owned(), said);
    }
    if let Some(facts) = facts {
        let seconds = |d: Duration| format!("{:.3} s", d.as_secs_f64());
        if let Ok(zero) = jiff::Timestamp::now().checked_sub(facts.base.elapsed()) {
            environment.insert(TIME_ZERO.to_owned(), format!("{zero:.6}"));
        }
        environment.insert("cluster ready after".to_owned(), seconds(facts.ready));
        environment.insert("nodes kept together by".to_owned(), facts.isolation.clone());
        if let Some(clients) = &facts.clients {
            environment.insert("clients".to_owned(), clients.clone());
        }
        if let Some(left) = &facts.left {
            environment.insert("left on hosts".to_owned(), left.clone());
        }
        environment.insert("teardown".to_owned(), seconds(facts.teardown));
        environment.insert("controller CPU during the load".to_owned(), seconds(facts.cpu));
    }
    environment
}
