//! Processes danso starts from its own binary beside the nodes themselves: `danso internal NAME`.
//! They exist because some things can be done only by a process with one thread, or must outlive
//! a node.

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

/// The word that makes a danso binary one of these.
pub const WORD: &str = "internal";

/// What a helper gets: its arguments behind its name.
pub(crate) type Args = Vec<OsString>;

/// What a helper does.
type Helper = fn(Args) -> ExitCode;

/// All helpers.
const HELPERS: &[(&str, Helper)] = &[
    ("warden", crate::process::warden),
    ("janitor", crate::process::cgroup::serve),
    ("disk", crate::disk::helper),
    ("clocked", crate::clock::helper::clocked),
];

/// If this process was started as one of danso's own helpers, does its work and returns how it
/// went. To be called first thing in `main`, before any thread is started.
pub fn serve() -> Option<ExitCode> {
    let mut args = std::env::args_os().skip(1);
    if args.next()? != WORD {
        return None;
    }
    let name = args.next().unwrap_or_default();
    let Some((_, helper)) = HELPERS.iter().find(|(word, _)| name == *word) else {
        complain(&format!("there is no helper {}", name.display()));
        return Some(ExitCode::from(254));
    };
    Some(helper(args.collect()))
}

/// Says to whoever watches a helper's stderr what went wrong.
pub(crate) fn complain(words: &str) {
    // Nobody reading is no reason to fail.
    let _ = writeln!(std::io::stderr(), "danso internal: {words}");
}
