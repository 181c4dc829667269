//! Bad usage: one clear line, exit 254; and what needs no cluster.

use crate::harness::{DANSO, danso, project, shell};

#[track_caller]
fn refused(args: &[&str], say: &[&str]) {
    let dir = tempfile::tempdir().unwrap();
    let said = danso(dir.path(), args);
    said.exits(254);
    for text in say {
        said.says(text);
    }
    assert!(!said.err.contains("panicked"), "{}", said.err);
    assert!(!dir.path().join("danso-runs").exists(), "nothing has started");
}

#[test]
fn unknown_names_are_refused_with_the_nearest() {
    refused(&["run", "raft-vk"], &["no target `raft-vk`", "raft-kv"]);
    refused(&["run", "raft-kv", "--workload", "registre"], &["no workload", "register"]);
    refused(&["run", "raft-kv", "--faults", "partitoin"], &["no fault", "partition"]);
    refused(&["run", "raft-kv", "--bug", "stale-raed"], &["stale-read"]);
    refused(&["run", "raft-kv", "--network", "wifi"], &["wifi", "switch"]);
    refused(&["check", "x.jsonl", "--model", "registr"], &["no model", "register"]);
    refused(&["node", "mysql"], &["no target"]);
}

#[test]
fn bad_flags_are_254_not_2() {
    refused(&["run", "raft-kv", "--frobnicate"], &["--frobnicate"]);
    refused(&["frobnicate"], &["frobnicate"]);
    refused(&[], &["Usage"]);
    refused(&["run"], &["Usage"]);
    refused(&["run", "raft-kv", "--seed", "x"], &["--seed"]);
    refused(&["run", "raft-kv", "--time", "20"], &["write 30s"]);
    refused(&["run", "raft-kv", "--time", "0s"], &["tests nothing"]);
    refused(&["run", "raft-kv", "--set", "params.kesy=4"], &["kesy", "keys"]);
    refused(&["run", "raft-kv", "--set", "options.hartbeat=4"], &["hartbeat"]);
    refused(&["run", "raft-kv", "--timeout", "soon"], &["--timeout"]);
    refused(&["run", "raft-kv", "--memory", "much"], &["--memory"]);
}

#[test]
fn impossible_sizes_are_refused() {
    refused(&["run", "raft-kv", "--nodes", "4"], &["3, 5, 7", "not with 4"]);
    refused(&["run", "raft-kv", "--nodes", "0"], &["not with 0"]);
    refused(&["run", "raft-kv", "--processes", "0"], &["0 processes"]);
    refused(&["run", "raft-kv", "--time", "100ms", "--faults", "kill"], &["too short"]);
    refused(
        &["run", "raft-kv", "--network", "none", "--faults", "partition"],
        &["`cut`", "switch"],
    );
}

#[test]
fn an_unwritable_folder_is_refused_before_anything_starts() {
    let dir = tempfile::tempdir().unwrap();
    let said = danso(dir.path(), &["run", "raft-kv", "--out", "/dev/null/here"]);
    said.exits(254).says("--out /dev/null/here");
}

#[test]
fn help_and_version_are_success() {
    let dir = tempfile::tempdir().unwrap();
    for args in [&["--help"][..], &["--version"], &["run", "--help"], &["help", "check"]] {
        danso(dir.path(), args).exits(0);
    }
    danso(dir.path(), &["run", "--help"]).says("Examples:").says("danso run raft-kv --bug");
    danso(dir.path(), &["--help"]).says("254 bad usage");
}

#[test]
fn what_there_is_can_be_listed() {
    let dir = tempfile::tempdir().unwrap();
    let list = |what| danso(dir.path(), &["list", what]);
    list("targets").exits(0).says("raft-kv").says("--bug stale-read");
    list("workloads").exits(0).says("register").says("params.keys");
    list("faults").exits(0).says("partition").says("majorities-ring").says("on");
    list("checkers").exits(0).says("linearizable").says("coverage");
    list("models").exits(0).says("cas-register").says("set-full").says("lin-bank");
    danso(dir.path(), &["doctor"]).exits(0).says("proxy");
    danso(dir.path(), &["doctor", "--clean"]).exits(0);
}

