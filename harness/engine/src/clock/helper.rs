//! `danso internal clocked [--in-place] [--first-only] PAGE PROGRAM ARGS…`: runs a program, and
//! whatever it starts, with the clocks of a page. Ends as the program ended, and takes the program
//! along when it dies.

use std::ffi::{CString, OsString};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStringExt;
use std::process::ExitCode;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, execvp, fork};

use super::exec::Follower;
use super::launch::{Launch, Launched};
use super::patch::Method;
use crate::internal::{Args, complain};

/// Does it. The process must have one thread.
pub(crate) fn clocked(args: Args) -> ExitCode {
    match run(args.into_iter()) {
        Ok(code) => code,
        Err(reason) => {
            say(&reason);
            ExitCode::from(254)
        }
    }
}

fn say(words: &str) {
    complain(&format!("clocked: {words}"));
}

fn run(mut args: impl Iterator<Item = OsString>) -> Result<ExitCode, String> {
    let (mut best, mut later) = (Method::Relocate, true);
    let page = loop {
        let word = args.next().ok_or("which page?")?;
        match word.to_str() {
            Some("--in-place") => best = Method::InPlace,
            Some("--first-only") => later = false,
            _ => break word,
        }
    };
    let command: Result<Vec<CString>, _> = args.map(|a| CString::new(a.into_vec())).collect();
    let command = command.map_err(|_| "an argument contains a NUL")?;
    let program = command.first().ok_or("which program?")?;
    let page = std::path::absolute(page).map_err(|e| format!("the page: {e}"))?;
    let launch = Launch::new(page, later).map_err(|e| e.to_string())?.best(best);
    die_with_parent();
    // SAFETY: this process has one thread, so the child may do anything.
    let pid = match unsafe { fork() }.map_err(|e| format!("fork: {e}"))? {
        ForkResult::Child => {
            die_with_parent();
            let error = match launch.in_child() {
                Ok(()) => execvp(program, &command).err().map(|e| e.to_string()),
                Err(error) => Some(error.to_string()),
            };
            say(&format!("{}: {}", program.to_string_lossy(), error.unwrap_or_default()));
            // SAFETY: it ends this process and nothing else.
            unsafe { libc::_exit(127) }
        }
        ForkResult::Parent { child } => child,
    };
    let Launched { mut follower, unfollowed, .. } = match launch.in_parent(pid) {
        Ok(launched) => launched,
        Err(super::PatchError::Gone(_)) => return Ok(reaped(pid)),
        Err(error) => {
            let _ = nix::sys::signal::kill(pid, Signal::SIGKILL);
            reaped(pid);
            return Err(error.to_string());
        }
    };
    if let Some(error) = unfollowed {
        say(&format!("later programs have true clocks: {error}"));
    }
    loop {
        if let Some(code) = ended(pid, WaitPidFlag::WNOHANG) {
            return Ok(code);
        }
        let Some(following) = &mut follower else { return Ok(reaped(pid)) };
        if !follow(following) {
            follower = None;
        }
    }
}

/// Waits a moment for an `execve` and deals with it. Returns whether there can be more.
fn follow(follower: &mut Follower) -> bool {
    let mut ready = [PollFd::new(follower.as_fd(), PollFlags::POLLIN)];
    match poll(&mut ready, PollTimeout::from(20_u8)) {
        Ok(0) | Err(Errno::EINTR) => return true,
        Ok(_) => {}
        Err(_) => return false,
    }
    match follower.handle() {
        Ok(Some(met)) => {
            if let Err(error) = met.result {
                say(&format!("{} has true clocks: {error}", met.pid));
            }
            true
        }
        Ok(None) => true,
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => false,
        Err(error) => {
            say(&error.to_string());
            false
        }
    }
}

fn die_with_parent() {
    // SAFETY: a setting of this process.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
}

fn reaped(pid: Pid) -> ExitCode {
    ended(pid, WaitPidFlag::empty()).unwrap_or(ExitCode::from(254))
}

fn ended(pid: Pid, flags: WaitPidFlag) -> Option<ExitCode> {
    match waitpid(pid, Some(flags)) {
        Ok(WaitStatus::Exited(_, code)) => Some(ExitCode::from(code as u8)),
        Ok(WaitStatus::Signaled(_, signal, _)) => Some(ExitCode::from(128 + signal as u8)),
        Ok(_) | Err(Errno::EINTR) => None,
        Err(_) => Some(ExitCode::from(254)),
    }
}
