//! SIGKILL of the controller in mid-partition: nothing of ours is left.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::harness::{danso, latest, quick, start, turn};

/// What the machine has that a run might leave behind.
#[derive(Debug, PartialEq, Eq)]
struct Traces {
    processes: BTreeSet<String>,
    interfaces: BTreeSet<String>,
    mounts: BTreeSet<String>,
    namespaces: BTreeSet<String>,
}

fn read(path: impl AsRef<Path>) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

fn traces(marker: &str) -> Traces {
    let mut processes = BTreeSet::new();
    let mut namespaces = BTreeSet::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let path = entry.path();
        let cmdline =
            String::from_utf8_lossy(&std::fs::read(path.join("cmdline")).unwrap_or_default())
                .replace('\0', " ");
        // A zombie has no command line: it is gone but for its parent's wait.
        if cmdline.contains(marker) {
            processes.insert(format!("{} {cmdline}", path.display()));
        }
        if let Ok(namespace) = std::fs::read_link(path.join("ns/net")) {
            namespaces.insert(namespace.display().to_string());
        }
    }
    Traces {
        processes,
        interfaces: read("/proc/net/dev")
            .lines()
            .filter_map(|l| l.split_once(':'))
            .map(|(n, _)| n.trim().to_owned())
            .collect(),
        mounts: read("/proc/self/mounts").lines().map(str::to_owned).collect(),
        namespaces,
    }
}

#[test]
fn a_killed_controller_leaves_nothing() {
    let _turn = turn();
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
        assert!(!traces(&marker).processes.is_empty(), "nodes carry the folder in their arguments");
        kill(Pid::from_raw(child.id() as i32), Signal::SIGKILL).unwrap();
        child.wait().unwrap();
        let deadline = Instant::now() + Duration::from_secs(5);
        while traces(&marker) != before && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(traces(&marker), before, "round {round}");
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
