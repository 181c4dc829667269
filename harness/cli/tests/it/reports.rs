//! The reports of real runs, in a real browser.
//!
//! `DANSO_KEEP_REPORTS=<folder>` keeps pictures of them.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use danso_browser::{Browser, Page};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::harness::{danso, latest, project, quick, start, turn};

/// The report of a run with these arguments, which must end so.
fn run(dir: &Path, args: &[&str], code: i32) -> PathBuf {
    let args: Vec<&str> = ["run"].iter().chain(args).copied().collect();
    danso(dir, &args).exits(code);
    latest(dir).join("report.html")
}

/// The report of a run that is told to end in the middle of its load.
fn interrupted(dir: &Path) -> PathBuf {
    let args =
        ["run", "raft-kv", "--time", "300s", "--seed", "5", "--faults", "kill", "--rate", "200"];
    let mut child = start(dir, &args);
    let since = Instant::now();
    let written = || {
        let history = dir.join("danso-runs/latest/history.jsonl");
        std::fs::metadata(history).map_or(0, |about| about.len())
    };
    while written() < 50_000 {
        assert!(since.elapsed() < Duration::from_secs(120), "the run does not begin");
        std::thread::sleep(Duration::from_millis(50));
    }
    kill(Pid::from_raw(child.id() as i32), Signal::SIGINT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(2));
    latest(dir).join("report.html")
}

fn picture(page: &mut Page, name: &str) {
    let Some(folder) = std::env::var_os("DANSO_KEEP_REPORTS").map(PathBuf::from) else { return };
    page.screenshot_whole(&folder.join(format!("real-{name}-light.png")));
    page.dark(true);
    page.screenshot(&folder.join(format!("real-{name}-dark.png")));
    page.size(390, 844);
    page.screenshot_whole(&folder.join(format!("real-{name}-phone.png")));
    page.dark(false);
    page.size(1280, 800);
}

#[test]
fn reports_of_real_runs_open_and_lead_into_the_timeline() {
    if quick() {
        println!("skipped: the reports of real runs (quick)");
        return;
    }
    let Some(browser) = Browser::start() else { return };
    let _turn = turn();
    let made = tempfile::tempdir().unwrap();
    let dir = |name: &str| {
        let dir = made.path().join(name);
        std::fs::create_dir_all(&dir).unwrap();
        dir
    };
    let canary = |name: &str| project().join("ci/canary").join(name).display().to_string();
    let vacuous = [
        "raft-kv",
        "--time",
        "1s",
        "--seed",
        "5",
        "--faults",
        "none",
        "--set",
        "expect.min-ops=1000000",
    ];
    let valid = ["raft-kv", "--time", "4s", "--seed", "5", "--faults", "kill", "--rate", "200"];
    let empty = dir("empty").join("empty.html");
    std::fs::write(dir("empty").join("empty.jsonl"), "{\"format\":1,\"index\":0,\"time\":0,\"process\":\"nemesis\",\"type\":\"info\",\"f\":\"history\",\"value\":null}\n").unwrap();
    danso(
        &dir("empty"),
        &["check", "empty.jsonl", "--model", "register", "--report", "empty.html"],
    );
    let reports = [
        ("stale", run(&dir("stale"), &[&canary("raft-kv/stale-read.toml")], 1), "invalid"),
        ("saga", run(&dir("saga"), &[&canary("saga/charge-on-retry.toml")], 1), "invalid"),
        ("valid", run(&dir("valid"), &valid, 0), "valid"),
        ("vacuous", run(&dir("vacuous"), &vacuous, 2), "unknown"),
        ("interrupted", interrupted(&dir("interrupted")), "interrupted"),
        ("empty", empty, "unknown"),
    ];
    for (name, report, word) in reports {
        let mut page = browser.open(&format!("file://{}", report.display()));
        let heading = page.eval("document.querySelector('h1').textContent");
        assert!(heading.as_str().unwrap().starts_with(word), "{name}: {heading}");
        for width in [1280, 390] {
            page.size(width, 844);
            let wide = page.eval("document.documentElement.scrollWidth").as_u64().unwrap();
            assert!(wide <= u64::from(width), "{name} at {width}: {wide}");
        }
        page.size(1280, 800);
        picture(&mut page, name);
        if name != "empty" {
            page.wait_for("performance.getEntriesByName('danso:timeline').length");
            let total = page.eval("danso.timeline.state().total").as_u64().unwrap();
            assert!(total > 20, "{name}: {total} operations");
            page.click("#timeline .filter input[name=ok]");
            page.wait_for("(s => s.matching < s.total)(danso.timeline.state())");
            page.click("#timeline .filter input[name=ok]");
            page.wait_for("(s => s.matching === s.shown)(danso.timeline.state())");
        }
        assert_eq!(
            page.eval("!!document.querySelector('#anomaly-1')"),
            word == "invalid",
            "{name}"
        );
        if word == "invalid" {
            let op = page.eval("document.querySelector('#anomaly-1 a[data-op]').dataset.op");
            page.click("#anomaly-1 a[data-op]");
            page.wait_for(&format!("danso.timeline.state().selected === {}", op.as_str().unwrap()));
            picture(&mut page, &format!("{name}-clicked"));
        }
        assert_eq!(page.console(), [""; 0], "{name}");
        assert_eq!(page.network(), [""; 0], "{name}");
    }
}
