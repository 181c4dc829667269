//! [`Order`]: what a warden shall start, and where. Handed over in a file of memory, so that
//! neither its size nor its contents show in anybody's list of processes.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::RawFd;
use std::path::PathBuf;
use std::time::Duration;

use nix::sys::memfd::{MFdFlags, memfd_create};
use serde::{Deserialize, Serialize};

use super::isolation::Isolation;
use crate::target::NodeCommand;

/// What to start as a node, and the world it shall find itself in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// The node's host name, where it can have one of its own.
    pub name: String,
    /// The program; looked up in `PATH` if it has no slash.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// Variables added to the controller's environment.
    pub env: Vec<(String, String)>,
    /// The working directory.
    pub dir: PathBuf,
    /// The network namespace to enter; must be open until the start returns.
    pub network: Option<RawFd>,
    /// The user namespace the mount namespace belongs to, if it is not the controller's; must be
    /// open until the start returns.
    pub users: Option<RawFd>,
    /// The mount namespace to enter; must be open until the start returns.
    pub mounts: Option<RawFd>,
    /// The user, and group, the program runs as.
    pub user: Option<u32>,
    /// The group it runs in, by which the network tells whose its sockets are.
    pub group: Option<u32>,
    /// Soft limits of its resources.
    pub limits: Vec<Limit>,
    /// Control groups the program is born into: their directories.
    pub cgroups: Vec<PathBuf>,
    /// How long to wait before the program is started.
    pub delay: Duration,
    /// The page its clock is read from.
    pub clock: Option<PathBuf>,
    /// What it shall find as `/etc/hosts`, where it can have one of its own.
    pub hosts: Option<PathBuf>,
    /// What it shall find as `/etc/resolv.conf`, where it can have one of its own.
    pub resolv: Option<PathBuf>,
}

impl Order {
    /// One that starts `command` in `dir`, and nothing else.
    pub fn new(command: NodeCommand, dir: PathBuf) -> Order {
        let NodeCommand { program, args, env, dir: asked, user } = command;
        Order { program, args, env, dir: asked.unwrap_or(dir), user, ..Order::default() }
    }
}

/// A resource a process may use only so much of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bounded {
    /// File descriptors open at once.
    Files,
    /// Bytes in one file.
    FileSize,
}

/// A soft limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    /// Of what.
    pub of: Bounded,
    /// How much.
    pub most: u64,
}

/// An order with what only the spawner knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Brief {
    pub(super) order: Order,
    pub(super) isolation: Isolation,
    /// The pid of the controller.
    pub(super) parent: i32,
}

impl Brief {
    /// Puts it into a file of memory.
    pub(super) fn write(&self) -> io::Result<File> {
        let mut file = File::from(memfd_create(c"danso-order", MFdFlags::MFD_CLOEXEC)?);
        file.write_all(&serde_json::to_vec(self)?)?;
        file.rewind()?;
        Ok(file)
    }

    /// Reads it back.
    pub(super) fn read(mut file: File) -> io::Result<Brief> {
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(serde_json::from_slice(&bytes)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_arrives_as_it_was_given() {
        let command = NodeCommand {
            program: "/bin/true".into(),
            args: vec!["a b".to_owned(), "\u{0}".to_owned()],
            env: vec![("K".to_owned(), "v\n".to_owned())],
            ..NodeCommand::default()
        };
        let order = Order {
            network: Some(7),
            user: Some(65534),
            group: Some(7),
            limits: vec![Limit { of: Bounded::Files, most: u64::MAX }],
            delay: Duration::from_millis(3),
            ..Order::new(command, "/tmp".into())
        };
        let brief = Brief { order, isolation: Isolation::Namespace, parent: 1 };
        assert_eq!(Brief::read(brief.write().unwrap()).unwrap(), brief);
    }
}
