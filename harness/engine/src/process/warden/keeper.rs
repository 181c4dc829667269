//! The keeper: parent of a node's main process and of all its orphans. One loop over everything
//! that can happen: signals, the controller's end, attendants.

use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use nix::unistd::{ForkResult, Pid, Uid, fork, getpid, setuid};

use super::launch::{Attendant, Attended, launch};
use super::{Signals, stirred};
use crate::process::order::Order;
use crate::process::said::{Failure, Mouth, Said};
use crate::process::tree;

/// Where the keeper is, which decides who kills whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The first process of a PID namespace: when it ends the kernel kills the rest. The warden
    /// listens to the controller.
    Namespace,
    /// The warden itself.
    Tree,
}

struct Keeper<'a> {
    order: &'a Order,
    mouth: &'a Mouth,
    place: Place,
    main: Option<Pid>,
    /// The main process ended well.
    left: bool,
    attendants: Vec<Box<dyn Attendant>>,
}

/// What comes next.
enum Next {
    Go,
    /// Nothing of the node shall be left.
    End,
}

/// Starts the node after its delay and returns when nothing of it is left, or nothing shall be.
pub(super) fn keep(
    order: &Order,
    mouth: &Mouth,
    mut signals: Signals,
    place: Place,
) -> Result<(), Failure> {
    let mut keeper =
        Keeper { order, mouth, place, main: None, left: false, attendants: Vec::new() };
    mouth.say(&Said::Keeper);
    let due = Instant::now() + order.delay;
    if !order.delay.is_zero() {
        mouth.say(&Said::Delayed);
    }
    let result = loop {
        if keeper.main.is_none()
            && due <= Instant::now()
            && let Err(failure) = keeper.launch()
        {
            break Err(failure);
        }
        match keeper.turn(&mut signals, due) {
            Ok(Next::Go) => {}
            Ok(Next::End) => break Ok(()),
            Err(failure) => break Err(failure),
        }
    };
    if place == Place::Tree {
        kill_all(order.user, mouth);
    }
    result
}

impl Keeper<'_> {
    fn launch(&mut self) -> Result<(), Failure> {
        let launched = launch(self.order, self.mouth)?;
        self.main = Some(launched.main);
        self.attendants = launched.attendants;
        self.mouth.say(&Said::Started);
        Ok(())
    }

    /// Waits for something to happen and deals with it.
    fn turn(&mut self, signals: &mut Signals, due: Instant) -> Result<Next, Failure> {
        let mut watched = vec![PollFd::new(signals.as_fd(), PollFlags::POLLIN)];
        for attendant in &self.attendants {
            watched.push(PollFd::new(attendant.fd(), PollFlags::POLLIN));
        }
        if self.place == Place::Tree {
            watched.push(PollFd::new(self.mouth.as_fd(), PollFlags::POLLIN));
        }
        let patience = match self.main {
            Some(_) => PollTimeout::NONE,
            None => {
                let left = due.saturating_duration_since(Instant::now());
                PollTimeout::try_from(left + Duration::from_micros(999)).unwrap_or(PollTimeout::MAX)
            }
        };
        match poll(&mut watched, patience) {
            Ok(_) => {}
            Err(Errno::EINTR) => return Ok(Next::Go),
            Err(errno) => return Err(Failure::of("wait")(errno)),
        }
        let mut ready = watched.iter().map(stirred);
        let (_, busy) = (ready.next(), ready.by_ref().take(self.attendants.len()).collect());
        let condemned = ready.next() == Some(true);
        drop(ready);
        drop(watched);
        self.attend(busy);
        for signal in signals.take() {
            match (signal, self.place, self.main) {
                (Signal::SIGTERM, Place::Tree, _) => return Ok(Next::End),
                (Signal::SIGCHLD, ..) | (_, _, None) => {}
                // Whoever signals the first process of a namespace means the node.
                (signal, _, Some(main)) => {
                    tree::signal(main, signal).map_err(Failure::of("pass a signal on"))?;
                }
            }
        }
        if condemned {
            return Ok(Next::End);
        }
        self.reap()
    }

    fn attend(&mut self, busy: Vec<bool>) {
        let mut busy = busy.into_iter();
        let mouth = self.mouth;
        self.attendants.retain_mut(|attendant| {
            let attended = match busy.next() {
                Some(true) => attendant.attend(),
                _ => Attended::Goes(None),
            };
            let (goes, words) = match attended {
                Attended::Goes(words) => (true, words),
                Attended::Over(words) => (false, words),
            };
            if let Some(words) = words {
                mouth.say(&Said::Note(words));
            }
            goes
        });
    }

    /// Takes leave of the dead and decides whether the node is one of them.
    ///
    /// It is when its main process failed or was killed, or when nobody is left. One that exits
    /// with 0 and leaves others behind has made a daemon of itself, and they are the node.
    fn reap(&mut self) -> Result<Next, Failure> {
        loop {
            let status = match waitpid(None::<Pid>, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::StillAlive) => return Ok(Next::Go),
                Ok(status) => status,
                Err(Errno::EINTR) => continue,
                Err(Errno::ECHILD) if self.main.is_none() => return Ok(Next::Go),
                Err(Errno::ECHILD) => return Ok(Next::End),
                Err(errno) => return Err(Failure::of("wait for the dead")(errno)),
            };
            let Some(raw) = raw(status) else { continue };
            let look = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
            let last = waitid(Id::All, look) == Err(Errno::ECHILD);
            let main = status.pid() == self.main;
            if main && raw == 0 && !last {
                self.left = true;
                self.mouth.say(&Said::Daemonised);
            } else if main || (last && self.left) {
                self.mouth.say(&Said::Ended(raw));
                return Ok(Next::End);
            }
        }
    }
}

