//! [`Cluster`]: a running target.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use danso_vocab::{NodeId, Schedule};
use futures_util::future::join_all;
use tokio::sync::RwLock;

use crate::access;
use crate::clock::Clocks;
use crate::disk::Disks;
use crate::means::Need;
use crate::nemesis;
use crate::network::{Link, Network, NetworkError, Party, Policy};
use crate::process::cgroup::{Controller, Groups};
use crate::process::{Order, Supervisor, Tight};
use crate::progress::lock;
use crate::site::Site;
use crate::target::{Farewell, Member, Target};

/// How often a starting node is asked whether it serves.
const ASK_EVERY: Duration = Duration::from_millis(20);
/// How long a node may take to say whether it serves; a target may be less patient.
const QUESTION: Duration = Duration::from_secs(6);
/// How long it may take to find out who leads.
const LEADERS: Duration = Duration::from_secs(2);
/// How long a target's hook may take.
const HOOK_PATIENCE: Duration = Duration::from_secs(15);

/// A running target: members, their processes, their network. What nemeses act on.
pub struct Cluster {
    /// The recipe.
    pub target: Arc<dyn Target>,
    /// The members, in order.
    pub members: Vec<Member>,
    /// Their processes.
    pub processes: Supervisor,
    /// Their network.
    pub network: Arc<dyn Network>,
    /// Their disks, if any fault needs them.
    pub disks: Disks,
    /// Their clocks, if this run needs any.
    pub clocks: Clocks,
    /// The limits of their resources.
    pub tight: Tight,
    /// Their control groups, if any fault needs them.
    pub groups: Option<Groups>,
    site: Site,
    layers: Mutex<Layers>,
    holds: Mutex<BTreeMap<(NodeId, Hold), u32>>,
    starts: Mutex<BTreeMap<NodeId, Arc<RwLock<()>>>>,
    winner: Mutex<Option<NodeId>>,
}

/// What the faults in force do to links, one layer each.
#[derive(Default)]
struct Layers {
    next: u64,
    layers: BTreeMap<u64, Vec<(Link, Policy)>>,
}

impl Layers {
    /// What all layers together do to these links.
    fn combined(&self, links: impl Iterator<Item = Link>) -> Vec<(Link, Policy)> {
        let all = || self.layers.values().flatten();
        let policy = |link| {
            let policies = all().filter(|(l, _)| *l == link).map(|(_, p)| *p);
            policies.fold(Policy::default(), Policy::and)
        };
        links.map(|link| (link, policy(link))).collect()
    }
}

/// Names what one fault does to links: see [`Cluster::shape`].
#[derive(Debug)]
pub struct Shape(u64);

/// Ways a node can be held back by several faults at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Hold {
    /// It must not run.
    Down,
    /// It must not go on.
    Paused,
}

impl Cluster {
    /// A cluster whose processes do not run yet.
    ///
    /// # Errors
    /// If it has no members, or there can be no supervisor thread.
    pub fn new(
        target: Arc<dyn Target>,
        members: Vec<Member>,
        network: Arc<dyn Network>,
        site: Site,
    ) -> io::Result<Cluster> {
        let exe = members.first().map(|m| m.exe.clone());
        let exe = exe.ok_or_else(|| io::Error::other("a cluster without members"))?;
        Ok(Cluster {
            target,
            members,
            processes: Supervisor::new(exe)?.elsewhere(network.remote()),
            network,
            disks: Disks::default(),
            clocks: Clocks::default(),
            tight: Tight::default(),
            groups: None,
            site,
            layers: Mutex::default(),
            holds: Mutex::default(),
            starts: Mutex::default(),
            winner: Mutex::default(),
        })
    }

