//! `danso report`: the report of a run folder, written again.

use anyhow::Context;
use danso_reports::{NodeLog, Record};
use danso_vocab::Results;

use crate::args::{LimitArgs, ReportArgs};
use crate::check::Budget;
use crate::exit::Exit;
use crate::launch;
use crate::load::{self, Loaded};

/// Writes `report.html` again; checks first if there are no results yet.
pub(crate) fn report(args: &ReportArgs) -> anyhow::Result<Exit> {
    let loaded = load::load_run(&args.run)?;
    for notice in &loaded.notices {
        println!("note: {notice}");
    }
    let results = match &loaded.results {
        Some(results) => results.clone(),
        None => launch::judged_again(&loaded, &Budget::of(&LimitArgs::default())?)?,
    };
    let site = loaded.site.as_ref().context("a run folder has a place")?;
    let html = html(&loaded, &results)?;
    load::write_whole(&site.report(), html.as_bytes())?;
    println!("report: {}", site.report().display());
    Ok(Exit::Valid)
}

/// The page.
pub(crate) fn html(loaded: &Loaded, results: &Results) -> anyhow::Result<String> {
    let logs = match (&loaded.site, &loaded.plan) {
        (Some(site), Some(plan)) => load::logs(site, plan, &loaded.history, results),
        _ => Vec::new(),
    };
    Ok(danso_reports::html(&record(loaded, results, &logs)))
}

/// What a report is made from.
pub(crate) fn record<'a>(
    loaded: &'a Loaded,
    results: &'a Results,
    logs: &'a [NodeLog],
) -> Record<'a> {
    let title = loaded.plan.as_ref().map_or(loaded.name.as_str(), |p| p.name.as_str());
    Record { title, plan: loaded.plan.as_ref(), history: &loaded.history, results, logs }
}
