//! Nodes that speak Maelstrom's protocol: those of `docs/examples/maelstrom`, and hostile ones.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::harness::{Said, danso, latest, project, quick, results, turn};

/// Runs the test file of an example; `command` instead of its own, if one is given.
fn example(name: &str, command: Option<&str>, more: &[&str]) -> (Said, serde_json::Value) {
    let dir = tempfile::tempdir().unwrap();
    let file = project().join(format!("docs/examples/maelstrom/{name}.toml"));
    let file = file.to_string_lossy().into_owned();
    let command = command.map(|command| format!("target.command={command}"));
    let mut args = vec!["run", &file];
    args.extend(command.iter().flat_map(|command| ["--set", command]));
    args.extend(more);
    let said = danso(dir.path(), &args);
    println!("{}{}", said.out, said.err);
    let results = results(&latest(dir.path()));
    (said, results)
}

/// Whether there is an anomaly of one of these names.
fn found(results: &serde_json::Value, names: &[&str]) -> bool {
    let text = results.to_string();
    names.iter().any(|name| text.contains(&format!("\"name\":\"{name}\"")))
}

/// The example works, with its faults; with this command it does not.
fn holds_but_not(name: &str, command: Option<&str>, names: &[&str]) {
    let _turn = turn();
    example(name, None, &[]).0.exits(0);
    let Some(command) = command.filter(|_| !quick()) else { return };
    let (said, results) = example(name, Some(command), &[]);
    said.exits(1);
    assert!(found(&results, names), "{}", said.out);
}

#[test]
fn echo() {
    holds_but_not("echo", None, &[]);
}

