//! Node processes through their wardens, seen from inside a node and from the machine.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::io::{Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use danso_engine::process::cgroup::{Controller, Groups, probe_cpu, probe_memory};
use danso_engine::process::{
    Bounded, Isolation, Limit, News, Order, Supervisor, Turn, clean, probe,
};
use danso_engine::target::NodeCommand;
use danso_vocab::NodeId;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

const EXE: &str = env!("CARGO_BIN_EXE_danso-internal");
const N1: NodeId = NodeId(1);
/// For what must happen, however loaded the machine is.
const PATIENCE: Duration = Duration::from_secs(60);

/// Every isolation there is here.
fn isolations() -> Vec<Isolation> {
    let (best, obstacle) = probe(Path::new(EXE)).unwrap();
    let mut all = vec![Isolation::Tree];
    match obstacle {
        Some(obstacle) => println!("skipped: PID namespaces: {obstacle}"),
        None => all.push(best),
    }
    // Root has no need of them, but may have them.
    if best == Isolation::Namespace && Path::new("/proc/self/ns/user").exists() {
        all.push(Isolation::UserNamespace);
    }
    all
}

fn sh(script: &str, dir: &Path) -> Order {
    let args = vec!["-c".to_owned(), script.to_owned()];
    let command =
        NodeCommand { program: "/bin/sh".into(), args, env: Vec::new(), ..NodeCommand::default() };
    Order { name: "n1".to_owned(), ..Order::new(command, dir.into()) }
}

fn read(path: impl AsRef<Path>) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// Waits until this is so.
#[track_caller]
fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Processes that were started with this word among their arguments, zombies not counted.
fn marked(word: &str) -> Vec<PathBuf> {
    let pids = std::fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    let has = |path: &PathBuf| {
        std::fs::read(path.join("cmdline"))
            .unwrap_or_default()
            .split(|b| *b == 0)
            .any(|argument| argument == word.as_bytes())
    };
    pids.filter(has).collect()
}

/// A number no other test uses, to sleep for.
fn unique() -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{}{next:03}", 100_000 + std::process::id())
}

/// A child, a grandchild in a session of its own, and one that has lost its parent.
fn family(word: &str) -> String {
    format!(
        "sleep {word} & setsid sh -c 'sleep {word} & sleep {word}' & \
         (setsid sh -c 'setsid sleep {word} &' &) ; sleep {word} & wait"
    )
}
const FAMILY: usize = 5;

fn state(process: &Path) -> Option<char> {
    read(process.join("stat")).rsplit_once(") ")?.1.chars().next()
}

/// What happens from now on.
fn news(nodes: &Supervisor) -> UnboundedReceiver<News> {
    let (tell, told) = unbounded_channel();
    nodes.listen(Some(Box::new(move |news| tell.send(news).unwrap_or_default())));
    told
}

/// What has been told by now.
fn told(news: &mut UnboundedReceiver<News>) -> Vec<Turn> {
    std::iter::from_fn(|| news.try_recv().ok()).map(|news| news.what).collect()
}

/// How the next dies whom nobody asked to, and its last words.
async fn death(news: &mut UnboundedReceiver<News>) -> (String, String) {
    loop {
        if let Turn::Died { status, stderr } = news.recv().await.unwrap().what {
            return (status, stderr);
        }
    }
}

#[tokio::test]
async fn killing_a_node_ends_all_of_it_and_it_can_start_again() {
    for isolation in isolations() {
        let dir = tempfile::tempdir().unwrap();
        let nodes = Supervisor::with(EXE.into(), isolation).unwrap();
        let mut news = news(&nodes);
        let word = unique();
        let start = || nodes.start(N1, sh(&family(&word), dir.path()), dir.path());
        let pid = start().unwrap();
        assert_eq!(nodes.pid(N1), Some(pid));
        assert!(start().is_err(), "it runs already");
        wait_for("the family", || (marked(&word).len() == FAMILY).then_some(()));
        assert!(nodes.processes(N1).len() >= FAMILY, "{:?}", nodes.processes(N1));
        let (killed, status) = nodes.kill(N1).await.unwrap().unwrap();
        assert_eq!((killed, status.signal()), (pid, Some(9)), "{isolation:?}");
        assert!(marked(&word).is_empty(), "{isolation:?}: all went too");
        assert!(nodes.pid(N1).is_none());
        assert_eq!(nodes.kill(N1).await.unwrap(), None);
        start().unwrap();
        wait_for("the family", || (marked(&word).len() == FAMILY).then_some(()));
        drop(nodes);
        wait_for("nobody", || marked(&word).is_empty().then_some(()));
        let killed = Turn::Down("signal 9 (SIGKILL)".to_owned());
        let told = told(&mut news);
        assert_eq!(told[..3], [Turn::Up, killed.clone(), Turn::Up]);
        assert!(told[3..].iter().all(|turn| *turn == killed), "these deaths were asked for");
    }
}

