//! [`Spawner`]: the one thread that forks.
//!
//! The kernel ties a child's parent-death signal to the *thread* that forked it: a child of a
//! pool thread would die when that thread retires.

use std::io;
use std::os::fd::RawFd;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;

use crate::target::NodeCommand;

/// What to start, and where.
#[derive(Clone, Debug)]
pub(super) struct Order {
    pub(super) command: NodeCommand,
    /// The working directory: the node's data.
    pub(super) dir: PathBuf,
    /// The network namespace to enter.
    pub(super) namespace: Option<RawFd>,
}

type Request = (Order, mpsc::Sender<io::Result<Child>>);

/// Starts processes from one thread that lives as long as this value.
#[derive(Debug)]
pub struct Spawner {
    orders: Option<mpsc::Sender<Request>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Spawner {
    /// Starts the thread.
    ///
    /// # Errors
    /// If there can be no thread.
    pub fn new() -> io::Result<Spawner> {
        let (orders, inbox) = mpsc::channel::<Request>();
        let thread = std::thread::Builder::new().name("spawner".to_owned()).spawn(move || {
            for (order, reply) in inbox {
                // Nobody waiting for the child any more: let it die with its handle.
                if let Err(mpsc::SendError(Ok(mut child))) = reply.send(spawn(&order)) {
                    let _ = child.kill();
                }
            }
        })?;
        Ok(Spawner { orders: Some(orders), thread: Some(thread) })
    }

    /// Starts a process. Takes a few milliseconds.
    ///
    /// # Errors
    /// If it cannot be started.
    pub(super) fn spawn(&self, order: Order) -> io::Result<Child> {
        let gone = || io::Error::other("the spawner thread is gone");
        let (reply, answer) = mpsc::channel();
        let orders = self.orders.as_ref().ok_or_else(gone)?;
        orders.send((order, reply)).map_err(|_| gone())?;
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

fn spawn(order: &Order) -> io::Result<Child> {
    let mut command = Command::new(&order.command.program);
    command
        .args(&order.command.args)
        .envs(order.command.env.iter().map(|(k, v)| (k, v)))
        .current_dir(&order.dir)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let namespace = order.namespace;
    let parent = nix::unistd::getpid();
    // SAFETY: between fork and exec only async-signal-safe calls are made: setns, setsid, prctl,
    // getppid and _exit; nothing allocates, no lock is taken. The namespace fd belongs to the
    // network, which outlives every node.
    unsafe {
        command.pre_exec(move || {
            if let Some(fd) = namespace
                && libc::setns(fd, libc::CLONE_NEWNET) < 0
            {
                return Err(io::Error::last_os_error());
            }
            // A session of its own: a terminal's Ctrl-C is for the controller only, and signals
            // to the group reach the node's children.
            libc::setsid();
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            if libc::getppid() != parent.as_raw() {
                // The controller died before the line above took effect.
                libc::_exit(1);
            }
            Ok(())
        });
    }
    command.spawn()
}
