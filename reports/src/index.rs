//! index.html: one page over all reports of a suite, without a script.

use std::collections::BTreeSet;
use std::time::Duration;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::inert;
use crate::suite::{Outcome, State, Suite, Test};

const STYLE: &str = include_str!("page/style.css");
const OWN_STYLE: &str = include_str!("index/index.css");

/// Nothing is loaded and nothing runs, whatever a target managed to send.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; \
                      base-uri 'none'; form-action 'none'";

/// The page: what went wrong first, then all tests as a matrix and as a list.
pub fn index(suite: &Suite) -> String {
    let title = format!("{} · {} · danso", suite.counts(), inert::brief(&suite.name, 80));
    let bad = suite.bad();
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                meta name="generator" content=(concat!("danso ", env!("CARGO_PKG_VERSION")));
                title { (title) }
                style { (PreEscaped(STYLE)) (PreEscaped(OWN_STYLE)) }
            }
            body {
                a .skip href="#main" { "Skip to the tests" }
                (head(suite))
                main #main {
                    @if !bad.is_empty() {
                        section #failures aria-labelledby="failures-title" {
                            h2 #failures-title { "What went wrong" }
                            @for test in bad { (failure(test)) }
                        }
                    }
                    section #matrix aria-labelledby="matrix-title" {
                        h2 #matrix-title { "By target and faults" }
                        (matrix(suite))
                    }
                    section #tests aria-labelledby="tests-title" {
                        h2 #tests-title { "All tests" }
                        (list(suite))
                    }
                }
                footer {
                    "Written by danso " (env!("CARGO_PKG_VERSION"))
                    ". This file needs no network and runs no script."
                }
            }
        }
    };
    page.into_string()
}

/// The suite's state, as a class and in words.
fn state(suite: &Suite) -> (&'static str, String) {
    let failed = suite.count(Outcome::Failed) + suite.count(Outcome::Error);
    match (&suite.state, failed) {
        (_, 1..) => ("invalid", format!("{failed} of {} tests failed", suite.tests.len())),
        (State::CutShort(_), _) => ("interrupted", "cut short".to_owned()),
        (State::Running, _) => ("interrupted", "not finished".to_owned()),
        (State::Ended, _) => match (suite.count(Outcome::Unknown), suite.count(Outcome::Passed)) {
            (0, 0) => ("unknown", "nothing was run".to_owned()),
            (0, _) => ("valid", "passed".to_owned()),
            (n, _) => ("unknown", format!("{n} of {} tests unknown", suite.tests.len())),
        },
    }
}

fn head(suite: &Suite) -> Markup {
    let (class, word) = state(suite);
    let note = match &suite.state {
        State::Ended => None,
        State::CutShort(why) => Some(format!("It was cut short: {}", inert::clip(why, 400))),
        State::Running => {
            Some("It was under way when this was written, or it was killed.".to_owned())
        }
    };
    let facts = [
        ("Suite", inert::clip(&suite.name, 80)),
        ("Tests", suite.tests.len().to_string()),
        ("Duration", seconds(suite.took)),
        ("Began", inert::clip(&suite.started, 40)),
        ("Seed", suite.seed.to_string()),
    ];
    html! {
        header .banner.(class) {
            div .verdict {
                div {
                    p .title { (inert::clip(&suite.name, 200)) }
                    h1 { (word) }
                    p .reason { (suite.counts()) }
                    @if let Some(note) = note { p .note { (note) } }
                }
            }
            dl .facts {
                @for (name, value) in facts { div { dt { (name) } dd { (value) } } }
            }
            @if !suite.reproduce.is_empty() {
                div .again {
                    span #again { "Reproduce" }
                    pre tabindex="0" aria-labelledby="again" {
                        code { (inert::line(&suite.reproduce)) }
                    }
                }
            }
        }
    }
}

fn failure(test: &Test) -> Markup {
    html! {
        article .card.(class(test.outcome)) {
            h3 { (badge(test.outcome)) " " (name(test)) small { (seconds(test.took())) } }
            p .because { (inert::clip(&test.reason, 1000)) }
            @if let Some(flaky) = test.flakiness() {
                p { strong { (flaky) } ", all with seed " (test.seed) ". Its runs: " (tries(test)) }
            }
            pre tabindex="0" { code { (inert::line(&test.reproduce)) } }
        }
    }
}

