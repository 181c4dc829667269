//! Whole runs.

use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::harness::{Said, alone, danso, latest, results, start, turn};

#[test]
fn a_run_leaves_a_complete_folder_that_can_be_checked_and_reported_again() {
    let _turn = turn();
    let dir = tempfile::tempdir().unwrap();
    let faults = "partition,kill,pause";
    let args =
        ["run", "raft-kv", "--time", "12s", "--rate", "300", "--seed", "5", "--faults", faults];
    let said = danso(dir.path(), &args);
    said.exits(0).says("seed 5:").says("report.html").says("reproduce   danso run raft-kv");
    let run = latest(dir.path());
    for file in
        ["plan.json", "history.jsonl", "results.json", "report.html", "undo.log", "danso.log"]
    {
        assert!(run.join(file).exists(), "{file}");
    }
    assert!(run.join("nodes/n1/stderr.log").exists());
    let results = results(&run);
    assert_eq!(results["verdict"], "valid");
    let faults = results["faults"].as_array().unwrap();
    assert!(faults.iter().all(|f| f["bit"] == true), "{faults:?}");
    for kind in ["partition", "kill", "pause"] {
        assert!(faults.iter().any(|f| f["kind"] == kind), "{kind}");
    }
    let planned = danso(dir.path(), &[&["plan"], &args[1..], &["--json"]].concat());
    assert_eq!(planned.out, std::fs::read_to_string(run.join("plan.json")).unwrap());

    danso(dir.path(), &["check", "danso-runs/latest"]).exits(0).says("linearizable");
    std::fs::remove_file(run.join("report.html")).unwrap();
    std::fs::remove_file(run.join("results.json")).unwrap();
    danso(dir.path(), &["report", "danso-runs/latest"]).exits(0);
    assert!(run.join("report.html").exists());
}

#[test]
fn a_stored_plan_runs_again() {
    let _turn = turn();
    let dir = tempfile::tempdir().unwrap();
    let args = ["plan", "raft-kv", "--time", "2s", "--faults", "none", "--rate", "200", "--json"];
    let planned = danso(dir.path(), &args);
    std::fs::write(dir.path().join("p.json"), &planned.out).unwrap();
    danso(dir.path(), &["run", "p.json"]).exits(0);
    let stored = std::fs::read_to_string(latest(dir.path()).join("plan.json")).unwrap();
    assert_eq!(stored, planned.out);
    danso(dir.path(), &["run", "p.json", "--nodes", "5"]).exits(254).says("complete");
}

#[test]
fn the_controller_alone_runs_without_nodes() {
    let _turn = turn();
    let dir = tempfile::tempdir().unwrap();
    danso(dir.path(), &["run", "noop", "--time", "500ms"]).exits(0).says("left out: kill");
}

#[test]
fn an_interrupted_run_heals_checks_and_reports() {
    let _turn = turn();
    let dir = tempfile::tempdir().unwrap();
    let child = start(dir.path(), &["run", "raft-kv", "--time", "60s", "--rate", "200"]);
    std::thread::sleep(Duration::from_secs(4));
    let since = Instant::now();
    kill(Pid::from_raw(child.id() as i32), Signal::SIGINT).unwrap();
    let said = Said::of(&child.wait_with_output().unwrap());
    assert!(since.elapsed() < Duration::from_secs(8), "{:?}", since.elapsed());
    said.exits(2).says("SIGINT").says("report.html");
    let run = latest(dir.path());
    assert_eq!(results(&run)["interrupted"], "SIGINT");
    assert!(std::fs::read_to_string(run.join("report.html")).unwrap().contains("SIGINT"));
}

#[test]
fn two_runs_at_once_do_not_disturb_each_other() {
    let _turn = turn();
    for network in ["auto", "proxy", "none"] {
        let dir = tempfile::tempdir().unwrap();
        let args = ["run", "raft-kv", "--time", "4s", "--rate", "100", "--faults"];
        let faults = if network == "none" { "kill" } else { "partition" };
        let args = [&args[..], &[faults, "--network", network]].concat();
        let (a, b) = (start(dir.path(), &args), start(dir.path(), &args));
        Said::of(&a.wait_with_output().unwrap()).exits(0);
        Said::of(&b.wait_with_output().unwrap()).exits(0);
        let runs = std::fs::read_dir(dir.path().join("danso-runs/raft-kv")).unwrap().count();
        assert_eq!(runs, 2, "a folder each");
    }
}

#[test]
fn the_cluster_is_up_and_down_within_two_seconds() {
    let _turn = alone();
    let dir = tempfile::tempdir().unwrap();
    danso(dir.path(), &["run", "raft-kv", "--time", "1s", "--faults", "none", "--rate", "100"])
        .exits(0);
    let environment = &results(&latest(dir.path()))["environment"];
    // Not a benchmark: a bound so wide that only a hang breaks it.
    for what in ["cluster ready after", "teardown"] {
        let text = environment[what].as_str().unwrap();
        let seconds: f64 = text.trim_end_matches(" s").parse().unwrap();
        println!("{what}: {text}");
        assert!(seconds < 6.0, "{what}: {text}");
    }
}
