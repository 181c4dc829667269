//! Every planted bug is found with its named anomaly, and its healthy twin is valid.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::{DANSO, Said, alone, danso, latest, project, quick, shell, turn};

/// A planted bug, `ci/canary/TARGET/BUG.toml`, or a system as it is, `ci/modes/NAME.toml`.
pub(crate) struct Canary {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
}

/// All of them, by name.
pub(crate) fn files() -> Vec<Canary> {
    let entries = |dir: &Path| {
        let mut found: Vec<_> =
            std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
        found.sort();
        found
    };
    let folder = project().join("ci/canary");
    let targets = entries(&folder).into_iter().filter(|p| p.is_dir());
    let modes = project().join("ci/modes");
    let files = targets.chain([modes]).flat_map(|target| entries(&target));
    let tests = files.filter(|p| p.extension().is_some_and(|e| e == "toml"));
    let named = tests.map(|path| {
        let ci = project().join("ci");
        let name = path.strip_prefix(&folder).or_else(|_| path.strip_prefix(ci));
        let name = name.unwrap().with_extension("");
        Canary { name: name.to_string_lossy().into_owned(), path }
    });
    named.collect()
}

#[test]
fn every_bug_has_a_canary() {
    let dir = tempfile::tempdir().unwrap();
    let listed = danso(dir.path(), &["list", "targets"]).out;
    let canaries: Vec<String> = files().into_iter().map(|canary| canary.name).collect();
    let mut target = "";
    let mut bugs = 0;
    for line in listed.lines() {
        let first = line.split_whitespace().next().unwrap_or_default();
        if !line.starts_with(' ') {
            target = first;
        }
        if let Some(bug) = line.trim().strip_prefix("--bug ") {
            let name = format!("{target}/{}", bug.split_whitespace().next().unwrap());
            assert!(canaries.contains(&name), "{name} has no ci/canary/{name}.toml");
            bugs += 1;
        }
    }
    assert!(bugs >= 6, "{bugs}");
}

#[test]
fn every_expected_anomaly_is_one_that_somebody_can_find() {
    let listed = danso(&project(), &["list", "workloads"]).out;
    let known: Vec<&str> = listed
        .lines()
        .filter_map(|l| l.trim().strip_prefix("can find: "))
        .flat_map(|l| l.split(", "))
        .collect();
    for canary in files() {
        let text = std::fs::read_to_string(&canary.path).unwrap();
        for line in text.lines().filter_map(|l| l.strip_prefix("anomaly = ")) {
            for name in line.split('"').skip(1).step_by(2) {
                assert!(known.contains(&name), "{}: {name} is in no list", canary.name);
            }
        }
    }
}

#[test]
fn canaries() {
    let _turn = alone();
    let only = if quick() { "raft-kv/stale-read" } else { "" };
    let mut command = Command::new(project().join("ci/canary/run"));
    command.args(["--quick", "--jobs", "4"]).args(only.split_whitespace());
    let said = Said::of(&command.env("DANSO", DANSO).output().unwrap());
    println!("{}\n{}", said.out, said.err);
    said.exits(0);
}

#[test]
fn a_canary_has_a_certificate() {
    let _turn = turn();
    let dir = tempfile::tempdir().unwrap();
    let canary = project().join("ci/canary/raft-kv/stale-read.toml");
    for bug in ["", "--bug none"] {
        let ran = format!("$DANSO run {} {bug} --seed 1 || true", canary.display());
        // The twin has no bug, but the file goes on to expect it.
        let expected = if bug.is_empty() { "expected    " } else { "expected    not met: " };
        shell(dir.path(), &ran).says(expected);
        let run = latest(dir.path()).display().to_string();
        let said = danso(dir.path(), &["check", &run, "--certificate", "proof.json"]);
        assert!(matches!(said.code, Some(0 | 1)), "{}\n{}", said.out, said.err);
        danso(dir.path(), &["verify", "proof.json", &run]).exits(0).says("verified: ");
    }
}
