//! Whether and how nodes can have clocks of their own here: found out by patching a process and
//! asking it.
//!
//! The process is this very program, stopped before its first instruction; what answers is the
//! patched function itself, called in its name. Then it is killed. Where that cannot be done, a
//! program is started with the library preloaded and asked for the time.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use nix::unistd::Pid;

use super::arch;
use super::page::{Lines, Page};
use super::patch::{self, Answer, Method};
use super::preload::Library;
use super::skew::now;
use super::tracee::{PatchError, stop};
use crate::means::Obstacle;

/// How the clocks of processes are reached, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// They are patched, and their vDSO is moved.
    Relocated,
    /// They are patched, and their vDSO is overwritten.
    InPlace,
    /// A library is preloaded: programs without libraries, and Go's, cannot be reached.
    Preloaded,
}

/// Whether nodes can have clocks of their own here.
///
/// # Errors
/// Why not, and the mend.
pub fn probe() -> Result<(), Obstacle> {
    way().map(drop)
}

/// How the clocks of processes are reached here; tried once.
///
/// # Errors
/// Why not at all, and the mend.
pub fn way() -> Result<Way, Obstacle> {
    static FOUND: OnceLock<Result<Way, Obstacle>> = OnceLock::new();
    FOUND.get_or_init(|| find(true_page)).clone()
}

/// An hour ahead.
const AHEAD: i64 = 3_600 * 1_000_000_000;

fn true_page() -> io::Result<Page> {
    let mut page = Page::anonymous()?;
    let mut lines = Lines::default();
    lines[libc::CLOCK_REALTIME as usize].offset = AHEAD;
    page.publish(&lines);
    Ok(page)
}

fn find(page: impl Fn() -> io::Result<Page>) -> Result<Way, Obstacle> {
    if !arch::SUPPORTED {
        return Err(Obstacle::new(
            format!("clocks are not written for {} yet", std::env::consts::ARCH),
            "run on x86-64",
        ));
    }
    let page = page().map_err(|e| no_page(&e))?;
    let mut last = String::new();
    for best in [Method::Relocate, Method::InPlace] {
        let asked = || {
            let asked = witness_by(page.path(), best, libc::CLOCK_REALTIME);
            asked.map(|a| (a.method, a.reading)).map_err(|e| e.to_string())
        };
        match ahead(asked) {
            Ok(Method::Relocate) => return Ok(Way::Relocated),
            Ok(Method::InPlace) => return Ok(Way::InPlace),
            Err(reason) => last = reason,
        }
    }
    match preloaded(&page) {
        Ok(()) => Ok(Way::Preloaded),
        Err(reason) => Err(Obstacle::new(
            format!(
                "processes cannot be patched: {last}; nor can a library be preloaded: {reason}"
            ),
            mend(),
        )),
    }
}

/// Whether somebody who was asked is an hour ahead, and what else they say.
fn ahead<T>(ask: impl FnOnce() -> Result<(T, i64), String>) -> Result<T, String> {
    let before = now(libc::CLOCK_REALTIME);
    let (said, reading) = ask()?;
    let after = now(libc::CLOCK_REALTIME);
    if (before + AHEAD..=after + AHEAD).contains(&reading) {
        return Ok(said);
    }
    Err(format!("a process that should be an hour ahead is ahead by {} ns", reading - before))
}

/// Whether a preloaded library reaches a program. Leaves nothing behind.
fn preloaded(page: &Page) -> Result<(), String> {
    let folder = std::env::temp_dir().join(format!("danso-clock-{}", std::process::id()));
    std::fs::create_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let asked = Library::write(&folder).map_err(|e| e.to_string()).and_then(|library| {
        ahead(|| library.witness(page.path()).map(|r| ((), r)).map_err(|e| e.to_string()))
    });
    let removed = std::fs::remove_dir_all(&folder);
    asked.and_then(|()| removed.map_err(|e| format!("{}: {e}", folder.display())))
}

