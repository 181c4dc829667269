//! One run that is over: what came of it, and the way to everything it left.

use maud::{Markup, html};

use super::{File, Run, State, address, facts, files, page};
use crate::inert;

/// One run that is over.
#[derive(Clone, Debug)]
pub struct Overview<'a> {
    /// The run.
    pub run: &'a Run,
    /// Each anomaly: its name and its story.
    pub anomalies: Vec<(String, String)>,
    /// The command that does it again.
    pub reproduce: &'a str,
    /// What is in its folder.
    pub files: &'a [File],
    /// The nodes' outputs, as paths below the run.
    pub logs: &'a [File],
    /// Other runs of the same name, newest first, to compare it with.
    pub others: Vec<&'a Run>,
    /// Whether there is a report, or enough to write one.
    pub has_report: bool,
}

/// Anomalies told on this page; the report has all.
const TOLD: usize = 5;

/// The page of a run.
pub fn run(about: &Overview<'_>) -> String {
    let run = about.run;
    let body = html! {
        (banner(run, None))
        section aria-label="What it left" {
            p .actions {
                @if about.has_report {
                    a .button href={ (address("/files/", &run.path)) "/report.html" } { "Open the report" }
                }
                a href=(address("/files/", &run.path)) { "All files" }
            }
            @if run.state == State::Dead {
                p .warning { "Its controller is gone and it has no verdict. " code { "danso report " (inert::clip(&run.path, 300)) } " checks what it recorded and writes the report." }
            }
            @if !about.reproduce.is_empty() {
                h3 { "Reproduce" }
                pre .command tabindex="0" { code { (inert::line(about.reproduce)) } }
            }
        }
        @if !about.anomalies.is_empty() {
            section aria-labelledby="anomalies" {
                h2 #anomalies { "What happened" }
                @for (name, story) in about.anomalies.iter().take(TOLD) {
                    article .card { h3 { span .name { (inert::clip(name, 80)) } } p .because { (inert::clip(story, 1000)) } }
                }
                @if about.anomalies.len() > TOLD { p .none { "and " (about.anomalies.len() - TOLD) " more in the report" } }
            }
        }
        section aria-labelledby="logs" {
            h2 #logs { "Logs" }
            @if about.logs.is_empty() { p .none { "The nodes said nothing." } }
            @else { (files::table(&run.path, about.logs, "/log/")) }
        }
        section aria-labelledby="files" {
            h2 #files { "Files" }
            (files::table(&run.path, about.files, "/files/"))
        }
        @if !about.others.is_empty() {
            section aria-labelledby="others" {
                h2 #others { "Other runs of the same name" }
                ul .others {
                    @for other in &about.others {
                        li {
                            (other.state.badge()) " "
                            a href=(address("/run/", &other.path)) { (other.began) }
                            " · "
                            a href={ (address("/compare?run=", &run.path)) (address("&run=", &other.path)) } { "compare" }
                        }
                    }
                }
            }
        }
    };
    page(&format!("{} · {}", run.state.word(), run.name), None, body)
}

/// The head of a run's page.
pub(super) fn banner(run: &Run, more: Option<Markup>) -> Markup {
    html! {
        header .banner.(run.state.word()) {
            div .verdict {
                span .mark aria-hidden="true" { (run.state.sign()) }
                div {
                    p .title { (inert::clip(&run.name, 200)) }
                    h1 { (run.state.word()) }
                    p .reason { (inert::clip(&run.reason, 1000)) }
                    @if let Some(more) = more { (more) }
                }
            }
            (facts(run))
        }
    }
}
