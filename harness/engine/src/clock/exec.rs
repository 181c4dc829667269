//! [`Follower`]: meets every later `execve` in a process's tree, without tracing anything else.
//!
//! A seccomp filter, inherited by all descendants, tells us of `execve` and of nothing else. The
//! caller is seized, the call goes on, and at its end the new program is patched and let go: it
//! is traced for a fifth of a millisecond. If the follower goes away, every later `execve` of
//! the tree fails with ENOSYS: it must live as long as the node.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::path::PathBuf;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::ptrace::{self, Options};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use nix::unistd::Pid;

use super::arch::AUDIT_ARCH;
use super::patch::{Method, detach, patch};
use super::tracee::{PatchError, process_of, stop};

/// The filter: which calls are told.
#[derive(Debug)]
pub(super) struct Filter {
    program: Vec<libc::sock_filter>,
}

impl Filter {
    pub(super) fn new() -> Filter {
        let statement = |code, k| libc::sock_filter { code, jt: 0, jf: 0, k };
        let jump = |k, jt, jf| libc::sock_filter { code: EQUAL, jt, jf, k };
        let program = vec![
            statement(LOAD, ARCH_AT),
            jump(AUDIT_ARCH, 1, 0),
            statement(RETURN, libc::SECCOMP_RET_ALLOW),
            statement(LOAD, NUMBER_AT),
            jump(libc::SYS_execve as u32, 1, 0),
            jump(libc::SYS_execveat as u32, 0, 1),
            statement(RETURN, libc::SECCOMP_RET_USER_NOTIF),
            statement(RETURN, libc::SECCOMP_RET_ALLOW),
        ];
        Filter { program }
    }

    /// Installs it in this process for good. Makes async-signal-safe calls only.
    pub(super) fn install(&self) -> io::Result<OwnedFd> {
        match self.listener() {
            Err(error) if error.raw_os_error() == Some(libc::EACCES) => {
                // Without privilege the kernel wants a promise that there will never be any.
                // SAFETY: a flag of this process.
                if unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) } < 0 {
                    return Err(io::Error::last_os_error());
                }
                self.listener()
            }
            result => result,
        }
    }

    fn listener(&self) -> io::Result<OwnedFd> {
        let program = libc::sock_fprog {
            len: self.program.len() as u16,
            filter: self.program.as_ptr().cast_mut(),
        };
        // A notification once received must not be taken back by a signal: the caller is being
        // seized by then. Kernels before 5.19 cannot promise that and say EINVAL.
        let flags = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER | WAIT_KILLABLE_RECV;
        // SAFETY: the kernel reads the program, which lives until the call returns.
        let fd = unsafe {
            libc::syscall(
                libc::SYS_seccomp,
                libc::SECCOMP_SET_MODE_FILTER,
                flags,
                &raw const program,
            )
        };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel has just made this descriptor for us.
        Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
    }
}

const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
const EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
/// Offsets in what a filter sees of a call.
const NUMBER_AT: u32 = 0;
const ARCH_AT: u32 = 4;
const WAIT_KILLABLE_RECV: libc::c_ulong = 1 << 5;

/// What became of one `execve`.
#[derive(Debug)]
pub struct Met {
    /// Whose it was.
    pub pid: Pid,
    /// How the new program was patched; `None` if the call failed and the old one goes on.
    pub result: Result<Option<Method>, PatchError>,
}

/// See the [module](self).
#[derive(Debug)]
pub struct Follower {
    listener: OwnedFd,
    page: PathBuf,
    best: Method,
    /// Met while waiting for something else, and not told yet.
    met: VecDeque<Met>,
}

impl AsFd for Follower {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }
}

impl Follower {
    pub(super) fn new(listener: OwnedFd, page: PathBuf, best: Method) -> Follower {
        Follower { listener, page, best, met: VecDeque::new() }
    }

    /// Deals with one `execve`, to be called when the listener is readable, always on the same
    /// thread. `None` if there was none after all. Takes about 0.2 ms beside the call itself.
    ///
    /// # Errors
    /// `UnexpectedEof` if nobody is left who could call it. Otherwise the listener has failed,
    /// and no `execve` of the tree will succeed any more.
    pub fn handle(&mut self) -> io::Result<Option<Met>> {
        if let Some(met) = self.met.pop_front() {
            return Ok(Some(met));
        }
        self.handle_next()
    }

