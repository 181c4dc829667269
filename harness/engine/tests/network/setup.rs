//! The privileges a case runs with, brought about between fork and exec.

use std::ffi::CStr;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use nix::unistd::{Gid, Uid, geteuid, setgid, setgroups, setuid};

const NOBODY: u32 = 65534;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Setup {
    /// Whoever runs the tests, as they are.
    Plain,
    /// Root with `/dev/net/tun`.
    RootTun,
    /// Root without it.
    RootVeth,
    /// An ordinary user who may open `/dev/net/tun`.
    RootlessTun,
    /// One who may not.
    RootlessVeth,
    /// Root who may filter packets and choose groups, and nothing else; in a network namespace
    /// made for the test.
    Nft,
    /// An ordinary user, TCP relays.
    Proxy,
    /// An ordinary user, nothing.
    None,
    /// Root by name, without any capability and without user namespaces.
    Powerless,
}

impl Setup {
    pub(crate) const ALL: [(&str, Setup); 9] = [
        ("plain", Setup::Plain),
        ("root_tun", Setup::RootTun),
        ("root_veth", Setup::RootVeth),
        ("rootless_tun", Setup::RootlessTun),
        ("rootless_veth", Setup::RootlessVeth),
        ("nft", Setup::Nft),
        ("proxy", Setup::Proxy),
        ("none", Setup::None),
        ("powerless", Setup::Powerless),
    ];

    pub(crate) fn of(case: &str) -> Setup {
        let word = case.split("::").next().expect("a name has a first part");
        Setup::ALL.into_iter().find(|(name, _)| *name == word).expect("a known setup").1
    }

    /// Why this cannot be had here, found out without the code under test.
    pub(crate) fn obstacle(self) -> Option<String> {
        let root = geteuid().is_root();
        if !root && matches!(self, Setup::RootTun | Setup::RootVeth | Setup::Nft | Setup::Powerless)
        {
            return Some("needs root".to_owned());
        }
        if self == Setup::Nft {
            return super::nft::obstacle();
        }
        let (tun, flags) = match self {
            Setup::Plain | Setup::Proxy | Setup::None | Setup::Powerless => return None,
            Setup::RootTun | Setup::Nft => (true, CloneFlags::CLONE_NEWNET),
            Setup::RootVeth => (false, CloneFlags::CLONE_NEWNET),
            Setup::RootlessTun => (true, CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET),
            Setup::RootlessVeth if !root => {
                return Some("needs root, to take /dev/net/tun away".to_owned());
            }
            Setup::RootlessVeth => (false, CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET),
        };
        let mut command = self.command(&["--nothing"]);
        let attempt = move || {
            if tun {
                std::fs::File::options().read(true).write(true).open("/dev/net/tun")?;
            }
            Ok(unshare(flags)?)
        };
        // SAFETY: this process has one thread, so the child may do anything.
        unsafe { command.pre_exec(attempt) };
        command.status().err().map(|error| format!("not allowed here: {error}"))
    }

    /// This binary, with these arguments and privileges.
    pub(crate) fn command(self, args: &[&str]) -> Command {
        // The file itself may lie where an ordinary user may not look.
        let mut command = Command::new("/proc/self/exe");
        command.args(args);
        let prepare = move || match self {
            Setup::Plain | Setup::RootTun => Ok(()),
            Setup::RootVeth => device(None),
            Setup::Nft => filter_only(),
            Setup::RootlessTun if !geteuid().is_root() => Ok(()),
            Setup::RootlessTun => device(Some(0o666)).and_then(|()| nobody()),
            Setup::RootlessVeth => device(Some(0o600)).and_then(|()| nobody()),
            // Root by name only cannot become anyone else, and has as little.
            Setup::Proxy | Setup::None => nobody().or(Ok(())),
            Setup::Powerless => powerless(),
        };
        // SAFETY: this process has one thread, so the child may do anything.
        unsafe { command.pre_exec(prepare) };
        command
    }
}

/// Puts our own `/dev/net`, with or without a TUN device, over the machine's.
fn device(mode: Option<libc::mode_t>) -> io::Result<()> {
    const NONE: Option<&CStr> = None;
    unshare(CloneFlags::CLONE_NEWNS)?;
    mount(NONE, c"/", NONE, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NONE)?;
    if !std::path::Path::new("/dev/net").exists() {
        return Err(io::Error::other("no /dev/net to mount over"));
    }
    mount(Some(c"tmpfs"), c"/dev/net", Some(c"tmpfs"), MsFlags::empty(), NONE)?;
    if let Some(mode) = mode {
        // SAFETY: changes only this process's file mode mask.
        unsafe { libc::umask(0) };
        let mode = Mode::from_bits_truncate(mode);
        mknod("/dev/net/tun", SFlag::S_IFCHR, mode, makedev(10, 200))?;
    }
    Ok(())
}

/// A network namespace with nothing but loopback, and hardly a capability after exec.
fn filter_only() -> io::Result<()> {
    const SETGID: i32 = 6;
    const NET_ADMIN: i32 = 12;
    unshare(CloneFlags::CLONE_NEWNET)?;
    super::nft::loopback_up()?;
    for capability in (0..=40).filter(|c| ![SETGID, NET_ADMIN].contains(c)) {
        // SAFETY: takes away a capability of this process, nothing else.
        unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) };
    }
    Ok(())
}

fn nobody() -> io::Result<()> {
    if geteuid().is_root() {
        setgroups(&[])?;
        setgid(Gid::from_raw(NOBODY))?;
        setuid(Uid::from_raw(NOBODY))?;
    }
    nix::sys::prctl::set_no_new_privs()?;
    Ok(())
}

/// A user namespace in which there may be no other, and no capability after exec.
fn powerless() -> io::Result<()> {
    unshare(CloneFlags::CLONE_NEWUSER)?;
    std::fs::write("/proc/self/setgroups", "deny")?;
    std::fs::write("/proc/self/uid_map", "0 0 1")?;
    std::fs::write("/proc/self/gid_map", "0 0 1")?;
    std::fs::write("/proc/sys/user/max_user_namespaces", "0")?;
    for capability in 0..=40 {
        // SAFETY: takes away a capability of this process, nothing else.
        unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) };
    }
    Ok(())
}
