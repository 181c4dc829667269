//! [`Launch`]: how a process gets its clock at its first `execve`, and its children at theirs.
//!
//! The parent must have one thread, or do all of this on one thread that nobody else's waits
//! reach: it forks, calls [`Launch::in_child`] in the child just before `execve`, and
//! [`Launch::in_parent`] in itself. From then on it polls the listener and calls
//! [`Follower::handle`](super::exec::Follower::handle) whenever it is readable.
//!
//! A child that cannot install the filter asks to be traced instead: its first `execve` is met,
//! later ones are not.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use nix::sys::ptrace;
use nix::sys::signal::Signal;
use nix::sys::wait::WaitStatus;
use nix::unistd::Pid;

use super::exec::{self, Filter, Follower};
use super::patch::{Method, detach, patch};
use super::tracee::{PatchError, stop};

/// A process about to be started with a clock of its own.
#[derive(Debug)]
pub struct Launch {
    page: PathBuf,
    best: Method,
    filter: Option<Filter>,
    /// The child's end and ours.
    ends: (UnixStream, UnixStream),
}

/// What became of a launch.
#[derive(Debug)]
pub struct Launched {
    /// How the process was patched.
    pub method: Method,
    /// Meets later `execve`s in its tree; without it they have true clocks.
    pub follower: Option<Follower>,
    /// Why there is none, if one was asked for.
    pub unfollowed: Option<io::Error>,
}

impl Launch {
    /// One with the clocks of the page at `page`, an absolute path. With `follow`, every later
    /// `execve` in the process's tree is met too.
    ///
    /// # Errors
    /// If there are no descriptors left.
    pub fn new(page: PathBuf, follow: bool) -> io::Result<Launch> {
        let filter = follow.then(Filter::new);
        Ok(Launch { page, best: Method::Relocate, filter, ends: UnixStream::pair()? })
    }

    /// With no better method than this one.
    #[must_use]
    pub fn best(self, best: Method) -> Launch {
        Launch { best, ..self }
    }

    /// To be called in the child, right before `execve` and after everything that changes its
    /// privileges. Makes async-signal-safe calls only.
    ///
    /// # Errors
    /// If it can be neither filtered nor traced. It must not go on then.
    pub fn in_child(&self) -> io::Result<()> {
        let to = self.ends.0.as_raw_fd();
        let mut errno = 0;
        if let Some(filter) = &self.filter {
            match filter.install() {
                Ok(listener) => {
                    let sent = send(to, 0, Some(listener.as_raw_fd()));
                    // The child's copy must not outlive it.
                    drop(listener);
                    return sent;
                }
                Err(error) => errno = error.raw_os_error().unwrap_or(libc::EIO),
            }
        }
        // SAFETY: it changes only who hears of this process's stops: its parent.
        if unsafe { libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) } < 0 {
            return Err(io::Error::last_os_error());
        }
        send(to, errno, None)
    }

    /// To be called in the parent of `pid`, at once: waits for its first `execve`, and returns
    /// with the process running and patched.
    ///
    /// # Errors
    /// Whatever stood in the way: then the process has true clocks, is gone, or was killed.
    /// If `execve` itself failed, the child is [`PatchError::Gone`] or about to be.
    pub fn in_parent(self, pid: Pid) -> Result<Launched, PatchError> {
        let Launch { page, best, filter, ends: (theirs, ours) } = self;
        // So that a child that dies without a word is heard.
        drop(theirs);
        let (errno, listener) = match receive(ours.as_fd()) {
            Ok(received) => received,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(PatchError::Gone(pid));
            }
            Err(error) => return Err(PatchError::Refused { step: "its listener", error }),
        };
        if let Some(listener) = listener {
            let mut follower = Follower::new(listener, page, best);
            let method = exec::first(&mut follower, pid)?;
            return Ok(Launched { method, follower: Some(follower), unfollowed: None });
        }
        // Signals meanwhile are none of our business.
        while let WaitStatus::Stopped(_, signal) = stop(pid)?
            && signal != Signal::SIGTRAP
        {
            ptrace::cont(pid, signal).map_err(|e| PatchError::of(pid, "passing a signal on", e))?;
        }
        let patched = patch(pid, &page, best);
        detach(pid, &patched)?;
        let unfollowed = filter.map(|_| io::Error::from_raw_os_error(errno));
        Ok(Launched { method: patched?, follower: None, unfollowed })
    }
}

/// Room for one descriptor in a control message, aligned for its header.
#[repr(C, align(8))]
struct Control([u8; 64]);

fn message(byte: &mut i32, control: Option<&mut Control>) -> (libc::msghdr, libc::iovec) {
    // SAFETY: all zero is a valid msghdr: no name, no buffers, no control.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    let part = libc::iovec { iov_base: std::ptr::from_mut(byte).cast(), iov_len: 4 };
    if let Some(control) = control {
        header.msg_control = control.0.as_mut_ptr().cast();
        // SAFETY: plain arithmetic.
        header.msg_controllen = unsafe { libc::CMSG_SPACE(4) } as usize;
    }
    (header, part)
}

/// Sends an errno and perhaps a descriptor. Async-signal-safe.
fn send(to: RawFd, mut errno: i32, fd: Option<RawFd>) -> io::Result<()> {
    let mut control = Control([0; 64]);
    let (mut header, mut part) = message(&mut errno, fd.map(|_| &mut control));
    (header.msg_iov, header.msg_iovlen) = (&raw mut part, 1);
    if let Some(fd) = fd {
        // SAFETY: the control buffer is aligned and large enough for one header and one
        // descriptor, as CMSG_SPACE said.
        unsafe {
            let first = libc::CMSG_FIRSTHDR(&raw const header);
            (*first).cmsg_level = libc::SOL_SOCKET;
            (*first).cmsg_type = libc::SCM_RIGHTS;
            (*first).cmsg_len = libc::CMSG_LEN(4) as usize;
            std::ptr::copy_nonoverlapping((&raw const fd).cast(), libc::CMSG_DATA(first), 4);
        }
    }
    // SAFETY: everything the header points to lives until the call returns.
    if unsafe { libc::sendmsg(to, &raw const header, libc::MSG_NOSIGNAL) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// What [`send`] sent.
fn receive(from: BorrowedFd<'_>) -> io::Result<(i32, Option<OwnedFd>)> {
    let mut errno = 0;
    let mut control = Control([0; 64]);
    let (mut header, mut part) = message(&mut errno, Some(&mut control));
    (header.msg_iov, header.msg_iovlen) = (&raw mut part, 1);
    let received = loop {
        // SAFETY: everything the header points to lives until the call returns.
        let received =
            unsafe { libc::recvmsg(from.as_raw_fd(), &raw mut header, libc::MSG_CMSG_CLOEXEC) };
        let error = io::Error::last_os_error();
        if received >= 0 || error.kind() != io::ErrorKind::Interrupted {
            break if received < 0 { Err(error) } else { Ok(received) };
        }
    }?;
    if received != 4 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    // SAFETY: the kernel wrote what the header says; a descriptor it passed is ours alone.
    let listener = unsafe {
        let first = libc::CMSG_FIRSTHDR(&raw const header);
        if first.is_null() || (*first).cmsg_type != libc::SCM_RIGHTS {
            None
        } else {
            let mut fd: RawFd = -1;
            std::ptr::copy_nonoverlapping(libc::CMSG_DATA(first), (&raw mut fd).cast(), 4);
            (fd >= 0).then(|| OwnedFd::from_raw_fd(fd))
        }
    };
    Ok((errno, listener))
}
