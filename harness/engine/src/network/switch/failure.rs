//! [`Failure`]: what the kernel refused while a network was made, and what mends it.

use std::fs;
use std::path::Path;

use nix::errno::Errno;

/// What was tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::network) enum Step {
    /// `unshare(CLONE_NEWUSER)`.
    UserNamespace,
    /// Writing the user namespace's `setgroups`, `uid_map`, `gid_map`.
    IdMap,
    /// `unshare(CLONE_NEWNET)`.
    NetNamespace,
    /// `setns` into a namespace we made.
    EnterNamespace,
    /// Opening `/dev/net/tun`.
    OpenTun,
    /// `TUNSETIFF` and its kin.
    AttachTun,
    /// Address, size, queue and state of an interface.
    Interface,
    /// An IPv6 address for an interface.
    Ipv6,
    /// Making a pair of virtual interfaces.
    Veth,
    /// A packet socket on a virtual interface.
    PacketSocket,
    /// A thread, an event queue: nothing to do with privilege.
    Ordinary,
}

impl Step {
    fn words(self) -> &'static str {
        match self {
            Step::UserNamespace => "making a user namespace",
            Step::IdMap => "writing the user namespace's id map",
            Step::NetNamespace => "making a network namespace",
            Step::EnterNamespace => "entering a network namespace",
            Step::OpenTun => "opening /dev/net/tun",
            Step::AttachTun => "attaching a TUN interface",
            Step::Interface => "configuring an interface",
            Step::Ipv6 => "giving an interface an IPv6 address",
            Step::Veth => "making a veth pair",
            Step::PacketSocket => "opening a packet socket",
            Step::Ordinary => "starting the switch",
        }
    }
}

/// A refusal: the step and the kernel's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {}", .step.words(), .errno.desc())]
pub(in crate::network) struct Failure {
    pub(in crate::network) step: Step,
    pub(in crate::network) errno: Errno,
}

impl Step {
    /// For `map_err`.
    pub(in crate::network) fn failed(self, errno: Errno) -> Failure {
        Failure { step: self, errno }
    }

    /// For `map_err` of standard library calls.
    pub(in crate::network) fn failed_io(self, error: &std::io::Error) -> Failure {
        Failure { step: self, errno: Errno::from_raw(error.raw_os_error().unwrap_or(0)) }
    }
}

impl Failure {
    /// What the user can do about it, in one line.
    pub(in crate::network) fn mend(&self) -> String {
        self.mend_on(&Machine::look())
    }

