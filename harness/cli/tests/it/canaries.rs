//! Every planted bug is found with its named anomaly, and its healthy twin is valid.

use std::path::{Path, PathBuf};

use crate::harness::{danso, latest, project, quick, results, turn};

/// Seeds tried until the bug shows. One is mostly enough; see ci/canary/README.md.
const SEEDS: [&str; 3] = ["1", "2", "3"];

fn files() -> Vec<(String, PathBuf)> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(project().join("ci/canary")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "toml") {
            files.push((path.file_stem().unwrap().to_string_lossy().into_owned(), path));
        }
    }
    files.sort();
    files
}

#[test]
fn every_bug_has_a_canary() {
    let dir = tempfile::tempdir().unwrap();
    let listed = danso(dir.path(), &["list", "targets"]).out;
    let bugs: Vec<&str> = listed
        .lines()
        .filter_map(|l| l.trim().strip_prefix("--bug ")?.split_whitespace().next())
        .collect();
    assert!(bugs.len() >= 6, "{bugs:?}");
    let canaries: Vec<String> = files().into_iter().map(|(name, _)| name).collect();
    for bug in bugs {
        assert!(canaries.iter().any(|c| c == bug), "{bug} has no ci/canary/{bug}.toml");
    }
}

#[test]
fn canaries() {
    let _turn = turn();
    for (name, path) in files() {
        if quick() && name != "stale-read" {
            println!("skipped: {name} (quick)");
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let anomaly = text.lines().find_map(|l| l.strip_prefix("anomaly = ")).unwrap();
        let anomaly = anomaly.trim_matches('"');
        let path = path.to_str().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let found = SEEDS.iter().find(|seed| {
            let said = danso(dir.path(), &["run", path, "--seed", seed]);
            let results = results(&latest(dir.path()));
            let names: Vec<String> = results["checkers"]
                .as_array()
                .unwrap()
                .iter()
                .flat_map(|c| c["anomalies"].as_array().unwrap())
                .map(|a| a["name"].as_str().unwrap().to_owned())
                .collect();
            println!("{name} seed {seed}: exit {:?}, {names:?}", said.code);
            said.code == Some(1) && names.iter().any(|n| n == anomaly)
        });
        assert!(found.is_some(), "{name}: {anomaly} was not found with seeds {SEEDS:?}");
        certified(dir.path());
        // Never invalid; a fault that found nobody to bite may make a try unknown.
        let healthy = SEEDS.iter().find(|seed| {
            let said = danso(dir.path(), &["run", path, "--bug", "none", "--seed", seed]);
            println!("{name} without its bug, seed {seed}: exit {:?}", said.code);
            assert!(matches!(said.code, Some(0 | 2)), "{}\n{}", said.out, said.err);
            said.code == Some(0)
        });
        assert!(healthy.is_some(), "{name}: the healthy twin was not valid with seeds {SEEDS:?}");
        certified(dir.path());
    }
}

/// The newest run's verdict has a certificate that verifies.
fn certified(dir: &Path) {
    let run = latest(dir).display().to_string();
    let said = danso(dir, &["check", &run, "--certificate", "proof.json"]);
    assert!(matches!(said.code, Some(0 | 1)), "{}\n{}", said.out, said.err);
    danso(dir, &["verify", "proof.json", &run]).exits(0).says("verified: ");
}
