//! `danso replay`: a plan again and again; and the regression corpus, which is made of such plans.

use std::path::{Path, PathBuf};

use crate::harness::{danso, latest, project, quick, results, shell, turn};

/// A plan of a healthy cluster that takes a moment.
fn plan(dir: &Path) {
    let words = "plan raft-kv --time 1s --faults none --seed 5 --processes 3 --rate 100 --json";
    shell(dir, &format!("$DANSO {words} > plan.json")).exits(0);
}

#[test]
fn a_plan_runs_again_and_rates_are_told() {
    let _turn = turn();
    let dir = tempfile::tempdir().unwrap();
    plan(dir.path());
    let said = danso(dir.path(), &["replay", "plan.json", "-n", "2"]);
    said.exits(0).says("run 2 of 2").says("before: no results were stored");
    said.says("any anomaly in 0 of 2 runs (0 %, 95 % interval 0–66 %)");
    let reports = said.out.lines().filter_map(|line| line.split("  ").nth(1));
    let reports: Vec<PathBuf> =
        reports.filter(|r| r.ends_with("report.html")).map(|r| dir.path().join(r)).collect();
    assert!(reports.len() == 2 && reports.iter().all(|r| r.is_file()), "{}", said.out);
    // A run folder, with what came of it; and as data.
    let run = reports[0].parent().unwrap().display().to_string();
    let said = danso(dir.path(), &["replay", &run, "-n", "1", "--until-found", "--json"]);
    let told: serde_json::Value = serde_json::from_str(&said.exits(0).out).unwrap();
    assert_eq!(told["runs"][0]["verdict"], "valid");
    assert_eq!((&told["any"]["runs"], &told["any"]["of"]), (&0.into(), &1.into()));
    assert_eq!(told["runs"].as_array().unwrap().len(), 1);
}

#[test]
fn plans_that_name_what_there_is_not_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    plan(dir.path());
    let mend = |from: &str, to: &str| {
        shell(dir.path(), &format!("sed 's/{from}/{to}/' plan.json > other.json")).exits(0);
        let said = danso(dir.path(), &["replay", "other.json"]);
        said.exits(254);
        said.err
    };
    assert!(mend("\"raft-kv\"", "\"raft-vk\"").contains("did you mean `raft-kv`"));
    assert!(mend("\"register\"", "\"registre\"").contains("register"));
    assert!(mend("\"format\": *1", "\"format\":99").contains("99"));
    let said = danso(dir.path(), &["replay", "nowhere"]);
    said.exits(254).says("nowhere").says("run folder");
    danso(dir.path(), &["replay", "plan.json", "-n", "0"]).exits(254);
    assert!(!dir.path().join("danso-runs").exists(), "nothing has started");
}

/// The tests in `ci/regressions`.
fn corpus() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(project().join("ci/regressions")).unwrap();
    let mut tests: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    tests.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    tests.sort();
    tests
}

/// How often a bug may hide: these are the smallest tests that show it, not the surest.
const ATTEMPTS: u32 = 10;

#[test]
fn every_regression_answers_what_its_file_says() {
    let tests = corpus();
    assert!(tests.len() >= 4, "{tests:?}");
    if quick() {
        return;
    }
    let _turn = turn();
    for test in tests {
        let dir = tempfile::tempdir().unwrap();
        let file = test.to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&test).unwrap();
        let expected = if text.contains("verdict = \"invalid\"") { 1 } else { 0 };
        let answered = (0..ATTEMPTS).any(|_| {
            let said = danso(dir.path(), &["run", &file]);
            // Under load a healthy run may come to too little, but to nothing wrong.
            assert!(said.code <= Some(2), "{file}: {}{}", said.out, said.err);
            assert!(expected == 1 || said.code != Some(1), "{file}: {}", said.out);
            let found = said.code == Some(expected);
            if found && expected == 1 {
                let all = results(&latest(dir.path())).to_string();
                let named = text.lines().find_map(|line| line.strip_prefix("anomaly = "));
                let named = named.unwrap_or_else(|| panic!("{file} names no anomaly"));
                let mut names = named.split('"').skip(1).step_by(2);
                return names.any(|name| all.contains(&format!("\"{name}\"")));
            }
            found
        });
        assert!(answered, "{file} did not answer as expected in {ATTEMPTS} runs");
    }
}
