//! Faults of processes, seen from inside a node: scripts that say what happens to them.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use danso_engine::cluster::Cluster;
use danso_engine::means::{Means, Need};
use danso_engine::nemesis::{Effect, Ground, Wound, available, find};
use danso_engine::network::{self, Backend, Choice, Spec};
use danso_engine::process::Turn;
use danso_engine::site::Site;
use danso_engine::target::{Client, Fut, Member, NodeCommand, Printed, Target};
use danso_vocab::{Fault, FaultId, Injection, NodeId, Nodes, Process, Rng, Schedule, Start, Value};

/// For what must happen, however loaded the machine is.
const PATIENCE: Duration = Duration::from_secs(60);
const N1: NodeId = NodeId(1);

struct Script(&'static str);

impl Target for Script {
    fn name(&self) -> &str {
        "script"
    }

    fn ports(&self) -> &[u16] {
        &[7000]
    }

    fn command(&self, _: &Member) -> Result<Option<NodeCommand>, String> {
        let args = vec!["-c".to_owned(), self.0.to_owned()];
        Ok(Some(NodeCommand {
            program: "/bin/sh".into(),
            args,
            env: Vec::new(),
            ..NodeCommand::default()
        }))
    }

    fn ready<'a>(&'a self, _: &'a Member) -> Fut<'a, Result<(), String>> {
        Box::pin(async { Ok(()) })
    }

    fn primaries<'a>(&'a self, _: &'a [Member]) -> Fut<'a, Vec<NodeId>> {
        Box::pin(async { Vec::new() })
    }

    fn connect(&self, _: &[Member], _: NodeId, _: Process) -> Box<dyn Client> {
        unreachable!("nobody asks a script")
    }
}

/// Three nodes that run a script.
struct World {
    cluster: Arc<Cluster>,
    site: Site,
    means: Means,
    _dir: tempfile::TempDir,
}

fn args(entries: &[(&str, Value)]) -> BTreeMap<String, Value> {
    entries.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect()
}

impl World {
    /// With what a fault of this kind needs.
    fn new(script: &'static str, kind: &'static str) -> World {
        let dir = tempfile::tempdir().unwrap();
        let site = Site::create(dir.path(), "script", "now").unwrap();
        let ids = NodeId::all(3);
        let network = network::prepare(Choice::None).unwrap();
        let network = network.open(&Spec::new(ids.clone(), vec![7000])).unwrap();
        let member = |id: &NodeId| Member {
            id: *id,
            all: ids.clone(),
            data: site.data(*id),
            conf: site.node(*id).join("conf"),
            printed: Printed::new(site.node(*id)),
            seed: 1,
            exe: env!("CARGO_BIN_EXE_danso-internal").into(),
            options: Arc::default(),
            network: network.clone(),
        };
        let members = ids.iter().map(member).collect();
        let mut cluster =
            Cluster::new(Arc::new(Script(script)), members, network, site.clone()).unwrap();
        let fault = Fault { kind: kind.into(), nodes: Nodes::These(vec![N1]), args: Value::of([]) };
        let start = Start::At(Duration::ZERO.into());
        let injection = Injection { id: FaultId(0), fault, start, lasts: PATIENCE };
        cluster.prepare(&Schedule::new(vec![injection])).unwrap();
        for node in &ids {
            std::fs::create_dir_all(site.node(*node)).unwrap();
            cluster.start(*node).unwrap();
        }
        let means = Means::new(Backend::None, true, Vec::new());
        World { cluster: Arc::new(cluster), site, means, _dir: dir }
    }

    async fn hurt(&self, kind: &str, entries: &[(&str, Value)]) -> Box<dyn Wound> {
        let nodes = self.cluster.nodes();
        let ground = Ground { nodes: &nodes, means: &self.means, load: PATIENCE };
        let nemesis = find(kind).unwrap();
        let asked = args(entries);
        available(nemesis, &asked, &ground).unwrap();
        let fault = nemesis.draw(&asked, &ground, &mut Rng::new(7)).unwrap();
        let again = nemesis.draw(&asked, &ground, &mut Rng::new(7)).unwrap();
        assert_eq!(fault, again, "the seed decides");
        let Nodes::These(nodes) = fault.nodes.clone() else { panic!("{fault:?}") };
        nemesis.inject(&self.cluster, &fault, nodes).await.unwrap()
    }

    async fn heal(&self, wound: Box<dyn Wound>) -> Effect {
        let effect = wound.heal(&self.cluster).await.unwrap();
        for node in self.cluster.nodes() {
            assert!(self.cluster.processes.pid(node).is_some(), "{node} runs: {effect:?}");
        }
        effect
    }

    fn said(&self, node: NodeId) -> Vec<String> {
        let path = self.site.node(node).join("stdout.log");
        std::fs::read_to_string(path).unwrap_or_default().lines().map(str::to_owned).collect()
    }

    fn count(&self, node: NodeId, line: &str) -> usize {
        self.said(node).iter().filter(|l| *l == line).count()
    }
}

/// Waits until this is so.
async fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(Instant::now() < deadline, "never: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Whether a fault of this kind can be had here.
fn possible(need: Need) -> bool {
    let have = Means::new(Backend::None, true, Vec::new()).have(need);
    if let Err(obstacle) = &have {
        println!("skipped: {obstacle}");
    }
    have.is_ok()
}

const ON_N1: (&str, &str) = ("nodes", "n1");

fn on_n1() -> (&'static str, Value) {
    (ON_N1.0, ON_N1.1.into())
}

const POLITE: &str = "trap 'echo bye; exit 0' TERM; echo up; echo x >>data; \
                      while true; do sleep 0.01; done";

#[tokio::test]
async fn stop_lets_a_node_tidy_up_and_kill_does_not() {
    let world = World::new(POLITE, "stop");
    wait_for("n1", || (world.count(N1, "up") == 1).then_some(())).await;
    let wound = world.hurt("stop", &[on_n1(), ("grace", "60s".into())]).await;
    assert!(world.cluster.processes.pid(N1).is_none());
    assert_eq!(world.count(N1, "bye"), 1);
    let effect = world.heal(wound).await;
    assert!(effect.bit && effect.words.contains("exit status 0"), "{effect:?}");
    wait_for("n1 again", || (world.count(N1, "up") == 2).then_some(())).await;
    let wound = world.hurt("kill", &[on_n1(), ("wipe", true.into())]).await;
    assert_eq!(std::fs::read_dir(world.site.data(N1)).unwrap().count(), 0, "its disk is empty");
    let effect = world.heal(wound).await;
    assert!(effect.bit && effect.words.contains("SIGKILL"), "{effect:?}");
    assert!(effect.words.contains("disk emptied"), "{effect:?}");
    assert_eq!(world.count(N1, "bye"), 1);
    wait_for("n1 again", || (world.count(N1, "up") == 3).then_some(())).await;
    assert_eq!(world.count(NodeId(2), "up"), 1);
    world.cluster.down().await;
}

#[tokio::test]
async fn without_a_restart_a_node_stays_down() {
    let world = World::new(POLITE, "kill");
    let wound = world.hurt("kill", &[on_n1(), ("restart", false.into())]).await;
    assert!(wound.heal(&world.cluster).await.unwrap().bit);
    assert!(world.cluster.processes.pid(N1).is_none());
    // Nor does another fault bring it back.
    let wound = world.hurt("kill", &[on_n1()]).await;
    assert!(!wound.heal(&world.cluster).await.unwrap().bit, "it did not run");
    assert!(world.cluster.processes.pid(N1).is_none());
    world.cluster.down().await;
}

#[tokio::test]
async fn a_rolling_restart_meets_everybody_one_at_a_time() {
    let world = World::new(POLITE, "restart-rolling");
    for node in world.cluster.nodes() {
        wait_for("all", || (world.count(node, "up") == 1).then_some(())).await;
    }
    let wound = world.hurt("restart-rolling", &[("rest", "30ms".into())]).await;
    let mut down_at_once = 0;
    wait_for("all of them again", || {
        let nodes = world.cluster.nodes();
        let down = nodes.iter().filter(|n| world.cluster.processes.pid(**n).is_none()).count();
        down_at_once = down_at_once.max(down);
        nodes.iter().all(|n| world.count(*n, "up") == 2).then_some(())
    })
    .await;
    assert!(down_at_once <= 1);
    let effect = world.heal(wound).await;
    assert!(effect.bit, "{effect:?}");
    assert!(world.cluster.nodes().iter().all(|n| world.count(*n, "bye") == 1));
    world.cluster.down().await;
}

#[tokio::test]
async fn a_crash_loop_kills_again_and_again() {
    let world = World::new(POLITE, "crash-loop");
    let wound = world.hurt("crash-loop", &[on_n1(), ("period", "100ms".into())]).await;
    wait_for("four starts", || (world.count(N1, "up") >= 4).then_some(())).await;
    let effect = world.heal(wound).await;
    assert!(effect.bit && effect.words.contains("n1 was killed"), "{effect:?}");
    assert!(world.said(NodeId(2)).len() <= 1);
    world.cluster.down().await;
}

#[tokio::test]
async fn a_node_can_be_killed_moments_after_each_start() {
    let world = World::new("echo up; sleep 0.2; echo grown; sleep 1000", "kill-on-start");
    wait_for("n1", || (world.count(N1, "grown") == 1).then_some(())).await;
    let asked = [on_n1(), ("times", 3.into()), ("within", "1ms".into())];
    let wound = world.hurt("kill-on-start", &asked).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let effect = world.heal(wound).await;
    assert!(effect.bit && effect.words.contains("times within moments"), "{effect:?}");
    wait_for("n1 again", || (world.count(N1, "grown") == 2).then_some(())).await;
    world.cluster.down().await;
}

#[tokio::test]
async fn a_slow_start_takes_its_time() {
    let world = World::new(POLITE, "slow-start");
    wait_for("n1", || (world.count(N1, "up") == 1).then_some(())).await;
    let since = Instant::now();
    let wound = world.hurt("slow-start", &[on_n1(), ("takes", "700ms".into())]).await;
    assert!(world.cluster.processes.is_delayed(N1));
    wait_for("n1 again", || (world.count(N1, "up") == 2).then_some(())).await;
    assert!(since.elapsed() >= Duration::from_millis(700));
    assert!(world.heal(wound).await.bit);
    let wound = world.hurt("slow-start", &[on_n1(), ("takes", "1h".into())]).await;
    let effect = world.heal(wound).await;
    assert!(effect.bit && effect.words.contains("not started before the end"), "{effect:?}");
    wait_for("n1 healed", || (world.count(N1, "up") == 3).then_some(())).await;
    world.cluster.down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_to_be_down_is_not_started_by_another_fault() {
    let world = World::new(POLITE, "kill");
    for _ in 0..20 {
        let first = world.hurt("kill", &[on_n1()]).await;
        // The one ends as the other begins: whichever comes first, it is down now.
        let healing = tokio::spawn({
            let cluster = world.cluster.clone();
            async move { first.heal(&cluster).await }
        });
        let second = world.hurt("kill", &[on_n1()]).await;
        healing.await.unwrap().unwrap();
        assert_eq!(world.cluster.processes.pid(N1), None, "it is held down");
        world.heal(second).await;
    }
    world.cluster.down().await;
}

#[tokio::test]
async fn a_stored_delay_beyond_all_times_is_refused() {
    let world = World::new(POLITE, "kill");
    let args = Value::of([("by", "99999999h".into())]);
    let fault = Fault { kind: "delay".into(), nodes: Nodes::These(vec![N1]), args };
    let failed = find("delay").unwrap().inject(&world.cluster, &fault, vec![N1]).await;
    assert!(failed.err().unwrap().contains("more than"));
    world.cluster.down().await;
}

/// Says how many files it can open, and how large a file it can write, again and again.
const GREEDY: &str = r#"exec python3 -u -c '
import errno, signal, time
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
while True:
    files, why = [], "ok"
    try:
        for _ in range(50): files.append(open("/dev/null"))
    except OSError as e: why = errno.errorcode[e.errno]
    for f in files: f.close()
    size, large = 0, "ok"
    try:
        with open("large", "wb", buffering=0) as f:
            while size < 200000:
                wrote = f.write(b"x" * 10000)
                size += wrote
    except OSError as e: large = errno.errorcode[e.errno]
    print("files", len(files), why, "size", size, large)
    time.sleep(0.01)
'"#;

fn python() -> bool {
    let there = ["/usr/bin", "/bin", "/usr/local/bin"]
        .iter()
        .any(|d| Path::new(d).join("python3").exists());
    if !there {
        println!("skipped: no python3");
    }
    there
}

#[tokio::test]
async fn limits_of_files_bite_and_are_put_back() {
    if !python() {
        return;
    }
    let world = World::new(GREEDY, "limit-files");
    let free = "files 50 ok size 200000 ok";
    let last = |wanted: &'static str| {
        let world = &world;
        async move {
            // Of two lines the second was begun after now.
            let from = world.said(N1).len() + 2;
            wait_for(wanted, || {
                let said = world.said(N1);
                said.get(from..).is_some_and(|s| s.iter().any(|l| l.contains(wanted))).then_some(())
            })
            .await;
        }
    };
    last(free).await;
    // A limit above what it has already lowers nothing.
    let vain = world.hurt("limit-files", &[on_n1(), ("most", (1_i64 << 40).into())]).await;
    assert!(!world.heal(vain).await.bit);
    let pid = world.cluster.processes.pid(N1).unwrap();
    let limits = || std::fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let before = limits();
    let files = world.hurt("limit-files", &[on_n1(), ("most", 20.into())]).await;
    last("EMFILE").await;
    let size = world.hurt("limit-file-size", &[on_n1(), ("most", 55_000.into())]).await;
    last("size 55000 EFBIG").await;
    // Two at once: the lower counts, and neither takes the other's away.
    let fewer = world.hurt("limit-files", &[on_n1(), ("most", 10.into())]).await;
    last("files 7 EMFILE").await;
    assert!(world.heal(files).await.bit);
    last("files 7 EMFILE").await;
    assert!(world.heal(fewer).await.bit);
    let effect = world.heal(size).await;
    assert!(effect.bit && effect.words.contains("at most 55000"), "{effect:?}");
    last(free).await;
    assert_eq!(limits(), before, "as it was");
    // One that is restarted meanwhile has it too, and loses it too.
    let files = world.hurt("limit-files", &[on_n1(), ("most", 20.into())]).await;
    let kill = world.hurt("kill", &[on_n1()]).await;
    world.heal(kill).await;
    last("EMFILE").await;
    world.heal(files).await;
    last(free).await;
    assert_eq!(world.count(NodeId(2), "EMFILE"), 0);
    world.cluster.down().await;
}

/// Groups of ours, wherever they are.
fn our_groups() -> Vec<PathBuf> {
    let mut todo = vec![PathBuf::from("/sys/fs/cgroup")];
    let mut found = Vec::new();
    let mark = format!("-{}-", std::process::id());
    while let Some(dir) = todo.pop() {
        for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|t| t.is_dir()) {
                let name = entry.file_name().to_string_lossy().into_owned();
                if name.starts_with("danso-") && name.contains(&mark) {
                    found.push(entry.path());
                }
                todo.push(entry.path());
            }
        }
    }
    found
}

