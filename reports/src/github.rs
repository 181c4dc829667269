//! What GitHub Actions shows of a suite: annotations and the summary of a step.
//!
//! The runner takes commands out of everything that is printed. What a target sent is in these
//! texts, so it is escaped by the runner's rules, and nothing else of it stands at the beginning
//! of a line.

use std::fmt::Write as _;

use crate::inert;
use crate::suite::{Outcome, State, Suite, Test};

/// More annotations of a step than this are not shown.
const MOST_ANNOTATIONS: usize = 10;
/// Rows of a table in the summary, which may have a mebibyte.
const MOST_ROWS: usize = 200;

/// The lines that put what went wrong beside the file it is about.
pub fn annotations(suite: &Suite) -> String {
    let mut out = String::new();
    let bad = suite.bad();
    for test in bad.iter().take(MOST_ANNOTATIONS) {
        let file = test.file.as_ref().or(suite.file.as_ref());
        let file = file.map_or_else(String::new, |file| format!("file={},", property(file)));
        let title = property(&format!("{}: {}", test.outcome.word(), test.name));
        let flaky = test.flakiness().map_or_else(String::new, |f| format!("\n{f}"));
        let text =
            format!("{}{flaky}\nreproduce: {}", inert::clip(&test.reason, 1000), test.reproduce);
        let _ = writeln!(out, "::error {file}title={title}::{}", message(&text));
    }
    if bad.len() > MOST_ANNOTATIONS {
        let more = bad.len() - MOST_ANNOTATIONS;
        let _ =
            writeln!(out, "::notice title=danso::{more} more tests went wrong: see the summary");
    }
    out
}

/// What stands behind the second `::`.
fn message(text: &str) -> String {
    let text: Vec<String> = text.lines().map(inert::line).collect();
    text.join("\n").replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// What stands behind a `=`.
fn property(text: &str) -> String {
    message(&inert::clip(text, 300)).replace(':', "%3A").replace(',', "%2C")
}

/// The summary of the step, in Markdown.
pub fn summary(suite: &Suite) -> String {
    let mut out = String::new();
    let good = suite.bad().is_empty() && suite.state == State::Ended;
    let sign = if good { "✅" } else { "❌" };
    let _ = writeln!(out, "## {sign} {}: {}\n", plain(&suite.name), suite.counts());
    if let State::CutShort(why) = &suite.state {
        let _ = writeln!(out, "**Cut short:** {}\n", plain(why));
    }
    for test in suite.bad().into_iter().take(MOST_ROWS) {
        let _ = writeln!(out, "### {}: {}\n", test.outcome.word(), plain(&test.name));
        let _ = writeln!(out, "{}\n", plain(&test.reason));
        if let Some(flaky) = test.flakiness() {
            let _ = writeln!(out, "{flaky}, all with seed {}\n", test.seed);
        }
        let _ = writeln!(out, "{}\n", code(&test.reproduce));
    }
    let _ = writeln!(out, "<details><summary>All tests</summary>\n");
    let _ = writeln!(out, "| | test | seconds | |\n| --- | --- | ---: | --- |");
    for test in suite.tests.iter().take(MOST_ROWS) {
        let _ = writeln!(
            out,
            "| {} {} | {} | {:.1} | {} |",
            sign_of(test),
            test.outcome.word(),
            plain(&test.name),
            test.took().as_secs_f64(),
            plain(&inert::clip(&test.reason, 200)),
        );
    }
    let _ = writeln!(out, "\n</details>");
    if suite.tests.len() > MOST_ROWS {
        let _ = writeln!(out, "\n{} more tests are in index.html", suite.tests.len() - MOST_ROWS);
    }
    let _ = writeln!(out, "\nSeed {}. All of it again: {}", suite.seed, span(&suite.reproduce));
    out
}

fn sign_of(test: &Test) -> &'static str {
    match test.outcome {
        Outcome::Passed => "✅",
        Outcome::Failed => "❌",
        Outcome::Unknown => "❔",
        Outcome::Error => "💥",
        Outcome::Skipped | Outcome::NotRun | Outcome::Running => "➖",
    }
}

/// Text that Markdown shows as it is: every sign that means something to it is spelt out.
fn plain(text: &str) -> String {
    let mut out = String::new();
    for c in inert::clip(text, 1000).chars() {
        match c {
            // A reference would call somebody, or link to what has nothing to do with it.
            '@' | '#' | '<' | '>' | '&' => {
                let _ = write!(out, "&#{};", u32::from(c));
            }
            c if c.is_ascii_punctuation() && !".,:;'-/+=%()?".contains(c) => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    // Else a word with a scheme becomes a link.
    out.replace("://", ":&#47;/").replace("www.", "www&#46;")
}

/// A block of code that nothing in it can end.
fn code(text: &str) -> String {
    let text = inert::clip(text, 2000);
    let fence = "`".repeat(longest_ticks(&text).max(2) + 1);
    format!("{fence}sh\n{text}\n{fence}")
}

fn span(text: &str) -> String {
    let text = inert::clip(text, 2000);
    let fence = "`".repeat(longest_ticks(&text) + 1);
    format!("{fence} {text} {fence}")
}

fn longest_ticks(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}
