//! What this machine allows, found out by trying. Every attempt is made by a forked child, so
//! that a failed one leaves this process as it was.

use std::fmt;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, Pid, fork, pipe2};

use super::Spec;
use super::loopback::Slice;
use super::nft::{self, Nft};
use super::switch::namespace::threads;
use super::switch::{Variant, Wire};
use crate::means::Obstacle;

/// An attempt takes milliseconds.
const PATIENCE_MS: u16 = 10_000;

/// The variants of the switch, best first, and their names.
pub(super) const VARIANTS: [(&str, Variant); 4] = [
    ("switch (TUN, as root)", Variant { wire: Wire::Tun, rootless: false }),
    ("switch (TUN, rootless)", Variant { wire: Wire::Tun, rootless: true }),
    ("switch (veth, as root)", Variant { wire: Wire::Veth, rootless: false }),
    ("switch (veth, rootless)", Variant { wire: Wire::Veth, rootless: true }),
];

/// The backend that needs a packet filter only.
pub(super) const NFT: &str = "nft";

/// One way to have a network, and whether this machine allows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capability {
    /// The backend and its variant.
    pub name: &'static str,
    /// Why it cannot be had; `None` if it can.
    pub obstacle: Option<Obstacle>,
}

/// Tries every backend and variant, best first, for `danso doctor`. Like
/// [`prepare`](super::prepare), to be called while the process has one thread.
pub fn probe() -> Vec<Capability> {
    let mut rows: Vec<_> = VARIANTS
        .into_iter()
        .map(|(name, variant)| Capability { name, obstacle: attempt(variant).err() })
        .collect();
    rows.push(Capability { name: NFT, obstacle: attempt_nft().err() });
    let nothing = Spec::new(Vec::new(), Vec::new());
    let obstacle = Slice::claim(&nothing).err().map(|error| Obstacle {
        reason: error.to_string(),
        mend: "or find out who holds sockets named @danso-loopback: `ss -xl`".to_owned(),
    });
    rows.push(Capability { name: "proxy", obstacle });
    rows
}

/// Whether this variant works here. What moves nobody may be tried in this very process, whatever
/// threads it has.
pub(super) fn attempt(variant: Variant) -> Result<(), Obstacle> {
    let rehearse =
        || variant.rehearse().map_err(|failure| Obstacle::new(failure.to_string(), failure.mend()));
    if threads() > 1 && !variant.rootless { rehearse() } else { in_child(rehearse) }
}

/// Whether the packet filter does what the backend nft needs.
pub(super) fn attempt_nft() -> Result<(), Obstacle> {
    in_child(|| Nft::rehearse().map_err(nft::Failure::obstacle))
}

fn broken(error: impl fmt::Display) -> Obstacle {
    Obstacle {
        reason: format!("cannot be tried: {error}"),
        mend: "free processes and file descriptors".to_owned(),
    }
}

/// Runs `work` in a forked child and brings back why it failed.
fn in_child(work: impl FnOnce() -> Result<(), Obstacle>) -> Result<(), Obstacle> {
    if threads() > 1 {
        return Err(Obstacle::new(
            "not tried: this process already has several threads, as every test has",
            "run it as root, or use the danso binary",
        ));
    }
    let (from_child, to_parent) = pipe2(nix::fcntl::OFlag::O_CLOEXEC).map_err(broken)?;
    // SAFETY: this process has one thread, so the child may do whatever the parent may; it
    // leaves by `_exit`, without running anything the parent has registered.
    match unsafe { fork() }.map_err(broken)? {
        ForkResult::Child => {
            drop(from_child);
            let answer = match work() {
                Ok(()) => "\n".to_owned(),
                Err(Obstacle { reason, mend }) => format!("{reason}\n{mend}"),
            };
            let _ = File::from(to_parent).write_all(answer.as_bytes());
            // SAFETY: `_exit` only ends the process.
            unsafe { libc::_exit(0) }
        }
        ForkResult::Parent { child } => {
            drop(to_parent);
            let answer = listen(from_child, child);
            let _ = waitpid(child, None);
            match answer.split_once('\n') {
                Some(("", "")) => Ok(()),
                Some((reason, mend)) => {
                    Err(Obstacle { reason: reason.to_owned(), mend: mend.to_owned() })
                }
                None => Err(broken("the attempt died or hung")),
            }
        }
    }
}

/// What the child says until it ends; killed if it says nothing.
fn listen(from_child: std::os::fd::OwnedFd, child: Pid) -> String {
    let mut ready = [PollFd::new(from_child.as_fd(), PollFlags::POLLIN)];
    if !poll(&mut ready, PollTimeout::from(PATIENCE_MS)).is_ok_and(|count| count > 0) {
        let _ = kill(child, Signal::SIGKILL);
    }
    let mut answer = String::new();
    let _ = File::from(from_child).read_to_string(&mut answer);
    answer
}