/// The kernel's own word for how a process ended; `None` if it did not end.
fn raw(status: WaitStatus) -> Option<i32> {
    match status {
        WaitStatus::Exited(_, code) => Some(code << 8),
        WaitStatus::Signaled(_, signal, core) => Some(signal as i32 | if core { 0x80 } else { 0 }),
        _ => None,
    }
}

/// Kills everybody below this process until nobody is. Orphans come to us, so nobody escapes by
/// losing a parent; who forks meanwhile is met in the next round.
fn kill_all(user: Option<u32>, mouth: &Mouth) {
    let mut told = false;
    loop {
        for pid in tree::below(getpid()) {
            if let Err(error) = kill_as(user, pid)
                && !std::mem::replace(&mut told, true)
            {
                mouth.say(&Said::Note(format!("pid {pid} cannot be killed: {error}")));
            }
        }
        loop {
            match waitpid(None::<Pid>, Some(WaitPidFlag::WNOHANG)) {
                Err(Errno::ECHILD) => return,
                Ok(WaitStatus::StillAlive) => break,
                Ok(_) | Err(Errno::EINTR) => {}
                Err(errno) => {
                    let error = io::Error::from(errno);
                    return mouth.say(&Said::Note(format!("wait for the dead: {error}")));
                }
            }
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Kills a process; as the node's own user where we ourselves may not.
fn kill_as(user: Option<u32>, pid: Pid) -> io::Result<()> {
    let Err(error) = tree::signal(pid, Signal::SIGKILL) else { return Ok(()) };
    let Some(user) = user else { return Err(error) };
    // SAFETY: this process has one thread, so the child may do anything.
    match unsafe { fork() }? {
        ForkResult::Child => {
            let killed = setuid(Uid::from_raw(user)).map_err(io::Error::from);
            let killed = killed.and_then(|()| tree::signal(pid, Signal::SIGKILL));
            std::process::exit(i32::from(killed.is_err()));
        }
        ForkResult::Parent { child } => match waitpid(child, None)? {
            WaitStatus::Exited(_, 0) => Ok(()),
            _ => Err(error),
        },
    }
}