#[tokio::test]
async fn pausing_stops_everybody_and_resuming_continues() {
    for isolation in isolations() {
        let dir = tempfile::tempdir().unwrap();
        let nodes = Supervisor::with(EXE.into(), isolation).unwrap();
        let word = unique();
        // One that forks all the time is caught too.
        let script = format!("(while true; do sleep 0.001; done) & {}", family(&word));
        nodes.start(N1, sh(&script, dir.path()), dir.path()).unwrap();
        let family =
            wait_for("the family", || Some(marked(&word)).filter(|family| family.len() == FAMILY));
        for _ in 0..5 {
            let stopped = nodes.pause(N1).await.unwrap().unwrap();
            assert!(stopped.len() > FAMILY);
            assert!(family.iter().all(|p| state(p) == Some('T')), "{isolation:?}");
            let before = stopped.clone();
            std::thread::sleep(Duration::from_millis(30));
            assert_eq!(nodes.pause(N1).await.unwrap().unwrap(), before, "nobody was born");
            nodes.resume(N1).await.unwrap();
            assert!(family.iter().all(|p| state(p) != Some('T')), "{isolation:?}");
        }
        nodes.pause(N1).await.unwrap();
        nodes.stop(N1, Signal::SIGTERM, PATIENCE).await.unwrap();
        assert!(nodes.pid(N1).is_none(), "a paused node can be stopped");
        assert!(marked(&word).is_empty());
    }
}

#[tokio::test]
async fn a_node_that_is_asked_to_stop_may_tidy_up() {
    for isolation in isolations() {
        let dir = tempfile::tempdir().unwrap();
        let nodes = Supervisor::with(EXE.into(), isolation).unwrap();
        let word = unique();
        let script = format!("trap 'echo bye >bye; exit 5' TERM; touch up; sleep {word} & wait");
        nodes.start(N1, sh(&script, dir.path()), dir.path()).unwrap();
        wait_for("up", || dir.path().join("up").exists().then_some(()));
        let (_, status) = nodes.stop(N1, Signal::SIGTERM, PATIENCE).await.unwrap().unwrap();
        assert_eq!((status.code(), read(dir.path().join("bye")).trim()), (Some(5), "bye"));
        assert!(marked(&word).is_empty());
        // One that will not is killed.
        let script = format!("trap '' TERM; touch deaf; sleep {word} & wait; wait");
        nodes.start(N1, sh(&script, dir.path()), dir.path()).unwrap();
        wait_for("deaf", || dir.path().join("deaf").exists().then_some(()));
        let (_, status) =
            nodes.stop(N1, Signal::SIGTERM, Duration::from_millis(50)).await.unwrap().unwrap();
        assert_eq!(status.signal(), Some(9));
        assert!(marked(&word).is_empty());
    }
}

#[tokio::test]
async fn a_node_that_dies_by_itself_is_told_with_its_last_words() {
    for isolation in isolations() {
        let dir = tempfile::tempdir().unwrap();
        let nodes = Supervisor::with(EXE.into(), isolation).unwrap();
        let mut news = news(&nodes);
        let mut lines = nodes.lines();
        let word = unique();
        let script = format!("setsid sleep {word} & echo goodbye >&2; exit 3");
        nodes.start(N1, sh(&script, dir.path()), dir.path()).unwrap();
        assert_eq!(death(&mut news).await, ("exit status 3".to_owned(), "goodbye".to_owned()));
        assert_eq!(lines.recv().await.unwrap().text, "goodbye");
        wait_for("nobody", || marked(&word).is_empty().then_some(()));
        nodes.start(N1, sh("kill -SEGV $$", dir.path()), dir.path()).unwrap();
        assert_eq!(death(&mut news).await.0, "signal 11 (SIGSEGV)");
    }
}

