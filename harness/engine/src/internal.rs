//! Processes danso starts from its own binary beside the nodes themselves: `danso internal NAME`.
//! They exist because some things can be done only by a process with one thread, or must outlive
//! a node.

use std::process::ExitCode;

/// The word that makes a danso binary one of these.
pub const WORD: &str = "internal";

/// If this process was started as one of danso's own helpers, does its work and returns how it
/// went. To be called first thing in `main`, before any thread is started.
pub fn serve() -> Option<ExitCode> {
    let mut args = std::env::args_os().skip(1);
    if args.next()? != WORD {
        return None;
    }
    let name = args.next().unwrap_or_default();
    if name == "clocked" {
        return Some(crate::clock::helper::serve(args));
    }
    eprintln!("danso internal: there is no helper {}", name.display());
    Some(ExitCode::from(254))
}
