//! What is handed out for pipelines works: templates, their shell lines, and the table of what can
//! be injected where.

use std::collections::BTreeMap;
use std::path::Path;

use yaml_rust2::{Yaml, YamlLoader};

use crate::harness::{DANSO, Said, danso, project, shell, turn};
use crate::privileges::{confined, nobody};

fn template(name: &str) -> String {
    std::fs::read_to_string(project().join("ci/templates").join(name)).unwrap()
}

fn yaml(name: &str) -> Yaml {
    let mut documents = YamlLoader::load_from_str(&template(name)).unwrap();
    assert_eq!(documents.len(), 1, "{name}");
    documents.remove(0)
}

/// A checkout with a suite that takes a second, in which a template's lines are run. Installing is
/// left out: the binary under test is there.
fn checkout() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(dir.path().join("ci/suites")).unwrap();
    let suite = "name = \"smoke\"\n[[test]]\ntarget = \"noop\"\ntime = \"300ms\"\n";
    std::fs::write(dir.path().join("ci/suites/smoke.toml"), suite).unwrap();
    dir
}

/// Runs lines as a runner does.
fn run(dir: &Path, lines: &str) -> Said {
    let bin = Path::new(DANSO).parent().unwrap().display();
    // Root needs no sudo, and may not have it; the environment is kept anyway.
    let prelude = format!(
        "PATH={bin}:$PATH SUITE=ci/suites/smoke.toml NIGHTLY=ci/suites/smoke.toml BUDGET=12s\n\
         sudo() {{ while [[ $1 == --* ]]; do shift; done; \"$@\"; }}\n\
         cargo() {{ echo 'nothing is to be built' >&2; return 1; }}\n"
    );
    shell(dir, &format!("{prelude}{lines}"))
}

/// Fails unless what is kept as an artifact is there.
fn kept(dir: &Path, paths: &[&str]) {
    for pattern in paths {
        let whole = dir.join(pattern).display().to_string();
        assert!(glob::glob(&whole).unwrap().next().is_some(), "{pattern} matches nothing");
    }
}

#[test]
fn the_github_workflow_works_as_it_is() {
    let workflow = yaml("github-actions.yml");
    let job = &workflow["jobs"]["danso"];
    assert!(job["runs-on"].as_str().unwrap().starts_with("ubuntu-"));
    assert!(job["timeout-minutes"].as_i64().is_some());
    assert_eq!(workflow["permissions"]["contents"].as_str(), Some("read"));
    let steps = job["steps"].as_vec().unwrap();
    for step in steps {
        let (uses, run) = (step["uses"].as_str(), step["run"].as_str());
        assert!(uses.is_some() != run.is_some(), "{step:?}");
        assert!(uses.is_none_or(|uses| uses.starts_with("actions/") && uses.contains("@v")));
    }
    let _turn = turn();
    for night in [false, true] {
        let dir = checkout();
        for step in steps {
            let at_night = step["if"].as_str().map(|when| when.contains("== 'schedule'"));
            let skipped = step["if"].as_str().is_some_and(|when| when.contains("event_name"))
                && at_night != Some(night);
            if let Some(lines) = step["run"].as_str().filter(|_| !skipped) {
                run(dir.path(), lines).exits(0);
            }
        }
        let upload = steps.last().unwrap();
        assert_eq!(upload["if"].as_str(), Some("always()"), "what failed is kept, too");
        let paths: Vec<&str> = upload["with"]["path"].as_str().unwrap().lines().collect();
        kept(dir.path(), &paths);
    }
}

#[test]
fn the_gitlab_pipeline_works_as_it_is() {
    let pipeline = yaml("gitlab-ci.yml");
    let usual = &pipeline[".danso"];
    let lines = |list: &Yaml| -> String {
        list.as_vec().unwrap().iter().map(|l| format!("{}\n", l.as_str().unwrap())).collect()
    };
    let _turn = turn();
    for job in ["danso", "danso-nightly"] {
        assert_eq!(pipeline[job]["extends"].as_str(), Some(".danso"));
        let dir = checkout();
        let before = lines(&usual["before_script"]);
        let script = lines(&pipeline[job]["script"]);
        run(dir.path(), &format!("CARGO_HOME=$PWD/.cargo\n{before}{script}")).exits(0);
        let artifacts = &usual["artifacts"];
        assert_eq!(artifacts["when"].as_str(), Some("always"), "what failed is kept, too");
        let mut paths: Vec<&str> =
            artifacts["paths"].as_vec().unwrap().iter().map(|p| p.as_str().unwrap()).collect();
        paths.push(artifacts["reports"]["junit"].as_str().unwrap());
        kept(dir.path(), &paths);
    }
}

