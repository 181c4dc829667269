//! Programs that speak for danso and misbehave.

use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::harness::{danso, latest, results, start, turn};
use crate::killed::processes;

/// A test whose only client is this shell script, beside a node that does nothing.
fn write(dir: &Path, script: &str, time: &str) {
    std::fs::write(dir.join("client.sh"), script).unwrap();
    let test = format!(
        r#"
        workload = "register"
        params = {{ keys = 2, mix = {{ read = 1, write = 1 }} }}
        load = {{ processes = 3, rate = 60, time = "{time}", timeout = "400ms" }}
        faults = "none"
        [target]
        kind = "process"
        nodes = 1
        command = ["sleep", "1000"]
        [client]
        kind = "command"
        command = ["sh", "{{dir}}/client.sh"]
        "#
    );
    std::fs::write(dir.join("t.toml"), test).unwrap();
}

#[test]
fn programs_that_die_or_babble_end_operations_in_info() {
    let _turn = turn();
    let dir = tempfile::tempdir().unwrap();
    for (script, why) in [
        ("read line; echo sorry >&2; exit 1", "client-died"),
        ("exec yes", "bad-answer: no JSON danso reads"),
        ("read line; exec yes | tr -d '\\n'", "answer-too-long"),
        ("read line; sleep 1000", "timeout"),
        ("printf '\\377\\n'; read line", "bad-answer: no UTF-8"),
    ] {
        write(dir.path(), script, "2s");
        let said = danso(dir.path(), &["run", "t.toml"]);
        said.exits(2).says("no write ever succeeded").says(why);
        let run = latest(dir.path());
        // Few are asked while their programs die: on a busy machine perhaps reads only.
        let counts = &results(&run)["counts"];
        let infos = ["read", "write"].map(|f| counts[f]["info"].as_u64().unwrap());
        assert_ne!(infos, [0, 0], "{script}: {counts}");
        let marker = dir.path().display().to_string();
        assert_eq!(processes(&marker), Vec::<std::path::PathBuf>::new(), "{script}");
        if script.contains("sorry") {
            let log = std::fs::read_to_string(run.join("danso.log")).unwrap();
            assert!(log.contains("sorry"), "{log}");
        }
    }
}

#[test]
fn programs_die_with_a_killed_controller() {
    let _turn = turn();
    let dir = tempfile::tempdir().unwrap();
    // They ignore that their input has ended.
    write(dir.path(), "read line; while :; do sleep 0.1; done", "60s");
    let mut child = start(dir.path(), &["run", "t.toml", "--set", "load.timeout=30s"]);
    let script = dir.path().join("client.sh").display().to_string();
    let deadline = Instant::now() + Duration::from_secs(30);
    while processes(&script).len() < 3 {
        assert!(Instant::now() < deadline, "three programs have not been started");
        std::thread::sleep(Duration::from_millis(20));
    }
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGKILL).unwrap();
    child.wait().unwrap();
    while !processes(&script).is_empty() {
        assert!(Instant::now() < deadline, "{:?} are left", processes(&script));
        std::thread::sleep(Duration::from_millis(20));
    }
}
