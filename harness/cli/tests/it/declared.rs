//! Systems described in a test file: every key of the kinds `process` and `external` does what
//! the documentation says.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::harness::{danso, latest, project, start, turn};

/// What every test here has in common.
const COMMON: &str = r#"
    workload = "register"
    params = { keys = 2, mix = { read = 1, write = 1 } }
    [client]
    kind = "http"
    [client.ops]
    read = { send = "GET /{key}", ok = { 200 = "int", 404 = "nil" } }
    write = { send = "PUT /{key} {value}", ok = { 200 = "nil" } }
"#;

/// A folder with this test in it, and the store it starts.
fn folder(test: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let store = project().join("harness/cli/tests/it/declared/told.py");
    std::fs::copy(store, dir.path().join("told.py")).unwrap();
    std::fs::write(dir.path().join("t.toml"), COMMON.to_owned() + test).unwrap();
    dir
}

fn read(path: impl AsRef<Path>) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// What a node was told when it was first started.
fn told(run: &Path, node: u16) -> Value {
    let told = read(run.join(format!("nodes/n{node}/data/told.json")));
    serde_json::from_str(told.lines().next().unwrap()).unwrap()
}

/// The nemesis' lines of a history that are of this kind.
fn notes(run: &Path, f: &str) -> Vec<Value> {
    let lines = read(run.join("history.jsonl"));
    let lines = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|l| l["process"] == "nemesis" && l["f"] == f).collect()
}