    /// Prepares what the faults of `schedule` need of the cluster, before anything is started.
    ///
    /// # Errors
    /// If it cannot be had.
    pub fn prepare(&mut self, schedule: &Schedule) -> io::Result<()> {
        if nemesis::needed(schedule, Need::Clock) {
            let way = crate::clock::way().map_err(|e| io::Error::other(e.to_string()))?;
            self.clocks = Clocks::create(&self.site, &self.nodes(), way)?;
        }
        if let Some(way) = crate::disk::way(|need| nemesis::needed(schedule, need))?
            && let Some(first) = self.members.first()
        {
            let place = |node| (node, self.site.data(node), self.site.node(node).join("disk.log"));
            self.disks = Disks::open(&first.exe, way, self.nodes().into_iter().map(place))?;
        }
        let wanted = [(Need::Cpu, Controller::Cpu), (Need::Memory, Controller::Memory)];
        let wanted = wanted.into_iter().filter(|(need, _)| nemesis::needed(schedule, *need));
        let controllers: Vec<_> = wanted.map(|(_, controller)| controller).collect();
        if let Some(first) = self.members.first()
            && !controllers.is_empty()
        {
            self.groups = Some(Groups::new(&first.exe, &self.nodes(), &controllers)?);
        }
        Ok(())
    }

    /// All members' names.
    pub fn nodes(&self) -> Vec<NodeId> {
        self.members.iter().map(|m| m.id).collect()
    }

    /// The member called `node`.
    ///
    /// # Errors
    /// If there is none.
    pub fn member(&self, node: NodeId) -> Result<&Member, String> {
        let member = self.members.get(node.index());
        member.ok_or_else(|| format!("{node} is no member of a cluster of {}", self.members.len()))
    }

    /// A node's data directory, as everybody but the node sees it.
    pub fn data(&self, node: NodeId) -> PathBuf {
        self.disks.get(node).map_or_else(|| self.site.data(node), |disk| disk.seen())
    }

    /// Starts the process of `node`, if the target has processes. Returns whether it does.
    ///
    /// # Errors
    /// One line: what could not be started, and why.
    pub fn start(&self, node: NodeId) -> Result<bool, String> {
        self.start_late(node, Duration::ZERO)
    }

    /// The same, but the program is started only after `delay`; until then the node counts as
    /// running.
    ///
    /// # Errors
    /// As [`Cluster::start`].
    pub fn start_late(&self, node: NodeId, delay: Duration) -> Result<bool, String> {
        let member = self.member(node)?;
        let Some(command) = self.target.command(member)? else { return Ok(false) };
        let (data, logs) = (self.site.data(node), self.site.node(node));
        std::fs::create_dir_all(&data).map_err(|e| format!("{}: {e}", data.display()))?;
        for (path, text) in self.target.files(member)? {
            let unwritable = |e: io::Error| format!("{}: {e}", path.display());
            path.parent().map_or(Ok(()), std::fs::create_dir_all).map_err(unwritable)?;
            std::fs::write(&path, text).map_err(unwritable)?;
        }
        if let Some(user) = command.user {
            access::may_enter(user, &data)?;
            std::os::unix::fs::chown(&data, Some(user), Some(user))
                .map_err(|e| format!("{} cannot be given to user {user}: {e}", data.display()))?;
        }
        member.printed.mark();
        let mut order = Order::new(command, data);
        order.name = node.to_string();
        order.delay = delay;
        order.limits = self.tight.of(node);
        order.cgroups = self.groups.as_ref().map(|g| g.of(node)).unwrap_or_default();
        order.network = self.network.namespace(node);
        if let Some(disk) = self.disks.get(node) {
            (order.users, order.mounts) = (disk.users(), Some(disk.mounts()));
        }
        order.group = self.network.group(node);
        self.clocks.equip(node, &mut order).map_err(|e| format!("{node}: {e}"))?;
        order.hosts = Some(self.names(node, &logs)?);
        if order.network.is_some() {
            // No way leads to the machine's name servers: not to know them saves the waiting.
            let nobody = logs.join("resolv.conf");
            std::fs::write(&nobody, "").map_err(|e| format!("{}: {e}", nobody.display()))?;
            order.resolv = Some(nobody);
        }
        self.processes.start(node, order, &logs).map_err(|e| format!("{node}: {e}"))?;
        Ok(true)
    }

