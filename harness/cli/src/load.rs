//! Reading histories and run folders back.

mod logs;
mod stamp;

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::Context;
use danso_engine::site::Site;
use danso_vocab::codec::history::{self, Format, Options, Tail};
use danso_vocab::codec::{self, ReadError};
use danso_vocab::{History, Plan, Results};

use crate::args::ReadArgs;
use crate::exit::usage;

pub(crate) use logs::{TIME_ZERO, logs};

/// A history and, if it came from a run, what belongs to it.
pub(crate) struct Loaded {
    /// How to call it in messages.
    pub(crate) name: String,
    pub(crate) history: History,
    /// What it was written in.
    pub(crate) format: Format,
    pub(crate) plan: Option<Plan>,
    pub(crate) results: Option<Results>,
    pub(crate) site: Option<Site>,
    /// What was noticed while reading.
    pub(crate) notices: Vec<String>,
}

/// Loads a run folder, a history file, or `-`; `options` are about files.
///
/// # Errors
/// If it cannot be read or is no history: file, line, column and the mend.
pub(crate) fn load(path: &Path, options: &Options) -> anyhow::Result<Loaded> {
    if path.is_dir() { load_run(path) } else { load_file(path, options) }
}

/// Loads what [`load`] does, as the arguments say.
///
/// # Errors
/// As [`load`].
pub(crate) fn load_as(path: &Path, args: &ReadArgs) -> anyhow::Result<Loaded> {
    let options = Options {
        format: args.format,
        lenient: args.lenient,
        tail: Tail::Strict,
        independent: args.independent,
    };
    let mut loaded = load(path, &options)?;
    if args.strict_fail {
        let refused = loaded.history.vouch("cas", "mismatch", is_mismatch);
        let notice = format!("{refused} refused cas count as having seen another value");
        loaded.notices.push(notice);
    }
    Ok(loaded)
}

/// Whether a compare-and-set that failed for this reason has seen another value. Without a
/// reason, as Jepsen records it, it has.
fn is_mismatch(reason: &str) -> bool {
    let words = ["mismatch", "precondition", "did-not-succeed", "compare", "not-equal"];
    reason.is_empty() || words.iter().any(|word| reason.contains(word))
}

fn load_file(path: &Path, options: &Options) -> anyhow::Result<Loaded> {
    let name = path.display().to_string();
    let input: Box<dyn Read> = if name == "-" {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(File::open(path).map_err(|e| usage(format!("{name}: {e}")))?)
    };
    let loaded = history::read(input, options).map_err(|e| usage(place(path, &e)))?;
    let history::Loaded { history, format, notices, .. } = loaded;
    Ok(Loaded { name, history, format, plan: None, results: None, site: None, notices })
}

/// Loads a run folder.
///
/// # Errors
/// If it has no readable history or plan.
pub(crate) fn load_run(path: &Path) -> anyhow::Result<Loaded> {
    let site = Site::open(path.canonicalize().unwrap_or_else(|_| path.to_owned()));
    let read = |file: PathBuf| {
        std::fs::read(&file)
            .map_err(|e| usage(format!("{}: {e}; is this a run folder?", file.display())))
    };
    let plan =
        codec::plan::read(&read(site.plan())?).map_err(|e| usage(place(&site.plan(), &e)))?;
    // What a killed recorder left is one line short at most, and danso's own.
    let options = Options {
        format: Some(Format::Jsonl),
        tail: Tail::Torn,
        independent: Some(false),
        lenient: false,
    };
    let recorded = File::open(site.history())
        .map_err(|e| usage(format!("{}: {e}", site.history().display())))?;
    let loaded =
        history::read(recorded, &options).map_err(|e| usage(place(&site.history(), &e)))?;
    let mut notices = loaded.notices;
    if loaded.torn_bytes > 0 {
        notices.push(format!(
            "the recorder was stopped while writing: {} bytes of an incomplete last line are left out",
            loaded.torn_bytes
        ));
    }
    let results = match std::fs::read(site.results()) {
        Ok(bytes) => {
            Some(codec::results::read(&bytes).map_err(|e| usage(place(&site.results(), &e)))?)
        }
        Err(_) => None,
    };
    Ok(Loaded {
        name: path.display().to_string(),
        history: loaded.history,
        format: loaded.format,
        plan: Some(plan),
        results,
        site: Some(site),
        notices,
    })
}

/// Writes a file so that it is there whole or not at all.
///
/// # Errors
/// If it cannot be written; nothing is left of it.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let fresh = path.with_extension("new");
    let written = std::fs::write(&fresh, bytes).and_then(|()| std::fs::rename(&fresh, path));
    if written.is_err() {
        // Half a file is worse than none; what cannot be removed either is told below.
        let _ = std::fs::remove_file(&fresh);
    }
    written.with_context(|| format!("{} cannot be written", path.display()))
}

fn place(path: &Path, error: &ReadError) -> String {
    format!("{}:{}:{}: {}", path.display(), error.line, error.column, error.message)
}
