//! [`Tracee`]: a process stopped by ptrace, its memory, and calls made in its name.
//!
//! ptrace belongs to a *thread*: all of this must happen on one thread, and nobody else may wait
//! for the process meanwhile, or the stops are taken from under our feet.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use nix::errno::Errno;
use nix::sys::ptrace;
use nix::sys::signal::Signal;
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use nix::unistd::Pid;

use super::arch::Registers;

/// Why a process has no clock of its own.
#[derive(Debug, thiserror::Error)]
pub enum PatchError {
    /// It ended meanwhile, which is nobody's fault.
    #[error("process {0} ended meanwhile")]
    Gone(Pid),
    /// The kernel refused a step.
    #[error("{step}: {error}")]
    Refused {
        /// What was tried.
        step: &'static str,
        /// What the kernel said.
        error: io::Error,
    },
    /// It cannot be patched as it is.
    #[error("{0}")]
    Unfit(String),
    /// It was left half patched, and must not go on.
    #[error("process {pid} cannot go on: {reason}")]
    Broken {
        /// Which.
        pid: Pid,
        /// What went wrong.
        reason: String,
    },
}

impl PatchError {
    pub(super) fn of(pid: Pid, step: &'static str, error: Errno) -> PatchError {
        if error == Errno::ESRCH {
            return PatchError::Gone(pid);
        }
        PatchError::Refused { step, error: error.into() }
    }

    pub(super) fn io(step: &'static str) -> impl FnOnce(io::Error) -> PatchError {
        move |error| PatchError::Refused { step, error }
    }
}

/// Where /proc shows `pid`, a number of this process's own PID namespace, which need not be the
/// one /proc was mounted in.
pub(super) fn proc_dir(pid: Pid) -> Result<PathBuf, PatchError> {
    let plain = PathBuf::from(format!("/proc/{pid}"));
    let own = std::fs::read_link("/proc/self").map_err(PatchError::io("/proc/self"))?;
    if own.as_os_str() == std::process::id().to_string().as_str() {
        return Ok(plain);
    }
    let namespace = |dir: &PathBuf| std::fs::read_link(dir.join("ns/pid")).ok();
    let ours = namespace(&PathBuf::from("/proc/self"));
    let suffix = format!("\t{pid}");
    for entry in std::fs::read_dir("/proc").map_err(PatchError::io("/proc"))?.flatten() {
        let dir = entry.path();
        let Ok(status) = std::fs::read_to_string(dir.join("status")) else { continue };
        // The numbers of a process in all namespaces it is in, the innermost last.
        let known = status.lines().any(|l| l.starts_with("NSpid:") && l.ends_with(&suffix));
        if known && namespace(&dir) == ours {
            return Ok(dir);
        }
    }
    Err(PatchError::Gone(pid))
}

/// A field of a /proc status file.
fn status_field(dir: &std::path::Path, field: &str) -> Option<String> {
    let status = std::fs::read_to_string(dir.join("status")).ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix(field)?.strip_prefix(':'))?;
    Some(line.trim().to_owned())
}

/// The process a thread belongs to, which may be alone in it.
pub(super) fn process_of(thread: Pid) -> Pid {
    let Ok(dir) = proc_dir(thread) else { return thread };
    // The innermost namespace's number is the last one.
    let numbers = status_field(&dir, "NStgid").or_else(|| status_field(&dir, "Tgid"));
    let number = numbers.and_then(|n| n.split_whitespace().last()?.parse().ok());
    number.map_or(thread, Pid::from_raw)
}

/// Whether we are the parent: then its end must be left for our own reaping.
fn is_child(pid: Pid) -> bool {
    let parent = proc_dir(pid).ok().and_then(|dir| status_field(&dir, "PPid"));
    let own = std::fs::read_link("/proc/self").ok();
    parent.is_some_and(|p| own.is_some_and(|o| o.as_os_str() == p.as_str()))
}

/// Waits until `pid` stops. The end of a child is left to be waited for.
pub(super) fn stop(pid: Pid) -> Result<WaitStatus, PatchError> {
    let flags = WaitPidFlag::__WALL | WaitPidFlag::WEXITED | WaitPidFlag::WSTOPPED;
    loop {
        match waitid(Id::Pid(pid), flags | WaitPidFlag::WNOWAIT) {
            Ok(WaitStatus::Exited(..) | WaitStatus::Signaled(..)) => {
                if !is_child(pid) {
                    // Its parent hears of it only once its tracer has.
                    let _ = waitpid(pid, Some(WaitPidFlag::__WALL | WaitPidFlag::WNOHANG));
                }
                return Err(PatchError::Gone(pid));
            }
            Ok(_) => match waitpid(pid, Some(WaitPidFlag::__WALL | WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::StillAlive) | Err(Errno::EINTR) => {}
                Ok(status) => return Ok(status),
                Err(_) => return Err(PatchError::Gone(pid)),
            },
            Err(Errno::EINTR) => {}
            Err(_) => return Err(PatchError::Gone(pid)),
        }
    }
}

/// A stopped process.
pub(super) struct Tracee {
    pub(super) pid: Pid,
    pub(super) dir: PathBuf,
    memory: File,
    /// What it would go on with.
    pub(super) registers: Registers,
    signals: u64,
    /// Signals that arrived while we were at work.
    postponed: Vec<Signal>,
}

/// `PTRACE_GETSIGMASK`, which libc does not name everywhere.
const GETSIGMASK: libc::c_uint = 0x420a;
/// `PTRACE_SETSIGMASK`.
const SETSIGMASK: libc::c_uint = 0x420b;