#[test]
fn the_container_runs_without_privileges() {
    let text = template("Dockerfile");
    let lines: Vec<(&str, &str)> = text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| line.split_once(' ').unwrap())
        .collect();
    let known = ["FROM", "WORKDIR", "COPY", "RUN", "USER", "ENTRYPOINT", "CMD"];
    assert!(lines.iter().all(|(word, _)| known.contains(word)), "{lines:?}");
    let of = |word: &str| lines.iter().rfind(|(w, _)| *w == word).unwrap().1;
    assert_eq!(lines.iter().filter(|(word, _)| *word == "FROM").count(), 2, "built apart");
    assert_ne!(of("USER"), "root");
    assert_eq!(of("ENTRYPOINT"), "[\"danso\"]");
    // What is copied is what was built.
    let (binary, folder) = ("--from=build /src/target/release/danso", "--locked");
    assert!(of("COPY").starts_with(binary), "{}", of("COPY"));
    assert!(text.contains(folder) && text.contains("AS build"));
    // An unprivileged container, as near as it comes: no capability, no user namespaces.
    let words: Vec<String> = serde_json::from_str(of("CMD")).unwrap();
    let _turn = turn();
    if let Some(said) = confined(&words.join(" ")) {
        said.exits(0).says("network: proxy").says("verdict     valid");
    }
}

/// What danso can inject, by fault: whether it can be had.
fn doctor(said: &str) -> BTreeMap<String, bool> {
    let (_, faults) = said.split_once("\nfaults, over the network").unwrap();
    let faults = faults.lines().skip(1).filter_map(|line| {
        let mut words = line.split_whitespace();
        let can = match words.next() {
            Some("yes") => true,
            Some("no") => false,
            _ => return None,
        };
        (!line.starts_with(' ')).then_some((words.next()?.to_owned(), can))
    });
    faults.collect()
}

/// The table in docs/ci.md: by fault, the fields for root, user namespaces and neither.
fn table() -> BTreeMap<String, [String; 3]> {
    let text = std::fs::read_to_string(project().join("docs/ci.md")).unwrap();
    let (_, rows) = text.split_once("| faults | root | user namespaces | neither |\n").unwrap();
    let mut table = BTreeMap::new();
    for row in rows.lines().skip(1).take_while(|row| row.starts_with('|')) {
        let fields: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let fault = |name: &&str| !name.is_empty() && !name.contains([' ', ',']);
        for fault in fields[0].split('`').filter(fault) {
            let fields = [fields[1], fields[2], fields[3]].map(str::to_owned);
            assert!(table.insert(fault.to_owned(), fields).is_none(), "{fault} is there twice");
        }
    }
    table
}

#[test]
fn the_table_of_privileges_is_what_doctor_says() {
    let dir = tempfile::Builder::new().prefix("danso-ci").tempdir_in("/tmp").unwrap();
    let table = table();
    let listed = danso(dir.path(), &["list", "faults"]).out;
    let (faults, _) = listed.split_once("\nevery fault also takes").unwrap();
    let named = |line: &&str| !line.starts_with(' ') && !line.is_empty();
    let kinds: Vec<&str> =
        faults.lines().filter(named).map(|l| l.split_whitespace().next().unwrap()).collect();
    assert_eq!(table.len(), kinds.len(), "{kinds:?}");
    assert!(kinds.iter().all(|kind| table.contains_key(*kind)));
    // As root, where this machine has everything: then it tells about others, too.
    let whole = doctor(&danso(dir.path(), &["doctor"]).out);
    let missing: Vec<_> = whole.iter().filter(|(f, can)| !**can && *f != "http").collect();
    if !nix::unistd::geteuid().is_root() || !missing.is_empty() {
        println!("skipped: this machine is none to compare with: {missing:?}");
        return;
    }
    let answers = [
        Some(whole),
        nobody(dir.path(), "doctor").map(|said| doctor(&said.out)),
        confined("doctor").map(|said| doctor(&said.out)),
    ];
    for (i, answer) in answers.iter().enumerate() {
        let Some(answer) = answer else { continue };
        for (fault, can) in answer {
            let field = &table[fault][i];
            // What hangs on something else is not for this machine to say.
            let word = field.split([' ', ',']).next().unwrap();
            match word {
                "yes" => assert!(can, "{fault}, column {i}: the table says yes, doctor no"),
                "no" => assert!(!can, "{fault}, column {i}: the table says no, doctor yes"),
                word => assert!(["where", "with", "if"].contains(&word), "{fault}: {field}"),
            }
        }
    }
    assert!(answers.iter().flatten().count() >= 1);
}
