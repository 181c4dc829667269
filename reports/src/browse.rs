//! Pages over many runs: what `danso serve` shows. Every page reads without its script, which only
//! spares the reader reloading.
//!
//! Addresses: `/` lists, `/run/PATH` is about one run, `/files/PATH` and `/log/PATH` show what is
//! in its folder, `/compare?run=PATH&run=PATH` sets two side by side.

mod compare;
mod files;
mod list;
mod live;
mod run;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use danso_vocab::history::Counts;
use danso_vocab::{Results, Verdict};
use maud::{DOCTYPE, Markup, html};

use crate::inert;
use crate::label::{number, percent};

pub use compare::{Comparison, Side, Waits, compare, waits};
pub use files::{File, Folder, Tail, folder, tail};
pub use list::{Choice, List, Listed, list};
pub use live::{Live, Moment, live};
pub use run::{Overview, run};

/// The pages' style sheet.
pub const STYLE: &str = concat!(include_str!("page/style.css"), include_str!("browse/browse.css"));
/// The pages' script.
pub const SCRIPT: &str = include_str!("browse/browse.js");

/// What a run has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// It is under way.
    Running,
    /// It found a violation.
    Invalid,
    /// It could not decide.
    Unknown,
    /// It was cut short.
    Interrupted,
    /// It ended without a verdict: its controller is gone.
    Dead,
    /// What it left cannot be read.
    Damaged,
    /// Everything it checked holds.
    Valid,
}

impl State {
    /// All there are, the most urgent first.
    pub const ALL: [State; 7] = [
        State::Running,
        State::Invalid,
        State::Unknown,
        State::Interrupted,
        State::Dead,
        State::Damaged,
        State::Valid,
    ];

    /// Of a run that has ended: as its report's banner says it.
    pub fn of(results: &Results) -> State {
        match (results.verdict, &results.interrupted) {
            (Verdict::Invalid, _) => State::Invalid,
            (_, Some(_)) => State::Interrupted,
            (Verdict::Unknown, None) => State::Unknown,
            (Verdict::Valid, None) => State::Valid,
        }
    }

    /// In a word.
    pub fn word(self) -> &'static str {
        match self {
            State::Running => "running",
            State::Invalid => "invalid",
            State::Unknown => "unknown",
            State::Interrupted => "interrupted",
            State::Dead => "killed",
            State::Damaged => "damaged",
            State::Valid => "valid",
        }
    }

    /// A sign that needs no colour.
    fn sign(self) -> &'static str {
        match self {
            State::Running => "▶",
            State::Invalid => "✗",
            State::Unknown => "?",
            State::Interrupted => "‖",
            State::Dead => "†",
            State::Damaged => "!",
            State::Valid => "✓",
        }
    }

    fn badge(self) -> Markup {
        html! { span .badge.(self.word()) { span aria-hidden="true" { (self.sign()) " " } (self.word()) } }
    }
}

/// A run in a few words.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// Its folder, seen from the folder that is served.
    pub path: String,
    /// What it is called.
    pub name: String,
    /// When it began: UTC, for people.
    pub began: String,
    /// Its seed.
    pub seed: Option<u64>,
    /// The system under test.
    pub target: String,
    /// What clients did.
    pub workload: String,
    /// The kinds of its faults, each once.
    pub faults: Vec<String>,
    /// What came of it.
    pub state: State,
    /// One sentence: why.
    pub reason: String,
    /// The names of what was found, each with how often.
    pub anomalies: BTreeMap<String, usize>,
    /// How operations ended, by name.
    pub counts: BTreeMap<String, Counts>,
    /// How long it took, by its own clock.
    pub lasted: Option<Duration>,
}

impl Run {
    /// How its operations ended, all together.
    pub fn total(&self) -> Counts {
        let mut total = Counts::default();
        for counts in self.counts.values() {
            total.ok += counts.ok;
            total.fail += counts.fail;
            total.info += counts.info;
        }
        total
    }

    fn lasted(&self) -> String {
        self.lasted.map_or_else(|| "–".to_owned(), span)
    }
}

