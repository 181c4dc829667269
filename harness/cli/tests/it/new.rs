//! `danso new`: what it writes works.

use danso::prelude::*;
use danso::vocab::{Event, History, Time};

use crate::harness::{danso, turn};

#[allow(unreachable_pub, reason = "whoever it is written for may want it public")]
#[path = "../../src/commands/new/workload.rs"]
mod workload;

#[test]
fn a_new_target_runs() {
    let _turn = turn();
    let dir = tempfile::tempdir().unwrap();
    danso(dir.path(), &["new", "target", "my-system"]).exits(0).says("danso run my-system.toml");
    danso(dir.path(), &["plan", "my-system.toml"]).exits(0).says("GET /{key}").says("F0");
    let args = ["run", "my-system.toml", "--time", "4s"];
    danso(dir.path(), &args).exits(0).says("faults bit");
    danso(dir.path(), &["new", "target", "my-system"]).exits(254).says("is there already");
    danso(dir.path(), &["new", "target", "other"]).exits(0).says("was left alone");
    danso(dir.path(), &["new", "target", "../x"]).exits(254).says("is no name");
}

#[test]
fn a_new_workload_finds_a_lost_addition() {
    let dir = tempfile::tempdir().unwrap();
    danso(dir.path(), &["new", "workload", "my-sums"]).exits(0).says("my_sums.rs");
    let text = std::fs::read_to_string(dir.path().join("my_sums.rs")).unwrap();
    assert!(text.contains("pub const MY_SUMS: Workload") && text.contains("name: \"my-sums\""));
    danso(dir.path(), &["new", "workload", "my-sums"]).exits(254).says("is there already");
    // What was written is this, by another name.
    let mut at = 0;
    let mut op = |call: Call, ret: i64| {
        at += 1;
        let process = Process(0);
        let end = Event::Complete { process, outcome: Outcome::Ok(ret.into()) };
        [(Time(at), Event::Invoke { process, node: None, call }), (Time(at), end)]
    };
    let add = op(Call::new("add", 3), 3);
    let (right, wrong) = (op(Call::new("read", ()), 3), op(Call::new("read", ()), 0));
    let verdict = |events: Vec<(Time, Event)>| {
        let history = History::of(events).unwrap();
        let checkers = (workload::SUMS.checkers)(&Params::default());
        let limits = danso::vocab::Limits::default();
        let findings = checkers.iter().map(|c| c.check(&history, &limits).verdict);
        findings.max().unwrap()
    };
    assert_eq!(verdict([add.clone(), right.clone()].concat()), Verdict::Valid);
    assert_eq!(verdict([add, right, wrong].concat()), Verdict::Invalid);
}
