//! What is left: nothing.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use danso_engine::disk::{self, Disk};

use crate::inside::{Bench, EXE};

pub(crate) fn alive(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    !matches!(state, None | Some('Z'))
}

pub(crate) fn gone(pid: i32) -> bool {
    let since = Instant::now();
    while alive(pid) && since.elapsed() < Duration::from_secs(30) {
        std::thread::sleep(Duration::from_millis(10));
    }
    !alive(pid)
}

pub(crate) fn mounts_of(path: &Path) -> usize {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    mounts.lines().filter(|line| line.contains(path.to_str().unwrap())).count()
}

#[test]
fn the_host_sees_plain_files_and_no_mount() {
    let Some(bench) = Bench::new() else { return };
    let pid = bench.disk.pid();
    bench.inside(|root| std::fs::write(root.join("a"), "seen").unwrap());
    assert_eq!(std::fs::read(bench.data.join("a")).unwrap(), b"seen");
    assert_eq!(mounts_of(&bench.data), 0);
    let beside = bench.data.with_file_name("data.removed");
    assert!(beside.exists());
    let Bench { disk, data, .. } = bench;
    drop(disk);
    assert!(!alive(pid) && !beside.exists());
    drop(data);
}

/// The controller of the next test, in a process of its own.
#[test]
fn controller() {
    let Ok(folder) = std::env::var("DANSO_TEST_FOLDER") else { return };
    let folder = Path::new(&folder);
    let disk = Disk::open(Path::new(EXE), &folder.join("data"), &folder.join("log")).unwrap();
    let mut node = Command::new("sh");
    node.args(["-c", "while true; do echo x >>busy; done"]);
    let data = std::ffi::CString::new(disk.data().as_os_str().as_encoded_bytes()).unwrap();
    let mounts = disk.mounts();
    // SAFETY: only async-signal-safe calls.
    unsafe {
        node.pre_exec(move || {
            let entered = libc::setns(mounts, libc::CLONE_NEWNS) == 0;
            let moved = entered && libc::chdir(data.as_ptr()) == 0;
            // No parent-death signal: a node that is left over must not keep the rest.
            if moved { Ok(()) } else { Err(std::io::Error::last_os_error()) }
        });
    }
    let mut child = node.stderr(Stdio::null()).spawn().unwrap();
    println!("\npids {} {}", disk.pid(), child.id());
    child.wait().unwrap();
}

#[test]
fn a_killed_controller_leaves_no_helper_and_no_mount() {
    if let Err(obstacle) = disk::probe() {
        return println!("skipped: {obstacle}");
    }
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().canonicalize().unwrap().join("data");
    std::fs::create_dir(&data).unwrap();
    let mut controller = Command::new("/proc/self/exe")
        .args(["remains::controller", "--exact", "--nocapture"])
        .env("DANSO_TEST_FOLDER", folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pids = Vec::new();
    for line in BufReader::new(controller.stdout.take().unwrap()).lines() {
        if let Some(rest) = line.unwrap().strip_prefix("pids ") {
            pids = rest.split(' ').map(|p| p.parse::<i32>().unwrap()).collect();
            break;
        }
    }
    let [helper, node] = pids[..] else { panic!("the controller did not start: {pids:?}") };
    let since = Instant::now();
    while !data.join("busy").exists() && since.elapsed() < Duration::from_secs(30) {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(alive(helper) && data.join("busy").exists());
    controller.kill().unwrap();
    controller.wait().unwrap();
    assert!(gone(helper), "the helper ends with its controller");
    assert_eq!(mounts_of(&data), 0);
    // Even a node nobody kills cannot do anything any more, and can be killed.
    let size = std::fs::metadata(data.join("busy")).unwrap().len();
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(std::fs::metadata(data.join("busy")).unwrap().len(), size);
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(node), nix::sys::signal::Signal::SIGKILL)
        .unwrap();
    assert!(gone(node));
}
