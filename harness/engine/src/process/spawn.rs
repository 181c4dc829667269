//! [`Spawner`]: the one thread that forks.
//!
//! The kernel ties a child's parent-death signal to the *thread* that forked it: a child of a
//! pool thread would die when that thread retires.

use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;

use super::caps;
use super::isolation::Isolation;
use super::order::{Brief, Order};
use super::said::{Ear, pair};

/// A warden at work.
#[derive(Debug)]
pub(super) struct Warden {
    /// Its process; what it prints is what the node prints.
    pub(super) child: Child,
    /// What it tells.
    pub(super) ear: Ear,
}

type Request = (Order, Isolation, mpsc::Sender<io::Result<Warden>>);

/// Starts wardens from one thread that lives as long as this value.
#[derive(Debug)]
pub(super) struct Spawner {
    orders: Option<mpsc::Sender<Request>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Spawner {
    /// Starts the thread. `exe` is the danso binary.
    ///
    /// # Errors
    /// If there can be no thread.
    pub(super) fn new(exe: PathBuf) -> io::Result<Spawner> {
        let (orders, inbox) = mpsc::channel::<Request>();
        let thread = std::thread::Builder::new().name("spawner".to_owned()).spawn(move || {
            for (order, isolation, reply) in inbox {
                // Nobody waiting for it any more: let it die with its handle.
                if let Err(mpsc::SendError(Ok(mut warden))) =
                    reply.send(spawn(&exe, order, isolation))
                {
                    let _ = warden.child.kill();
                    let _ = warden.child.wait();
                }
            }
        })?;
        Ok(Spawner { orders: Some(orders), thread: Some(thread) })
    }

    /// Starts a warden. Takes a few milliseconds.
    ///
    /// # Errors
    /// If it cannot be started.
    pub(super) fn spawn(&self, order: Order, isolation: Isolation) -> io::Result<Warden> {
        let gone = || io::Error::other("the spawner thread is gone");
        let (reply, answer) = mpsc::channel();
        let orders = self.orders.as_ref().ok_or_else(gone)?;
        orders.send((order, isolation, reply)).map_err(|_| gone())?;
        answer.recv().map_err(|_| gone())?
    }
}

impl Drop for Spawner {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            // It only forks and cannot panic; nothing to learn from its end.
            let _ = thread.join();
        }
    }
}

fn spawn(exe: &PathBuf, order: Order, isolation: Isolation) -> io::Result<Warden> {
    let parent = nix::unistd::getpid().as_raw();
    let mut open = vec![order.network, order.users, order.mounts];
    let order = Brief { order, isolation, parent }.write()?;
    let (ear, mouth) = pair()?;
    let (order_fd, mouth_fd) = (order.as_raw_fd(), mouth.as_raw_fd());
    open.extend([Some(order_fd), Some(mouth_fd)]);
    let mut command = Command::new(exe);
    command
        .args([crate::internal::WORD, "warden", &order_fd.to_string(), &mouth_fd.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    // SAFETY: between fork and exec only async-signal-safe calls are made: fcntl, setsid, prctl,
    // capget, capset, getppid and _exit; nothing allocates, no lock is taken. The descriptors are
    // open until this function returns.
    unsafe {
        command.pre_exec(move || {
            for fd in open.iter().flatten() {
                if libc::fcntl(*fd, libc::F_SETFD, 0) < 0 {
                    return Err(io::Error::last_os_error());
                }
            }
            // A session of its own: a terminal's Ctrl-C is for the controller only.
            libc::setsid();
            caps::keep_across_exec()?;
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            if libc::getppid() != parent {
                // The controller died before the line above took effect.
                libc::_exit(1);
            }
            Ok(())
        });
    }
    let child = command.spawn()?;
    Ok(Warden { child, ear })
}
