//! All runs, the newest first.

use maud::{Markup, html};

use super::{Run, State, address, encode, page, share};
use crate::inert;
use crate::label::number;

/// What the reader asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// Words that all have to occur.
    pub text: String,
    /// A state's word, or nothing for any.
    pub verdict: String,
    /// A target, or nothing for any.
    pub target: String,
    /// A workload, or nothing for any.
    pub workload: String,
    /// The page, counted from 1.
    pub page: usize,
}

impl Choice {
    /// Whether a run is among what was asked for.
    pub fn takes(&self, run: &Run) -> bool {
        let is = |chosen: &str, has: &str| chosen.is_empty() || chosen == has;
        if !is(&self.verdict, run.state.word())
            || !is(&self.target, &run.target)
            || !is(&self.workload, &run.workload)
        {
            return false;
        }
        if self.text.is_empty() {
            return true;
        }
        let seed = run.seed.map(|seed| seed.to_string()).unwrap_or_default();
        let anomalies: Vec<&str> = run.anomalies.keys().map(String::as_str).collect();
        let all = [
            run.path.as_str(),
            &run.name,
            &run.target,
            &run.workload,
            &run.reason,
            &seed,
            &run.faults.join(" "),
            &anomalies.join(" "),
            run.state.word(),
        ];
        let all = all.join("\n").to_lowercase();
        self.text.to_lowercase().split_whitespace().all(|word| all.contains(word))
    }

    /// The address of the same choice on another page.
    fn address(&self, page: usize) -> String {
        let mut out = format!("/?page={page}");
        let fields = [
            ("q", &self.text),
            ("verdict", &self.verdict),
            ("target", &self.target),
            ("workload", &self.workload),
        ];
        for (name, value) in fields.into_iter().filter(|(_, value)| !value.is_empty()) {
            out.push('&');
            out.push_str(name);
            out.push('=');
            encode(value, "-_.~", &mut out);
        }
        out
    }
}

/// A suite's page among the runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its folder, seen from the folder that is served.
    pub path: String,
}

/// One page of runs.
#[derive(Clone, Debug)]
pub struct List<'a> {
    /// The folder, for people.
    pub folder: &'a str,
    /// What was asked for.
    pub choice: &'a Choice,
    /// The runs of this page.
    pub runs: &'a [&'a Run],
    /// How many were asked for.
    pub found: usize,
    /// How many there are.
    pub all: usize,
    /// How many pages they make.
    pub pages: usize,
    /// The targets there are.
    pub targets: Vec<&'a str>,
    /// The workloads there are.
    pub workloads: Vec<&'a str>,
    /// The suites there are.
    pub suites: &'a [Listed],
    /// What the reader should know.
    pub note: Option<String>,
}

/// The page of all runs.
pub fn list(list: &List<'_>) -> String {
    let runs = if list.found == list.all {
        String::new()
    } else {
        format!("{} of ", number(list.found as u64))
    };
    let body = html! {
        header .top {
            h1 { "Runs" }
            p .none { (runs) (number(list.all as u64)) " in " code { (inert::clip(list.folder, 300)) } }
        }
        @if let Some(note) = &list.note { p .warning { (note) } }
        (filters(list))
        section aria-label="Runs" {
            @if list.runs.is_empty() {
                p .none {
                    @if list.all == 0 { "There is no run in this folder yet. " code { "danso run raft-kv --time 10s" } " makes one." }
                    @else { "No run is like that. " a href="/" { "Show all" } }
                }
            } @else { (table(list.runs)) (pages(list)) }
        }
        @if !list.suites.is_empty() {
            section aria-labelledby="suites" {
                h2 #suites { "Suites" }
                ul {
                    @for suite in list.suites {
                        li { a href={ (address("/files/", &suite.path)) "/index.html" } { (inert::clip(&suite.path, 200)) } }
                    }
                }
            }
        }
    };
    page("runs", None, body)
}

fn filters(list: &List<'_>) -> Markup {
    let choice = list.choice;
    let states: Vec<&str> = State::ALL.iter().map(|state| state.word()).collect();
    let select = |name: &str, label: &str, chosen: &str, values: &[&str]| {
        html! {
            label { (label)
                select name=(name) {
                    option value="" selected[chosen.is_empty()] { "any" }
                    @for value in values {
                        option value=(value) selected[chosen == *value] { (inert::brief(value, 60)) }
                    }
                }
            }
        }
    };
    html! {
        form .filters method="get" action="/" role="search" {
            label .grow { "Search" input type="search" name="q" value=(choice.text) placeholder="name, seed, reason, anomaly, fault"; }
            (select("verdict", "Verdict", &choice.verdict, &states))
            (select("target", "Target", &choice.target, &list.targets))
            (select("workload", "Workload", &choice.workload, &list.workloads))
            button { "Show" }
        }
    }
}

fn table(runs: &[&Run]) -> Markup {
    html! {
        form method="get" action="/compare" {
            div .scroller tabindex="0" role="region" aria-label="Runs, newest first" {
                table .runs {
                    thead {
                        tr {
                            th { span .hidden { "Compare" } } th { "Verdict" } th { "Run" } th { "Target" } th { "Workload" }
                            th { "Faults" } th .num { "Operations" } th .num { "Lasted" } th { "Began, UTC" }
                        }
                    }
                    tbody { @for run in runs { (row(run)) } }
                }
            }
            p .actions { button { "Compare two" } span .none { "Tick two runs to set them side by side." } }
        }
    }
}

fn row(run: &Run) -> Markup {
    let name = inert::brief(&run.name, 80);
    html! {
        tr {
            td { input type="checkbox" name="run" value=(run.path) aria-label={ "Compare " (name) " of " (run.began) }; }
            td { (run.state.badge()) }
            td .what { a href=(address("/run/", &run.path)) { (name) } small { (inert::clip(&run.reason, 220)) } }
            td { (inert::brief(&run.target, 40)) }
            td { (inert::brief(&run.workload, 40)) }
            td .hurts { (inert::clip(if run.faults.is_empty() { "none".to_owned() } else { run.faults.join(", ") }, 90)) }
            td .num { (share(run.total())) }
            td .num { (run.lasted()) }
            td .began { time { (run.began) } @if let Some(seed) = run.seed { small { "seed " (seed) } } }
        }
    }
}

fn pages(list: &List<'_>) -> Markup {
    let page = list.choice.page;
    html! {
        @if list.pages > 1 {
            nav .pages aria-label="Pages of runs" {
                @if page > 1 { a rel="prev" href=(list.choice.address(page - 1)) { "← newer" } }
                span { "page " (page) " of " (list.pages) }
                @if page < list.pages { a rel="next" href=(list.choice.address(page + 1)) { "older →" } }
            }
        }
    }
}
