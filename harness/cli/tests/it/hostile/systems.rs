//! Systems under test that misbehave: memory stays bounded, the outcome is right, the error is
//! one clear line, and danso ends as it should.

use std::io::Read;
use std::path::Path;

use crate::harness::{danso, latest, project, results, start, turn};

/// What the controller may take, in kibibytes, while its nodes send gigabytes.
const MEMORY: u64 = 200 << 10;

/// A test of `server.py`.
fn test() -> String {
    let server = project().join("harness/cli/tests/it/hostile/server.py");
    format!(
        r#"
        workload = "register"
        params = {{ keys = 2, mix = {{ read = 1, write = 1 }} }}
        load = {{ processes = 4, rate = 40, time = "2s", timeout = "400ms" }}
        faults = "none"
        [target]
        kind = "process"
        nodes = 1
        command = ["python3", "{}", "{{addr}}"]
        env = {{ MODE = "" }}
        ready = "GET http://{{addr}}/health"
        [client]
        kind = "http"
        [client.ops]
        read = {{ send = "GET /{{key}}", ok = {{ 200 = "int" }} }}
        write = {{ send = "PUT /{{key}} {{value}}", ok = {{ 200 = "nil" }} }}
        "#,
        server.display()
    )
}

/// The exit code, both outputs, and the most memory the controller had.
fn watched(dir: &Path, args: &[&str]) -> (Option<i32>, String, u64) {
    let mut child = start(dir, args);
    let status = format!("/proc/{}/status", child.id());
    let mut most = 0;
    let code = loop {
        let peak = std::fs::read_to_string(&status).unwrap_or_default();
        let peak = peak.lines().find_map(|l| l.strip_prefix("VmHWM:")?.split_whitespace().next());
        most = most.max(peak.and_then(|kb| kb.parse().ok()).unwrap_or(0));
        if let Some(status) = child.try_wait().unwrap() {
            break status.code();
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    };
    let mut said = String::new();
    child.stdout.take().unwrap().read_to_string(&mut said).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    (code, said, most)
}

#[test]
fn answers_that_are_none_are_info_and_cost_no_memory() {
    let _turn = turn();
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("t.toml"), test()).unwrap();
    for (mode, why) in [
        ("huge", "response-too-long"),
        ("endless", ""),
        ("bytes", "bad-response: no UTF-8"),
        ("stuck", "timeout"),
        ("late", "timeout"),
        ("garbage", "no-response"),
        ("headers", "no-response"),
        ("silent", "timeout"),
        ("flood", "bad-response: `noise` is no integer"),
    ] {
        let mode_is = format!("target.env.MODE={mode}");
        let (code, said, memory) = watched(dir.path(), &["run", "t.toml", "--set", &mode_is]);
        println!("{mode}: {code:?}, {memory} KiB");
        let run = latest(dir.path());
        let counts = &results(&run)["counts"];
        if mode == "flood" {
            // Only reads of it make no sense.
            assert_eq!(counts["read"]["ok"], 0, "{said}");
        } else {
            assert_eq!((&counts["write"]["ok"], &counts["read"]["ok"]), (&0.into(), &0.into()));
            let history = std::fs::read_to_string(run.join("history.jsonl")).unwrap();
            let write = |l: &&str| l.contains("\"f\":\"write\"") && !l.contains("\"invoke\"");
            let mut writes = history.lines().filter(write);
            assert!(writes.clone().count() > 0, "{mode}: nothing was tried");
            let strange = writes.find(|l| !l.contains("\"type\":\"info\""));
            assert_eq!(strange, None, "{mode}: it may have happened");
        }
        assert_eq!(code, Some(2), "{mode}: {said}");
        assert!(said.contains(why), "{mode}: {said}");
        assert!(memory > 0 && memory < MEMORY, "{mode}: {memory} KiB");
        assert!(std::fs::metadata(run.join("nodes/n1/stdout.log")).unwrap().len() < 20 << 20);
    }
}

#[test]
fn what_does_not_come_up_is_one_clear_line() {
    let _turn = turn();
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("t.toml"), test()).unwrap();
    let cases: &[(&[&str], i32, &str)] = &[
        (&["target.command=['nothing-like-it']"], 254, "no program `nothing-like-it` in $PATH"),
        (&["target.command=['./nothing']"], 254, "./nothing cannot be started: No such file"),
        (&["target.command=['./t.toml']"], 254, "is no program: chmod +x"),
        (
            &["target.command=['sh', '-c', 'echo no database >&2; exit 3']"],
            255,
            "n1 ended before it served: no database",
        ),
        (
            &["target.command=['sleep', '1000']", "target.patience=1s"],
            255,
            "n1 does not serve after 1s",
        ),
        (
            &["target.command=['yes']", "target.ready=log serving", "target.patience=1s"],
            255,
            "it has not printed `serving` yet",
        ),
        (
            &["target.ready=GET http://{addr}/x", "target.env.MODE=huge", "target.patience=5s"],
            255,
            "says more than 1048576 bytes",
        ),
        (&["target.setup=['echo broken >&2; exit 4']"], 255, "(exit status: 4): broken"),
    ];
    for (set, code, say) in cases {
        let mut args = vec!["run", "t.toml"];
        args.extend(set.iter().flat_map(|set| ["--set", set]));
        let (ended, said, memory) = watched(dir.path(), &args);
        let errors: Vec<_> = said.lines().filter(|l| l.starts_with("error")).collect();
        assert_eq!((ended, errors.len()), (Some(*code), 1), "{set:?}: {said}");
        assert!(errors[0].contains(say), "{set:?}: {said}");
        assert!(memory < MEMORY, "{set:?}: {memory} KiB");
    }
}

#[test]
fn a_program_that_leaves_a_daemon_behind_is_still_a_node() {
    let _turn = turn();
    let dir = tempfile::tempdir().unwrap();
    // The shell is gone at once; what it left is the node, and does not outlive the run.
    let server = project().join("harness/cli/tests/it/hostile/server.py");
    let command = format!(
        "target.command=['sh', '-c', 'setsid python3 {} {{addr}} {} &']",
        server.display(),
        dir.path().display()
    );
    std::fs::write(dir.path().join("t.toml"), test()).unwrap();
    let mode = "target.env.MODE=bytes";
    danso(dir.path(), &["run", "t.toml", "--set", &command, "--set", mode]).exits(2);
    let marker = dir.path().display().to_string();
    assert_eq!(crate::killed::processes(&marker), Vec::<std::path::PathBuf>::new());
}
