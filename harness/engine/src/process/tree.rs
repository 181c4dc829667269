//! Who descends from whom, and what they are doing, as /proc shows it.

use std::collections::BTreeMap;
use std::fs;
use std::io;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// All descendants of `root`, parents before children; zombies too. A process that is born
/// meanwhile may be missed: look again until nothing changes.
pub(crate) fn below(root: Pid) -> Vec<Pid> {
    let mut found = Vec::new();
    let mut todo = vec![root];
    let mut everybody = None;
    while let Some(parent) = todo.pop() {
        let born = match children(parent) {
            Some(born) => born,
            None => everybody.get_or_insert_with(families).remove(&parent).unwrap_or_default(),
        };
        found.extend(&born);
        todo.extend(born);
    }
    found
}

/// The children of a process; `None` if this kernel does not list them.
fn children(parent: Pid) -> Option<Vec<Pid>> {
    let Ok(tasks) = fs::read_dir(format!("/proc/{parent}/task")) else { return Some(Vec::new()) };
    let mut born = Vec::new();
    for task in tasks.flatten() {
        match fs::read_to_string(task.path().join("children")) {
            Ok(list) => {
                born.extend(
                    list.split_whitespace().filter_map(|p| p.parse().ok().map(Pid::from_raw)),
                );
            }
            // The thread may have ended since; or there is no such file anywhere.
            Err(_) if !task.path().exists() => {}
            Err(_) => return None,
        }
    }
    Some(born)
}

/// Everybody's children.
fn families() -> BTreeMap<Pid, Vec<Pid>> {
    let mut families: BTreeMap<Pid, Vec<Pid>> = BTreeMap::new();
    for pid in pids() {
        if let Some(parent) = stat(pid).and_then(|s| s.get(1)?.parse().ok()) {
            families.entry(Pid::from_raw(parent)).or_default().push(pid);
        }
    }
    families
}

/// Everybody.
pub(crate) fn pids() -> Vec<Pid> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|e| e.file_name().to_str()?.parse().ok().map(Pid::from_raw));
    pids.collect()
}

/// What /proc says of a process behind its name: state, parent, group and so on.
fn stat(pid: Pid) -> Option<Vec<String>> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name is in parentheses and may contain anything, parentheses included.
    let (_, rest) = stat.rsplit_once(") ")?;
    Some(rest.split_whitespace().map(str::to_owned).collect())
}

/// The state letter of a process: `R`, `S`, `T` (stopped), `Z`…
pub(crate) fn state(pid: Pid) -> Option<char> {
    stat(pid)?.first()?.chars().next()
}

/// When a process was started, in the kernel's ticks since boot: with its pid, an identity.
pub(crate) fn born(pid: Pid) -> Option<u64> {
    stat(pid)?.get(19)?.parse().ok()
}

/// Whether a process can still do anything: it is there, and no zombie.
pub(crate) fn lives(pid: Pid) -> bool {
    !matches!(state(pid), None | Some('Z' | 'X'))
}

/// Signals a process; one that is gone already is fine.
pub(crate) fn signal(pid: Pid, signal: Signal) -> io::Result<()> {
    match kill(pid, signal) {
        Ok(()) | Err(Errno::ESRCH) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}