    fn mend_on(&self, machine: &Machine) -> String {
        const DOCKER: &str = "start the container with --cap-add SYS_ADMIN --cap-add NET_ADMIN \
                              --device /dev/net/tun (with AppArmor also --security-opt \
                              apparmor=unconfined), with --privileged, or with --security-opt \
                              seccomp=unconfined";
        const APPARMOR: &str = "run with sudo, or `sudo sysctl -w \
                                kernel.apparmor_restrict_unprivileged_userns=0` (Ubuntu 23.10 \
                                and later restrict user namespaces), or give danso an AppArmor \
                                profile with `userns,`";
        match (self.step, self.errno) {
            (Step::OpenTun, Errno::ENOENT | Errno::ENODEV | Errno::ENXIO) if !machine.container => {
                "load the driver: `sudo modprobe tun`".to_owned()
            }
            (Step::OpenTun, Errno::EACCES) if !machine.container => {
                "run as root, or `sudo chmod 0666 /dev/net/tun` (udev's default)".to_owned()
            }
            (Step::OpenTun, _) if machine.container => {
                "start the container with --device /dev/net/tun".to_owned()
            }
            (Step::UserNamespace, Errno::ENOSPC | Errno::EUSERS) => {
                "`sudo sysctl -w user.max_user_namespaces=10000`, or run as root".to_owned()
            }
            (Step::NetNamespace, Errno::ENOSPC) => {
                "`sudo sysctl -w user.max_net_namespaces=10000`".to_owned()
            }
            (Step::UserNamespace, Errno::EPERM) if machine.clone_forbidden => {
                "`sudo sysctl -w kernel.unprivileged_userns_clone=1`, or run as root".to_owned()
            }
            (Step::UserNamespace | Step::NetNamespace, Errno::EPERM)
                if machine.container || machine.filtered =>
            {
                DOCKER.to_owned()
            }
            (Step::IdMap, Errno::EPERM) if machine.root => {
                "root without CAP_SETFCAP cannot map itself: start with that capability, with \
                 CAP_SYS_ADMIN and CAP_NET_ADMIN, or as an ordinary user"
                    .to_owned()
            }
            (
                Step::UserNamespace | Step::IdMap | Step::NetNamespace | Step::AttachTun,
                Errno::EPERM | Errno::EACCES,
            ) if machine.apparmor => APPARMOR.to_owned(),
            (Step::NetNamespace | Step::EnterNamespace, Errno::EPERM) => {
                "run as root (CAP_SYS_ADMIN), or allow user namespaces".to_owned()
            }
            (Step::AttachTun | Step::Interface | Step::Veth, Errno::EPERM) => {
                "run as root (CAP_NET_ADMIN), or allow user namespaces".to_owned()
            }
            (Step::PacketSocket, Errno::EPERM) => {
                "run as root (CAP_NET_RAW), or allow user namespaces".to_owned()
            }
            (Step::Veth, Errno::EOPNOTSUPP) => "load the driver: `sudo modprobe veth`".to_owned(),
            (Step::Ipv6, _) => "use IPv4, or boot the kernel without `ipv6.disable=1`".to_owned(),
            (Step::PacketSocket, Errno::EAFNOSUPPORT) => {
                "load the driver: `sudo modprobe af_packet`".to_owned()
            }
            _ => "run as root on a kernel with namespaces and TUN or veth".to_owned(),
        }
    }
}

/// Facts that decide which mend fits.
#[derive(Default)]
struct Machine {
    root: bool,
    container: bool,
    filtered: bool,
    apparmor: bool,
    clone_forbidden: bool,
}

impl Machine {
    fn look() -> Machine {
        let says = |path: &str, value: &str| {
            fs::read_to_string(path).is_ok_and(|text| text.trim() == value)
        };
        Machine {
            root: nix::unistd::geteuid().is_root(),
            container: ["/.dockerenv", "/run/.containerenv"].iter().any(|p| Path::new(p).exists()),
            filtered: fs::read_to_string("/proc/self/status")
                .is_ok_and(|status| status.lines().any(|line| line == "Seccomp:\t2")),
            apparmor: says("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1"),
            clone_forbidden: says("/proc/sys/kernel/unprivileged_userns_clone", "0"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mend_fits_the_machine() {
        let docker = Machine { root: true, container: true, ..Machine::default() };
        let ubuntu = Machine { apparmor: true, ..Machine::default() };
        let plain = Machine::default();
        for (machine, step, errno, word) in [
            (&docker, Step::UserNamespace, Errno::EPERM, "--cap-add SYS_ADMIN"),
            (&docker, Step::OpenTun, Errno::ENOENT, "--device /dev/net/tun"),
            (&docker, Step::IdMap, Errno::EPERM, "CAP_SETFCAP"),
            (&ubuntu, Step::IdMap, Errno::EPERM, "apparmor_restrict_unprivileged_userns=0"),
            (&ubuntu, Step::NetNamespace, Errno::EPERM, "sudo"),
            (&plain, Step::OpenTun, Errno::EACCES, "chmod 0666"),
            (&plain, Step::OpenTun, Errno::ENOENT, "modprobe tun"),
            (&plain, Step::UserNamespace, Errno::ENOSPC, "max_user_namespaces"),
            (&plain, Step::NetNamespace, Errno::EPERM, "CAP_SYS_ADMIN"),
        ] {
            let mend = step.failed(errno).mend_on(machine);
            assert!(mend.contains(word), "{step:?} {errno}: {mend}");
        }
    }
}
