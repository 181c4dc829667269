//! [`Means`]: what machine, network and target allow, so that a fault that cannot be had is
//! refused when planning. Found out by trying, at most once, and only what is asked for.

use std::fmt;
use std::sync::{Arc, OnceLock};

use crate::network::{Ability, Backend};
use crate::remote::Hosts;
use crate::target::Target;

/// Why something cannot be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstacle {
    /// What was tried and what the kernel said.
    pub reason: String,
    /// What to do about it.
    pub mend: String,
}

impl fmt::Display for Obstacle {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}; {}", self.reason, self.mend)
    }
}

impl Obstacle {
    /// One with its mend.
    pub fn new(reason: impl Into<String>, mend: impl Into<String>) -> Obstacle {
        Obstacle { reason: reason.into(), mend: mend.into() }
    }
}

/// What a fault needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Need {
    /// Nodes that are our processes.
    Processes,
    /// Nodes that run on this machine.
    Here,
    /// A network whose links can have this done to them.
    Link(Ability),
    /// A clock of its own for every node.
    Clock,
    /// Disks that fail on command while nodes run.
    Disk,
    /// Disks that can lose what was not synced.
    PowerLoss,
    /// Disks on loop devices, which lose what was not synced.
    Loop,
    /// Control groups that limit processor time.
    Cpu,
    /// Control groups that limit memory.
    Memory,
    /// A target that can do this to its own membership or configuration.
    Hook(&'static str),
}

impl fmt::Display for Need {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Need::Processes => out.write_str("node processes of danso's own"),
            Need::Here => out.write_str("nodes on this machine"),
            Need::Link(ability) => {
                write!(out, "links: {ability} (--network {})", Backend::who_can(*ability))
            }
            Need::Clock => out.write_str("clocks of their own for nodes"),
            Need::Disk => out.write_str("disks of their own for nodes"),
            Need::PowerLoss => out.write_str("disks of nodes that can lose power"),
            Need::Loop => out.write_str("disks of nodes on loop devices"),
            Need::Cpu => out.write_str("control groups for processor time"),
            Need::Memory => out.write_str("control groups for memory"),
            Need::Hook(hook) => write!(out, "a target with `{hook}`"),
        }
    }
}

/// What there is, as far as it has been asked for.
#[derive(Debug)]
pub struct Means {
    /// The network's backend.
    pub backend: Backend,
    /// Whether nodes are our processes.
    pub processes: bool,
    /// What the target can do by itself: names of hooks.
    pub hooks: Vec<&'static str>,
    /// The machines the nodes are on, if that is not this one.
    hosts: Option<Arc<dyn Hosts>>,
    clock: OnceLock<Result<(), Obstacle>>,
    disk: OnceLock<Result<(), Obstacle>>,
    image: OnceLock<Result<(), Obstacle>>,
    cpu: OnceLock<Result<(), Obstacle>>,
    memory: OnceLock<Result<(), Obstacle>>,
}

impl Means {
    /// Of this network and target; the machine is tried when asked.
    pub fn new(backend: Backend, processes: bool, hooks: Vec<&'static str>) -> Means {
        Means {
            backend,
            processes,
            hooks,
            hosts: None,
            clock: OnceLock::new(),
            disk: OnceLock::new(),
            image: OnceLock::new(),
            cpu: OnceLock::new(),
            memory: OnceLock::new(),
        }
    }

    /// Of this network and this target.
    pub fn of(backend: Backend, target: &dyn Target) -> Means {
        let means = Means::new(backend, target.starts(), target.hooks().to_vec());
        Means { hosts: target.hosts(), ..means }
    }

    /// Whether this can be had.
    ///
    /// # Errors
    /// Why not, and the mend.
    pub fn have(&self, need: Need) -> Result<(), Obstacle> {
        let machine = !matches!(need, Need::Processes | Need::Link(_) | Need::Hook(_));
        if machine {
            self.have(Need::Processes)?;
            self.here()?;
        }
        match need {
            Need::Here => Ok(()),
            Need::Processes if self.processes => self.there(need),
            Need::Processes => Err(Obstacle::new(
                "it needs node processes of danso's own, and this target has none",
                "choose a target whose nodes danso starts, or describe the fault by commands \
                 ([faults.NAME] with inject and heal)",
            )),
            Need::Link(ability) if self.backend.can(ability) => self.there(need),
            Need::Link(ability) => Err(Obstacle::new(
                format!("the network `{}` cannot do `{ability}`", self.backend.word()),
                match Backend::who_can(ability).as_str() {
                    _ if self.hosts.is_some() => "choose another fault".to_owned(),
                    _ if !self.processes => "describe the fault by commands ([faults.NAME] with \
                                             inject and heal)"
                        .to_owned(),
                    "" => "no network can".to_owned(),
                    who => format!("use --network {who}"),
                },
            )),
            Need::Hook(hook) if self.hooks.contains(&hook) => Ok(()),
            Need::Hook(hook) => Err(Obstacle::new(
                format!("this target has no `{hook}`"),
                match self.hooks.as_slice() {
                    [] => "it cannot change while it runs: choose another fault".to_owned(),
                    hooks => format!("it has: {}", hooks.join(", ")),
                },
            )),
            Need::Clock => self.clock.get_or_init(crate::clock::probe).clone(),
            Need::Disk => self.disk.get_or_init(crate::disk::probe).clone(),
            Need::Loop => self.image.get_or_init(crate::disk::probe_image).clone(),
            Need::PowerLoss => self.power_loss(),
            Need::Cpu => self.cpu.get_or_init(crate::process::cgroup::probe_cpu).clone(),
            Need::Memory => self.memory.get_or_init(crate::process::cgroup::probe_memory).clone(),
        }
    }

    /// Whether nodes run on this machine.
    fn here(&self) -> Result<(), Obstacle> {
        match self.hosts {
            None => Ok(()),
            Some(_) => Err(Obstacle::new(
                "it needs nodes on this machine, and these run on others: danso does not reach \
                 their clocks, disks and limits",
                "choose faults of processes and of the network",
            )),
        }
    }

    /// Whether the machines the nodes are on allow it.
    fn there(&self, need: Need) -> Result<(), Obstacle> {
        self.hosts.as_ref().map_or(Ok(()), |hosts| hosts.have(need))
    }

    /// Either way of losing power will do.
    fn power_loss(&self) -> Result<(), Obstacle> {
        self.have(Need::Disk).or_else(|fuse| {
            self.have(Need::Loop).map_err(|image| {
                let reason = format!("{}; and without FUSE: {}", fuse.reason, image.reason);
                Obstacle::new(reason, format!("{}; or {}", fuse.mend, image.mend))
            })
        })
    }
}
