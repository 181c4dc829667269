//! From a record to what people read: one self-contained page and a few lines of text.
//!
//! A [`Record`] is what a run or a check left behind. Nothing here judges it: the verdict, its
//! reason and the anomalies are taken from the [`Results`] as they stand, and what the page adds
//! is arrangement. A page answers, in this order: is it correct, what exactly happened, how do I
//! make it happen again, and what was going on then.
//!
//! ```
//! use danso_reports::{Record, html, text};
//! use danso_vocab::{History, Results};
//!
//! let (history, results) = (History::default(), Results::default());
//! let record = Record { title: "nothing", plan: None, history: &history, results: &results, logs: &[] };
//! assert!(html(&record).starts_with("<!DOCTYPE html>"));
//! assert!(text(&record).contains("verdict     valid"));
//! ```
//!
//! What a target sent (values, keys, reasons, log lines) is hostile until proven otherwise. It is
//! escaped by the page's template language, and characters that could act on a terminal or turn a
//! line around are spelt out (`inert`). The page carries no script, and forbids any.

pub mod browse;
mod counts;
mod explorer;
mod figure;
pub mod github;
mod index;
mod inert;
mod junit;
mod label;
mod link;
mod page;
mod plot;
mod section;
pub mod suite;
mod text;
mod timeline;
mod windows;

use danso_vocab::{History, NodeId, Plan, Results, Time};

pub use index::index;
pub use junit::junit;
pub use page::html;
pub use text::text;

/// What a run or a check left behind.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// What it is a record of: the run's name, or the file a history came from.
    pub title: &'a str,
    /// What was decided before the run; `None` for a history from elsewhere.
    pub plan: Option<&'a Plan>,
    /// What happened.
    pub history: &'a History,
    /// What was found.
    pub results: &'a Results,
    /// What the nodes printed, in the order to show it.
    pub logs: &'a [NodeLog],
}

/// What one output stream of a node said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeLog {
    /// The node.
    pub node: NodeId,
    /// The stream: `stderr` or `stdout`.
    pub name: String,
    /// Its last lines.
    pub tail: String,
    /// What it says around anomalies, faults and crashes, by the times its own lines carry; `None`
    /// if they carry none that can be aligned with the run.
    pub around: Option<Vec<Stamped>>,
}

/// A line of a log whose time is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamped {
    /// When it was printed, by the clock of the node.
    pub time: Time,
    /// What it says.
    pub line: String,
}

/// Text from elsewhere in one line of at most `max` characters, with nothing in it that acts on a
/// terminal.
pub fn inert_line(text: &str, max: usize) -> String {
    inert::clip(text, max)
}