#[test]
fn the_same_seed_gives_the_same_plan() {
    let dir = tempfile::tempdir().unwrap();
    let plan = |seed| danso(dir.path(), &["plan", "raft-kv", "--seed", seed, "--json"]);
    let (a, b, c) = (plan("7"), plan("7"), plan("8"));
    a.exits(0);
    assert_eq!(a.out, b.out);
    assert_ne!(a.out, c.out);
    assert!(a.out.starts_with("{\n  \"format\": 1"));
    let drawn = danso(dir.path(), &["plan", "raft-kv"]);
    drawn.exits(0).says("seed ");
}

#[test]
fn mistakes_in_a_test_file_name_their_place() {
    let dir = tempfile::tempdir().unwrap();
    let refused = |text: &str, say: &[&str]| {
        std::fs::write(dir.path().join("t.toml"), text).unwrap();
        let said = danso(dir.path(), &["run", "t.toml"]);
        said.exits(254);
        for text in say {
            said.says(text);
        }
    };
    let target = "[target]\nkind = \"raft-kv\"\n";
    refused(&format!("{target}nods = 3\n"), &["t.toml:3:1", "nods"]);
    refused("[target]\nkind = \"raft\"\n", &["t.toml:2:8", "raft-kv"]);
    refused(&format!("workload = \"x\"\n{target}"), &["t.toml:1:12", "register"]);
    refused(&format!("{target}[[fault]]\nkind = \"kil\"\n"), &["t.toml:3:1", "kill"]);
    refused(
        &format!("{target}[[fault]]\nkind = \"kill\"\nargs = {{ evry = \"3s\" }}\n"),
        &["t.toml:3:1", "no argument `evry`", "every"],
    );
    refused(
        &format!("{target}[[fault]]\nkind = \"kill\"\nargs = {{ every = \"300s\" }}\n"),
        &["t.toml:3:1", "no window"],
    );
    let said = danso(dir.path(), &["run", "missing.toml"]);
    said.exits(254).says("missing.toml");
}

#[test]
fn what_target_and_workload_are_both_told_is_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let plan = |sets: &[&str]| {
        let sets = sets.iter().flat_map(|set| ["--set", set]);
        let args: Vec<&str> =
            ["plan", "two-phase", "--faults", "none"].into_iter().chain(sets).collect();
        danso(dir.path(), &args)
    };
    plan(&["params.accounts=5"]).exits(0);
    plan(&["params.total=90", "options.total=90"]).exits(0);
    plan(&["params.total=90", "options.total=80"]).exits(254).says("give one of them");
}

#[test]
fn every_shipped_test_file_can_be_planned() {
    for path in crate::canaries::files().into_iter().map(|canary| canary.path) {
        danso(&project(), &["plan", path.to_str().unwrap(), "--seed", "1"]).exits(0);
    }
}