#[tokio::test]
async fn what_cannot_be_started_says_what_and_why() {
    for isolation in isolations() {
        let dir = tempfile::tempdir().unwrap();
        let nodes = Supervisor::with(EXE.into(), isolation).unwrap();
        let program = |program: &str| Order { program: program.into(), ..sh("", dir.path()) };
        let refused = |order: Order| nodes.start(N1, order, dir.path()).unwrap_err().to_string();
        assert_eq!(
            refused(program("/no/such")),
            "/no/such cannot be started: no such file or directory"
        );
        assert!(refused(program("/etc/passwd")).contains("/etc/passwd cannot be started"));
        let lost = Order { dir: dir.path().join("gone"), ..sh("true", dir.path()) };
        assert!(refused(lost).contains("gone: no such file"));
        let unheard = Order { cgroups: vec!["/no/group".into()], ..sh("true", dir.path()) };
        assert!(refused(unheard).contains("open /no/group"));
        assert!(nodes.pid(N1).is_none());
        // Found by name, as a shell would.
        nodes
            .start(N1, Order { args: vec!["60".to_owned()], ..program("sleep") }, dir.path())
            .unwrap();
        nodes.kill(N1).await.unwrap().unwrap();
    }
    let nobody = Supervisor::new("/bin/false".into()).unwrap();
    let error = nobody.start(N1, sh("true", Path::new("/")), Path::new("/")).unwrap_err();
    assert!(error.to_string().contains("/bin/false"), "{error}");
}

#[tokio::test]
async fn a_daemon_is_the_node_until_it_ends() {
    for isolation in isolations() {
        let dir = tempfile::tempdir().unwrap();
        let nodes = Supervisor::with(EXE.into(), isolation).unwrap();
        let mut news = news(&nodes);
        let daemon = "setsid sh -c 'sleep 0.3; touch on; read x <fifo; exit 4' </dev/null & exit 0";
        let script = format!("mkfifo fifo; {daemon}");
        nodes.start(N1, sh(&script, dir.path()), dir.path()).unwrap();
        wait_for("the daemon", || dir.path().join("on").exists().then_some(()));
        assert!(nodes.pid(N1).is_some(), "it lives on without its first process");
        assert_eq!(told(&mut news), [Turn::Up]);
        wait_for("the daemon alone", || (nodes.processes(N1).len() == 1).then_some(()));
        std::fs::write(dir.path().join("fifo"), "\n").unwrap();
        assert_eq!(death(&mut news).await.0, "exit status 4", "{isolation:?}");
        assert!(nodes.pid(N1).is_none());
        // And is killed like any other.
        std::fs::remove_file(dir.path().join("fifo")).unwrap();
        nodes.start(N1, sh(&script, dir.path()), dir.path()).unwrap();
        nodes.kill(N1).await.unwrap().unwrap();
        let told = told(&mut news);
        assert!(!told.iter().any(|turn| matches!(turn, Turn::Died { .. })), "{told:?}");
    }
}