impl Tracee {
    /// Takes over `pid`, which is stopped. Until [`Tracee::release`] no signal but the two that
    /// nobody can block reaches it.
    pub(super) fn new(pid: Pid) -> Result<Tracee, PatchError> {
        let dir = proc_dir(pid)?;
        let memory = OpenOptions::new().read(true).write(true).open(dir.join("mem"));
        let memory = memory.map_err(PatchError::io("its memory"))?;
        let registers = Registers::get(pid)?;
        let mut signals = 0_u64;
        sigmask(pid, GETSIGMASK, &mut signals)?;
        // Single steps end in a SIGTRAP, whose handler the kernel would reset if it were blocked.
        let mut all = !(1_u64 << (libc::SIGTRAP - 1));
        sigmask(pid, SETSIGMASK, &mut all)?;
        Ok(Tracee { pid, dir, memory, registers, signals, postponed: Vec::new() })
    }

    /// Puts registers and signals back as they were; it is still stopped.
    pub(super) fn release(mut self) -> Result<(), PatchError> {
        self.registers.set(self.pid)?;
        sigmask(self.pid, SETSIGMASK, &mut self.signals)?;
        for signal in &self.postponed {
            // SAFETY: it sends a signal to the thread we have stopped.
            let sent = unsafe {
                libc::syscall(
                    libc::SYS_tgkill,
                    process_of(self.pid).as_raw(),
                    self.pid.as_raw(),
                    *signal as i32,
                )
            };
            if sent < 0 {
                return Err(PatchError::of(self.pid, "a signal it had missed", Errno::last()));
            }
        }
        Ok(())
    }

    pub(super) fn read(&self, address: u64, length: usize) -> Result<Vec<u8>, PatchError> {
        let mut bytes = vec![0; length];
        let read = self.memory.read_exact_at(&mut bytes, address);
        read.map(|()| bytes).map_err(PatchError::io("its memory"))
    }

    /// Writes, whatever the pages' protection: the kernel copies a private page for that.
    pub(super) fn write(&self, address: u64, bytes: &[u8]) -> Result<(), PatchError> {
        if self.memory.write_all_at(bytes, address).is_ok() {
            return Ok(());
        }
        // Hardened kernels want it word by word.
        let refused = |e| PatchError::of(self.pid, "its memory", e);
        for (index, chunk) in bytes.chunks(8).enumerate() {
            let at = (address + 8 * index as u64) as *mut libc::c_void;
            let mut word = match chunk.len() {
                8 => [0; 8],
                _ => ptrace::read(self.pid, at).map_err(refused)?.to_ne_bytes(),
            };
            word[..chunk.len()].copy_from_slice(chunk);
            ptrace::write(self.pid, at, i64::from_ne_bytes(word)).map_err(refused)?;
        }
        Ok(())
    }

    /// Makes a system call in its name from the instruction at `gadget`.
    pub(super) fn system_call(
        &mut self,
        gadget: u64,
        step: &'static str,
        number: i64,
        args: [u64; 6],
    ) -> Result<u64, PatchError> {
        self.registers.system_call(gadget, number, args).set(self.pid)?;
        loop {
            ptrace::step(self.pid, None).map_err(|e| PatchError::of(self.pid, step, e))?;
            if self.trapped()? {
                break;
            }
        }
        let result = Registers::get(self.pid)?.result();
        // The last page of the address space stands for errors.
        match result.cast_signed() {
            errno @ -4095..=-1 => Err(PatchError::Refused {
                step,
                error: io::Error::from_raw_os_error(-errno as i32),
            }),
            _ => Ok(result),
        }
    }

    /// Calls a function in it, which returns to the breakpoint at `back`.
    pub(super) fn call(
        &mut self,
        entry: u64,
        back: u64,
        args: impl Fn(u64) -> [u64; 2],
    ) -> Result<(u64, u64), PatchError> {
        // Below what the stack holds and below what may be used beyond it, aligned as at a call.
        let scratch = (self.registers.stack() - 1024) & !63;
        let stack = scratch - 512 - 8;
        self.write(stack, &back.to_le_bytes())?;
        self.registers.call(entry, stack, args(scratch)).set(self.pid)?;
        loop {
            ptrace::cont(self.pid, None).map_err(|e| PatchError::of(self.pid, "a call", e))?;
            if self.trapped()? {
                return Ok((Registers::get(self.pid)?.result(), scratch));
            }
        }
    }

    /// Waits for the trap; other signals are kept for later.
    fn trapped(&mut self) -> Result<bool, PatchError> {
        match stop(self.pid)? {
            WaitStatus::Stopped(_, Signal::SIGTRAP) => Ok(true),
            WaitStatus::Stopped(_, signal) => {
                if matches!(signal, Signal::SIGSEGV | Signal::SIGBUS | Signal::SIGILL) {
                    let reason = format!("it met {signal} under our hands");
                    return Err(PatchError::Broken { pid: self.pid, reason });
                }
                self.postponed.push(signal);
                Ok(false)
            }
            _ => Ok(false),
        }
    }
}

fn sigmask(pid: Pid, request: libc::c_uint, mask: &mut u64) -> Result<(), PatchError> {
    // SAFETY: the kernel reads or writes the eight bytes of the mask, whose size is passed along.
    let done = unsafe { libc::ptrace(request, pid.as_raw(), 8_usize, std::ptr::from_mut(mask)) };
    if done < 0 {
        return Err(PatchError::of(pid, "its signal mask", Errno::last()));
    }
    Ok(())
}
