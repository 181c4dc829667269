//! What a history tells beside operations and faults: nodes down and up, paused and resumed, who
//! leads, what their clocks say; and that nobody is misled by it.

use std::path::Path;

use serde_json::{Value, json};

use crate::harness::{danso, latest, results, turn};

/// The nemesis' lines of a history, with the times of `load` and `end`.
fn notes(run: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(run.join("history.jsonl")).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["process"] == "nemesis").collect()
}

/// What was noted of a node during the load, of these kinds, in order.
fn story<'n>(notes: &'n [Value], node: &str, kinds: &[&str]) -> Vec<&'n str> {
    let load = notes.iter().skip_while(|n| n["value"] != "load");
    let about = load.filter(|n| n["nodes"] == json!([node]));
    about.filter_map(|n| n["f"].as_str()).filter(|f| kinds.contains(f)).collect()
}

#[test]
fn a_history_tells_what_became_of_the_nodes() {
    let _turn = turn();
    let dir = tempfile::tempdir().unwrap();
    let test = r#"
        workload = "register"
        load = { processes = 4, rate = 100, time = "7s" }
        [target]
        kind = "raft-kv"
        [[fault]]
        kind = "kill"
        args = { nodes = "n1", at = ["500ms"], for = "1s" }
        [[fault]]
        kind = "pause"
        args = { nodes = "n2", at = ["2s"], for = "1s" }
        [[fault]]
        kind = "crash-loop"
        args = { nodes = "n3", at = ["4s"], for = "1500ms", period = "500ms" }
        [[fault]]
        kind = "clock"
        args = { nodes = "n1", mode = "bump", by = "90s", at = ["3s"], for = "3s" }
    "#;
    std::fs::write(dir.path().join("t.toml"), test).unwrap();
    let said = danso(dir.path(), &["run", "t.toml", "--seed", "1"]);
    if said.code == Some(254) && said.err.contains("clock") {
        return println!("skipped: {}", said.err);
    }
    let run = latest(dir.path());
    let before = results(&run);
    let notes = notes(&run);
    let ends = ["node-down", "node-up", "node-crashed"];
    assert_eq!(story(&notes, "n1", &ends), ["node-down", "node-up"], "kill");
    assert_eq!(story(&notes, "n2", &["node-paused", "node-resumed"]).len(), 2, "pause");
    assert_eq!(story(&notes, "n2", &["node-paused", "node-resumed"])[0], "node-paused");
    let looped = story(&notes, "n3", &ends);
    assert!(!looped.is_empty());
    assert!(looped.chunks(2).all(|round| round == ["node-down", "node-up"]), "{looped:?}");
    let kinds = |kind: &str| notes.iter().filter(|n| n["f"] == kind).collect::<Vec<_>>();
    for down in kinds("node-down") {
        assert_eq!(down["value"], "signal 9 (SIGKILL)");
    }
    let leads = kinds("leader");
    assert!(leads.iter().any(|n| n["nodes"].as_array().is_some_and(|n| n.len() == 1)));
    assert!(leads.windows(2).all(|pair| pair[0]["nodes"] != pair[1]["nodes"]), "only changes");
    let offset = |node: &str| {
        let read = kinds("clock-offset").into_iter().filter(|n| n["nodes"] == json!([node]));
        read.map(|n| n["value"].as_i64().unwrap()).max().unwrap()
    };
    assert_eq!((offset("n1"), offset("n2")), (90_000_000_000, 0));

    // Whoever reads the history again says the same.
    let folder = run.display().to_string();
    let again = danso(dir.path(), &["check", &folder, "--json"]);
    assert_eq!(again.code, said.code, "{}", again.err);
    let after: Value = serde_json::from_str(&again.out).unwrap();
    assert_eq!(after["verdict"], before["verdict"], "{}", said.out);
    assert_eq!(before["faults"].as_array().map(Vec::len), Some(4), "notes are no faults");
}
