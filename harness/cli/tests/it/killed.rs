//! SIGKILL of the controller in mid-partition: nothing of ours is left.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::harness::{alone, danso, latest, quick, start};

/// What the machine has that a run might leave behind.
#[derive(Debug, PartialEq, Eq)]
struct Traces {
    processes: BTreeSet<String>,
    interfaces: BTreeSet<String>,
    mounts: BTreeSet<String>,
}

fn read(path: impl AsRef<Path>) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// Processes that carry the run folder in their arguments or working directory.
pub(crate) fn processes(marker: &str) -> Vec<PathBuf> {
    let ours = |path: &PathBuf| {
        // A zombie has neither: it is gone but for its parent's wait.
        let cmdline = std::fs::read(path.join("cmdline")).unwrap_or_default();
        let cwd = std::fs::read_link(path.join("cwd")).unwrap_or_default();
        String::from_utf8_lossy(&cmdline).contains(marker) || cwd.starts_with(marker)
    };
    let pids = std::fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    pids.filter(|path| path.join("ns").exists()).filter(ours).collect()
}

/// The network namespaces these processes' threads live in.
fn namespaces(processes: &[PathBuf]) -> BTreeSet<PathBuf> {
    let threads = processes.iter().flat_map(|p| std::fs::read_dir(p.join("task")));
    let links = threads.flatten().flatten().map(|t| std::fs::read_link(t.path().join("ns/net")));
    links.flatten().collect()
}

/// All network namespaces anybody lives in.
fn all_namespaces() -> BTreeSet<PathBuf> {
    namespaces(&processes(""))
}

fn traces(marker: &str) -> Traces {
    let names = |p: PathBuf| format!("{} {}", p.display(), read(p.join("cmdline")));
    let interface = |l: &str| l.split_once(':').map(|(name, _)| name.trim().to_owned());
    Traces {
        processes: processes(marker).into_iter().map(names).collect(),
        interfaces: read("/proc/net/dev").lines().filter_map(interface).collect(),
        mounts: read("/proc/self/mounts").lines().map(str::to_owned).collect(),
    }
}

#[test]
fn a_killed_controller_leaves_nothing() {
    let _turn = alone();
    let dir = tempfile::tempdir().unwrap();
    let test = r#"
        load = { time = "30s", rate = 200 }
        [target]
        kind = "raft-kv"
        [[fault]]
        kind = "partition"
        args = { shape = "one", at = ["100ms"], for = "25s" }
    "#;
    std::fs::write(dir.path().join("t.toml"), test).unwrap();
    let marker = dir.path().display().to_string();
    let rounds = if quick() { 3 } else { 20 };
    let before = traces(&marker);
    for round in 0..rounds {
        let mut child = start(dir.path(), &["run", "t.toml"]);
        let deadline = Instant::now() + Duration::from_secs(20);
        // In mid-partition, once something was recorded under it.
        while !read(dir.path().join("danso-runs/latest/history.jsonl")).contains("\"partition\"") {
            assert!(Instant::now() < deadline, "round {round}: no partition");
            std::thread::sleep(Duration::from_millis(20));
        }
        std::thread::sleep(Duration::from_millis(100 + 7 * round));
        let own = std::fs::read_link("/proc/self/ns/net").unwrap();
        let mut made = namespaces(&processes(&marker));
        made.remove(&own);
        assert!(processes(&marker).len() >= 4, "the controller and three nodes");
        kill(Pid::from_raw(child.id() as i32), Signal::SIGKILL).unwrap();
        child.wait().unwrap();
        let deadline = Instant::now() + Duration::from_secs(5);
        let gone = || traces(&marker) == before && all_namespaces().is_disjoint(&made);
        while !gone() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(traces(&marker), before, "round {round}");
        assert!(all_namespaces().is_disjoint(&made), "round {round}: {made:?} are left");
        let said = danso(dir.path(), &["check", "danso-runs/latest"]);
        said.exits(2).says("the controller died");
        let run = latest(dir.path());
        let lines = read(run.join("history.jsonl"));
        let complete = lines.matches('\n').count();
        assert!(complete > 10, "round {round}: {complete} lines");
        std::fs::remove_file(dir.path().join("danso-runs/latest")).unwrap();
    }
    println!("{rounds} controllers killed, nothing left");
}
