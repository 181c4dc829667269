//! danso as a library: runs from Rust, and the examples that the documentation shows.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use danso::Test;
use danso::prelude::*;

use crate::harness::{DANSO, Said, project, turn};

#[path = "../../examples/sums/main.rs"]
#[allow(dead_code, reason = "its main is for cargo run")]
mod sums;

/// A short run without processes, in a folder of its own.
fn noop(dir: &Path) -> Test {
    let test = Test::new("noop", "append").rate(300).time(Duration::from_millis(400));
    test.faults("none").network("none").out(dir)
}

#[test]
fn the_example_finds_what_it_says() {
    let _turn = turn();
    sums::survives_pauses().unwrap();
    sums::forgets_when_killed().unwrap();
}

#[test]
fn runs_go_on_at_the_same_time() {
    let _turn = turn();
    let dir = tempfile::tempdir().unwrap();
    let reports: Vec<_> = std::thread::scope(|scope| {
        let test = || Test::new("raft-kv", "register").rate(50).time(Duration::from_secs(3));
        let runs = ["kill", "pause", "none"].map(|faults| {
            let test = test().seed(3).faults(faults).out(dir.path());
            scope.spawn(|| test.run().unwrap())
        });
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    });
    for (i, report) in reports.iter().enumerate() {
        assert_eq!((report.assert_valid().seed(), report.anomalies().len()), (3, 0));
        assert!(reports[..i].iter().all(|other| other.path() != report.path()));
        for file in ["danso.log", "report.html", "plan.json", "results.json"] {
            assert!(std::fs::metadata(report.path().join(file)).unwrap().len() > 0, "{file}");
        }
    }
}

#[test]
fn a_failed_assertion_says_how_to_see_it_again() {
    let dir = tempfile::tempdir().unwrap();
    let report = noop(dir.path()).seed(5).run().unwrap();
    let complaint = |check: fn(&danso::Report)| {
        let panic = std::panic::catch_unwind(|| check(&report)).unwrap_err();
        panic.downcast_ref::<String>().unwrap().clone()
    };
    let said = complaint(|report| {
        report.assert_finds("stale-read");
    });
    let page = report.path().join("report.html").display().to_string();
    let again = "library::a_failed_assertion_says_how_to_see_it_again -- --exact";
    for part in ["found nothing", "noop under append with seed 5", &page, "cargo test", again] {
        assert!(said.contains(part), "`{part}` is not in {said}");
    }
    let few = noop(dir.path()).set("expect.min-ops", 1_000_000).run().unwrap();
    assert_eq!(few.verdict(), Verdict::Unknown);
    let said = std::panic::catch_unwind(|| {
        few.assert_valid();
    })
    .unwrap_err();
    let said = said.downcast_ref::<String>().unwrap();
    let seed = format!("DANSO_SEED={} cargo test", few.seed());
    assert!(said.starts_with("unknown: ") && said.contains(&seed), "{said}");
}