/// Rows: target and workload; columns: faults; in each field its seeds.
fn matrix(suite: &Suite) -> Markup {
    let mut rows = Vec::<(&str, &str)>::new();
    let mut seen = BTreeSet::new();
    for test in &suite.tests {
        let row = (test.target.as_str(), test.workload.as_str());
        if seen.insert(row) {
            rows.push(row);
        }
    }
    let mut columns = Vec::<&str>::new();
    let mut seen = BTreeSet::new();
    for test in &suite.tests {
        if seen.insert(&test.faults) {
            columns.push(&test.faults);
        }
    }
    let of = |row: (&str, &str), column: &str| {
        let here =
            move |t: &&Test| (t.target.as_str(), t.workload.as_str()) == row && t.faults == column;
        suite.tests.iter().filter(here).collect::<Vec<_>>()
    };
    html! {
        div .scroller tabindex="0" role="region" aria-labelledby="matrix-title" {
            table .matrix {
                thead { tr {
                    th scope="col" { "Target" } th scope="col" { "Workload" }
                    @for column in &columns { th scope="col" { (inert::clip(column, 60)) } }
                } }
                tbody {
                    @for row in rows {
                        tr {
                            th scope="row" { (inert::clip(row.0, 60)) }
                            td { (inert::clip(row.1, 60)) }
                            @for column in &columns {
                                td .cells { @for test in of(row, column) { (cell(test)) } }
                            }
                        }
                    }
                }
            }
        }
        p .legend {
            @for outcome in Outcome::ALL.into_iter().rev().filter(|o| suite.count(*o) > 0) {
                span { span .cell.(class(outcome)) aria-hidden="true" { (sign(outcome)) } (outcome.word()) }
            }
        }
    }
}

/// A seed of a field: a sign that leads to its report.
fn cell(test: &Test) -> Markup {
    let words = format!("{}: {}", inert::clip(&test.name, 200), test.outcome.word());
    html! {
        @if let Some(report) = test.report() {
            a .cell.(class(test.outcome)) href=(link(&report)) title=(words) aria-label=(words) {
                (sign(test.outcome))
            }
        } @else {
            span .cell.(class(test.outcome)) role="img" title=(words) aria-label=(words) {
                (sign(test.outcome))
            }
        }
    }
}

