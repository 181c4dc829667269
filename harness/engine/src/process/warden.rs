//! The warden: a process between controller and node, one for every start of a node. It is a
//! fresh program with one thread, so it may fork, enter namespaces and trace as it likes; it
//! makes sure that nothing of the node outlives the controller, not even what has left its
//! session or lost its parent.
//!
//! ```text
//! controller ── warden ── keeper (pid 1 of the node's namespace) ── main process ── …
//! controller ── warden, the keeper itself where there are no such namespaces ── main process ── …
//! ```
//!
//! [`enter`] is where a node's world is made, [`launch`] where its main process is born,
//! [`keeper`] what happens from then on.

mod enter;
mod keeper;
mod launch;

use std::fs::File;
use std::os::fd::{AsFd, FromRawFd, OwnedFd, RawFd};
use std::process::ExitCode;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl::{set_child_subreaper, set_dumpable, set_pdeathsig};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::{ForkResult, Gid, Pid, fork, getppid, pipe2, setgid};

use super::isolation::Isolation;
use super::order::Brief;
use super::said::{Failure, Mouth, Said};
use super::tree;
use crate::internal::{Args, complain};

/// How a trial ends that found out that something is not to be had.
pub(super) const REFUSED: u8 = 3;

/// `danso internal warden ORDER MOUTH`, two descriptors; or `… warden try ISOLATION`.
pub(crate) fn warden(args: Args) -> ExitCode {
    let words: Vec<_> = args.iter().filter_map(|a| a.to_str()).collect();
    match words.as_slice() {
        ["try", word] => match Isolation::of_trial(word).map(enter::attempt) {
            Some(Ok(())) => ExitCode::SUCCESS,
            Some(Err(failure)) => {
                complain(&format!("{}: {}", failure.step, failure.error));
                ExitCode::from(REFUSED)
            }
            None => ExitCode::from(254),
        },
        [order, mouth] => {
            let (Ok(order), Ok(mouth)) = (order.parse(), mouth.parse()) else {
                complain("warden: these are no descriptors");
                return ExitCode::from(254);
            };
            let mouth = Mouth::new(inherited(mouth));
            if let Err(failure) = guard(File::from(inherited(order)), &mouth) {
                mouth.say(&Said::Failed(failure));
                return ExitCode::FAILURE;
            }
            ExitCode::SUCCESS
        }
        _ => {
            complain("warden: what for?");
            ExitCode::from(254)
        }
    }
}

/// A descriptor that was left open for us.
fn inherited(fd: RawFd) -> OwnedFd {
    // SAFETY: our parent opened it for us under this number; nobody else in this fresh process
    // knows it. If it is not open, its first use says so.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// Starts a node and stays until all of it is gone.
fn guard(order: File, mouth: &Mouth) -> Result<(), Failure> {
    let brief = Brief::read(order).map_err(Failure::of("read the order"))?;
    let order = &brief.order;
    fcntl(mouth.as_fd(), FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))
        .map_err(Failure::of("keep the socket"))?;
    let mut signals = Signals::block()?;
    if let Some(group) = order.group {
        // Before anything that a change of group would undo.
        setgid(Gid::from_raw(group)).map_err(Failure::of(format!("enter group {group}")))?;
        set_dumpable(true).map_err(Failure::of("stay open to ourselves"))?;
    }
    // From here on we learn of the controller's end and can clean up; until here it would have
    // killed us.
    set_pdeathsig(Signal::SIGTERM).map_err(Failure::of("ask for a signal"))?;
    if getppid().as_raw() != brief.parent {
        return Ok(());
    }
    enter::given(order)?;
    match brief.isolation {
        Isolation::Tree => {
            set_child_subreaper(true).map_err(Failure::of("adopt orphans"))?;
            keeper::keep(order, mouth, signals, keeper::Place::Tree)
        }
        isolation => {
            enter::begin(isolation)?;
            // The keeper sees no pid of ours; the end of this pipe tells it that we are gone.
            let (ours_ends, ours) = pipe2(OFlag::O_CLOEXEC).map_err(Failure::of("make a pipe"))?;
            // SAFETY: this process has one thread, so the child may do anything.
            match unsafe { fork() }.map_err(Failure::of("fork the keeper"))? {
                ForkResult::Child => {
                    drop(ours);
                    let failed = set_pdeathsig(Signal::SIGKILL)
                        .map_err(Failure::of("ask for a signal"))
                        .and_then(|()| still_there(&ours_ends))
                        .and_then(|()| enter::inside(order, mouth))
                        .and_then(|()| {
                            keeper::keep(order, mouth, signals, keeper::Place::Namespace)
                        });
                    if let Err(failure) = failed {
                        mouth.say(&Said::Failed(failure));
                        std::process::exit(1);
                    }
                    std::process::exit(0);
                }
                ForkResult::Parent { child } => watch(child, mouth, &mut signals),
            }
        }
    }
}

/// Ends this process if the warden died before its death could be noticed by a signal.
fn still_there(ours_ends: &OwnedFd) -> Result<(), Failure> {
    let mut watched = [PollFd::new(ours_ends.as_fd(), PollFlags::POLLIN)];
    match poll(&mut watched, PollTimeout::ZERO) {
        Ok(0) => Ok(()),
        Ok(_) => std::process::exit(1),
        Err(errno) => Err(Failure::of("look for the warden")(errno)),
    }
}

/// Waits for the keeper's end, or brings it about.
fn watch(keeper: Pid, mouth: &Mouth, signals: &mut Signals) -> Result<(), Failure> {
    let mut condemned = false;
    loop {
        let mut watched = vec![PollFd::new(signals.as_fd(), PollFlags::POLLIN)];
        if !condemned {
            watched.push(PollFd::new(mouth.as_fd(), PollFlags::POLLIN));
        }
        match poll(&mut watched, PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(Failure::of("wait")(errno)),
        }
        let ended = watched.get(1).is_some_and(stirred);
        let told = signals.take();
        if !condemned && (ended || told.contains(&Signal::SIGTERM)) {
            condemned = true;
            tree::signal(keeper, Signal::SIGKILL).map_err(Failure::of("kill the keeper"))?;
        }
        match waitpid(keeper, Some(WaitPidFlag::WNOHANG)) {
            Ok(status) if status.pid().is_some() => return Ok(()),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(Failure::of("wait for the keeper")(errno)),
        }
    }
}

/// Whether a descriptor has anything to say; the end of a conversation counts.
fn stirred(watched: &PollFd<'_>) -> bool {
    watched.any() != Some(false)
}

/// Signals as something to read: none interrupts us, none is lost.
struct Signals(SignalFd);

impl Signals {
    /// Those that matter here; they stay blocked in what is forked, until it execs.
    fn block() -> Result<Signals, Failure> {
        let mut set = SigSet::empty();
        for signal in [Signal::SIGCHLD, Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
            set.add(signal);
        }
        set.thread_block().map_err(Failure::of("block signals"))?;
        let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
        SignalFd::with_flags(&set, flags).map(Signals).map_err(Failure::of("read signals"))
    }

    /// Those that came since.
    fn take(&mut self) -> Vec<Signal> {
        let mut came = Vec::new();
        while let Ok(Some(info)) = self.0.read_signal() {
            came.extend(Signal::try_from(info.ssi_signo.cast_signed()));
        }
        came
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.0.as_fd()
    }
}
