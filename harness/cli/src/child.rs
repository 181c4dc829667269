//! [`Child`]: a `danso run` in a process of its own, for commands that run many.
//!
//! Its nodes, namespaces and faults end with it; it is told to end when this process does.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;
use danso_engine::progress::Interrupt;
use danso_vocab::{Plan, Results, codec};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How long a child that was told to end may take to heal and to write its report.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often it is looked at.
const TICK: Duration = Duration::from_millis(20);

/// What to run.
pub(crate) struct Order<'a> {
    /// The arguments after `danso run`, without `--out`.
    pub(crate) args: &'a [String],
    /// A folder of this child's own: its run folder comes to lie in it, and what it prints.
    pub(crate) out: &'a Path,
    /// After how long it is told to end.
    pub(crate) timeout: Option<Duration>,
}

/// How a child ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Its exit code; `None` if it was killed.
    pub(crate) code: Option<i32>,
    /// Whether it took longer than it might, or was told to end with this process.
    pub(crate) cut: Option<&'static str>,
    /// Its run folder, if it came to have one.
    pub(crate) folder: Option<PathBuf>,
    /// What it found, if it came to that.
    pub(crate) results: Option<Results>,
    /// What it printed last: why it has no results, if it has none.
    pub(crate) said: String,
    /// How long it took.
    pub(crate) took: Duration,
}

/// Runs a child to its end.
///
/// # Errors
/// If it cannot be started, or its folder not be written.
pub(crate) fn run(order: &Order<'_>, interrupt: &Interrupt) -> anyhow::Result<Ended> {
    let unwritable = || format!("{}: name a folder that can be written", order.out.display());
    std::fs::create_dir_all(order.out).with_context(unwritable)?;
    let printed = order.out.join("printed.txt");
    let output = File::create(&printed).with_context(unwritable)?;
    let errors = output.try_clone().with_context(unwritable)?;
    let exe = std::env::current_exe().context("where is the danso binary?")?;
    let since = Instant::now();
    let mut command = Command::new(exe);
    command.arg("run").args(order.args).arg("--out").arg(order.out);
    command.stdin(Stdio::null()).stdout(output).stderr(errors);
    // A Ctrl-C at the terminal is for us: we pass it on, once.
    command.process_group(0);
    let parent = nix::unistd::getpid();
    // SAFETY: between fork and exec only system calls are made, and nothing is allocated.
    unsafe {
        command.pre_exec(move || {
            nix::sys::prctl::set_pdeathsig(Signal::SIGTERM)?;
            match nix::unistd::getppid() == parent {
                true => Ok(()),
                false => Err(nix::errno::Errno::ESRCH.into()),
            }
        });
    }
    let mut child = command.spawn().context("danso cannot start itself")?;
    let pid = Pid::from_raw(i32::try_from(child.id())?);
    let mut cut = None;
    let mut told = None;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        let late = order.timeout.is_some_and(|timeout| since.elapsed() > timeout);
        if cut.is_none() && (late || interrupt.raised().is_some()) {
            cut = Some(if late { "timeout" } else { "interrupted" });
            told = Some(Instant::now());
            // It may just have ended.
            let _ = kill(pid, Signal::SIGINT);
        }
        if told.is_some_and(|told: Instant| told.elapsed() > PATIENCE) {
            child.kill()?;
        }
        std::thread::sleep(TICK);
    };
    Ok(ended(order.out, &printed, status, cut, since.elapsed()))
}

fn ended(
    out: &Path,
    printed: &Path,
    status: ExitStatus,
    cut: Option<&'static str>,
    took: Duration,
) -> Ended {
    let folder = out.join("latest").canonicalize().ok();
    let results = folder.as_ref().and_then(|folder| {
        let bytes = std::fs::read(folder.join("results.json")).ok()?;
        codec::results::read(&bytes).ok()
    });
    let said = std::fs::read(printed).unwrap_or_default();
    let said = String::from_utf8_lossy(&said).trim_end().to_owned();
    Ended { code: status.code(), cut, folder, results, said, took }
}

/// Writes a plan for `danso run` to take.
///
/// # Errors
/// If it cannot be written.
pub(crate) fn write_plan(plan: &Plan, file: &Path) -> anyhow::Result<()> {
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    std::fs::write(file, codec::plan::write(plan)).with_context(|| file.display().to_string())
}
