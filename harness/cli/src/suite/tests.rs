use std::path::Path;

use super::*;

/// What a suite file comes to: its cases, or the error.
fn planned(files: &[(&str, &str)], more: impl FnOnce(&mut Options)) -> Result<Planned, String> {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let mut options = options(&dir.path().join(files[0].0));
    more(&mut options);
    Planned::of(&options).map_err(|e| e.to_string())
}

fn options(file: &Path) -> Options {
    Options {
        file: file.to_owned(),
        jobs: 1,
        timeout: None,
        retries: 0,
        fail_fast: false,
        unknown_passes: false,
        budget: None,
        seed: None,
        filter: None,
        out: PathBuf::new(),
        junit: None,
        keep_passed: true,
    }
}

fn names(text: &str) -> Vec<String> {
    let planned = planned(&[("s.toml", text)], |_| {}).unwrap();
    planned.cases.into_iter().map(|case| case.name).collect()
}

#[track_caller]
fn refused(text: &str, say: &[&str]) {
    let error = planned(&[("s.toml", text)], |_| {}).map(|_| ()).unwrap_err();
    for part in say {
        assert!(error.contains(part), "`{part}` is not in {error}");
    }
    assert!(!error.contains('\n'), "{error}");
}

#[test]
fn lists_make_a_matrix() {
    let text = r#"
        seed = 1
        [defaults]
        time = "5s"
        seeds = [7, 8]
        [[test]]
        targets = ["raft-kv", "quorum-kv"]
        workloads = ["register", "bank"]
        faults = ["none", "partition,kill"]
        exclude = [{ target = "quorum-kv", faults = "none" }, { workload = "bank" }]
    "#;
    assert_eq!(
        names(text),
        [
            "raft-kv/register/none/seed-7",
            "raft-kv/register/none/seed-8",
            "raft-kv/register/partition+kill/seed-7",
            "raft-kv/register/partition+kill/seed-8",
            "quorum-kv/register/partition+kill/seed-7",
            "quorum-kv/register/partition+kill/seed-8",
        ]
    );
}

#[test]
fn a_test_is_told_what_the_file_says() {
    let text = r#"
        seed = 1
        [defaults]
        time = "5s"
        set = ["params.keys=2"]
        timeout = "1m"
        [[test]]
        name = "stale"
        target = "raft-kv"
        bug = "stale-read"
        seed = 3
        rate = 200
        nodes = 5
        expect = { verdict = "invalid", anomaly = ["stale-read", "lost-write"], ok-rate = 0.5 }
    "#;
    let planned = planned(&[("s.toml", text)], |_| {}).unwrap();
    let case = &planned.cases[0];
    assert_eq!(
        case.reproduce(),
        "danso run raft-kv --time 5s --seed 3 --nodes 5 --rate 200 --bug stale-read \
         --set params.keys=2 --set expect.verdict=invalid \
         --set expect.anomaly=stale-read,lost-write --set expect.ok-rate=0.5"
    );
    assert_eq!(case.name, "stale");
    assert_eq!(case.expected, "invalid with stale-read or lost-write");
    assert_eq!(case.timeout, Some(Duration::from_secs(60)));
}

#[test]
fn files_keep_what_they_say_themselves() {
    let own = "seed = 41\nload = { time = \"2s\" }\n[target]\nkind = \"raft-kv\"\n\
               [expect]\nverdict = \"invalid\"\nanomaly = \"stale-read\"\n";
    let suite =
        "seed = 1\n[[test]]\nfiles = \"../old/*.toml\"\n[[test]]\nfiles = \"none/*.toml\"\n";
    let planned = planned(
        &[("suites/s.toml", suite), ("old/a.toml", own), ("old/b.toml", &own.replace("41", "42"))],
        |_| {},
    );
    let planned = planned.unwrap();
    let told: Vec<_> = planned.cases.iter().map(|c| (c.name.as_str(), c.seed)).collect();
    assert_eq!(&told[..2], [("a", 41), ("b", 42)]);
    assert_eq!(planned.cases[0].expected, "invalid with stale-read");
    assert!(planned.cases[0].args.test.ends_with("/old/a.toml"));
    assert!(!planned.cases[0].args.test.contains(".."));
    assert!(planned.cases[2].skipped.as_ref().unwrap().contains("no file"));
}

#[test]
fn drawn_seeds_are_those_of_the_suite() {
    let text = "[[test]]\ntarget = \"noop\"\nseeds = 3\n";
    let seeds = |seed: u64| -> Vec<u64> {
        let planned = planned(&[("s.toml", text)], |o| o.seed = Some(seed)).unwrap();
        planned.cases.iter().map(|case| case.seed).collect()
    };
    assert_eq!(seeds(5), seeds(5));
    assert_ne!(seeds(5), seeds(6));
    assert_eq!(seeds(5).len(), 3);
}

