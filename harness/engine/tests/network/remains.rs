//! What a network leaves behind: nothing.

use std::io::Read;
use std::process::Stdio;
use std::time::{Duration, Instant};

use danso_engine::network::{Backend, Party};

use super::cases::{open, prepared, spec};
use super::peers::*;
use super::setup::Setup;

/// Threads and descriptors, counted; also when dropped where blocking is not allowed.
pub(crate) fn dropped_is_gone(setup: Setup) {
    let count = |what| std::fs::read_dir(format!("/proc/self/{what}")).unwrap().count();
    let prepared = prepared(setup);
    // With everything enabled: what tokio keeps for the whole process is there before we count.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let before = (count("fd"), count("task"));
    for _ in 0..3 {
        let net = prepared.open(&spec()).unwrap();
        assert!(before < (count("fd"), count("task")));
        let start = Instant::now();
        runtime.block_on(async move { drop(net) });
        assert!(start.elapsed() < Duration::from_millis(500), "took {:?}", start.elapsed());
    }
    let deadline = Instant::now() + PATIENCE;
    while (count("fd"), count("task")) != before {
        assert!(Instant::now() < deadline, "{before:?} {:?}", (count("fd"), count("task")));
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The network of a process that is killed disappears: counted by the kernel, which allows this
/// case's user namespace only a few network namespaces.
pub(crate) fn nothing_remains(setup: Setup) {
    let interfaces = || {
        let names = std::fs::read_dir("/sys/class/net").unwrap();
        let mut names: Vec<_> = names.map(|name| name.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let before = interfaces();
    if !matches!(setup, Setup::Proxy | Setup::Nft) {
        limit_namespaces(24);
    }
    for _ in 0..8 {
        // The kernel takes them apart in the background, one after the other.
        let deadline = Instant::now() + PATIENCE;
        let (mut child, spoken) = loop {
            let name = Setup::ALL.iter().find(|(_, s)| *s == setup).unwrap().0;
            let mut child = std::process::Command::new("/proc/self/exe")
                .args(["--hold", name])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            let mut spoken = [0; 256];
            let length = child.stdout.as_mut().unwrap().read(&mut spoken).unwrap();
            let spoken = String::from_utf8_lossy(&spoken[..length]).into_owned();
            if !spoken.is_empty() {
                break (child, spoken);
            }
            let mut why = String::new();
            child.stderr.take().unwrap().read_to_string(&mut why).unwrap();
            child.wait().unwrap();
            assert!(Instant::now() < deadline, "namespaces have been left over: {why}");
            std::thread::sleep(Duration::from_millis(500));
        };
        child.kill().unwrap();
        child.wait().unwrap();
        for namespace in spoken.split_whitespace().filter(|word| word.starts_with("net:")) {
            let users = users_of(namespace);
            assert!(users.is_empty(), "{namespace} is used by {users:?}");
        }
    }
    assert_eq!(before, interfaces());
    if setup == Setup::Nft {
        super::nft::no_table_is_left();
    }
}

/// A process that opens a network, names its namespaces, and waits to be killed.
pub(crate) fn hold(setup: &str) {
    let net = open(Setup::of(setup));
    let (_near, _far) = pair(&net, node(1), 2);
    let look = || std::fs::read_link("/proc/thread-self/ns/net").unwrap();
    let mut names = vec!["held".to_owned()];
    if net.backend() == Backend::Switch {
        for party in [node(1), node(2), node(3), Party::Clients, Party::Control] {
            names.push(inside(&net, party, look).display().to_string());
        }
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 6, "every party has a namespace of its own: {names:?}");
        assert!(!names.contains(&look().display().to_string()), "none is in the harness's");
    }
    println!("{}", names.join(" "));
    let _ = std::io::stdin().read(&mut [0]);
}

fn users_of(namespace: &str) -> Vec<String> {
    let mut users = Vec::new();
    for process in std::fs::read_dir("/proc").unwrap().flatten() {
        let link = std::fs::read_link(process.path().join("ns/net"));
        if link.is_ok_and(|link| link.display().to_string() == namespace) {
            users.push(process.file_name().display().to_string());
        }
    }
    users
}

fn limit_namespaces(most: usize) {
    let (uid, gid) = (nix::unistd::geteuid(), nix::unistd::getegid());
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWUSER).unwrap();
    std::fs::write("/proc/self/setgroups", "deny").unwrap();
    std::fs::write("/proc/self/uid_map", format!("{uid} {uid} 1")).unwrap();
    std::fs::write("/proc/self/gid_map", format!("{gid} {gid} 1")).unwrap();
    std::fs::write("/proc/sys/user/max_net_namespaces", most.to_string()).unwrap();
}
