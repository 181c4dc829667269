//! What clients of databases make of answers that are easily taken for something else, from real
//! servers where they are installed (`ci/external/install`).

use crate::harness::{danso, latest, project, turn};

/// Whether a PostgreSQL server can be run here, under its own user.
fn postgres() -> bool {
    let found = glob::glob("/usr/lib/postgresql/*/bin/postgres").unwrap().next().is_some();
    let root = nix::unistd::geteuid().is_root();
    if !found || !root {
        println!("skipped: postgres not installed, or not root; ci/external/install postgres");
    }
    found && root
}

/// PostgreSQL reports success, with a warning, if a commit's wait for its standby is cancelled.
/// The commit may be lost with the primary: it must not be recorded as `ok`.
#[test]
fn a_commit_whose_wait_for_standbys_is_cancelled_is_no_success() {
    if !postgres() {
        return;
    }
    let _turn = turn();
    let dir = tempfile::tempdir().unwrap();
    let script = project().join("targets/external/postgres/single.sh");
    // A synchronous standby that never comes, and somebody who cancels what waits for it.
    let cancel =
        "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = ''SyncRep''";
    let test = format!(
        r#"
        workload = "set"
        load = {{ processes = 3, rate = 30, time = "2s", timeout = "5s" }}
        faults = "none"
        [target]
        kind = "process"
        nodes = 1
        user = "postgres"
        ports = [5432]
        patience = "60s"
        command = ["sh", "-c", '''
            {} {{data}} {{ip}} {{port}} -c synchronous_standby_names=nobody &
            while sleep 0.1; do
                psql -h {{ip}} -p {{port}} -U postgres -Atqc "{}" >/dev/null 2>&1
            done''']
        ready = "run pg_isready -q -h {{ip}} -p {{port}}"
        stop = {{ signal = "SIGQUIT", grace = "5s" }}
        [client]
        kind = "postgres"
        user = "postgres"
        init = ["CREATE TABLE IF NOT EXISTS element (v bigint)"]
        [client.ops]
        add = {{ send = "INSERT INTO element VALUES ({{value}})", ok = "nil" }}
        read = {{ send = "SELECT v FROM element", ok = "rows" }}
        "#,
        script.display(),
        cancel.replace("''", "'"),
    );
    std::fs::write(dir.path().join("t.toml"), test).unwrap();
    // No add ever succeeded for certain.
    danso(dir.path(), &["run", "t.toml"]).exits(2);
    let history = std::fs::read_to_string(latest(dir.path()).join("history.jsonl")).unwrap();
    let adds: Vec<&str> = history.lines().filter(|line| line.contains(r#""f":"add""#)).collect();
    let doubted = adds.iter().filter(|line| line.contains(r#""error":"warned"#)).count();
    assert!(doubted > 0, "{history}");
    for line in adds {
        assert!(!line.contains(r#""type":"ok""#), "{line}");
        assert!(!line.contains("warned") || line.contains(r#""type":"info""#), "{line}");
    }
}