#[tokio::test]
async fn a_start_can_be_delayed_and_given_up() {
    for isolation in isolations() {
        let dir = tempfile::tempdir().unwrap();
        let nodes = Supervisor::with(EXE.into(), isolation).unwrap();
        let begun = dir.path().join("begun");
        let late = |delay| Order { delay, ..sh("touch begun; exec sleep 60", dir.path()) };
        nodes.start(N1, late(Duration::from_secs(3600)), dir.path()).unwrap();
        assert!(nodes.pid(N1).is_some(), "its start is under way");
        nodes.kill(N1).await.unwrap().unwrap();
        assert!(!begun.exists());
        let since = Instant::now();
        nodes.start(N1, late(Duration::from_millis(300)), dir.path()).unwrap();
        wait_for("the start", || begun.exists().then_some(()));
        assert!(since.elapsed() >= Duration::from_millis(300));
        nodes.kill(N1).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_node_has_a_world_of_its_own() {
    for isolation in isolations() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("hosts"), "10.9.8.7 n7\n").unwrap();
        std::fs::write(dir.path().join("empty"), "").unwrap();
        let nodes = Supervisor::with(EXE.into(), isolation).unwrap();
        let script = "echo $$; cat /etc/hosts; wc -c </etc/resolv.conf; uname -n; \
                      grep -c . /proc/$$/status; ls /proc/self/fd | wc -l; ulimit -n; \
                      grep -E 'CapInh|SigBlk' /proc/self/status; echo $DANSO_NODE; touch done; sleep 60";
        let order = Order {
            hosts: Some(dir.path().join("hosts")),
            resolv: Some(dir.path().join("empty")),
            limits: vec![Limit { of: Bounded::Files, most: 77 }],
            ..sh(script, dir.path())
        };
        let machine =
            (read("/etc/hosts"), read("/proc/self/mounts"), read("/proc/sys/kernel/hostname"));
        nodes.start(N1, order, dir.path()).unwrap();
        wait_for("its words", || dir.path().join("done").exists().then_some(()));
        wait_for("its words", || {
            read(dir.path().join("stdout.log")).contains("danso-").then_some(())
        });
        let said = read(dir.path().join("stdout.log"));
        if isolation != Isolation::Tree {
            assert!(said.contains("10.9.8.7 n7\n0\nn1\n"), "{said}");
            assert!(said.starts_with("2\n"), "behind the keeper: {said}");
        }
        // As many descriptors as a child of this process has without a warden.
        let usual = Command::new("/bin/sh").args(["-c", "ls /proc/self/fd | wc -l"]).output();
        let usual = String::from_utf8(usual.unwrap().stdout).unwrap();
        assert!(said.contains(&format!("\n{}\n77\n", usual.trim())), "{said} {usual}");
        assert!(said.contains("CapInh:\t0000000000000000"), "{said}");
        assert!(said.contains("SigBlk:\t0000000000000000"), "{said}");
        nodes.kill(N1).await.unwrap().unwrap();
        let now =
            (read("/etc/hosts"), read("/proc/self/mounts"), read("/proc/sys/kernel/hostname"));
        assert_eq!(machine, now, "the machine's own is untouched");
    }
}

/// Not a test of its own: the controller that the tests below kill. Starts a node and waits.
#[test]
fn hold() {
    let Ok(word) = std::env::var("HOLD_WORD") else { return };
    let isolation = match std::env::var("HOLD_ISOLATION").unwrap().as_str() {
        "tree" => Isolation::Tree,
        "namespace" => Isolation::Namespace,
        _ => Isolation::UserNamespace,
    };
    let dir = PathBuf::from(std::env::var("HOLD_DIR").unwrap());
    let exe = dir.join("danso");
    let nodes = Supervisor::with(exe.clone(), isolation).unwrap();
    let mut order = sh(&family(&word), &dir);
    let mut held = None;
    if std::env::var_os("HOLD_GROUPS").is_some() {
        // One is never entered: a node that is down when the controller is killed.
        let all = NodeId::all(2);
        let groups = Groups::new(&exe, &all, &[Controller::Cpu, Controller::Memory]).unwrap();
        order.cgroups = groups.of(N1);
        held = Some(groups);
    }
    nodes.start(N1, order, &dir).unwrap();
    std::io::stdout().write_all(b"held\n").unwrap();
    let _ = std::io::stdin().read(&mut [0]);
    drop(held);
}

/// A controller with a node, as this user.
fn controller(isolation: Isolation, dir: &Path, word: &str, nobody: bool) -> Child {
    spawn_controller(isolation, dir, word, nobody, false)
}