#[test]
fn every_key_of_a_process_is_told() {
    let _turn = turn();
    let root = nix::unistd::geteuid().is_root();
    let user = if root { "user = \"nobody\"" } else { "" };
    let dir = folder(&format!(
        r#"
        [load]
        time = "1s"
        rate = 40
        processes = 4
        [target]
        kind = "process"
        ports = [7100, 7200]
        start = "by-role"
        patience = "20s"
        command = ["python3", "{{dir}}/told.py", "{{addr}}", "{{data}}", "{{id}}", "{{name}}", "{{role}}",
                   "{{index}}", "{{addr:7200}}", "{{peers}}", "{{all}}", "{{nodes}}", "{{seed}}",
                   "{{node:3.addr}}", "{{back:2.ip}}", "{{others}}", "{{backs}}", "{{port}}", "${{HOME}}"]
        env = {{ COLOUR = "red", WHO = "{{name}}", CONF = "{{conf}}" }}
        files = {{ "a.conf" = "me={{addr}}", "b.conf" = "@template.conf" }}
        ready = "GET http://{{addr}}/health-of-nobody => or yes"
        stop = {{ signal = "INT", grace = "20s" }}
        setup = ["echo setup {{node:1.addr}} >> log", "echo $PWD >> log"]
        teardown = ["echo teardown >> log"]
        logs = ["{{data}}/*.log"]
        [target.lists]
        others = {{ each = "{{name}}@{{addr:7200}}", of = "others", join = ";" }}
        backs = {{ each = "{{role}}{{index}}", role = "back", join = "+" }}
        [[target.role]]
        name = "front"
        nodes = 1
        ready = "tcp {{addr}}"
        [[target.role]]
        name = "back"
        nodes = 2
        env = {{ COLOUR = "blue" }}
        workdir = "{{dir}}/work"
        ready = "run true => or yes"
        {user}
        "#
    ));
    let at = dir.path();
    std::fs::create_dir(at.join("work")).unwrap();
    std::fs::write(at.join("template.conf"), "peers={peers}\n").unwrap();
    if root {
        // Whoever the nodes run as must get there.
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(at, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    // Three stores that know nothing of each other: only one of them is asked.
    let only = ["--set", "client.role=front", "--faults", "none", "--seed", "7"];
    danso(at, &[&["run", "t.toml"][..], &only].concat()).exits(0);
    let run = latest(at);
    let (front, back) = (told(&run, 1), told(&run, 3));
    let words = |told: &Value| -> Vec<String> {
        told["words"].as_array().unwrap().iter().map(|w| w.as_str().unwrap().to_owned()).collect()
    };
    let (one, three) = (words(&front), words(&back));
    assert_eq!(one[..4], ["1", "n1", "front", "1"]);
    assert_eq!(three[..4], ["3", "n3", "back", "2"]);
    assert!(three[4].ends_with(":7200"), "{three:?}");
    let (peers, all): (Vec<_>, Vec<_>) =
        (three[5].split(',').collect(), three[6].split(',').collect());
    assert_eq!((peers.len(), all.len(), three[7].as_str()), (2, 3, "3"));
    assert!(three[8].parse::<u32>().is_ok());
    assert_eq!(one[9], all[2], "{{node:3.addr}}");
    assert_eq!(format!("{}:7100", one[10]), all[2], "{{back:2.ip}}");
    let ip = |address: &str| address.rsplit_once(':').unwrap().0.to_owned();
    assert_eq!(three[11], format!("n1@{}:7200;n2@{}:7200", ip(all[0]), ip(all[1])));
    assert_eq!((three[12].as_str(), three[13].as_str()), ("back1+back2", "7100"));
    assert_eq!(three[14], "${HOME}", "no name of ours");
    assert_eq!((&front["env"]["COLOUR"], &back["env"]["COLOUR"]), (&"red".into(), &"blue".into()));
    assert_eq!(back["env"]["WHO"], "n3");
    assert_eq!(back["files"]["a.conf"], format!("me={}", all[2]));
    assert_eq!(back["files"]["b.conf"], format!("peers={}\n", three[5]));
    let cwd = |told: &Value| Path::new(told["cwd"].as_str().unwrap()).canonicalize().unwrap();
    assert_eq!(cwd(&front), run.join("nodes/n1/data"), "its data, unless told otherwise");
    assert_eq!(cwd(&back), at.join("work").canonicalize().unwrap());
    if root {
        assert_eq!(front["uid"], 0);
        assert_ne!(back["uid"], 0, "nobody");
    }
    assert!(front["at"].as_f64() < told(&run, 2)["at"].as_f64(), "role after role");
    let log = read(at.join("log"));
    let log: Vec<&str> = log.lines().collect();
    assert!(log[0].starts_with("setup ") && log[0].ends_with(":7100"), "{log:?}");
    assert_eq!(Path::new(log[1]).canonicalize().unwrap(), at.canonicalize().unwrap());
    assert_eq!(log[2..], ["teardown"]);
    for node in 1..=3 {
        let node = run.join(format!("nodes/n{node}"));
        assert_eq!(read(node.join("data/signals")), "SIGINT\ndone\n", "asked, and waited for");
        assert_eq!(read(node.join("own.log")), "its own words\n");
    }
}

#[test]
fn ctrl_c_still_tears_down() {
    let _turn = turn();
    let dir = folder(
        r#"
        [target]
        kind = "process"
        nodes = 1
        command = ["python3", "{dir}/told.py", "{addr}", "{data}"]
        ready = "log serving"
        setup = ["touch set-up"]
        teardown = ["echo teardown >> log"]
        "#,
    );
    let mut child = start(dir.path(), &["run", "t.toml", "--faults", "none", "--time", "60s"]);
    let deadline = Instant::now() + Duration::from_secs(30);
    while !dir.path().join("set-up").exists() {
        assert!(Instant::now() < deadline, "it was never set up");
        std::thread::sleep(Duration::from_millis(20));
    }
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(2));
    assert_eq!(read(dir.path().join("log")), "teardown\n");
}

#[test]
fn only_what_was_printed_since_the_last_start_counts() {
    let _turn = turn();
    let dir = folder(
        r#"
        [target]
        kind = "process"
        nodes = 1
        patience = "5s"
        command = ["python3", "{dir}/told.py", "{addr}", "{data}"]
        ready = "log serving"
        [[fault]]
        kind = "kill"
        args = { at = ["200ms"], for = "100ms" }
        "#,
    );
    danso(dir.path(), &["run", "t.toml", "--time", "1s"]);
    let run = latest(dir.path());
    assert_eq!(read(run.join("nodes/n1/data/told.json")).lines().count(), 2, "started twice");
    let lame = notes(&run, "not-recovered");
    assert_eq!(lame.len(), 1, "it said so before it was killed, not after");
    assert!(lame[0]["value"].as_str().unwrap().contains("has not printed `serving`"));
}

#[test]
fn faults_find_the_primary() {
    let _turn = turn();
    let dir = folder(
        r#"
        [target]
        kind = "process"
        nodes = 3
        start = "one-by-one"
        command = ["sh", "-c", "[ {id} = 2 ] && export LEADS=yes; exec python3 {dir}/told.py {addr} {data}"]
        ready = "GET http://{addr}/role"
        primary = "GET http://{addr}/role => expect yes"
        [[fault]]
        kind = "pause"
        args = { nodes = "primaries", at = ["300ms"], for = "300ms" }
        [[fault]]
        kind = "partition"
        args = { shape = "primaries", at = ["900ms"], for = "400ms" }
        "#,
    );
    // Three stores that know nothing of each other are no register; who is hurt is what counts.
    danso(dir.path(), &["run", "t.toml", "--time", "2s"]);
    let run = latest(dir.path());
    for f in ["pause", "partition"] {
        let hurt = notes(&run, f);
        assert!(!hurt.is_empty(), "no {f}");
        assert_eq!(hurt[0]["nodes"], serde_json::json!(["n2"]), "{f}: {hurt:?}");
    }
    let up = notes(&run, "node-up");
    let order: Vec<_> = up.iter().map(|n| n["nodes"][0].as_str().unwrap()).collect();
    assert_eq!(order, ["n1", "n2", "n3"]);
    let at = |node| told(&run, node)["at"].as_f64().unwrap();
    assert!(at(1) < at(2) && at(2) < at(3), "one by one");
}

/// A store that runs already, on a free port of this machine.
struct Store(Child, u16);

impl Store {
    fn start(dir: &Path) -> Store {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = port.local_addr().unwrap().port();
        let mut command = Command::new("python3");
        command.arg(dir.join("told.py")).arg(format!("127.0.0.1:{port}")).arg(dir);
        let child = command.stdout(Stdio::null()).spawn().unwrap();
        Store(child, port)
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_system_that_runs_already_is_only_hurt_by_commands() {
    let _turn = turn();
    let dir = folder("");
    let store = Store::start(dir.path());
    let test = format!(
        r#"
        [load]
        time = "3s"
        rate = 40
        processes = 3
        [target]
        kind = "external"
        addresses = ["127.0.0.1:{}"]
        ready = "GET http://{{addr}}/role"
        setup = ["echo {{addr}} >> log"]
        teardown = ["echo teardown >> log"]
        [faults.stop]
        inject = "kill -STOP {pid}"
        heal = "kill -CONT {pid}"
        check = "grep -q 'T (stopped)' /proc/{pid}/status && echo it stands"
        at = ["500ms"]
        for = "1s"
        "#,
        store.1,
        pid = store.0.id()
    );
    std::fs::write(dir.path().join("t.toml"), COMMON.to_owned() + &test).unwrap();
    let said = danso(dir.path(), &["run", "t.toml"]);
    said.exits(0).says("1 of 1 faults bit").says("it stands");
    let log = read(dir.path().join("log"));
    assert_eq!(log, format!("127.0.0.1:{}\nteardown\n", store.1));
    assert_eq!(read(dir.path().join("signals")), "", "nobody asked it to stop");
    // What danso would have to start or reach into is refused, with the reason.
    for (fault, why) in [
        ("kill", "node processes of danso's own"),
        ("pause", "node processes of danso's own"),
        ("delay", "describe the fault by commands"),
    ] {
        // Somebody else's two nodes.
        let two = "target.addresses=['127.0.0.1:1', '127.0.0.1:2']";
        let said = danso(dir.path(), &["plan", "t.toml", "--faults", fault, "--set", two]);
        said.exits(254).says(&format!("{fault}: ")).says(why);
    }
    let said = danso(dir.path(), &["plan", "t.toml", "--network", "switch"]);
    said.exits(254).says("no part in the network");
    let said = danso(dir.path(), &["plan", "t.toml", "--set", "target.nodes=2"]);
    said.exits(254).says("2 nodes, but 1 addresses");
}
