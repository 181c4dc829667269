//! Network namespaces known only by file descriptor, and the user namespace that allows them
//! to an ordinary user. Nothing here is named or mounted, so nothing outlives the process.

use std::fs::{self, File};
use std::os::fd::{AsFd, OwnedFd};
use std::thread;

use nix::errno::Errno;
use nix::sched::{CloneFlags, setns, unshare};

use super::failure::{Failure, Step};
use super::netlink;

/// Settings of every namespace, before it has any interface but `lo`. Each is a nicety: where
/// `/proc/sys` is read-only the network works without.
const SETTINGS: [(&str, &str); 4] = [
    // No router solicitations into the switch, no address that is not ours.
    ("net/ipv6/conf/default/accept_ra", "0"),
    ("net/ipv6/conf/default/router_solicitations", "0"),
    ("net/ipv6/conf/default/addr_gen_mode", "1"),
    // Nodes may use their real ports whoever runs them.
    ("net/ipv4/ip_unprivileged_port_start", "0"),
];

/// Congestion control in order of preference: a new namespace inherits the machine's own choice,
/// and may only take what the machine allows.
const CONGESTION: [&str; 2] = ["cubic", "reno"];

/// For parties that open many short connections.
const REUSE: (&str, &str) = ("net/ipv4/tcp_tw_reuse", "1");

/// IPv6 or not, whatever the machine's own namespace does.
const WITHOUT_IPV6: [&str; 2] =
    ["net/ipv6/conf/all/disable_ipv6", "net/ipv6/conf/default/disable_ipv6"];

/// Who lives in a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dweller {
    /// A node.
    Node,
    /// A party that opens many short connections.
    Opener,
    /// Nobody: the near ends of veth pairs, which the kernel shall take no part in.
    Switch,
}

/// A network namespace.
#[derive(Debug)]
pub(super) struct Namespace {
    fd: OwnedFd,
}

impl Namespace {
    /// Makes one, with `lo` up.
    pub(super) fn new(dweller: Dweller) -> Result<Namespace, Failure> {
        on_own_thread(move || {
            unshare(CloneFlags::CLONE_NEWNET).map_err(|e| Step::NetNamespace.failed(e))?;
            let file = File::open("/proc/thread-self/ns/net")
                .map_err(|e| Step::NetNamespace.failed_io(&e))?;
            configure(dweller);
            netlink::Socket::open()?.bring_up("lo", netlink::Shape::default())?;
            Ok(Namespace { fd: file.into() })
        })
    }

    /// Runs `work` inside, on a thread of its own. File descriptors it makes are everyone's.
    pub(super) fn run<T: Send>(
        &self,
        work: impl FnOnce() -> Result<T, Failure> + Send,
    ) -> Result<T, Failure> {
        on_own_thread(|| {
            setns(&self.fd, CloneFlags::CLONE_NEWNET)
                .map_err(|e| Step::EnterNamespace.failed(e))?;
            work()
        })
    }

    /// Another handle on the same namespace.
    pub(super) fn handle(&self) -> Result<OwnedFd, Failure> {
        self.fd.try_clone().map_err(|e| Step::Ordinary.failed_io(&e))
    }
}

impl AsFd for Namespace {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// A namespace is a property of a thread: whoever changes it must not be used for anything else.
fn on_own_thread<T: Send>(work: impl FnOnce() -> Result<T, Failure> + Send) -> Result<T, Failure> {
    thread::scope(|scope| {
        thread::Builder::new()
            .name("danso-namespace".to_owned())
            .spawn_scoped(scope, work)
            .map_err(|e| Step::Ordinary.failed_io(&e))?
            .join()
            .unwrap_or(Err(Step::Ordinary.failed(Errno::ECANCELED)))
    })
}

/// `/proc/sys/net` shows the namespace of the thread that looks.
fn configure(dweller: Dweller) {
    let set = |(name, value): (&str, &str)| {
        let done = fs::write(format!("/proc/sys/{name}"), value);
        if let Err(error) = &done {
            tracing::debug!(name, value, %error, "cannot set, left as it is");
        }
        done.is_ok()
    };
    for setting in SETTINGS {
        set(setting);
    }
    for name in WITHOUT_IPV6 {
        set((name, if dweller == Dweller::Switch { "1" } else { "0" }));
    }
    if dweller == Dweller::Opener {
        set(REUSE);
    }
    let _chosen = CONGESTION.iter().any(|kind| set(("net/ipv4/tcp_congestion_control", kind)));
}

/// How many threads this process has.
pub(in crate::network) fn threads() -> usize {
    fs::read_dir("/proc/self/task").map_or(1, Iterator::count)
}

/// Moves this process into a new user namespace in which it may make network namespaces. Its
/// user keeps its number: files keep their owner, and servers that refuse to run as root run.
/// Must be called while the process has one thread.
pub(in crate::network) fn enter_user() -> Result<(), Failure> {
    let (uid, gid) = (nix::unistd::geteuid(), nix::unistd::getegid());
    unshare(CloneFlags::CLONE_NEWUSER).map_err(|e| Step::UserNamespace.failed(e))?;
    for (file, line) in [
        ("setgroups", "deny".to_owned()),
        ("uid_map", format!("{uid} {uid} 1")),
        ("gid_map", format!("{gid} {gid} 1")),
    ] {
        fs::write(format!("/proc/self/{file}"), line).map_err(|e| Step::IdMap.failed_io(&e))?;
    }
    Ok(())
}
