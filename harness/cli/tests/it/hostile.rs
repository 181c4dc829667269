//! When the environment lets us down: one clear line, the right exit code, nothing lost.

mod clients;
mod systems;

use std::net::TcpListener;

use crate::harness::{alone, danso, shell, turn};

#[test]
fn a_taken_port_is_named() {
    let _turn = alone();
    let dir = tempfile::tempdir().unwrap();
    // The wildcard address takes the port on every loopback address.
    let port = 7400;
    let Ok(_taken) = TcpListener::bind(("0.0.0.0", port)) else {
        println!("skipped: port {port} is in use by somebody else");
        return;
    };
    let args = ["run", "raft-kv", "--network", "none", "--faults", "none", "--time", "2s"];
    let said = danso(dir.path(), &args);
    said.exits(255).says("7400");
    assert_eq!(said.err.trim().lines().count(), 1, "{}", said.err);
}

#[test]
fn a_full_disk_ends_the_run_and_keeps_the_history() {
    let _turn = turn();
    let dir = tempfile::tempdir().unwrap();
    // Node data lives on the full disk too, so a target without nodes shows the recorder alone.
    let script = "
        mkdir small
        unshare --mount sh -ec '
            mount -t tmpfs -o size=3m tmpfs small
            set +e
            \"$DANSO\" run noop --time 60s --network none --out small; echo \"run $?\"
            rm -f small/noop/*/results.json small/noop/*/report.html
            \"$DANSO\" check small/noop/*; echo \"check $?\"
        '";
    let said = shell(dir.path(), script);
    if said.code != Some(0) {
        println!("skipped: no mount namespace here: {}", said.err);
        return;
    }
    said.says("run 255").says("No space left on device").says("check 2");
    said.says("operations, checked in");
}
