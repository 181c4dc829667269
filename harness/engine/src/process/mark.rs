//! Marks by which what belongs to a run is known, also when its controller is dead: in the
//! environment of its processes and in the names of its control groups.

use std::sync::OnceLock;

use nix::sys::signal::Signal;
use nix::unistd::{Pid, getpid};

use super::tree;

/// The variable every process of a node has.
pub(super) const VARIABLE: &str = "DANSO_NODE";

/// What marks everything of this process's runs: `danso-NAMESPACE-PID-BIRTH`, which together no
/// other process ever had or will have since the machine was started.
pub(super) fn ours() -> &'static str {
    static OURS: OnceLock<String> = OnceLock::new();
    OURS.get_or_init(|| {
        let pid = getpid();
        format!("{}{pid}-{}", prefix(), tree::born(pid).unwrap_or_default())
    })
}

/// What all marks begin with that are made where this process's pids are understood.
fn prefix() -> &'static str {
    static PREFIX: OnceLock<String> = OnceLock::new();
    PREFIX.get_or_init(|| {
        let link = std::fs::read_link("/proc/self/ns/pid").unwrap_or_default();
        let digits: String = link.to_string_lossy().chars().filter(char::is_ascii_digit).collect();
        format!("danso-{digits}-")
    })
}

/// Whether this marks something of a controller that is dead. Not, if that cannot be known.
pub(super) fn is_orphaned(mark: &str) -> bool {
    let Some(rest) = mark.strip_prefix(prefix()) else { return false };
    let mut parts = rest.split('-');
    let (Some(pid), Some(birth)) = (
        parts.next().and_then(|p| p.parse().ok()),
        parts.next().and_then(|b| b.parse::<u64>().ok()),
    ) else {
        return false;
    };
    tree::born(Pid::from_raw(pid)) != Some(birth)
}

/// The mark a process has, if it has one and we may look.
fn of(pid: Pid) -> Option<String> {
    let environment = std::fs::read(format!("/proc/{pid}/environ")).ok()?;
    let mut variables = environment.split(|b| *b == 0);
    let value = variables.find_map(|v| {
        v.strip_prefix(VARIABLE.as_bytes()).and_then(|rest| rest.strip_prefix(b"="))
    })?;
    String::from_utf8(value.to_vec()).ok()
}

/// Kills all processes whose mark is such; returns how many there were.
pub(super) fn kill_marked(which: impl Fn(&str) -> bool) -> usize {
    let mut killed = 0;
    for _ in 0..1_000 {
        let marked = tree::pids().into_iter().filter(|p| of(*p).is_some_and(|m| which(&m)));
        let marked: Vec<_> = marked.filter(|p| tree::lives(*p)).collect();
        if marked.is_empty() {
            break;
        }
        for pid in marked {
            match tree::signal(pid, Signal::SIGKILL) {
                Ok(()) => killed += 1,
                Err(error) => tracing::warn!(%pid, %error, "a process may be left"),
            }
        }
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    killed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_dead_leave_orphans() {
        assert!(!is_orphaned(&format!("{}-n1", ours())), "we live");
        assert!(is_orphaned(&format!("{}{}-1-n1", prefix(), getpid())), "another had our pid");
        assert!(!is_orphaned("danso-1-2-3-n1"), "pids of elsewhere mean nothing here");
        assert!(!is_orphaned("somebody-else"));
    }
}
