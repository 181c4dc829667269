//! `danso shrink`: small histories that still are invalid, small tests that still show it.

use std::fmt::Write;
use std::path::Path;

use crate::harness::{danso, latest, project, quick, results, turn};

fn example(name: &str) -> String {
    project().join("ci/examples").join(name).to_string_lossy().into_owned()
}

#[test]
fn what_is_left_of_a_history_proves_the_same() {
    let dir = tempfile::tempdir().unwrap();
    for (history, model, anomaly) in
        [("stale-read.edn", "cas-register", "stale-read"), ("queue.jsonl", "queue", "reordered")]
    {
        let history = example(history);
        let report = ["--report", "small.html"];
        let args = [&["shrink", &history, "--model", model], &report[..]].concat();
        let said = danso(dir.path(), &args);
        said.exits(1).says(anomaly).says("shrunk.jsonl").says("minimal");
        let check = said.out.lines().find_map(|line| line.strip_prefix("check       danso "));
        let check: Vec<&str> = check.unwrap().split(' ').collect();
        danso(dir.path(), &check).exits(1).says(anomaly);
        let html = std::fs::read_to_string(dir.path().join("small.html")).unwrap();
        assert!(html.contains(anomaly));
    }
}

/// A register under ten clients, one of whom at last reads what was overwritten long ago.
fn long(ops: u32) -> String {
    let mut lines = String::new();
    let mut line = |time: u32, process: u32, kind: &str, f: &str, value: String| {
        let at = format!("\"time\":{time},\"process\":{process},\"type\":\"{kind}\"");
        writeln!(lines, "{{{at},\"f\":\"{f}\",\"value\":{value}}}").unwrap();
    };
    for i in 0..ops / 10 {
        // One writes; then nine read what it wrote, all at once.
        let (time, last) = (100 * i, i + 1 == ops / 10);
        line(time, 0, "invoke", "write", i.to_string());
        line(time + 10, 0, "ok", "write", i.to_string());
        (1..10).for_each(|p| line(time + 20 + p, p, "invoke", "read", "null".to_owned()));
        for p in 1..10 {
            let seen = if last && p == 7 { i / 2 } else { i };
            line(time + 40 + p, p, "ok", "read", seen.to_string());
        }
    }
    lines
}

#[test]
fn of_ten_thousand_operations_six_are_left_at_most() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("long.jsonl"), long(10_000)).unwrap();
    let said = danso(dir.path(), &["shrink", "long.jsonl", "--model", "register", "--json"]);
    let told: serde_json::Value = serde_json::from_str(&said.exits(1).out).unwrap();
    assert_eq!(told["of"], 10_000);
    assert!(told["operations"].as_u64().is_some_and(|left| left <= 6), "{told:#}");
    assert_eq!(told["minimal"], true);
    danso(dir.path(), &["check", "shrunk.jsonl", "--model", "register"]).exits(1);
}

#[test]
fn what_cannot_be_shrunk_is_refused_with_the_reason() {
    let dir = tempfile::tempdir().unwrap();
    let shrink = |args: &[&str]| danso(dir.path(), &[&["shrink"], args].concat());
    let (bank, register) = (example("bank.edn"), example("stale-read.edn"));
    shrink(&[&bank, "--model", "bank"]).exits(254).says("cannot be shrunk");
    shrink(&[&register]).exits(254).says("--model");
    shrink(&[&register, "--model", "registr"]).exits(254).says("did you mean `register`");
    shrink(&["nowhere.jsonl", "--model", "register"]).exits(254).says("nowhere.jsonl");
    shrink(&[&register, "--schedule", "--model", "register"]).exits(254).says("--schedule");
    shrink(&[&register, "--confirm", "3"]).exits(254).says("--schedule");
    shrink(&[&register, "--schedule", "--test", "t.json"]).exits(254).says("end in .toml");
    let valid = "{\"process\":0,\"type\":\"invoke\",\"f\":\"write\",\"value\":1}\n\
                 {\"process\":0,\"type\":\"ok\",\"f\":\"write\",\"value\":1}\n";
    std::fs::write(dir.path().join("valid.jsonl"), valid).unwrap();
    shrink(&["valid.jsonl", "--model", "register"]).exits(0).says("nothing to shrink");
    assert!(!dir.path().join("shrunk.jsonl").exists());
}

/// A run of `test` in which its bug shows.
fn invalid(dir: &Path, test: &str) {
    let shows = (1..8)
        .any(|seed: u32| danso(dir, &["run", test, "--seed", &seed.to_string()]).code == Some(1));
    assert!(shows, "{test} never shows its bug");
}

#[test]
fn a_planted_bug_becomes_a_small_test() {
    if quick() {
        return;
    }
    let _turn = turn();
    let dir = tempfile::tempdir().unwrap();
    let canary = project().join("ci/canary/raft-kv/stale-read.toml");
    invalid(dir.path(), &canary.to_string_lossy());
    let run = latest(dir.path()).display().to_string();
    // The history of a run folder, which knows by itself what it is of.
    danso(dir.path(), &["shrink", &run]).exits(1).says("minimal");
    danso(dir.path(), &["check", "shrunk.jsonl", "--model", "cas-register"]).exits(1);
    let budget = ["--tries", "1", "--confirm", "1", "--budget", "40s", "--test", "small.toml"];
    let said = danso(dir.path(), &[&["shrink", &run, "--schedule"], &budget[..]].concat());
    said.exits_with_any(&[1, 2]);
    if said.code == Some(2) {
        said.says("did not show it again");
        return;
    }
    let before = results(&latest(dir.path()))["faults"].as_array().unwrap().len();
    let small = danso(dir.path(), &["plan", "small.toml", "--json"]);
    let plan: serde_json::Value = serde_json::from_str(&small.exits(0).out).unwrap();
    let left = plan["schedule"].as_array().unwrap().len();
    // How far it gets in that time is the machine's affair.
    assert!(left <= before && said.out.contains("smallest"), "{}\n{}", said.out, small.out);
    assert_eq!(plan["expect"]["verdict"], "invalid");
    let text = std::fs::read_to_string(dir.path().join("small.toml")).unwrap();
    assert!(text.starts_with("# ") && text.contains("danso shrink"), "{text}");
}