fn no_page(error: &io::Error) -> Obstacle {
    Obstacle::new(format!("no shared memory: {error}"), "allow memfd_create")
}

/// What must be allowed, from what this machine says of itself.
fn mend() -> String {
    let scope = std::fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope");
    match scope.unwrap_or_default().trim() {
        "2" => "set kernel.yama.ptrace_scope to 1 or give danso CAP_SYS_PTRACE".to_owned(),
        "3" => "boot with kernel.yama.ptrace_scope below 3".to_owned(),
        _ => "allow ptrace of own children (a container wants --cap-add SYS_PTRACE, or a seccomp profile that allows ptrace)".to_owned(),
    }
}

/// Starts a process with the clocks of the page at `page` and returns how many nanoseconds its
/// clock `clock` is ahead of the machine's, within some microseconds: what any process of that
/// node would be told if it began now. Blocks for a few milliseconds.
///
/// # Errors
/// If there can be no such process.
pub fn witness(page: &Path, clock: libc::clockid_t) -> Result<i64, PatchError> {
    witness_by(page, Method::Relocate, clock).map(|answer| answer.reading - answer.asked)
}

fn witness_by(page: &Path, best: Method, clock: libc::clockid_t) -> Result<Answer, PatchError> {
    std::thread::scope(|scope| {
        // A thread of its own: a tracer is a thread, and nobody else waits for this child.
        let asking = scope.spawn(|| on_this_thread(page, best, clock));
        asking.join().unwrap_or_else(|_| Err(PatchError::Unfit("asking it panicked".to_owned())))
    })
}

fn on_this_thread(page: &Path, best: Method, clock: libc::clockid_t) -> Result<Answer, PatchError> {
    let mut command = Command::new("/proc/self/exe");
    command.env_clear().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // SAFETY: between fork and exec only async-signal-safe calls are made: prctl and ptrace.
    unsafe {
        command.pre_exec(|| {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            match libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) {
                0.. => Ok(()),
                _ => Err(io::Error::last_os_error()),
            }
        });
    }
    let mut child = command.spawn().map_err(PatchError::io("tracing a child"))?;
    let pid = Pid::from_raw(child.id().cast_signed());
    let asked = stop(pid).and_then(|_| patch::patch_and_ask(pid, page, best, clock));
    // It has never run an instruction of its own, and never will.
    let ended = child.kill().and_then(|()| child.wait());
    ended.map_err(PatchError::io("ending it"))?;
    asked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_methods_are_seen_by_a_patched_process() {
        let page = true_page().unwrap();
        for best in [Method::Relocate, Method::InPlace] {
            let before = now(libc::CLOCK_REALTIME);
            let answer = witness_by(page.path(), best, libc::CLOCK_REALTIME);
            let after = now(libc::CLOCK_REALTIME);
            let Answer { method, reading, asked } = match answer {
                Ok(answer) => answer,
                Err(error) => return println!("skipped: {error}"),
            };
            assert_eq!(method, best);
            assert!((before + AHEAD..=after + AHEAD).contains(&reading));
            assert!((before..=reading - AHEAD).contains(&asked));
            let monotonic = witness_by(page.path(), best, libc::CLOCK_MONOTONIC).unwrap();
            assert!((monotonic.asked..=now(libc::CLOCK_MONOTONIC)).contains(&monotonic.reading));
        }
    }

    #[test]
    fn a_library_can_be_preloaded_and_nothing_is_left_of_the_trial() {
        if let Err(reason) = preloaded(&true_page().unwrap()) {
            return println!("skipped: {reason}");
        }
        let folder = std::env::temp_dir().join(format!("danso-clock-{}", std::process::id()));
        assert!(!folder.exists());
    }

    #[test]
    fn what_cannot_be_had_is_told_with_its_mend() {
        let refused = find(|| Err(io::ErrorKind::OutOfMemory.into())).unwrap_err();
        assert!(refused.mend.contains("memfd"));
        assert!(witness(Path::new("/no/such/page"), 0).is_err());
    }
}
