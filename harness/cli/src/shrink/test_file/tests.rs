use super::*;

/// The plan of a test file.
fn plan(dir: &Path, test: &str) -> Plan {
    let file = dir.join("original.toml");
    std::fs::write(&file, test).unwrap();
    let test = file.to_string_lossy().into_owned();
    let spec = Spec::of(&TestArgs { test, ..TestArgs::default() }).unwrap();
    crate::shrink::schedule::in_milliseconds(&draw::draw(&spec, 7).unwrap())
}

#[test]
fn what_is_written_draws_to_the_same_plan() {
    let dir = tempfile::tempdir().unwrap();
    for (test, says, leaves_out) in [
        (
            "seed = 7\nworkload = \"register\"\nparams = { keys = 6 }\n\
             load = { processes = 4, time = \"20s\", rate = 100 }\n\
             [target]\nkind = \"raft-kv\"\nbug = \"stale-read\"\n\
             [[fault]]\nkind = \"kill\"\nargs = { at = [\"3s\", \"7s\"], for = \"1500ms\" }\n\
             [[fault]]\nkind = \"pause\"\nargs = { nodes = \"primaries\", at = [\"11s\"] }\n\
             [expect]\nverdict = \"invalid\"\nanomaly = \"stale-read\"\n",
            ["params = { keys = 6 }", "nodes = \"primaries\"", "for = \"1500ms\""],
            "heartbeat",
        ),
        (
            "seed = 7\nworkload = \"queue\"\nload = { time = \"30s\" }\n\
             [target]\nkind = \"queue\"\noptions = { sync-every = 7 }\n",
            ["[target]", "verdict = \"valid\"", "seed = 7"],
            "timeout",
        ),
    ] {
        let test = match test.contains("sync-every") {
            true => test.replace("\noptions = { sync-every = 7 }", ""),
            false => test.to_owned(),
        };
        let plan = plan(dir.path(), &test);
        let file = dir.path().join("small.toml");
        let heading = ["two\nlines".to_owned()];
        let text = write(&plan, &file, &heading).unwrap();
        assert!(text.starts_with("# two lines\nname = "), "{text}");
        for says in says {
            assert!(text.contains(says), "{says} is not in\n{text}");
        }
        assert!(!text.contains(leaves_out), "{text}");
        std::fs::write(&file, &text).unwrap();
        let test = file.to_string_lossy().into_owned();
        let spec = Spec::of(&TestArgs { test, ..TestArgs::default() }).unwrap();
        let again = draw::draw(&spec, spec.seed.unwrap()).unwrap();
        assert_eq!((&again.target, &again.load), (&plan.target, &plan.load), "{text}");
        assert!(same_schedule(&again, &plan), "{text}");
    }
}

#[test]
fn partitions_are_told_by_their_links() {
    let dir = tempfile::tempdir().unwrap();
    let test = "workload = \"register\"\nload = { time = \"40s\" }\n\
         [target]\nkind = \"raft-kv\"\nnodes = 5\n\
         [[fault]]\nkind = \"kill\"\nargs = { at = [\"1s\"] }\n\
         [[fault]]\nkind = \"partition\"\nargs = { shape = \"majorities-ring\", at = [\"3s\"] }\n\
         [[fault]]\nkind = \"partition\"\nargs = { shape = \"primaries\", at = [\"9s\"] }\n";
    let mut plan = plan(dir.path(), test);
    // Chance would draw another ring now.
    plan.schedule.injections.remove(0);
    plan.schedule = danso_vocab::Schedule::new(plan.schedule.injections);
    let text = write(&plan, &dir.path().join("small.toml"), &[]).unwrap();
    assert!(text.contains(", links = [[") && text.contains("shape = \"primaries\""), "{text}");
    assert!(std::fs::read_dir(dir.path()).unwrap().count() == 1, "nothing is left behind");
}

#[test]
fn canaries_can_be_written_down_and_what_cannot_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let canaries = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ci/canary");
    let written = |canary: &str| {
        let file = canaries.join(canary).with_extension("toml");
        let plan = plan(dir.path(), &std::fs::read_to_string(file).unwrap());
        write(&plan, &dir.path().join("small.toml"), &[])
    };
    for canary in ["raft-kv/stale-read", "saga/compensate-twice", "primary-kv/split-brain"] {
        let text = written(canary).unwrap();
        assert!(text.contains("[[fault]]"), "{text}");
    }
    let text = written("quorum-kv/no-read-repair").unwrap();
    assert!(text.contains("jitter = \"20ms\""), "{text}");
    // A plan made by something else may leave out what a test file always draws.
    let test = "workload = \"register\"\n[target]\nkind = \"raft-kv\"\n\
         [[fault]]\nkind = \"delay\"\nargs = { at = [\"1s\"], by = \"20ms\" }\n";
    let mut plan = plan(dir.path(), test);
    plan.schedule.injections[0].fault.args = Value::of([("by", "20ms".into())]);
    let refused = write(&plan, &dir.path().join("small.toml"), &[]).unwrap_err().to_string();
    assert!(refused.contains("the schedule"), "{refused}");
}
