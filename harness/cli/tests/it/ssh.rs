//! Nodes on other machines: three network namespaces with an ssh server each, and one between
//! them from which danso runs. Needs root; skipped with a notice otherwise.

use std::collections::BTreeSet;
use std::fs::write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::docs::{commands, expected};
use crate::harness::{DANSO, Said, Turn, alone, latest, project, quick, results, turn};

/// Programs without which there is no lab.
const WANTED: &[&str] = &["/usr/sbin/sshd", "ssh", "ssh-keygen", "ip", "nft", "python3", "setpriv"];

/// Hosts 1 to 3 at 10.0.0.1 to 10.0.0.3, seen by nobody else.
struct Lab {
    dir: tempfile::TempDir,
    servers: Vec<Child>,
    /// Folders and sockets of other labs.
    before: BTreeSet<String>,
}

impl Lab {
    /// `None`, with a notice, where there can be none.
    fn new() -> Option<Lab> {
        if !nix::unistd::geteuid().is_root() {
            println!("skipped: only root can make hosts");
            return None;
        }
        let there = |program: &&&str| run(&format!("command -v {program}")).code == Some(0);
        if let Some(missing) = WANTED.iter().find(|program| !there(program)) {
            println!("skipped: {missing} is not installed (openssh-server, iproute2, nftables)");
            return None;
        }
        let dir = tempfile::Builder::new().prefix("danso-hosts").tempdir_in("/tmp").unwrap();
        let mut lab = Lab { dir, servers: Vec::new(), before: folders() };
        let made = run(&format!(
            "ip netns add {0} && ip -n {0} link add br0 type bridge && ip -n {0} link set lo up &&
             ip -n {0} addr add 10.0.0.254/24 dev br0 && ip -n {0} link set br0 up",
            lab.middle()
        ));
        if made.code != Some(0) {
            println!("skipped: no network namespaces here: {}", made.err);
            return None;
        }
        let path = lab.dir.path().display().to_string();
        for number in 1..=3 {
            let (middle, host) = (lab.middle(), lab.host(number));
            run(&format!(
                "set -e; ip netns add {host}
                 ip link add v{number} netns {middle} type veth peer name eth0 netns {host}
                 ip -n {middle} link set v{number} master br0 up
                 ip -n {host} addr add 10.0.0.{number}/24 dev eth0
                 ip -n {host} link set eth0 up; ip -n {host} link set lo up
                 ssh-keygen -q -t ed25519 -N '' -f {path}/host{number}"
            ))
            .exits(0);
            lab.serve(number, 2222, "", "");
        }
        run(&format!("ssh-keygen -q -t ed25519 -N '' -f {path}/key")).exits(0);
        std::fs::copy(lab.file("key.pub"), lab.file("authorized")).unwrap();
        let config = format!(
            "IdentityFile {path}/key\nPort 2222\nStrictHostKeyChecking no\n\
             UserKnownHostsFile /dev/null\n"
        );
        write(lab.file("ssh_config"), config).unwrap();
        for name in ["hosts.toml", "kv.py"] {
            let from = project().join("docs/examples/ssh").join(name);
            std::fs::copy(from, lab.file(name)).unwrap();
        }
        Some(lab)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn middle(&self) -> String {
        format!("danso-lab-{}", std::process::id())
    }

    fn host(&self, number: u16) -> String {
        format!("{}-{number}", self.middle())
    }

    /// Starts an ssh server on a host, in front of it the words of `confine`, with these lines in its
    /// configuration. The folder it wants is in a mount namespace of its own.
    fn serve(&mut self, number: u16, port: u16, confine: &str, lines: &str) {
        let path = self.dir.path().display();
        let config = format!(
            "Port {port}\nHostKey {path}/host{number}\nAuthorizedKeysFile {path}/authorized\n\
             PidFile none\nStrictModes no\nUsePAM no\nPermitRootLogin yes\n{lines}\n"
        );
        let name = self.file(&format!("sshd{number}-{port}"));
        write(&name, config).unwrap();
        let script = format!(
            "mount -t tmpfs tmpfs /run && mkdir -m 755 /run/sshd &&
             exec {confine} /usr/sbin/sshd -D -e -f {}",
            name.display()
        );
        let log = std::fs::File::create(name.with_extension("log")).unwrap();
        let mut server = Command::new("ip");
        server.args(["netns", "exec", &self.host(number), "sh", "-c", &script]);
        self.servers.push(server.stdin(Stdio::null()).stderr(log).spawn().unwrap());
        let listens = format!("ip netns exec {} ss -ltn | grep -q ':{port} '", self.host(number));
        until("its ssh server listens", || run(&listens).code == Some(0));
    }

    /// Runs a script on a host.
    fn on(&self, number: u16, script: &str) -> Said {
        within(&self.host(number), self.dir.path(), script)
    }

    /// Runs a script where danso runs, with danso in its path.
    fn here(&self, script: &str) -> Said {
        let bin = Path::new(DANSO).parent().unwrap().display();
        within(&self.middle(), self.dir.path(), &format!("PATH={bin}:$PATH\n{script}"))
    }

    fn start(&self, test: &str) -> Child {
        let mut danso = Command::new("ip");
        danso.args(["netns", "exec", &self.middle(), DANSO, "run", test]);
        danso.current_dir(self.dir.path());
        let said = std::fs::File::create(self.file("said")).unwrap();
        danso.stdout(Stdio::null()).stderr(said).spawn().unwrap()
    }

    /// Writes a test with these faults for half a minute instead of its own.
    fn test(&self, name: &str, faults: &str) {
        let text = std::fs::read_to_string(self.file("hosts.toml")).unwrap();
        let before = text.split("[[fault]]").next().unwrap().replace("12s", "40s");
        write(self.file(name), format!("{before}{faults}")).unwrap();
    }

    /// Processes of nodes: whose programs are ours, and what each does.
    fn nodes(&self, number: u16) -> String {
        let script = "for p in $(grep -lsaF DANSO_HOST_NODE= /proc/[0-9]*/environ); do
            d=${p%/environ}
            [ \"$(readlink $d/ns/net)\" != \"$(readlink /proc/self/ns/net)\" ] ||
              echo \"$d $(sed 's/.*) //;s/ .*//' $d/stat) $(tr '\\0' ' ' < $d/cmdline)\"
            done";
        self.on(number, script).out
    }

    /// Whatever a run may have left on the hosts and here.
    fn traces(&self) -> String {
        let mut traces = String::new();
        for number in 1..=3 {
            traces += &self.nodes(number);
            traces += &self.on(number, "nft list tables").out;
            let host = self.host(number);
            let shells = format!(
                "for p in $(ip netns pids {host}); do tr '\\0' ' ' </proc/$p/cmdline; echo; done"
            );
            let shells = run(&shells).out;
            traces.extend(
                shells.lines().filter(|l| l.starts_with("sh -s")).map(|l| format!("{l}\n")),
            );
        }
        traces.extend(folders().difference(&self.before).map(|name| format!("{name}\n")));
        traces
    }

    #[track_caller]
    fn is_clean(&self) {
        until(&format!("nothing is left: {}", self.traces()), || self.traces().is_empty());
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for server in &mut self.servers {
            let _ = server.kill();
            let _ = server.wait();
        }
        for number in 1..=3 {
            run(&format!("ip netns del {}", self.host(number)));
        }
        run(&format!("ip netns del {}", self.middle()));
    }
}

/// One lab at a time: each looks at the folders of all.
fn hosts_turn() -> (MutexGuard<'static, ()>, Turn) {
    static LAB: Mutex<()> = Mutex::new(());
    // First the lab: who waits for it takes nobody else's turn.
    (LAB.lock().unwrap_or_else(PoisonError::into_inner), turn())
}

/// Folders and sockets of runs on hosts: the hosts share our file system.
fn folders() -> BTreeSet<String> {
    let names = std::fs::read_dir("/tmp").unwrap().flatten().map(|entry| entry.file_name());
    let names = names.map(|name| name.to_string_lossy().into_owned());
    let ends = [".ssh", "-n1", "-n2", "-n3"];
    let ours =
        |name: &String| name.starts_with("danso-") && ends.iter().any(|end| name.ends_with(end));
    names.filter(ours).collect()
}

fn run(script: &str) -> Said {
    Said::of(&Command::new("sh").args(["-c", script]).output().unwrap())
}

fn within(namespace: &str, dir: &Path, script: &str) -> Said {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", namespace, "sh", "-c", script]).current_dir(dir);
    Said::of(&command.output().unwrap())
}

#[track_caller]
fn until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !done() {
        assert!(Instant::now() < deadline, "{what}: not after a minute");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Waits until a fault is in force.
#[track_caller]
fn hurt(lab: &Lab, danso: &mut Child, kind: &str) {
    let history = lab.file("danso-runs/latest/history.jsonl");
    until(&format!("{kind} is in force"), || {
        let ended = danso.try_wait().unwrap().is_some();
        let said = std::fs::read_to_string(lab.file("said")).unwrap();
        assert!(!ended, "danso ended: {said}");
        std::fs::read_to_string(&history).unwrap_or_default().contains(&format!("\"f\":\"{kind}\""))
    });
}

const CUT: &str = "[[fault]]
kind = \"partition\"
args = { nodes = [\"n1\"], at = [\"200ms\"], for = \"35s\" }
";

#[test]
fn every_command_shown_works_on_hosts() {
    let _turn = hosts_turn();
    let Some(lab) = Lab::new() else { return };
    let text = std::fs::read_to_string(project().join("docs/ssh.md")).unwrap();
    let shown = commands(&text);
    assert!(shown.len() > 3);
    for command in shown {
        let said = lab.here(&command);
        println!("{command}: {:?}\n{}", said.code, said.out);
        said.exits_with_any(&expected(&command));
    }
    let run = latest(lab.dir.path());
    let faults = results(&run)["faults"].as_array().unwrap().clone();
    assert_eq!(faults.len(), 3);
    assert!(faults.iter().all(|fault| fault["bit"] == true), "{faults:?}");
    let kept = std::fs::read_to_string(run.join("nodes/n1/kv.log")).unwrap();
    assert!(kept.contains("GET /health"), "{kept}");
    lab.is_clean();
}

#[test]
fn faults_show_inside_hosts_and_end_with_the_controller() {
    let _turn = hosts_turn();
    let Some(lab) = Lab::new() else { return };
    let pause = CUT.replace("partition", "pause").replace("n1", "n3");
    lab.test("t.toml", &format!("{CUT}{pause}"));
    for signal in [Signal::SIGINT, Signal::SIGKILL] {
        let mut danso = lab.start("t.toml");
        for kind in ["partition", "pause"] {
            hurt(&lab, &mut danso, kind);
        }
        let reaches = |from, to| {
            let connect = format!(
                "timeout 2 python3 -c 'import socket; socket.create_connection((\"10.0.0.{to}\", 7000))'"
            );
            lab.on(from, &connect).code == Some(0)
        };
        assert!(!reaches(2, 1) && !reaches(1, 3), "{signal}: the links of n1 are cut");
        assert!(reaches(3, 2), "{signal}: the others are not");
        let counters = lab.on(1, "nft list counters").out;
        let counts = counters.split("packets ").skip(1);
        let counts = counts.filter_map(|c| c.split(' ').next()?.parse::<u64>().ok());
        let stopped: u64 = counts.sum();
        assert!(counters.contains("n2_n1_stopped") && stopped > 0, "{counters}");
        let still = |number| {
            let nodes = lab.nodes(number);
            nodes.contains("kv.py") && nodes.lines().all(|node| node.contains(" T "))
        };
        assert!(still(3) && !still(2), "{signal}: {}{}", lab.nodes(3), lab.nodes(2));
        kill(Pid::from_raw(danso.id().cast_signed()), signal).unwrap();
        danso.wait().unwrap();
        lab.is_clean();
        std::fs::remove_dir_all(lab.file("danso-runs")).unwrap();
    }
}

#[test]
fn links_are_hurt_in_every_way_hosts_can() {
    let _turn = hosts_turn();
    let Some(lab) = Lab::new() else { return };
    let faults = r#"
        [[fault]]
        kind = "partition"
        args = { nodes = ["n1"], mode = "reject", with = "clients", at = ["500ms"], for = "1s" }
        [[fault]]
        kind = "partition"
        args = { nodes = ["n1"], mode = "reject", at = ["2500ms"], for = "1s" }
        [[fault]]
        kind = "partition"
        args = { links = [["clients", "n2"]], at = ["4500ms"], for = "1s" }
        [[fault]]
        kind = "loss"
        args = { nodes = ["n1"], share = "30%", with = "all", at = ["6500ms"], for = "1500ms" }
        [[fault]]
        kind = "bandwidth"
        args = { nodes = ["n1"], rate = "16kbit", with = "all", at = ["9s"], for = "2s" }
        [expect]
        ok-rate = 0.3
    "#;
    lab.test("t.toml", faults);
    lab.here("danso run t.toml --time 13s").exits(0);
    let faults = results(&latest(lab.dir.path()))["faults"].as_array().unwrap().clone();
    assert!(faults.len() == 5 && faults.iter().all(|fault| fault["bit"] == true), "{faults:?}");
    lab.is_clean();
}

#[test]
fn nodes_are_ended_and_held_in_every_way() {
    let _turn = hosts_turn();
    let Some(lab) = Lab::new() else { return };
    let faults = r#"
        [[fault]]
        kind = "stop"
        args = { nodes = ["n2"], at = ["500ms"], for = "1s" }
        [[fault]]
        kind = "crash-loop"
        args = { nodes = ["n3"], period = "500ms", at = ["2500ms"], for = "3s" }
        [[fault]]
        kind = "restart-rolling"
        args = { at = ["7s"], for = "3s" }
        [[fault]]
        kind = "pause"
        args = { nodes = ["n3"], at = ["12s"], for = "4s" }
        [[fault]]
        kind = "kill"
        args = { nodes = ["n3"], at = ["12500ms"], for = "1s" }
        [expect]
        ok-rate = 0.3
    "#;
    lab.test("t.toml", faults);
    let said = lab.here("danso run t.toml --time 18s");
    said.exits(0).says("5 of 5 faults bit");
    for number in 1..=3 {
        assert_eq!(lab.nodes(number), "");
    }
    lab.is_clean();
}

#[test]
fn what_is_left_by_dead_shells_is_cleaned_by_the_doctor() {
    let _turn = alone();
    let Some(lab) = Lab::new() else { return };
    lab.test("t.toml", CUT);
    let mut danso = lab.start("t.toml");
    hurt(&lab, &mut danso, "partition");
    lab.here("danso doctor --clean").exits(0).says("its run goes on");
    for number in 1..=3 {
        // Everything of ours on the host, but not its ssh server; all at once, or the first would
        // be missed by the second, who cleans up.
        let listener = lab.servers[usize::from(number) - 1].id();
        run(&format!(
            "p=$(ip netns pids {} | grep -vx {listener}); kill -STOP $p; kill -9 $p",
            lab.host(number)
        ));
    }
    kill(Pid::from_raw(danso.id().cast_signed()), Signal::SIGKILL).unwrap();
    danso.wait().unwrap();
    assert!(lab.traces().contains("table inet danso_"), "{}", lab.traces());
    lab.here("danso doctor --clean").exits(0).says("nothing of it is left on root@10.0.0.1");
    lab.is_clean();
    lab.here("danso doctor --clean").exits(0).says("nothing to clean");
}

#[test]
fn a_host_that_hears_no_more_of_us_cleans_up_by_itself() {
    let _turn = hosts_turn();
    if quick() {
        println!("skipped: it takes half a minute (quick)");
        return;
    }
    let Some(lab) = Lab::new() else { return };
    lab.test("t.toml", CUT);
    let mut danso = lab.start("t.toml");
    hurt(&lab, &mut danso, "partition");
    run(&format!("ip -n {} link set v1 down", lab.middle())).exits(0);
    until("host 1 is clean", || {
        lab.nodes(1).is_empty() && !lab.on(1, "nft list tables").out.contains("danso")
    });
    let history = lab.file("danso-runs/latest/history.jsonl");
    until("the node is lost", || std::fs::read_to_string(&history).unwrap().contains("node-lost"));
    kill(Pid::from_raw(danso.id().cast_signed()), Signal::SIGINT).unwrap();
    assert_eq!(danso.wait().unwrap().code(), Some(2), "unknown, and no finding about the system");
    let results = results(&latest(lab.dir.path()));
    let reason = results["reason"].as_str().unwrap();
    assert!(reason.contains("the connection to the host of n1 was lost"), "{reason}");
}

#[test]
fn what_hosts_cannot_do_is_said_when_planning() {
    let _turn = hosts_turn();
    let Some(mut lab) = Lab::new() else { return };
    let weak = "setpriv --bounding-set=-net_admin --inh-caps=-net_admin";
    let nobody = "ForceCommand setpriv --reuid 65534 --regid 65534 --clear-groups sh -s";
    lab.serve(3, 2223, weak, "");
    lab.serve(3, 2224, "", nobody);
    let config = std::fs::read_to_string(lab.file("ssh_config")).unwrap();
    let text = std::fs::read_to_string(lab.file("hosts.toml")).unwrap();
    for (port, why) in [(2223, "not permitted"), (2224, "and not root")] {
        let name = format!("{port}.toml");
        let other = format!("Host 10.0.0.3\nPort {port}\nHost *\n{config}");
        write(lab.file(&format!("{port}")), other).unwrap();
        write(lab.file(&name), text.replace("ssh_config", &format!("{port}"))).unwrap();
        let said = lab.here(&format!("danso plan {name}"));
        said.exits(254).says("partition: root@10.0.0.3: ").says(why).says("log in as root");
        lab.here(&format!("danso plan {name} --faults kill,pause")).exits(0);
    }
    for (fault, why) in [
        ("clock", "danso does not reach their clocks"),
        ("delay", "cannot do `delay`"),
        ("limit-files", "nodes on this machine"),
        ("bit-flip", "nodes on this machine"),
    ] {
        lab.here(&format!("danso plan hosts.toml --faults {fault}")).exits(254).says(why);
    }
    let said = lab.here("danso plan hosts.toml --faults partition --network switch");
    said.exits(254).says("leave --network out");
    let nobody = text.replace("root@10.0.0.2", "root@10.0.0.99");
    write(lab.file("nobody.toml"), nobody).unwrap();
    lab.here("danso plan nobody.toml").exits(254).says("10.0.0.99").says("BatchMode");
    let twice = text.replace("root@10.0.0.2", "root@10.0.0.22");
    run(&format!("ip -n {} addr add 10.0.0.22/24 dev eth0", lab.host(1))).exits(0);
    write(lab.file("twice.toml"), twice).unwrap();
    lab.here("danso plan twice.toml").exits(254).says("are one machine");
    lab.here("danso plan hosts.toml --faults auto").exits(0).says("left out: limit-files");
    lab.is_clean();
}