#[test]
fn what_a_target_cannot_do_is_an_error_or_listed() {
    let named = "[[test]]\ntarget = \"queue\"\nworkload = \"register\"\n";
    refused(named, &["s.toml:1:", "does not speak"]);
    let matrix = "[[test]]\ntargets = [\"queue\", \"raft-kv\"]\nworkloads = [\"register\"]\n";
    let planned = planned(&[("s.toml", matrix)], |_| {}).unwrap();
    let skipped: Vec<_> = planned.cases.iter().map(|case| case.skipped.is_some()).collect();
    assert_eq!(skipped, [true, false]);
    // If nothing is left, nobody wanted that.
    refused(
        &matrix.replace(", \"raft-kv\"", ""),
        &["none of its 1 combinations", "does not speak"],
    );
}

#[test]
fn a_mistake_in_a_test_file_is_no_combination() {
    let good = "[target]\nkind = \"noop\"\n";
    for (bad, say) in [
        ("[target]\nkind = \"noop\"\nnods = 3\n", "nods"),
        ("params = { kyes = 3 }\n[target]\nkind = \"noop\"\n", "kyes"),
        ("workload = \"regster\"\n[target]\nkind = \"noop\"\n", "regster"),
    ] {
        for suite in [
            "[[test]]\nfiles = \"old/*.toml\"\n",
            "[[test]]\ntargets = [\"old/a.toml\", \"old/b.toml\"]\nfaults = [\"none\"]\n",
        ] {
            let files = [("s.toml", suite), ("old/a.toml", good), ("old/b.toml", bad)];
            let error = planned(&files, |_| {}).map(|_| ()).unwrap_err();
            assert!(error.contains(say) && error.contains("b.toml"), "{error}");
        }
    }
}

#[test]
fn mistakes_name_file_line_and_column() {
    refused("[[test]]\ntarget = \"noop\"\nseads = 3\n", &["s.toml:3:1", "seads", "seeds"]);
    refused("[[tests]]\ntarget = \"noop\"\n", &["s.toml:1:3", "did you mean `test`?"]);
    refused("[[test]]\ntargets = [\"raft-vk\"]\n", &["s.toml:2:11", "raft-kv"]);
    refused("[[test]]\ntarget = \"noop\"\nfaults = [\"kil\"]\n", &["s.toml:3:10", "kill"]);
    refused(
        "[[test]]\ntargets = [\"noop\"]\nworkloads = [\"regster\"]\n",
        &["s.toml:3", "register"],
    );
    refused("[[test]]\ntarget = \"noop\"\ntimeout = \"3\"\n", &["s.toml:3:11", "30s"]);
    refused("[[test]]\nworkload = \"register\"\n", &["s.toml", "what is tested"]);
    refused("[[test]]\ntarget = \"noop\"\nfile = \"x.toml\"\n", &["only one of"]);
    refused("name = \"x\"\n", &["there is no [[test]]"]);
    refused(
        "[[test]]\ntarget = \"noop\"\n[[test]]\ntarget = \"noop\"\n",
        &["two tests are called"],
    );
    refused("[[test]]\ntarget = \"noop\"\nseeds = []\n", &["no seeds"]);
    refused("[[test]]\nfile = \"none.toml\"\n", &["none.toml"]);
    refused(
        "[[test]]\ntarget = \"raft-kv\"\nexpect = { verdict = \"bad\" }\n",
        &["bad", "invalid"],
    );
}

#[test]
fn the_exit_is_that_of_the_worst_test() {
    let of = |outcomes: &[Outcome], state: State, unknown_passes: bool| {
        let test = |outcome: &Outcome| Test { outcome: *outcome, ..Test::default() };
        let tests = outcomes.iter().map(test).collect();
        exit(&Suite { tests, state, unknown_passes, ..Suite::default() })
    };
    use Outcome::{Error, Failed, NotRun, Passed, Skipped, Unknown};
    let ended = |outcomes: &[Outcome]| of(outcomes, State::Ended, false);
    assert_eq!(ended(&[Passed, Skipped]), Exit::Valid);
    assert_eq!(ended(&[Passed, Unknown]), Exit::Unknown);
    assert_eq!(ended(&[Failed, Unknown]), Exit::Invalid);
    assert_eq!(ended(&[Failed, Error]), Exit::Internal);
    assert_eq!(ended(&[Skipped, Skipped]), Exit::Unknown, "nothing was run");
    assert_eq!(ended(&[]), Exit::Unknown);
    assert_eq!(of(&[Passed, Unknown], State::Ended, true), Exit::Valid);
    let cut = || State::CutShort("SIGINT".to_owned());
    assert_eq!(of(&[Passed, NotRun], cut(), true), Exit::Unknown);
    assert_eq!(of(&[Failed, NotRun], cut(), false), Exit::Invalid);
}