/// A page that says that there is none, and what to do.
pub fn refusal(status: u16, words: &str) -> String {
    let body = html! {
        section aria-labelledby="refused" {
            h2 #refused { (status) }
            p { (inert::clip(words, 400)) }
            p { a href="/" { "All runs" } }
        }
    };
    page(&status.to_string(), None, body)
}

/// A whole page; `again` reloads it after so many seconds, by the script or, without one, by the
/// browser.
fn page(title: &str, again: Option<u32>, body: Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                @if let Some(seconds) = again {
                    noscript { meta http-equiv="refresh" content=(seconds); }
                }
                title { (inert::brief(title, 100)) " · danso" }
                link rel="icon" href="data:,";
                link rel="stylesheet" href="/-/style.css";
                script src="/-/browse.js" defer {}
            }
            body .browse {
                a .skip href="#main" { "Skip to the content" }
                nav aria-label="Pages" { a href="/" { "danso: all runs" } a href="/latest" { "Newest run" } a href="/files/" { "Files" } }
                main #main data-again=[again] { (body) }
                footer { "danso " (env!("CARGO_PKG_VERSION")) " · served from this machine's disk" }
            }
        }
    };
    page.into_string()
}

/// An address below `prefix`, for any path.
pub fn address(prefix: &str, path: &str) -> String {
    let mut out = prefix.to_owned();
    encode(path, "/-_.~", &mut out);
    out
}

/// Percent-encodes a text for an address, but for `plain` characters.
fn encode(text: &str, plain: &str, out: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || plain.contains(char::from(byte)) && byte.is_ascii() {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

/// A duration for people.
fn span(duration: Duration) -> String {
    match duration.as_secs() {
        s @ 0..60 => format!("{s}.{} s", duration.subsec_millis() / 100),
        s @ 60..3600 => format!("{} min {:02} s", s / 60, s % 60),
        s => format!("{} h {:02} min", s / 3600, s % 3600 / 60),
    }
}

/// A size for people.
fn size(bytes: u64) -> String {
    let mut value = bytes as f64;
    for unit in ["bytes", "KiB", "MiB"] {
        if value < 1024.0 {
            return if unit == "bytes" {
                format!("{bytes} bytes")
            } else {
                format!("{value:.1} {unit}")
            };
        }
        value /= 1024.0;
    }
    format!("{value:.1} GiB")
}

/// The share of operations that succeeded, and of how many.
fn share(counts: Counts) -> Markup {
    let total = counts.total();
    html! { (number(total)) @if total > 0 { " " small { (percent(counts.ok, total)) " ok" } } }
}

/// Facts about a run, as in a report's banner.
fn facts(run: &Run) -> Markup {
    let faults = if run.faults.is_empty() { "none".to_owned() } else { run.faults.join(", ") };
    let facts = [
        ("Target", run.target.clone()),
        ("Workload", run.workload.clone()),
        ("Faults", faults),
        ("Began", run.began.clone()),
        ("Lasted", run.lasted()),
        ("Operations", number(run.total().total())),
        ("Seed", run.seed.map_or_else(|| "–".to_owned(), |seed| seed.to_string())),
    ];
    html! {
        dl .facts { @for (name, value) in facts { div { dt { (name) } dd { (inert::clip(value, 120)) } } } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_hold_any_path() {
        assert_eq!(address("/run/", "a b/<\"é?#%"), "/run/a%20b/%3C%22%C3%A9%3F%23%25");
        assert_eq!(address("/files/", "raft-kv/2026-7"), "/files/raft-kv/2026-7");
    }

    #[test]
    fn figures_are_for_people() {
        assert_eq!(span(Duration::from_millis(12_340)), "12.3 s");
        assert_eq!(span(Duration::from_secs(62)), "1 min 02 s");
        assert_eq!(span(Duration::from_secs(3720)), "1 h 02 min");
        assert_eq!([size(999), size(2048), size(5 << 30)], ["999 bytes", "2.0 KiB", "5.0 GiB"]);
    }
}
