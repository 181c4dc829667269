//! [`Tight`]: soft limits of resources, lowered while processes run and put back as they were.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::sync::Mutex;

use danso_vocab::NodeId;
use nix::unistd::Pid;

use super::order::{Bounded, Limit};
use super::supervisor::Supervisor;
use super::tree;
use crate::progress::lock;

/// A process for good: pids come round again.
type Born = (Pid, Option<u64>);

/// What faults in force have lowered.
#[derive(Debug, Default)]
pub struct Tight {
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    next: u64,
    limits: BTreeMap<(NodeId, Bounded), Lowered>,
}

/// A limit of a node that one or more faults hold.
#[derive(Debug, Default)]
struct Lowered {
    /// What each of them asks for; the lowest counts.
    asked: BTreeMap<u64, u64>,
    /// What processes had before the first of them.
    before: BTreeMap<Born, u64>,
    /// What its main process had.
    usual: Option<u64>,
}

/// Names what one fault holds: see [`Tight::lower`].
#[derive(Debug)]
pub struct Grip {
    node: NodeId,
    of: Bounded,
    id: u64,
}

impl Tight {
    /// The limits `node` is to be started with.
    pub(crate) fn of(&self, node: NodeId) -> Vec<Limit> {
        let held = lock(&self.held);
        let limits = held.limits.iter().filter(|((n, _), _)| *n == node);
        let limit = |((_, of), l): (&(NodeId, Bounded), &Lowered)| {
            Some(Limit { of: *of, most: *l.asked.values().min()? })
        };
        limits.filter_map(limit).collect()
    }

    /// Lowers a limit of all processes of `node`, and of those it will start, to `most`. Returns
    /// what the kernel then says of each.
    ///
    /// # Errors
    /// If it cannot be done; then nothing is changed.
    pub fn lower(
        &self,
        nodes: &Supervisor,
        node: NodeId,
        of: Bounded,
        most: u64,
    ) -> io::Result<(Grip, Vec<(Pid, u64)>)> {
        let mut held = lock(&self.held);
        held.next += 1;
        let id = held.next;
        let lowered = held.limits.entry((node, of)).or_default();
        lowered.asked.insert(id, most);
        let grip = Grip { node, of, id };
        match lowered.apply(nodes, node, of) {
            Ok(seen) => Ok((grip, seen)),
            Err(error) => {
                let back = held.release(nodes, &grip);
                back.map_err(|e| io::Error::new(e.kind(), format!("{error}; and then: {e}")))?;
                Err(error)
            }
        }
    }

    /// Lets go: the limit is what it was, or what other faults ask for. Returns what the kernel
    /// then says of each process.
    ///
    /// # Errors
    /// If it cannot be done.
    pub fn release(&self, nodes: &Supervisor, grip: &Grip) -> io::Result<Vec<(Pid, u64)>> {
        lock(&self.held).release(nodes, grip)
    }
}

impl Held {
    fn release(&mut self, nodes: &Supervisor, grip: &Grip) -> io::Result<Vec<(Pid, u64)>> {
        let key = (grip.node, grip.of);
        let Some(lowered) = self.limits.get_mut(&key) else { return Ok(Vec::new()) };
        lowered.asked.remove(&grip.id);
        let seen = lowered.apply(nodes, grip.node, grip.of)?;
        if lowered.asked.is_empty() {
            self.limits.remove(&key);
        }
        Ok(seen)
    }
}

impl Lowered {
    /// Brings all processes to where they shall be, those born meanwhile too.
    fn apply(
        &mut self,
        nodes: &Supervisor,
        node: NodeId,
        of: Bounded,
    ) -> io::Result<Vec<(Pid, u64)>> {
        let most = self.asked.values().min().copied();
        if self.usual.is_none()
            && let Some(main) = nodes.pid(node)
        {
            self.usual = get(main, of)?.map(|(soft, _)| soft);
        }
        // A node that was started under the limit would have had what its keeper has.
        let given = match nodes.keeper(node) {
            Some(keeper) => get(keeper, of)?.map(|(soft, _)| soft),
            None => None,
        };
        let mut seen: BTreeMap<Born, u64> = BTreeMap::new();
        loop {
            let fresh: Vec<Born> = nodes
                .processes(node)
                .into_iter()
                .map(|pid| (pid, tree::born(pid)))
                .filter(|born| !seen.contains_key(born))
                .collect();
            if fresh.is_empty() {
                return Ok(seen.into_iter().map(|((pid, _), soft)| (pid, soft)).collect());
            }
            for born in fresh {
                let Some((soft, hard)) = get(born.0, of)? else { continue };
                let target = match most {
                    Some(most) => {
                        let before = *self.before.entry(born).or_insert(match self.usual {
                            // Born of one that had been lowered: it would have had what that had.
                            Some(usual) if self.asked.values().any(|asked| *asked == soft) => usual,
                            _ => soft,
                        });
                        most.min(before)
                    }
                    None => self.before.get(&born).copied().or(given).unwrap_or(soft),
                };
                set(born.0, of, target.min(hard), hard)?;
                if let Some((soft, _)) = get(born.0, of)? {
                    seen.insert(born, soft);
                }
            }
        }
    }
}

/// How many descriptors a process has open.
pub(crate) fn open_files(pid: Pid) -> Option<u64> {
    Some(fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count() as u64)
}

fn number(of: Bounded) -> libc::__rlimit_resource_t {
    match of {
        Bounded::Files => libc::RLIMIT_NOFILE,
        Bounded::FileSize => libc::RLIMIT_FSIZE,
    }
}

/// Soft and hard limit; `None` if the process is gone.
fn get(pid: Pid, of: Bounded) -> io::Result<Option<(u64, u64)>> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the kernel fills a live value of the type it expects and reads nothing.
    let done = unsafe { libc::prlimit(pid.as_raw(), number(of), std::ptr::null(), &mut limit) };
    gone(done).map(|there| there.then_some((limit.rlim_cur, limit.rlim_max)))
}

/// Sets both; the hard one to what it is, since it can never be raised again.
fn set(pid: Pid, of: Bounded, soft: u64, hard: u64) -> io::Result<bool> {
    let limit = libc::rlimit { rlim_cur: soft, rlim_max: hard };
    // SAFETY: the kernel reads a live value of the type it expects and writes nothing.
    gone(unsafe { libc::prlimit(pid.as_raw(), number(of), &limit, std::ptr::null_mut()) })
}

fn gone(done: libc::c_int) -> io::Result<bool> {
    if done == 0 {
        return Ok(true);
    }
    let error = io::Error::last_os_error();
    if error.raw_os_error() == Some(libc::ESRCH) { Ok(false) } else { Err(error) }
}