#[test]
fn what_cannot_be_run_is_told_in_a_line() {
    let dir = tempfile::tempdir().unwrap();
    for (test, say) in [
        (Test::new("raft-vk", "register"), "did you mean `raft-kv`?"),
        (Test::new("raft-kv", "registre"), "did you mean `register`?"),
        (Test::new("raft-kv", "register").set("params.kesy", 3), "kesy"),
        (Test::new("raft-kv", "register").faults("kil"), "did you mean `kill`?"),
        (Test::new("raft-kv", "register").time(Duration::ZERO), "tests nothing"),
        (noop(dir.path()).network("proxy").faults("kill"), "choose a target"),
    ] {
        let error = test.out(dir.path()).run().unwrap_err().to_string();
        assert!(error.contains(say) && error.lines().count() == 1, "{error}");
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

/// Registers in memory that forget every third write: how many there were, and what is held.
#[derive(Default)]
struct Forgetful(Arc<Mutex<(u64, Registers)>>);

type Registers = BTreeMap<Option<Value>, Value>;

impl Target for Forgetful {
    fn name(&self) -> &str {
        "forgetful"
    }

    fn ports(&self) -> &[u16] {
        &[]
    }

    fn starts(&self) -> bool {
        false
    }

    fn command(&self, _: &Member) -> Result<Option<NodeCommand>, String> {
        Ok(None)
    }

    fn ready<'a>(&'a self, _: &'a Member) -> Fut<'a, Result<(), String>> {
        Box::pin(async { Ok(()) })
    }

    fn primaries<'a>(&'a self, _: &'a [Member]) -> Fut<'a, Vec<NodeId>> {
        Box::pin(async { Vec::new() })
    }

    fn connect(&self, _: &[Member], _: NodeId, _: Process) -> Box<dyn Client> {
        Box::new(Forgetful(self.0.clone()))
    }
}

impl Client for Forgetful {
    fn invoke<'a>(&'a mut self, call: &'a Call) -> Fut<'a, Outcome> {
        Box::pin(async {
            let (writes, registers) = &mut *self.0.lock().unwrap();
            let register = registers.entry(call.key.clone()).or_default();
            if call.f == "read" {
                return Outcome::Ok(register.clone());
            }
            *writes += 1;
            if *writes % 3 != 0 {
                *register = call.arg.clone();
            }
            Outcome::Ok(Value::Nil)
        })
    }
}

#[test]
fn a_target_of_ones_own_is_judged_like_any_other() {
    let dir = tempfile::tempdir().unwrap();
    let test = Test::new(Arc::new(Forgetful::default()), "register").nodes(2);
    let test = test.set("params.mix", r#"{ read = 1, write = 1 }"#).set("params.keys", 1);
    let test = test.processes(1).rate(100).time(Duration::from_secs(1));
    // What is forgotten has this name or that: the seed says which is met first.
    let test = test.faults("none").network("none").seed(234_583_540);
    test.out(dir.path()).run().unwrap().assert_finds("stale-read");
}

#[test]
fn an_ordinary_user_has_the_proxy_in_a_test() {
    let _turn = turn();
    if !nix::unistd::geteuid().is_root() {
        let dir = tempfile::tempdir().unwrap();
        let test = Test::new("raft-kv", "register").rate(100).time(Duration::from_secs(5));
        let report = test.faults("partition,kill").out(dir.path()).run().unwrap();
        assert_eq!(report.assert_valid().network(), "proxy");
        assert!(report.notes().iter().any(|note| note.contains("several threads")));
        let test = Test::new("raft-kv", "register").network("switch").out(dir.path());
        let error = test.run().unwrap_err().to_string();
        assert!(error.contains("run it as root"), "{error}");
        return;
    }
    // As somebody else, who may not be allowed to read what root has built.
    let dir = tempfile::Builder::new().prefix("danso-nobody").tempdir_in("/tmp").unwrap();
    let copied = |from: &Path, name: &str| -> PathBuf {
        let to = dir.path().join(name);
        std::fs::copy(from, &to).unwrap();
        to
    };
    let danso = copied(Path::new(DANSO), "danso");
    let this = copied(&std::env::current_exe().unwrap(), "this");
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(dir.path(), open).unwrap();
    let ids = ["--reuid", "65534", "--regid", "65534", "--clear-groups", "--no-new-privs"];
    let name = "library::an_ordinary_user_has_the_proxy_in_a_test";
    let mut command = Command::new("setpriv");
    command.args(ids).arg(this).args([name, "--exact", "--nocapture"]);
    let output = command.env("DANSO_BIN", danso).current_dir("/tmp").output().unwrap();
    Said::of(&output).exits(0).says("1 passed");
}

/// The files of the example, with the lines each may have: what a user has to write is short.
const FILES: &[(&str, usize)] = &[
    ("workload.rs", 40),
    ("model.rs", 25),
    ("client.rs", 40),
    ("main.rs", 40),
    ("target.rs", 60),
    ("sums.toml", 10),
    ("sumd.py", 25),
];

#[test]
fn the_documentation_shows_the_example_and_it_is_short() {
    let text = std::fs::read_to_string(project().join("docs/writing-workloads.md")).unwrap();
    let folder = project().join("harness/cli/examples/sums");
    for (name, most) in FILES {
        let file = std::fs::read_to_string(folder.join(name)).unwrap();
        let lines = file.lines().count();
        assert!(lines <= *most, "{name} has {lines} lines: more than {most} are too many to ask");
        let language = match name.rsplit_once('.') {
            Some((_, "rs")) => "rust",
            Some((_, "py")) => "python",
            _ => "toml",
        };
        let block = format!("```{language}\n{file}```\n");
        assert!(text.contains(&block), "docs/writing-workloads.md does not show {name} as it is");
    }
    let shown = std::fs::read_dir(folder).unwrap().count();
    assert_eq!(shown, FILES.len(), "a file of the example is not in the list");
}