    fn handle_next(&mut self) -> io::Result<Option<Met>> {
        // Some kernels would have us wait for ever where nobody is left.
        let mut ready = [PollFd::new(self.listener.as_fd(), PollFlags::POLLIN)];
        match poll(&mut ready, PollTimeout::ZERO) {
            Ok(0) | Err(Errno::EINTR) => return Ok(None),
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
        if ready[0].revents().is_some_and(|r| !r.contains(PollFlags::POLLIN)) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut told = Notification::default();
        if let Err(error) = ioctl(self.listener.as_fd(), RECEIVE, &mut told) {
            // The caller was killed before we came.
            let vanished = matches!(error, Errno::ENOENT | Errno::EINTR | Errno::EAGAIN);
            return if vanished { Ok(None) } else { Err(error.into()) };
        }
        let thread = Pid::from_raw(told.pid.cast_signed());
        let options = Options::PTRACE_O_TRACEEXEC | Options::PTRACE_O_TRACESYSGOOD;
        let process = process_of(thread);
        let seized = ptrace::seize(thread, options).and_then(|()| ptrace::interrupt(thread));
        let mut answer = Answer { id: told.id, value: 0, error: 0, flags: GO_ON };
        let answered = ioctl(self.listener.as_fd(), ANSWER, &mut answer);
        if let Err(error) = seized {
            let result = Err(PatchError::of(process, "tracing a program about to start", error));
            return Ok(Some(Met { pid: process, result }));
        }
        if let Err(error) = answered
            && error != Errno::ENOENT
        {
            let _ = ptrace::detach(thread, None);
            return Err(error.into());
        }
        let result = self.see_through(thread, process);
        Ok(Some(Met { pid: process, result }))
    }

    /// Waits for the end of the call a seized thread is in.
    fn see_through(&self, thread: Pid, process: Pid) -> Result<Option<Method>, PatchError> {
        // A thread that is not the first becomes the first when its `execve` succeeds.
        let (pid, status) =
            if thread == process { (thread, stop(thread)?) } else { either(thread, process)? };
        match status {
            WaitStatus::PtraceEvent(_, _, libc::PTRACE_EVENT_EXEC) => {}
            // It failed, and the caller was about to go on when it stopped.
            WaitStatus::Stopped(_, signal) => {
                let gone = ptrace::detach(pid, Some(signal));
                return gone.map(|()| None).map_err(|e| PatchError::of(pid, "letting it go", e));
            }
            _ => {
                let gone = ptrace::detach(pid, None);
                return gone.map(|()| None).map_err(|e| PatchError::of(pid, "letting it go", e));
            }
        }
        // Still inside the call, whose result would overwrite ours: on to its very end.
        ptrace::syscall(pid, None).map_err(|e| PatchError::of(pid, "the end of execve", e))?;
        stop(pid)?;
        let patched = patch(pid, &self.page, self.best);
        detach(pid, &patched)?;
        patched.map(Some)
    }
}

/// Waits until one of the two stops.
fn either(thread: Pid, process: Pid) -> Result<(Pid, WaitStatus), PatchError> {
    let flags = WaitPidFlag::__WALL | WaitPidFlag::WNOHANG | WaitPidFlag::WSTOPPED;
    loop {
        let mut known = false;
        for pid in [thread, process] {
            match waitpid(pid, Some(flags)) {
                Ok(WaitStatus::StillAlive) | Err(Errno::EINTR) => known = true,
                Ok(WaitStatus::Exited(..) | WaitStatus::Signaled(..)) => {
                    return Err(PatchError::Gone(pid));
                }
                Ok(status) => return Ok((pid, status)),
                Err(_) => {}
            }
        }
        if !known {
            return Err(PatchError::Gone(process));
        }
        std::thread::sleep(std::time::Duration::from_micros(50));
    }
}

/// Meets the first successful `execve` of `pid`.
pub(super) fn first(follower: &mut Follower, pid: Pid) -> Result<Method, PatchError> {
    loop {
        let mut ready = [PollFd::new(follower.listener.as_fd(), PollFlags::POLLIN)];
        match poll(&mut ready, PollTimeout::from(20_u8)) {
            Ok(0) | Err(Errno::EINTR) => {
                // It may have ended before it came to `execve`; its end is left to be waited for.
                let ended = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
                match waitid(Id::Pid(pid), ended) {
                    Ok(WaitStatus::StillAlive) | Err(Errno::EINTR) => continue,
                    _ => return Err(PatchError::Gone(pid)),
                }
            }
            Ok(_) => {}
            Err(error) => return Err(PatchError::of(pid, "its listener", error)),
        }
        let met = match follower.handle_next() {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(PatchError::Gone(pid));
            }
            met => met.map_err(PatchError::io("its listener"))?,
        };
        match met {
            Some(Met { pid: who, result }) if who == pid => {
                // Looked for along PATH: if it was not there, the next try will come, or its end.
                if let Some(method) = result? {
                    return Ok(method);
                }
            }
            Some(other) => follower.met.push_back(other),
            None => {}
        }
    }
}

#[repr(C)]
#[derive(Default)]
struct Notification {
    id: u64,
    pid: u32,
    flags: u32,
    number: i32,
    arch: u32,
    instruction: u64,
    args: [u64; 6],
}

#[repr(C)]
struct Answer {
    id: u64,
    value: i64,
    error: i32,
    flags: u32,
}

/// `SECCOMP_USER_NOTIF_FLAG_CONTINUE`.
const GO_ON: u32 = 1;
const RECEIVE: libc::Ioctl = request(0, size_of::<Notification>());
const ANSWER: libc::Ioctl = request(1, size_of::<Answer>());

/// `_IOWR('!', number, size)`.
const fn request(number: u32, size: usize) -> libc::Ioctl {
    (3 << 30 | (size as u32) << 16 | (b'!' as u32) << 8 | number) as libc::Ioctl
}

fn ioctl<T>(fd: BorrowedFd<'_>, request: libc::Ioctl, argument: &mut T) -> Result<(), Errno> {
    // SAFETY: the request encodes the size of its argument, which lives until the call returns.
    match unsafe { libc::ioctl(fd.as_raw_fd(), request, std::ptr::from_mut(argument)) } {
        0.. => Ok(()),
        _ => Err(Errno::last()),
    }
}