#[test]
fn ids_without_the_name_of_their_node_are_not_unique() {
    holds_but_not("unique_ids", Some(r#"["./unique_ids.py","--forget"]"#), &["duplicate-id"]);
}

#[test]
fn a_broadcast_that_does_not_try_again_is_lost() {
    let command = r#"["./broadcast.py","--once"]"#;
    holds_but_not("broadcast", Some(command), &["lost-element", "divergence"]);
}

#[test]
fn a_set_that_tells_everybody_converges() {
    holds_but_not("g_set", None, &[]);
}

#[test]
fn a_counter_that_overwrites_what_others_added_is_wrong() {
    holds_but_not(
        "counter",
        Some(r#"["./counter.py","--shared"]"#),
        &["wrong-sum", "divergence", "lost-increment"],
    );
}

#[test]
fn a_store_that_answers_from_a_cache_is_stale() {
    holds_but_not("lin_kv", Some(r#"["./lin_kv.py","--cache"]"#), &["stale-read", "lost-write"]);
}

#[test]
fn a_log_that_forgets_messages_loses_writes() {
    holds_but_not("kafka", Some(r#"["./kafka.py","--lossy"]"#), &["lost-write"]);
}

#[test]
fn transactions_are_never_valid_but_dirty_ones_are_found() {
    let _turn = turn();
    example("txn", None, &[]).0.exits(2).says("cycles");
    let (said, results) = example("txn", Some(r#"["./txn.py","--dirty"]"#), &[]);
    said.exits(1);
    assert!(found(&results, &["G1a"]), "{}", said.out);
}

/// A program for a test, as a file that can be run.
fn program(dir: &Path, text: &str) -> String {
    let path = dir.join("node");
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path.to_string_lossy().into_owned()
}

/// Runs a program as three nodes of `echo`.
fn nodes(dir: &Path, text: &str, more: &[&str]) -> Said {
    let bin = program(dir, text);
    let mut args = vec!["maelstrom", "test", "-w", "echo", "--bin", &bin, "--node-count", "3"];
    args.extend(["--time-limit", "3", "--rate", "30", "--concurrency", "3"]);
    args.extend(more);
    danso(dir, &args)
}

#[test]
fn a_program_that_does_not_come_up_is_named() {
    let _turn = turn();
    let dir = tempfile::tempdir().unwrap();
    let fails = |text: &str, why: &str| {
        nodes(dir.path(), text, &[]).exits(255).says(why);
    };
    fails("#!/bin/sh\necho hello world\nexec cat\n", "printed \"hello world\"");
    fails("#!/bin/sh\nexit 3\n", "ended with exit status: 3");
    fails("#!/no/such/shell\n", "cannot start");
    fails("#!/bin/sh\nexec cat /dev/zero\n", "longer than 16 MiB");
    fails("#!/bin/sh\nprintf '\\377\\376\\n'\nexec cat\n", "is no message");
    fails(
        "#!/bin/sh\necho '{\"src\":\"n1\",\"dest\":\"n7\",\"body\":{}}'\nexec cat\n",
        "to `n7`, whom there is not",
    );
}

/// A node that counts what it is told, and does something odd.
const ECHO: &str = r#"#!/usr/bin/env python3
import json, sys
n = 0
for line in sys.stdin:
    m = json.loads(line); b = m["body"]; n += 1
    r = {"type": b["type"] + "_ok", "in_reply_to": b["msg_id"], "echo": b.get("echo")}
    ODD
    print(json.dumps({"src": m["dest"], "dest": m["src"], "body": r}), flush=True)
"#;

#[test]
fn odd_answers_have_the_outcome_they_should() {
    let _turn = turn();
    let dir = tempfile::tempdir().unwrap();
    let run = |odd: &str| {
        let said = nodes(dir.path(), &ECHO.replace("ODD", odd), &[]);
        let results = results(&latest(dir.path()));
        (said, results["counts"]["echo"].clone())
    };
    // An error with code 13: nobody knows. With 11: it did not happen.
    let sometimes =
        |body: &str| format!(r#"if n in (5, 9, 13): r = {{"in_reply_to": b["msg_id"], {body}}}"#);
    let (said, counts) = run(&sometimes(r#""type": "error", "code": 13"#));
    said.exits(0);
    assert!(counts["info"].as_u64() > Some(0) && counts["fail"] == 0, "{counts}");
    let (said, counts) = run(&sometimes(r#""type": "error", "code": 11"#));
    said.exits(0);
    assert!(counts["fail"].as_u64() > Some(0) && counts["info"] == 0, "{counts}");
    let (said, counts) = run(&sometimes(r#""type": "ecoh_ok""#));
    said.exits(0);
    assert!(counts["info"].as_u64() > Some(0) && counts["fail"] == 0, "{counts}");
    let (said, _) = run(r#"if "echo" in b: r["echo"] = b["echo"][:-1]"#);
    said.exits(1).says("was said, but");
    // One that prints what it thinks ends the node, in the middle of the run.
    let (said, _) = run(r#"if b["msg_id"] == 12: print("hm")"#);
    said.exits(1).says("node-crashed").says("printed \"hm\"");
}

#[test]
fn no_message_is_lost_where_no_fault_is_at_work() {
    let _turn = turn();
    if quick() {
        println!("skipped (quick)");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    // A value is known to a node only if it has heard it 300 times of the one that was given it.
    let bin = program(
        dir.path(),
        r#"#!/usr/bin/env python3
import json, sys
seen, heard, me, ids = set(), {}, None, []
def out(dest, body): sys.stdout.write(json.dumps({"src": me, "dest": dest, "body": body}) + "\n")
for line in sys.stdin:
    m = json.loads(line); b = m["body"]; t = b["type"]
    r = {"type": t + "_ok", "in_reply_to": b.get("msg_id")}
    if t == "init": me, ids = b["node_id"], b["node_ids"]
    elif t == "broadcast":
        seen.add(b["message"])
        for i in range(300):
            for other in ids:
                if other != me: out(other, {"type": "part", "value": b["message"], "pad": "x" * 100})
    elif t == "read": r["messages"] = sorted(seen)
    elif t == "part":
        heard[b["value"]] = heard.get(b["value"], 0) + 1
        if heard[b["value"]] == 300: seen.add(b["value"])
        continue
    out(m["src"], r)
    sys.stdout.flush()
"#,
    );
    let args = ["maelstrom", "test", "-w", "broadcast", "--bin", &bin, "--node-count", "4"];
    let said = danso(dir.path(), &[&args[..], &["--time-limit", "4", "--rate", "10"]].concat());
    said.exits(0);
}

#[test]
fn a_test_file_that_makes_no_sense_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let refused = |workload: &str, target: &str, more: &str, why: &str| {
        let text = format!(
            "workload = \"{workload}\"\n[target]\nkind = \"maelstrom\"\ncommand = [\"cat\"]\n{target}\n{more}\n"
        );
        std::fs::write(dir.path().join("t.toml"), text).unwrap();
        danso(dir.path(), &["plan", "t.toml"]).exits(254).says(why);
    };
    refused("brodcast", "", "", "did you mean `broadcast`?");
    refused("broadcast", "topology = \"ring\"", "", "ring");
    refused("broadcast", "definite = [13]", "", "the meaning of 13 is fixed");
    refused("broadcast", "first = 2", "", "the first node is n2");
    refused("g-counter", "", "[params]\nkeys = 4", "leave it out");
    refused("broadcast", "", "[client]\nkind = \"http\"", "leave [client] out");
}
