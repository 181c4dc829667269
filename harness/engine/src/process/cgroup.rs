//! Control groups: less processor time, less memory for a node.
//!
//! Groups outlive their processes, so they are the one thing a killed controller could leave
//! behind: their names carry its mark, and a janitor process waits for its end and removes them. They
//! are made only for runs whose plan asks for such faults.

mod home;
mod janitor;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

use danso_vocab::NodeId;

use self::home::{Home, Version};
use self::janitor::Janitor;
use super::mark;
use crate::means::Obstacle;
use crate::progress::lock;

pub(crate) use self::janitor::serve;
pub(super) use self::janitor::sweep;

/// What a group can limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Controller {
    /// Processor time, in percent of one processor.
    Cpu,
    /// Memory, in bytes.
    Memory,
}

impl Controller {
    /// The kernel's word for it.
    fn word(self) -> &'static str {
        match self {
            Controller::Cpu => "cpu",
            Controller::Memory => "memory",
        }
    }
}

/// Whether a node's processor time can be limited here: tried with a process.
///
/// # Errors
/// Why not, and the mend.
pub fn probe_cpu() -> Result<(), Obstacle> {
    probe(Controller::Cpu)
}

/// Whether a node's memory can be limited here: tried with a process.
///
/// # Errors
/// Why not, and the mend.
pub fn probe_memory() -> Result<(), Obstacle> {
    probe(Controller::Memory)
}

fn probe(controller: Controller) -> Result<(), Obstacle> {
    attempt(controller).map_err(|error| {
        let word = controller.word();
        Obstacle::new(
            format!("no control group for {word}: {error}"),
            "run as root, or where this controller is delegated to you: systemd-run --user \
             --scope -p Delegate=yes danso …",
        )
    })
}

/// Makes a group, limits it, and puts a process into it.
fn attempt(controller: Controller) -> io::Result<()> {
    let home = home::find(controller)?;
    let group = Group { dir: home.dir.join(format!("{}-trial", mark::ours())), home, controller };
    group.make()?;
    let tried = (|| {
        group.set(Some(match controller {
            Controller::Cpu => 50,
            Controller::Memory => 64 << 20,
        }))?;
        let mut sleeper = Command::new("sleep").arg("60").stdin(Stdio::null()).spawn()?;
        let moved = fs::write(group.dir.join("cgroup.procs"), sleeper.id().to_string());
        sleeper.kill()?;
        sleeper.wait()?;
        moved
    })();
    let removed = remove(&group.dir);
    tried.and(removed)
}

/// The groups of a run's nodes.
pub struct Groups {
    homes: BTreeMap<Controller, Home>,
    /// What faults in force ask for; the least counts.
    asked: Mutex<Asked>,
    /// Removes the groups when it is dropped, or when this process is killed.
    _janitor: Janitor,
}

#[derive(Debug, Default)]
struct Asked {
    next: u64,
    limits: BTreeMap<(NodeId, Controller), BTreeMap<u64, u64>>,
}

/// Names what one fault holds: see [`Groups::limit`].
#[derive(Debug)]
pub struct Held {
    node: NodeId,
    controller: Controller,
    id: u64,
}

impl Groups {
    /// Groups for these nodes that limit nothing yet. `exe` is the danso binary.
    ///
    /// # Errors
    /// If they cannot be made.
    pub fn new(exe: &Path, nodes: &[NodeId], controllers: &[Controller]) -> io::Result<Groups> {
        let mut homes = BTreeMap::new();
        for controller in controllers {
            homes.insert(*controller, home::find(*controller)?);
        }
        let dirs: Vec<&Path> = homes.values().map(|h| h.dir.as_path()).collect();
        // First, so that nothing is made that nobody would remove.
        let janitor = Janitor::start(exe, &dirs)?;
        let groups = Groups { homes, asked: Mutex::default(), _janitor: janitor };
        for node in nodes {
            for controller in controllers {
                groups.group(*node, *controller)?.make()?;
            }
        }
        Ok(groups)
    }

    /// The directories of the groups `node` is to be born into.
    pub fn of(&self, node: NodeId) -> Vec<PathBuf> {
        let mut dirs: Vec<_> =
            self.homes.keys().filter_map(|c| Some(self.group(node, *c).ok()?.dir)).collect();
        // One hierarchy may have both controllers.
        dirs.dedup();
        dirs
    }

    fn group(&self, node: NodeId, controller: Controller) -> io::Result<Group> {
        let home = self.homes.get(&controller).cloned().ok_or_else(|| {
            io::Error::other(format!("this run has no control groups for {}", controller.word()))
        })?;
        let dir = home.dir.join(format!("{}-{node}", mark::ours()));
        Ok(Group { dir, home, controller })
    }

    /// Limits `node` to so much, beside what other faults ask for. Returns what the kernel then
    /// says the limit is.
    ///
    /// # Errors
    /// If it cannot be done; then nothing is changed.
    pub fn limit(
        &self,
        node: NodeId,
        controller: Controller,
        most: u64,
    ) -> io::Result<(Held, u64)> {
        let group = self.group(node, controller)?;
        let mut asked = lock(&self.asked);
        asked.next += 1;
        let id = asked.next;
        let limits = asked.limits.entry((node, controller)).or_default();
        limits.insert(id, most);
        match group.set(limits.values().min().copied()) {
            Ok(()) => Ok((Held { node, controller, id }, group.get()?)),
            Err(error) => {
                limits.remove(&id);
                group.set(limits.values().min().copied())?;
                Err(error)
            }
        }
    }

