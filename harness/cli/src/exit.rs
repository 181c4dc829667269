//! Exit codes: 0 valid, 1 invalid, 2 unknown, 254 bad usage or input, 255 internal.

use std::process::ExitCode;

use danso_vocab::Verdict;

/// How danso ends. Ordered: of several histories the worst counts, and an unknown never hides
/// an anomaly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Exit {
    /// Everything asked for holds.
    Valid,
    /// Something could not be decided.
    Unknown,
    /// An anomaly was found.
    Invalid,
    /// Bad usage or bad input.
    Usage,
    /// The environment or danso itself failed.
    Internal,
}

impl Exit {
    /// The exit of a verdict.
    pub(crate) fn of(verdict: Verdict) -> Exit {
        match verdict {
            Verdict::Valid => Exit::Valid,
            Verdict::Unknown => Exit::Unknown,
            Verdict::Invalid => Exit::Invalid,
        }
    }

    /// The number for the shell.
    pub(crate) fn code(self) -> ExitCode {
        ExitCode::from(match self {
            Exit::Valid => 0,
            Exit::Invalid => 1,
            Exit::Unknown => 2,
            Exit::Usage => 254,
            Exit::Internal => 255,
        })
    }
}

/// The user's fault: bad usage or bad input. Everything else is internal.
#[derive(Debug)]
pub(crate) struct Usage(pub(crate) String);

impl std::fmt::Display for Usage {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// A usage error.
pub(crate) fn usage(message: impl Into<String>) -> anyhow::Error {
    anyhow::Error::new(Usage(message.into()))
}

/// The exit an error means.
pub(crate) fn of_error(error: &anyhow::Error) -> Exit {
    let users = error.chain().any(|cause| cause.is::<Usage>());
    if users { Exit::Usage } else { Exit::Internal }
}

/// clap exits with 2 on bad usage, which would read as `unknown`.
pub(crate) fn of_clap(error: &clap::Error) -> ExitCode {
    // Nothing can be done about a closed stderr.
    let _ = error.print();
    if error.use_stderr() { Exit::Usage.code() } else { ExitCode::SUCCESS }
}

/// What a shell says of a process whose reader has left: 128 and the number of SIGPIPE.
const NO_READER: i32 = 141;

/// Ends the process once nothing can be printed any more. Printing panics then, which looks like
/// a defect and is none: whoever read the output has left, as in `danso check … | head`, and then
/// there is nobody to tell; or the disk under it is full.
pub(crate) fn in_order_when_printing_fails() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let said = panic.payload().downcast_ref::<String>();
        let failed = said.filter(|said| said.starts_with("failed printing to std"));
        if failed.is_some_and(|said| said.contains("Broken pipe")) {
            std::process::exit(NO_READER);
        }
        if let Some(said) = failed {
            use std::io::Write as _;
            // Should stderr be as full, there is nothing left to do.
            let _ = writeln!(std::io::stderr(), "error: {said}; free some space and try again");
            std::process::exit(255);
        }
        usual(panic);
    }));
}
