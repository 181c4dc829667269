use super::*;

fn of_text(text: &str) -> anyhow::Result<Spec> {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("t.toml");
    std::fs::write(&path, text)?;
    let test = path.display().to_string();
    Spec::of(&TestArgs { test, ..TestArgs::default() })
}

#[test]
fn a_test_file_says_everything() {
    let spec = of_text(
        r#"
        workload = "register"
        params = { keys = 2, mix = { read = 1 } }
        load = { processes = 4, rate = 50, time = "3s", timeout = "300ms" }
        [target]
        kind = "raft-kv"
        nodes = 5
        bug = "stale-read"
        options = { heartbeat-ms = 20 }
        [[fault]]
        kind = "kill"
        args = { at = ["1s"], for = "500ms" }
        [expect]
        verdict = "invalid"
        anomaly = "stale-read"
        ok-rate = 0.5
        "#,
    )
    .unwrap();
    assert_eq!((spec.name.as_str(), spec.target.as_str()), ("t", "raft-kv"));
    assert_eq!((spec.nodes, spec.processes, spec.rate), (Some(5), 4, Some(50)));
    assert_eq!(spec.timeout, Duration::from_millis(300));
    assert_eq!(spec.options["bug"], "stale-read".into());
    assert_eq!(spec.options["heartbeat-ms"], 20.into());
    assert_eq!(spec.verdict, Verdict::Invalid);
    let Faults::Requests(requests) = &spec.faults else { panic!() };
    assert_eq!(requests[0].kind, "kill");
    let blamed = spec.blame(Some(About::Fault(0)), "no").to_string();
    assert!(blamed.ends_with("t.toml:10:9: no"), "{blamed}");
}

#[test]
fn mistakes_name_file_line_and_column() {
    let refused = |text: &str, say: &[&str]| {
        let error = of_text(text).unwrap_err().to_string();
        for part in say {
            assert!(error.contains(part), "{error}");
        }
    };
    refused("[target]\nkind = \"noop\"\nnods = 3\n", &["t.toml:3:1", "nods", "nodes"]);
    refused("[target]\nkind = 3\n", &["t.toml:2:8", "string"]);
    refused("workload = \"register\"\n", &["target"]);
    refused("[target\n", &["t.toml:1:"]);
    refused("load = { time = \"3\" }\n[target]\nkind = \"noop\"", &["t.toml", "load.time", "30s"]);
    refused("params = { p = 0.5 }\n[target]\nkind = \"noop\"", &["t.toml:1:16: 0.5 is no integer"]);
    refused("load = { processes = 0 }\n[target]\nkind = \"noop\"", &["0 processes"]);
}

#[test]
fn settings_override() {
    let args = |set: &[&str]| TestArgs {
        test: "raft-kv".to_owned(),
        set: set.iter().map(ToString::to_string).collect(),
        ..TestArgs::default()
    };
    let spec =
        Spec::of(&args(&["params.keys=4", "load.timeout=200ms", "options.bug=x-y"])).unwrap();
    assert_eq!(spec.params["keys"], 4.into());
    assert_eq!(spec.timeout, Duration::from_millis(200));
    assert_eq!(spec.options["bug"], "x-y".into());
    let expect =
        ["expect.ok-rate=0.5", "expect.verdict=invalid", "expect.anomaly=stale-read,lost-write"];
    let spec = Spec::of(&args(&expect)).unwrap();
    assert_eq!((spec.ok_rate, spec.verdict), (0.5, Verdict::Invalid));
    assert_eq!(spec.anomalies, ["stale-read", "lost-write"]);
    for bad in [
        "params.keys",
        "colour=red",
        "load.rate=fast",
        "params.p=0.5",
        "expect.verdict=bad",
        "expect.ok-rate=x",
    ] {
        assert!(Spec::of(&args(&[bad])).is_err(), "{bad}");
    }
}

#[test]
fn the_nearest_name_is_offered() {
    let known = ["raft-kv", "noop"];
    assert!(no_such("target", "raft-vk", &known).ends_with("did you mean `raft-kv`?"));
    assert!(no_such("target", "mysql", &known).ends_with("there are: raft-kv, noop"));
}
