//! The world a node finds itself in: namespaces that were made for it elsewhere, and those only
//! its warden can make.

use std::fs;
use std::os::fd::{BorrowedFd, RawFd};
use std::path::Path;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork, getegid, geteuid, sethostname};

use crate::process::isolation::Isolation;
use crate::process::order::Order;
use crate::process::said::{Failure, Mouth, Said};

const NOTHING: Option<&str> = None;

/// Enters the namespaces the order names.
pub(super) fn given(order: &Order) -> Result<(), Failure> {
    let enter = |fd: Option<RawFd>, kind: CloneFlags, step: &'static str| {
        let Some(fd) = fd else { return Ok(()) };
        // SAFETY: it was left open for us and is not closed before this returns.
        let namespace = unsafe { BorrowedFd::borrow_raw(fd) };
        setns(namespace, kind).map_err(Failure::of(step))?;
        nix::unistd::close(fd).map_err(Failure::of(step))
    };
    enter(order.network, CloneFlags::CLONE_NEWNET, "enter the network namespace")?;
    enter(order.users, CloneFlags::CLONE_NEWUSER, "enter the user namespace")?;
    enter(order.mounts, CloneFlags::CLONE_NEWNS, "enter the mount namespace")
}

/// Lets the next child be the first process of a PID namespace.
pub(super) fn begin(isolation: Isolation) -> Result<(), Failure> {
    if isolation == Isolation::UserNamespace {
        let (uid, gid) = (geteuid(), getegid());
        unshare(CloneFlags::CLONE_NEWUSER).map_err(Failure::of("make a user namespace"))?;
        for (file, line) in [
            ("setgroups", "deny".to_owned()),
            ("uid_map", format!("{uid} {uid} 1")),
            ("gid_map", format!("{gid} {gid} 1")),
        ] {
            fs::write(format!("/proc/self/{file}"), line)
                .map_err(Failure::of(format!("write {file}")))?;
        }
    }
    unshare(CloneFlags::CLONE_NEWPID).map_err(Failure::of("make a PID namespace"))
}

/// In the first process of the namespace: a /proc that shows it, a host name, names of nodes.
pub(super) fn inside(order: &Order, mouth: &Mouth) -> Result<(), Failure> {
    own_proc()?;
    let names = [(&order.hosts, "/etc/hosts"), (&order.resolv, "/etc/resolv.conf")];
    for (ours, theirs) in names {
        if let Some(ours) = ours
            && let Err(failure) = bind(ours, theirs)
        {
            mouth.say(&Said::Note(format!("{}: {}", failure.step, failure.error)));
        }
    }
    if !order.name.is_empty() {
        let named = unshare(CloneFlags::CLONE_NEWUTS).and_then(|()| sethostname(&order.name));
        if let Err(errno) = named {
            mouth.say(&Said::Note(format!("no host name of its own: {}", errno.desc())));
        }
    }
    Ok(())
}

/// What the machine's mounts become later is seen here; what is mounted here is not seen there.
fn own_proc() -> Result<(), Failure> {
    unshare(CloneFlags::CLONE_NEWNS).map_err(Failure::of("make a mount namespace"))?;
    mount(NOTHING, "/", NOTHING, MsFlags::MS_REC | MsFlags::MS_SLAVE, NOTHING)
        .map_err(Failure::of("part mounts from the machine's"))?;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("proc"), "/proc", Some("proc"), flags, NOTHING).map_err(Failure::of("mount /proc"))
}

fn bind(ours: &Path, theirs: &str) -> Result<(), Failure> {
    mount(Some(ours), theirs, NOTHING, MsFlags::MS_BIND, NOTHING)
        .map_err(Failure::of(format!("put {} over {theirs}", ours.display())))
}

/// Whether such a world can be made at all; this process is of no other use afterwards.
pub(super) fn attempt(isolation: Isolation) -> Result<(), Failure> {
    if isolation == Isolation::Tree {
        return Ok(());
    }
    begin(isolation)?;
    // SAFETY: this process has one thread, so the child may do anything.
    match unsafe { fork() }.map_err(Failure::of("fork into the PID namespace"))? {
        ForkResult::Child => match own_proc() {
            Ok(()) => std::process::exit(0),
            Err(failure) => {
                crate::internal::complain(&format!("{}: {}", failure.step, failure.error));
                std::process::exit(1);
            }
        },
        ForkResult::Parent { child } => match waitpid(child, None) {
            Ok(WaitStatus::Exited(_, 0)) => Ok(()),
            Ok(_) => Err(Failure {
                step: "in a PID namespace".to_owned(),
                error: "see above".to_owned(),
                errno: None,
            }),
            Err(errno) => Err(Failure::of("wait for a trial")(errno)),
        },
    }
}