    /// Writes the table by which `node` finds the others by name, and itself.
    fn names(&self, node: NodeId, folder: &Path) -> Result<PathBuf, String> {
        let mut table = String::from("127.0.0.1 localhost\n");
        if let Some(port) = self.target.ports().first() {
            for to in self.members.iter().map(|m| m.id) {
                let address = self.network.address(Party::Node(node), to, *port);
                table += &format!("{} {to}\n", address.ip());
            }
        }
        let path = folder.join("hosts");
        std::fs::write(&path, table).map_err(|e| format!("{}: {e}", path.display()))?;
        Ok(path)
    }

    /// Waits until `node` serves.
    ///
    /// # Errors
    /// If it dies or does not serve in time: what it last said.
    pub async fn ready(&self, node: NodeId, patience: Duration) -> Result<Duration, String> {
        let member = self.member(node)?;
        let since = Instant::now();
        let mut last = None;
        loop {
            let answer = tokio::time::timeout(QUESTION, self.target.ready(member)).await;
            let silent = answer.is_err();
            match answer {
                Ok(Ok(())) => return Ok(since.elapsed()),
                Ok(Err(reason)) => last = Some(reason),
                Err(_) => {}
            }
            let ours = self.target.command(member)?.is_some();
            if ours && self.processes.pid(node).is_none() {
                let stderr = self.processes.stderr(node);
                let words = stderr.lines().last().unwrap_or("it printed nothing");
                return Err(format!("{node} ended before it served: {words}"));
            }
            if since.elapsed() > patience {
                let silence = silent.then(|| format!("no answer within {QUESTION:?}"));
                let why: Vec<_> = last.into_iter().chain(silence).collect();
                let why = why.join("; then ");
                return Err(format!("{node} does not serve after {patience:?}: {why}"));
            }
            tokio::time::sleep(ASK_EVERY).await;
        }
    }

    /// Who leads now; `None` if that cannot be found out in time.
    pub(crate) async fn leaders(&self) -> Option<Vec<NodeId>> {
        let asked = self.target.primaries(&self.members);
        tokio::time::timeout(LEADERS, asked).await.ok()
    }

    /// Who leads now, as far as it can be found out.
    pub async fn primaries(&self) -> Vec<NodeId> {
        let leads = self.leaders().await.unwrap_or_default();
        if let Some(first) = leads.first() {
            *lock(&self.winner) = Some(*first);
        }
        leads
    }

    /// Who led when somebody last asked and was told.
    pub fn winner(&self) -> Option<NodeId> {
        *lock(&self.winner)
    }

    /// Does one of the target's hooks to `node`.
    ///
    /// # Errors
    /// One line: what the target said, or that it took too long.
    pub async fn hook(&self, hook: &str, node: NodeId) -> Result<String, String> {
        let done = self.target.hook(hook, self.member(node)?, &self.members);
        let done = tokio::time::timeout(HOOK_PATIENCE, done).await;
        let done = done.unwrap_or_else(|_| Err(format!("no answer within {HOOK_PATIENCE:?}")));
        done.map_err(|e| format!("{hook} {node}: {e}"))
    }