fn spawn_controller(
    isolation: Isolation,
    dir: &Path,
    word: &str,
    nobody: bool,
    groups: bool,
) -> Child {
    let open = std::os::unix::fs::PermissionsExt::from_mode;
    std::fs::set_permissions(dir, open(0o777)).unwrap();
    let exe = dir.join("danso");
    if !exe.exists() {
        std::fs::copy(EXE, &exe).unwrap();
        std::fs::set_permissions(&exe, open(0o755)).unwrap();
    }
    // The file itself may lie where an ordinary user may not look.
    let mut command = Command::new("/proc/self/exe");
    command.args(["--exact", "hold", "--nocapture"]);
    let words = match isolation {
        Isolation::Tree => "tree",
        Isolation::Namespace => "namespace",
        Isolation::UserNamespace => "user-namespace",
    };
    command.env("HOLD_WORD", word).env("HOLD_DIR", dir).env("HOLD_ISOLATION", words);
    if groups {
        command.env("HOLD_GROUPS", "yes");
    }
    if nobody {
        command.uid(65534).gid(65534);
    }
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::inherit()).spawn().unwrap()
}

/// Processes that run this file.
fn running(exe: &Path) -> Vec<PathBuf> {
    let pids = std::fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    pids.filter(|p| std::fs::read_link(p.join("exe")).is_ok_and(|e| e == exe)).collect()
}

/// Which isolations to try, and as whom: ourselves, or somebody ordinary.
fn setups() -> Vec<(Isolation, bool)> {
    let mut setups: Vec<_> = isolations().into_iter().map(|i| (i, false)).collect();
    if geteuid().is_root() {
        setups.extend([(Isolation::Tree, true), (Isolation::UserNamespace, true)]);
    } else {
        println!("skipped: only root can become somebody else");
    }
    setups
}

#[test]
fn nothing_outlives_a_killed_controller() {
    for (isolation, nobody) in setups() {
        for _ in 0..3 {
            let dir = tempfile::tempdir().unwrap();
            let word = unique();
            let mut held = controller(isolation, dir.path(), &word, nobody);
            wait_for("the family", || {
                assert!(held.try_wait().unwrap().is_none(), "{isolation:?} {nobody}");
                (marked(&word).len() == FAMILY).then_some(())
            });
            assert!(!running(&dir.path().join("danso")).is_empty());
            held.kill().unwrap();
            held.wait().unwrap();
            wait_for("nobody", || marked(&word).is_empty().then_some(()));
            wait_for("no warden", || running(&dir.path().join("danso")).is_empty().then_some(()));
        }
    }
}

#[test]
fn nothing_outlives_a_killed_warden() {
    for (isolation, nobody) in setups() {
        let dir = tempfile::tempdir().unwrap();
        let word = unique();
        let mut held = controller(isolation, dir.path(), &word, nobody);
        wait_for("the family", || {
            assert!(held.try_wait().unwrap().is_none(), "{isolation:?} {nobody}");
            (marked(&word).len() == FAMILY).then_some(())
        });
        for warden in running(&dir.path().join("danso")) {
            let pid = warden.file_name().unwrap().to_str().unwrap().parse().unwrap();
            // One of them may be gone with the other.
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        wait_for("nobody", || marked(&word).is_empty().then_some(()));
        held.kill().unwrap();
        held.wait().unwrap();
    }
}

#[test]
fn an_ordinary_user_is_told_what_there_is() {
    if !geteuid().is_root() {
        println!("skipped: only root can become somebody else");
        return;
    }
    let (best, _) = probe(Path::new(EXE)).unwrap();
    assert_ne!(best, Isolation::UserNamespace, "root has no need of it");
    // Where there can be no namespaces it says why and what to do.
    let confined = Command::new("unshare")
        .args(["--user", "--map-root-user", "sh", "-c"])
        .arg("echo 0 >/proc/sys/user/max_pid_namespaces && exec \"$@\"")
        .args(["sh", EXE, "internal", "warden", "try", "namespace"])
        .output();
    match confined {
        Ok(said) => {
            let words = String::from_utf8_lossy(&said.stderr).into_owned();
            assert!(words.contains("make a PID namespace: no space left"), "{words}");
        }
        Err(error) => println!("skipped: unshare: {error}"),
    }
}

/// Control groups whose name has this in it, wherever they are.
fn groups_named(part: &str) -> Vec<PathBuf> {
    let mut todo = vec![PathBuf::from("/sys/fs/cgroup")];
    let mut found = Vec::new();
    while let Some(dir) = todo.pop() {
        for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|t| t.is_dir()) {
                let name = entry.file_name().to_string_lossy().into_owned();
                if name.starts_with("danso-") && name.contains(part) {
                    found.push(entry.path());
                }
                todo.push(entry.path());
            }
        }
    }
    found
}