    /// Lets go: the node has what it had, or what other faults ask for.
    ///
    /// # Errors
    /// If it cannot be done.
    pub fn release(&self, held: &Held) -> io::Result<()> {
        let mut asked = lock(&self.asked);
        let limits = asked.limits.entry((held.node, held.controller)).or_default();
        limits.remove(&held.id);
        self.group(held.node, held.controller)?.set(limits.values().min().copied())
    }

    /// What the group of `node` has seen since it was made.
    ///
    /// # Errors
    /// If the kernel does not say.
    pub fn seen(&self, node: NodeId, controller: Controller) -> io::Result<Seen> {
        self.group(node, controller)?.seen()
    }

    /// Bytes `node` uses, page cache included.
    ///
    /// # Errors
    /// If the kernel does not say.
    pub fn memory(&self, node: NodeId) -> io::Result<u64> {
        self.group(node, Controller::Memory)?.usage()
    }
}

/// What a group has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// How often it had to wait, or was refused memory.
    pub times: u64,
    /// How many processes were killed for want of memory.
    pub killed: u64,
}

/// A node's group for one controller.
struct Group {
    dir: PathBuf,
    home: Home,
    controller: Controller,
}

/// Microseconds after which processor time is given out anew.
const PERIOD: u64 = 100_000;

impl Group {
    fn make(&self) -> io::Result<()> {
        match fs::create_dir(&self.dir) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                Err(io::Error::new(error.kind(), format!("{}: {error}", self.dir.display())))
            }
            _ => Ok(()),
        }
    }

    /// Sets the limit, or none.
    fn set(&self, most: Option<u64>) -> io::Result<()> {
        match (self.home.version, self.controller) {
            (Version::V1, Controller::Cpu) => {
                let quota = most.map_or("-1".to_owned(), |p| (p * PERIOD / 100).to_string());
                self.write("cpu.cfs_period_us", &PERIOD.to_string())?;
                self.write("cpu.cfs_quota_us", &quota)
            }
            (Version::V2, Controller::Cpu) => {
                let quota = most.map_or("max".to_owned(), |p| (p * PERIOD / 100).to_string());
                self.write("cpu.max", &format!("{quota} {PERIOD}"))
            }
            (Version::V1, Controller::Memory) => {
                let file = "memory.limit_in_bytes";
                let Some(mut most) = most else { return self.write(file, "-1") };
                for _ in 0..50 {
                    match self.write(file, &most.to_string()) {
                        // It has more than that, and cannot give it up: no more, at least.
                        Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
                            most = most.max(self.usage()?) + (64 << 10);
                        }
                        done => return done,
                    }
                }
                Err(io::Error::other("the memory it has cannot be limited"))
            }
            (Version::V2, Controller::Memory) => {
                self.write("memory.max", &most.map_or("max".to_owned(), |m| m.to_string()))
            }
        }
    }

    /// The limit, as the kernel says; `u64::MAX` if there is none.
    fn get(&self) -> io::Result<u64> {
        let number = |text: &str| text.trim().parse::<u64>().unwrap_or(u64::MAX);
        Ok(match (self.home.version, self.controller) {
            (Version::V1, Controller::Cpu) => percent(number(&self.read("cpu.cfs_quota_us")?)),
            (Version::V2, Controller::Cpu) => {
                let text = self.read("cpu.max")?;
                percent(number(text.split_whitespace().next().unwrap_or_default()))
            }
            (Version::V1, Controller::Memory) => number(&self.read("memory.limit_in_bytes")?),
            (Version::V2, Controller::Memory) => number(&self.read("memory.max")?),
        })
    }

    fn usage(&self) -> io::Result<u64> {
        let file = match self.home.version {
            Version::V1 => "memory.usage_in_bytes",
            Version::V2 => "memory.current",
        };
        self.read(file)?.trim().parse().map_err(io::Error::other)
    }

    fn seen(&self) -> io::Result<Seen> {
        let entry = |text: &str, name: &str| {
            let lines = text.lines().filter_map(|l| l.split_once(' '));
            let mut named = lines.filter(|(n, _)| *n == name);
            named.next().and_then(|(_, v)| v.trim().parse().ok()).unwrap_or(0)
        };
        Ok(match (self.home.version, self.controller) {
            (_, Controller::Cpu) => {
                Seen { times: entry(&self.read("cpu.stat")?, "nr_throttled"), killed: 0 }
            }
            (Version::V1, Controller::Memory) => Seen {
                times: self.read("memory.failcnt")?.trim().parse().map_err(io::Error::other)?,
                killed: entry(&self.read("memory.oom_control")?, "oom_kill"),
            },
            (Version::V2, Controller::Memory) => {
                let events = self.read("memory.events")?;
                Seen { times: entry(&events, "max"), killed: entry(&events, "oom_kill") }
            }
        })
    }

    fn write(&self, file: &str, text: &str) -> io::Result<()> {
        let path = self.dir.join(file);
        fs::write(&path, text)
            .map_err(|e| io::Error::new(e.kind(), format!("{} = {text}: {e}", path.display())))
    }

    fn read(&self, file: &str) -> io::Result<String> {
        let path = self.dir.join(file);
        fs::read_to_string(&path)
            .map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", path.display())))
    }
}

/// Microseconds of a period in percent.
fn percent(quota: u64) -> u64 {
    quota.checked_mul(100).map_or(u64::MAX, |q| q / PERIOD)
}

/// Removes a group in which nobody lives any more.
fn remove(dir: &Path) -> io::Result<()> {
    let mut tries = 0;
    loop {
        match fs::remove_dir(dir) {
            // The kernel takes leave of the dead in the background.
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy && tries < 2_000 => {
                tries += 1;
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(io::Error::new(error.kind(), format!("{}: {error}", dir.display())));
            }
            _ => return Ok(()),
        }
    }
}
