//! `--check-live` ends the load of a broken target and leaves a healthy one alone.

use crate::harness::{danso, latest, project, results, turn};

/// Seeds tried until the bug shows.
const SEEDS: [&str; 3] = ["1", "2", "3"];

#[test]
fn a_violation_ends_the_load_and_the_report_is_complete() {
    let _turn = turn();
    let canary = project().join("ci/canary/raft-kv/stale-read.toml");
    let canary = canary.to_str().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let found = SEEDS.iter().find(|seed| {
        let args = ["run", canary, "--time", "60s", "--check-live", "--seed", seed];
        let said = danso(dir.path(), &args);
        let results = results(&latest(dir.path()));
        let why = results["interrupted"].as_str().unwrap_or_default();
        println!("seed {seed}: exit {:?}, {why}", said.code);
        if said.code != Some(1) {
            return false;
        }
        said.says("stopped after").says("operation #");
        assert!(why.starts_with("stopped after"), "{why}");
        assert_eq!(results["environment"]["live check"], why);
        // Everything after the load went on as usual.
        let run = latest(dir.path());
        let history = std::fs::read_to_string(run.join("history.jsonl")).unwrap();
        for phase in ["heal", "closing", "end"] {
            assert!(history.contains(&format!("\"value\":\"{phase}\"")), "{phase}");
        }
        assert!(run.join("report.html").exists());
        danso(dir.path(), &["check", "danso-runs/latest"]).exits(1);
        true
    });
    assert!(found.is_some(), "no seed of {SEEDS:?} shows the bug");
}

#[test]
fn a_healthy_run_goes_on_to_its_end() {
    let _turn = turn();
    let dir = tempfile::tempdir().unwrap();
    let args =
        ["run", "raft-kv", "--time", "5s", "--rate", "300", "--faults", "kill", "--seed", "5"];
    danso(dir.path(), &[&args[..], &["--check-live"]].concat()).exits(0).says("no violation in");
    let results = results(&latest(dir.path()));
    assert_eq!(results["interrupted"], serde_json::Value::Null);
    let said = results["environment"]["live check"].as_str().unwrap();
    assert!(said.starts_with("no violation in") && !said.contains(';'), "{said}");
}