#[tokio::test]
async fn less_processor_time_and_less_memory() {
    if possible(Need::Cpu) {
        let spin = "i=0; while true; do i=$((i+1)); done";
        let world = World::new(spin, "cpu");
        let pid = world.cluster.processes.pid(N1).unwrap();
        let used = || {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/schedstat")).unwrap();
            stat.split(' ').next().unwrap().parse::<u64>().unwrap()
        };
        let wound = world.hurt("cpu", &[on_n1(), ("percent", 5.into())]).await;
        let (since, before) = (Instant::now(), used());
        tokio::time::sleep(Duration::from_millis(1500)).await;
        let share = (used() - before) as f64 / since.elapsed().as_nanos() as f64;
        assert!(share < 0.2, "{share}: far less than one who spins would have");
        let effect = world.heal(wound).await;
        assert!(effect.bit && effect.words.contains("had to wait"), "{effect:?}");
        let group = our_groups().into_iter().find(|g| g.ends_with_name("n1"));
        let group = group.expect("it has a group as long as the run lasts");
        let unlimited = ["cpu.cfs_quota_us", "cpu.max"].iter().any(|f| {
            let text = std::fs::read_to_string(group.join(f)).unwrap_or_default();
            text.starts_with("-1") || text.starts_with("max")
        });
        assert!(unlimited, "as it was");
        world.cluster.down().await;
    }
    if possible(Need::Memory) && python() {
        // Has 60 MiB, then wants more.
        let hungry = "exec python3 -u -c 'a=bytearray(60<<20)\nprint(\"fed\")\n\
                      import time\nwhile True:\n  time.sleep(0.05)\n  b=bytearray(20<<20)\n  print(\"more\")'";
        let world = World::new(hungry, "memory");
        wait_for("more", || (world.count(N1, "more") >= 1).then_some(())).await;
        let (tell, mut news) = tokio::sync::mpsc::unbounded_channel();
        let listener = move |news| tell.send(news).unwrap_or_default();
        world.cluster.processes.listen(Some(Box::new(listener)));
        let wound = world.hurt("memory", &[on_n1(), ("most", 40.into())]).await;
        let died = tokio::time::timeout(PATIENCE, news.recv()).await.unwrap().unwrap();
        let killed =
            |what| matches!(what, Turn::Died { status, .. } if status == "signal 9 (SIGKILL)");
        assert!(died.node == N1 && killed(died.what));
        let effect = world.heal(wound).await;
        assert!(effect.bit && effect.words.contains("started again"), "{effect:?}");
        let fed = world.count(N1, "more");
        wait_for("more", || (world.count(N1, "more") > fed).then_some(())).await;
        world.cluster.down().await;
    }
    assert!(our_groups().is_empty(), "none is left");
}

/// The end of a group's name.
trait EndsWithName {
    fn ends_with_name(&self, node: &str) -> bool;
}

impl EndsWithName for PathBuf {
    fn ends_with_name(&self, node: &str) -> bool {
        self.to_string_lossy().ends_with(&format!("-{node}"))
    }
}