#[test]
fn histories_from_anywhere_are_judged_or_refused_with_their_place() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("h.jsonl");
    let line = |process: u32, kind: &str, f: &str, value: &str, time: u32| {
        format!(
            "{{\"process\":{process},\"type\":\"{kind}\",\"f\":\"{f}\",\"value\":{value},\"time\":{time}}}\n"
        )
    };
    let write = line(0, "invoke", "write", "1", 1) + &line(0, "ok", "write", "null", 2);
    let good =
        write.clone() + &line(1, "invoke", "read", "null", 3) + &line(1, "ok", "read", "1", 4);
    let bad = write + &line(1, "invoke", "read", "null", 3) + &line(1, "ok", "read", "null", 4);
    let check = |text: &str, more: &[&str]| {
        std::fs::write(&path, text).unwrap();
        let mut args = vec!["check", "h.jsonl", "--model", "register"];
        args.extend(more);
        danso(dir.path(), &args)
    };
    check(&good, &[]).exits(0);
    check(&bad, &[]).exits(1).says("stale-read");
    check(&bad, &["--report", "r.html"]).exits(1);
    assert!(std::fs::read_to_string(dir.path().join("r.html")).unwrap().contains("stale-read"));
    let json = check(&bad, &["--json"]);
    let json: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(json["verdict"], "invalid");
    check(&line(1, "invoke", "read", "null", 3).repeat(2), &[])
        .exits(254)
        .says("h.jsonl:2:")
        .says("still open");
    check("{\"process\":0,", &[]).exits(254).says("h.jsonl:1:");
    check("", &[]).exits(2).says("no operation");
    std::fs::write(&path, &good).unwrap();
    danso(dir.path(), &["check", "h.jsonl"]).exits(254).says("--model");
    danso(dir.path(), &["check", "none.jsonl", "--model", "register"])
        .exits(254)
        .says("none.jsonl");
    std::fs::write(dir.path().join("b.jsonl"), &bad).unwrap();
    let many = ["check", "h.jsonl", "none.jsonl", "b.jsonl", "--model", "register"];
    danso(dir.path(), &many).exits(254).says("stale-read").says("none.jsonl");
    danso(dir.path(), &["check", "h.jsonl", "b.jsonl", "--model", "register"]).exits(1);
}

#[test]
fn accounts_are_checked_by_name() {
    let check = |file: &str, args: &[&str]| {
        let mut all = vec!["check", file];
        all.extend(args);
        danso(&project(), &all)
    };
    check("ci/examples/set-replicas.jsonl", &["--model", "set"])
        .exits(1)
        .says("the final read of n3")
        .says("lost-element")
        .says("divergence");
    check("ci/examples/set-full.edn", &["--model", "set-full"])
        .exits(1)
        .says("duplicate-element")
        .says("add of 3 (#6) was acknowledged");
    // Nobody said what there was, and two snapshots disagree.
    check("ci/examples/bank.edn", &["--model", "bank"]).exits(1).says("wrong-total");
    let total = ["--model", "bank", "--initial", r#"{"0": 10, "1": 10}"#];
    check("ci/examples/bank.edn", &total).exits(1).says("p1's read (#1)").says("add up to 16");
    check("ci/examples/bank.edn", &["--model", "lin-bank", "--initial", r#"{"0": 10, "1": 10}"#])
        .exits(1);
    check("ci/examples/long-fork.edn", &["--model", "long-fork"]).exits(1).says("long-fork");
    let leased = |lease| check("ci/examples/lock.jsonl", &["--model", "lock", "--initial", lease]);
    leased("10000000").exits(1).says("stale-holder-accepted");
    leased("12000000").exits(1).says("two-holders").says("stale-holder-accepted");
    check("ci/examples/queue.jsonl", &["--model", "set"]).exits(2).says("no add and no read");
}

#[test]
fn a_reader_that_leaves_is_no_defect() {
    let dir = tempfile::tempdir().unwrap();
    let check = format!("{DANSO} check {}", project().join("ci/examples/queue.jsonl").display());
    let said = shell(dir.path(), &format!("{check} --model queue | true; exit ${{PIPESTATUS[0]}}"));
    assert!(matches!(said.code, Some(1 | 141)), "{:?} {}", said.code, said.err);
    assert!(!said.err.contains("panicked"), "{}", said.err);
}

#[test]
fn output_that_cannot_be_written_is_said_and_is_no_verdict() {
    let dir = tempfile::tempdir().unwrap();
    let check = format!("{DANSO} check {}", project().join("ci/examples/queue.jsonl").display());
    let said = shell(dir.path(), &format!("{check} --model queue > /dev/full"));
    assert_eq!(said.code, Some(255), "{}", said.err);
    assert!(said.err.contains("free some space"), "{}", said.err);
    assert!(!said.err.contains("panicked"), "{}", said.err);
}
