//! Whether nodes can have clocks of their own here: found out by patching a process and asking it.
//!
//! The process is this very program, stopped before its first instruction; what answers is the
//! patched function itself, called in its name. Then it is killed.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use nix::unistd::Pid;

use super::arch;
use super::page::{Lines, Page};
use super::patch::{self, Method};
use super::skew::now;
use super::tracee::{PatchError, stop};
use crate::means::Obstacle;

/// Whether nodes can have clocks of their own here.
///
/// # Errors
/// Why not, and the mend.
pub fn probe() -> Result<(), Obstacle> {
    method().map(drop)
}

/// How processes are patched here; tried once.
///
/// # Errors
/// Why not at all, and the mend.
pub fn method() -> Result<Method, Obstacle> {
    static FOUND: OnceLock<Result<Method, Obstacle>> = OnceLock::new();
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

fn find(page: impl Fn() -> io::Result<Page>) -> Result<Method, Obstacle> {
    if !arch::SUPPORTED {
        return Err(Obstacle::new(
            format!("clocks are not written for {} yet", std::env::consts::ARCH),
            "run on x86-64",
        ));
    }
    let page = page().map_err(|e| no_page(&e))?;
    let mut last = None;
    for best in [Method::Relocate, Method::InPlace] {
        let before = now(libc::CLOCK_REALTIME);
        match witness_by(page.path(), best, libc::CLOCK_REALTIME) {
            Ok((method, reading)) => {
                let after = now(libc::CLOCK_REALTIME);
                if (before + AHEAD..=after + AHEAD).contains(&reading) {
                    return Ok(method);
                }
                last = Some(format!("a patched process is off by {} ns", reading - before));
            }
            Err(error) => last = Some(error.to_string()),
        }
    }
    Err(Obstacle::new(format!("a process cannot be patched: {}", last.unwrap_or_default()), mend()))
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

/// Starts a process with the clocks of the page at `page` and returns what its clock `clock`
/// reads, in nanoseconds: what any process of that node would be told if it began now. Blocks
/// for a few milliseconds.
///
/// # Errors
/// If there can be no such process.
pub fn witness(page: &Path, clock: libc::clockid_t) -> Result<i64, PatchError> {
    witness_by(page, Method::Relocate, clock).map(|(_, reading)| reading)
}

fn witness_by(
    page: &Path,
    best: Method,
    clock: libc::clockid_t,
) -> Result<(Method, i64), PatchError> {
    std::thread::scope(|scope| {
        // A thread of its own: a tracer is a thread, and nobody else waits for this child.
        let asking = scope.spawn(|| on_this_thread(page, best, clock));
        asking.join().unwrap_or_else(|_| Err(PatchError::Unfit("asking it panicked".to_owned())))
    })
}

fn on_this_thread(
    page: &Path,
    best: Method,
    clock: libc::clockid_t,
) -> Result<(Method, i64), PatchError> {
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
            let (method, reading) = match answer {
                Ok(answer) => answer,
                Err(error) => return println!("skipped: {error}"),
            };
            assert_eq!(method, best);
            assert!((before + AHEAD..=after + AHEAD).contains(&reading));
            let (_, monotonic) = witness_by(page.path(), best, libc::CLOCK_MONOTONIC).unwrap();
            assert!(monotonic <= now(libc::CLOCK_MONOTONIC));
        }
    }

    #[test]
    fn what_cannot_be_had_is_told_with_its_mend() {
        let refused = find(|| Err(io::ErrorKind::OutOfMemory.into())).unwrap_err();
        assert!(refused.mend.contains("memfd"));
        assert!(witness(Path::new("/no/such/page"), 0).is_err());
    }
}