fn list(suite: &Suite) -> Markup {
    let mut tests: Vec<_> = suite.tests.iter().collect();
    tests.sort_by_key(|t| std::cmp::Reverse((suite.is_bad(t.outcome), t.outcome.is_over())));
    let chosen = suite.tests.iter().any(|t| t.chosen.is_some());
    html! {
        div .scroller tabindex="0" role="region" aria-labelledby="tests-title" {
            table .tests {
                thead { tr {
                    th scope="col" { "Outcome" } th scope="col" { "Test" }
                    th .num scope="col" { "Seconds" } th scope="col" { "Expected" }
                    th scope="col" { "Reason" }
                    @if chosen { th scope="col" { "Chosen because" } }
                } }
                tbody {
                    @for test in tests {
                        tr {
                            td { (badge(test.outcome)) }
                            th scope="row" { (name(test)) @if test.tries.len() > 1 { " " (tries(test)) } }
                            td .num { @if !test.tries.is_empty() { (seconds(test.took())) } }
                            td { (inert::clip(&test.expected, 80)) }
                            td .prose { (inert::clip(&test.reason, 400)) }
                            @if chosen {
                                td .prose { (inert::clip(test.chosen.as_deref().unwrap_or("–"), 200)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Its name, which leads to its report.
fn name(test: &Test) -> Markup {
    let name = inert::clip(&test.name, 200);
    html! {
        @match test.report() {
            Some(report) => a href=(link(&report)) { (name) },
            None => (name),
        }
    }
}

/// All of its runs: numbers that lead to their reports.
fn tries(test: &Test) -> Markup {
    html! {
        span .tries {
            @for (i, tried) in test.tries.iter().enumerate() {
                @let words = format!("run {}: {}", i + 1, tried.outcome.word());
                @match tried.report() {
                    Some(report) => a .cell.(class(tried.outcome))
                        href=(link(&report)) title=(words) aria-label=(words)
                        { (sign(tried.outcome)) },
                    None => span .cell.(class(tried.outcome)) role="img" title=(words) aria-label=(words)
                        { (sign(tried.outcome)) },
                }
            }
        }
    }
}

fn badge(outcome: Outcome) -> Markup {
    html! { span .badge.(class(outcome)) { (sign(outcome)) " " (outcome.word()) } }
}

fn class(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Passed => "valid",
        Outcome::Failed | Outcome::Error => "invalid",
        Outcome::Unknown => "unknown",
        Outcome::Skipped | Outcome::NotRun | Outcome::Running => "idle",
    }
}

/// Told apart without colours, too.
fn sign(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Passed => "✓",
        Outcome::Failed => "✗",
        Outcome::Error => "!",
        Outcome::Unknown => "?",
        Outcome::Skipped => "–",
        Outcome::NotRun => "·",
        Outcome::Running => "…",
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

/// A path inside the suite's folder as a relative address.
fn link(path: &str) -> String {
    let mut out = String::from("./");
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => {
                out.push(char::from(byte));
            }
            byte => {
                out.push_str(&format!("%{byte:02X}"));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::Try;

    fn test(name: &str, outcome: Outcome) -> Test {
        Test {
            name: name.to_owned(),
            target: "raft-kv".to_owned(),
            workload: "register".to_owned(),
            faults: "kill".to_owned(),
            outcome,
            tries: vec![Try {
                outcome,
                reason: String::new(),
                verdict: Some(danso_vocab::Verdict::Valid),
                anomalies: Vec::new(),
                took: Duration::from_secs(2),
                folder: Some("tests/001 %/a".to_owned()),
            }],
            ..Test::default()
        }
    }

    #[test]
    fn failures_come_first_and_lead_to_their_reports() {
        let suite = Suite {
            tests: vec![test("good", Outcome::Passed), test("bad", Outcome::Failed)],
            state: State::Ended,
            ..Suite::default()
        };
        let page = index(&suite);
        assert!(page.find(">bad<") < page.find(">good<"), "{page}");
        assert!(page.contains("href=\"./tests/001%20%25/a/report.html\""), "{page}");
        assert!(page.contains("<h1>1 of 2 tests failed</h1>"), "{page}");
    }

    #[test]
    fn nothing_run_is_no_success() {
        let state_of = |state, outcomes: &[Outcome]| {
            let tests = outcomes.iter().map(|o| test("t", *o)).collect();
            super::state(&Suite { tests, state, ..Suite::default() }).0
        };
        assert_eq!(state_of(State::Ended, &[Outcome::Skipped]), "unknown");
        assert_eq!(state_of(State::Ended, &[Outcome::Passed, Outcome::Unknown]), "unknown");
        assert_eq!(state_of(State::Running, &[Outcome::Passed]), "interrupted");
        assert_eq!(state_of(State::CutShort(String::new()), &[Outcome::Failed]), "invalid");
        assert_eq!(state_of(State::Ended, &[Outcome::Passed, Outcome::Skipped]), "valid");
    }

    #[test]
    fn what_a_target_sent_stays_text() {
        let mut evil = test("<img src=x onerror=alert(1)>", Outcome::Failed);
        evil.reason = "</code><script>alert(1)</script>\u{0}\u{202e}\"'".repeat(1000);
        evil.reproduce = "danso run '\"><script>'".to_owned();
        evil.tries[0].folder = Some("javascript:alert(1)\"onclick=\"x".to_owned());
        let page = index(&Suite { tests: vec![evil], ..Suite::default() });
        assert!(!page.contains("<script") && !page.contains("<img"), "{page}");
        assert!(!page.contains("href=\"javascript:") && !page.contains("\"onclick"));
        assert!(!page.contains(['\u{0}', '\u{202e}']));
        assert!(page.len() < 100_000, "{}", page.len());
    }
}