#[test]
fn no_control_group_outlives_a_killed_controller() {
    if let Err(obstacle) = probe_cpu().and_then(|()| probe_memory()) {
        println!("skipped: {obstacle}");
        return;
    }
    for isolation in isolations() {
        for janitor_too in [false, true] {
            let dir = tempfile::tempdir().unwrap();
            let word = unique();
            let mut held = spawn_controller(isolation, dir.path(), &word, false, true);
            wait_for("the family", || {
                assert!(held.try_wait().unwrap().is_none(), "{isolation:?}");
                (marked(&word).len() == FAMILY).then_some(())
            });
            let part = format!("-{}-", held.id());
            let groups = groups_named(&part);
            assert!(groups.len() >= 2, "{groups:?}");
            let inside: usize =
                groups.iter().map(|g| read(g.join("cgroup.procs")).lines().count()).sum();
            assert!(inside >= FAMILY, "the whole family is in them: {inside}");
            if janitor_too {
                for helper in running(&dir.path().join("danso")) {
                    if read(helper.join("cmdline")).contains("janitor") {
                        let pid = helper.file_name().unwrap().to_str().unwrap().parse().unwrap();
                        kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
                    }
                }
            }
            held.kill().unwrap();
            held.wait().unwrap();
            if janitor_too {
                // What only `doctor --clean` can remove, then.
                assert!(!groups_named(&part).is_empty());
                wait_for("a clean machine", || {
                    clean();
                    groups_named(&part).is_empty().then_some(())
                });
            } else {
                wait_for("no group", || groups_named(&part).is_empty().then_some(()));
            }
            wait_for("nobody", || marked(&word).is_empty().then_some(()));
        }
    }
}

#[test]
fn cleaning_finds_what_a_dead_controller_and_its_warden_left() {
    let dir = tempfile::tempdir().unwrap();
    let word = unique();
    let mut held = controller(Isolation::Tree, dir.path(), &word, false);
    wait_for("the family", || (marked(&word).len() == FAMILY).then_some(()));
    // Both at once, as when memory runs out: where there are no namespaces somebody is left.
    let stop = |pid: u32, signal| kill(Pid::from_raw(pid.cast_signed()), signal).unwrap();
    stop(held.id(), Signal::SIGSTOP);
    for warden in running(&dir.path().join("danso")) {
        stop(warden.file_name().unwrap().to_str().unwrap().parse().unwrap(), Signal::SIGKILL);
    }
    wait_for("orphans", || running(&dir.path().join("danso")).is_empty().then_some(()));
    assert!(!marked(&word).is_empty(), "some have lost everybody who could kill them");
    clean();
    assert!(!marked(&word).is_empty(), "their controller lives: not ours to clean");
    held.kill().unwrap();
    held.wait().unwrap();
    wait_for("a clean machine", || {
        clean();
        marked(&word).is_empty().then_some(())
    });
}

#[tokio::test]
async fn a_node_can_be_somebody_else() {
    if !geteuid().is_root() {
        println!("skipped: only root can become somebody else");
        return;
    }
    for isolation in isolations() {
        let dir = tempfile::tempdir().unwrap();
        let nodes = Supervisor::with(EXE.into(), isolation).unwrap();
        let script = "id -u; id -g; id -G; grep CapEff /proc/self/status; exec sleep 1000";
        let order = Order { user: Some(61_234), dir: "/".into(), ..sh(script, dir.path()) };
        nodes.start(N1, order, dir.path()).unwrap();
        let said = wait_for("its words", || {
            let said = read(dir.path().join("stdout.log"));
            said.contains("CapEff").then_some(said)
        });
        assert_eq!(said, "61234\n61234\n61234\nCapEff:\t0000000000000000\n");
        assert!(!nodes.pause(N1).await.unwrap().unwrap().is_empty());
        nodes.resume(N1).await.unwrap();
        assert_eq!(nodes.kill(N1).await.unwrap().unwrap().1.signal(), Some(9));
    }
}