    /// Empties the disk of `node`, which must not run.
    ///
    /// # Errors
    /// One line: what could not be removed.
    pub fn wipe(&self, node: NodeId) -> Result<(), String> {
        let data = self.data(node);
        let wipe = || -> io::Result<()> {
            // Its contents only: the folder itself may be in use.
            for entry in std::fs::read_dir(&data)? {
                let entry = entry?;
                if entry.file_type()?.is_dir() {
                    std::fs::remove_dir_all(entry.path())?;
                } else {
                    std::fs::remove_file(entry.path())?;
                }
            }
            Ok(())
        };
        match wipe() {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(format!("{} cannot be emptied: {error}", data.display()));
            }
            _ => {}
        }
        // An empty disk is what the next power failure leaves at least.
        match self.disks.get(node) {
            Some(disk) => disk.settle().map_err(|e| format!("{node}: its disk: {e}")),
            None => Ok(()),
        }
    }

    /// Does this to links, beside what other faults do to them. Lasts until [`Cluster::unshape`].
    ///
    /// # Errors
    /// If the network cannot do it; then nothing is changed.
    pub fn shape(&self, policies: Vec<(Link, Policy)>) -> Result<Shape, NetworkError> {
        let mut layers = lock(&self.layers);
        let id = layers.next;
        layers.next += 1;
        let links: Vec<Link> = policies.iter().map(|(l, _)| *l).collect();
        layers.layers.insert(id, policies);
        let set = self.network.set(&layers.combined(links.into_iter()));
        if set.is_err() {
            layers.layers.remove(&id);
        }
        set.map(|()| Shape(id))
    }

    /// Does something else to the links this fault shaped; those not named are left alone again.
    ///
    /// # Errors
    /// If the network cannot do it.
    pub fn reshape(
        &self,
        shape: &Shape,
        policies: Vec<(Link, Policy)>,
    ) -> Result<(), NetworkError> {
        let mut layers = lock(&self.layers);
        let mut links: Vec<Link> = policies.iter().map(|(l, _)| *l).collect();
        let before = layers.layers.insert(shape.0, policies).unwrap_or_default();
        links.extend(before.into_iter().map(|(l, _)| l));
        self.network.set(&layers.combined(links.into_iter()))
    }

    /// Leaves the links alone that this fault shaped.
    ///
    /// # Errors
    /// If the network cannot be told.
    pub fn unshape(&self, shape: &Shape) -> Result<(), NetworkError> {
        let mut layers = lock(&self.layers);
        let before = layers.layers.remove(&shape.0).unwrap_or_default();
        self.network.set(&layers.combined(before.into_iter().map(|(l, _)| l)))
    }

    /// One more fault holds `node` back; returns whether it is the first.
    pub fn hold(&self, node: NodeId, hold: Hold) -> bool {
        let mut holds = lock(&self.holds);
        let count = holds.entry((node, hold)).or_default();
        *count += 1;
        *count == 1
    }

    /// Whether any fault holds `node` back so.
    pub fn is_held(&self, node: NodeId, hold: Hold) -> bool {
        lock(&self.holds).contains_key(&(node, hold))
    }

    /// How many faults hold `node` back so.
    pub fn holds(&self, node: NodeId, hold: Hold) -> u32 {
        lock(&self.holds).get(&(node, hold)).copied().unwrap_or_default()
    }

    /// One fault less holds `node` back; returns whether it was the last.
    pub fn release(&self, node: NodeId, hold: Hold) -> bool {
        let mut holds = lock(&self.holds);
        let Some(count) = holds.get_mut(&(node, hold)) else { return false };
        *count -= 1;
        if *count == 0 {
            holds.remove(&(node, hold));
            return true;
        }
        false
    }

    /// Held to write by whoever starts `node`, to read by whoever ends it: a node that is to be
    /// down is not started by one who looked a moment before.
    pub(crate) fn starts(&self, node: NodeId) -> Arc<RwLock<()>> {
        lock(&self.starts).entry(node).or_default().clone()
    }

    /// Stops all processes, politely first.
    pub async fn down(&self) {
        self.processes.close();
        let Farewell { signal, grace } = self.target.farewell();
        let stopping = self.members.iter().map(|m| async move {
            if let Err(error) = self.processes.stop(m.id, signal, grace).await {
                tracing::warn!(%error, node = %m.id, "could not be stopped");
            }
        });
        join_all(stopping).await;
    }
}
