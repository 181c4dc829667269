//! `danso suite`: what it ends with, what it leaves, and that neither a kill nor a Ctrl-C spoils
//! that.

use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use quick_xml::Reader;
use quick_xml::events::Event;

use crate::harness::{danso, latest, project, quick, shell, start, turn};
use crate::killed::processes;

/// Two tests that pass in a second, one that is to be invalid and is not.
const MIXED: &str = r#"
name = "mixed"
seed = 5
[defaults]
time = "500ms"
[[test]]
targets = ["noop"]
workloads = ["register", "append", "queue"]
[[test]]
name = "contrary"
target = "noop"
workload = "register"
expect = { verdict = "invalid", anomaly = "stale-read" }
"#;

fn read(path: impl AsRef<Path>) -> String {
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.as_ref().display()))
}

/// Tests, failures, errors and skipped tests of a junit.xml, which must be whole.
fn junit(path: &Path) -> [usize; 4] {
    let text = read(path);
    let mut reader = Reader::from_str(&text);
    let (mut counts, mut depth, mut ended) = ([0; 4], 0, false);
    loop {
        match reader.read_event().unwrap() {
            Event::Start(element) => {
                depth += 1;
                count(&mut counts, element.name().as_ref());
            }
            Event::Empty(element) => count(&mut counts, element.name().as_ref()),
            Event::End(_) => {
                depth -= 1;
                ended = depth == 0;
            }
            Event::Eof => break,
            _ => {}
        }
    }
    assert!(ended, "{} is cut off", path.display());
    counts
}

fn count(counts: &mut [usize; 4], name: &[u8]) {
    let names: [&[u8]; 4] = [b"testcase", b"failure", b"error", b"skipped"];
    if let Some(at) = names.iter().position(|n| *n == name) {
        counts[at] += 1;
    }
}

/// The outcomes in a suite.json, in its order.
fn outcomes(folder: &Path) -> Vec<String> {
    let stored: serde_json::Value = serde_json::from_str(&read(folder.join("suite.json"))).unwrap();
    let tests = stored["tests"].as_array().unwrap();
    tests.iter().map(|test| test["outcome"].as_str().unwrap().to_owned()).collect()
}

/// Fails while anything of a folder is running.
fn nothing_runs(marker: &str) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !processes(marker).is_empty() {
        assert!(Instant::now() < deadline, "{:?} are left", processes(marker));
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_suite_says_what_came_of_each_test() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("s.toml"), MIXED).unwrap();
    let args = ["suite", "s.toml", "--retries", "2", "--jobs", "2", "--junit", "out/j.xml"];
    let said = danso(dir.path(), &args);
    said.exits(1).says("FAIL").says("contrary").says("expected invalid with stale-read");
    said.says("3 of 3 runs failed").says("1 failed, 2 passed, 1 skipped");
    said.says("noop does not speak the workload `queue`");
    said.says("reproduce  danso run noop --workload register");
    let folder = dir.path().join("danso-suites/latest");
    assert_eq!(outcomes(&folder), ["passed", "passed", "skipped", "failed"]);
    assert_eq!(junit(&folder.join("junit.xml")), [4, 1, 0, 1]);
    assert_eq!(read(folder.join("junit.xml")), read(dir.path().join("out/j.xml")));
    // Every report of the page is there.
    let page = read(folder.join("index.html"));
    let reports: Vec<&str> =
        page.split("href=\"./").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert!(reports.len() >= 6, "{reports:?}");
    for report in reports {
        assert!(folder.join(report).is_file(), "{report} is not there");
    }
    assert!(page.find("contrary").unwrap() < page.find("noop/append").unwrap());
    assert!(!page.contains("<script"));
}

#[test]
fn of_what_passed_nothing_need_be_kept() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("s.toml"), MIXED).unwrap();
    let args = ["suite", "s.toml", "--retries", "1", "--keep", "failed"];
    danso(dir.path(), &args).exits(1).says("1 failed, 2 passed, 1 skipped");
    let folder = dir.path().join("danso-suites/latest");
    let entries = std::fs::read_dir(&folder).unwrap().map(|e| e.unwrap().file_name());
    let mut names: Vec<_> = entries.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["4", "4-2", "index.html", "junit.xml", "suite.json"]);
    let page = read(folder.join("index.html"));
    for link in page.split("href=\"./").skip(1).map(|rest| rest.split('"').next().unwrap()) {
        assert!(folder.join(link).is_file(), "{link} is not there");
    }
    assert!(page.contains("noop/append"), "it is told, though not kept");
}

#[test]
fn the_page_leads_to_the_reports() {
    let Some(browser) = danso_browser::Browser::start() else { return };
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("s.toml"), MIXED).unwrap();
    danso(dir.path(), &["suite", "s.toml", "--retries", "1"]).exits(1);
    let folder = dir.path().join("danso-suites/latest").canonicalize().unwrap();
    let mut page = browser.open(&format!("file://{}", folder.join("index.html").display()));
    for (dark, width) in [(false, 1280), (true, 390), (true, 1280), (false, 390)] {
        page.dark(dark);
        page.size(width, 844);
        let fits = "document.documentElement.scrollWidth <= innerWidth";
        assert_eq!(page.eval(fits), true, "{width} wide, it has to be scrolled sideways");
        if let Some(kept) = std::env::var_os("DANSO_KEEP_REPORTS") {
            let name = format!("suite-{width}-{}.png", if dark { "dark" } else { "light" });
            page.screenshot_whole(&Path::new(&kept).join(name));
        }
    }
    assert_eq!(page.console(), Vec::<String>::new());
    assert_eq!(page.network(), Vec::<String>::new());
    page.click(".card h3 a");
    page.wait_for("document.title.includes('noop') && location.href.endsWith('/report.html')");
}

#[test]
fn an_unknown_is_a_failure_unless_it_was_asked_not_to_be() {
    let dir = tempfile::tempdir().unwrap();
    let test = "[[test]]\nname = \"much\"\ntarget = \"noop\"\ntime = \"300ms\"\n\
                expect = { min-ops = 1000000000 }\n";
    std::fs::write(dir.path().join("s.toml"), test).unwrap();
    danso(dir.path(), &["suite", "s.toml"]).exits(2).says("unknown").says("1000000000");
    let said = danso(dir.path(), &["suite", "s.toml", "--unknown", "pass"]);
    said.exits(0).says("1 unknown");
    assert_eq!(junit(&dir.path().join("danso-suites/latest/junit.xml")), [1, 0, 0, 1]);
}

#[test]
fn a_test_that_takes_too_long_is_ended_in_good_order() {
    let _turn = turn();
    let dir = tempfile::tempdir().unwrap();
    let test = "[[test]]\nname = \"long\"\ntarget = \"noop\"\ntime = \"10m\"\ntimeout = \"1s\"\n\
                [[test]]\nname = \"short\"\ntarget = \"noop\"\ntime = \"300ms\"\n";
    std::fs::write(dir.path().join("s.toml"), test).unwrap();
    let said = danso(dir.path(), &["suite", "s.toml"]);
    said.exits(2).says("timeout").says("1 unknown, 1 passed");
    let said = danso(dir.path(), &["suite", "s.toml", "--fail-fast"]);
    said.exits(2).says("--fail-fast").says("1 unknown, 1 not run");
    nothing_runs(&dir.path().display().to_string());
}

#[test]
fn github_is_told() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("s.toml"), MIXED).unwrap();
    let script = "GITHUB_ACTIONS=true GITHUB_STEP_SUMMARY=summary.md $DANSO suite s.toml";
    let said = shell(dir.path(), script);
    said.exits(1).says("::error file=s.toml,title=failed%3A contrary::expected invalid");
    // Nothing that is printed before is a command, nor between.
    let first = said.out.lines().next().unwrap();
    let word = first.strip_prefix("::stop-commands::").unwrap();
    let (hushed, after) = said.out.split_once(&format!("\n::{word}::\n")).unwrap();
    assert_eq!(hushed.matches("::error").count(), 0);
    assert!(after.lines().all(|line| line.starts_with("::error ")), "{after}");
    let summary = read(dir.path().join("summary.md"));
    assert!(summary.contains("## ❌ mixed: 1 failed, 2 passed, 1 skipped"), "{summary}");
    assert!(summary.contains("danso run noop --workload register"), "{summary}");
    // Elsewhere nobody reads commands.
    assert!(!danso(dir.path(), &["suite", "s.toml"]).out.contains("::"));
}

#[test]
fn a_run_has_a_junit_xml_and_tells_github_too() {
    let dir = tempfile::tempdir().unwrap();
    let test =
        "load = { time = \"300ms\" }\n[target]\nkind = \"noop\"\n[expect]\nmin-ops = 1000000000\n";
    std::fs::write(dir.path().join("much.toml"), test).unwrap();
    let script = "GITHUB_ACTIONS=true GITHUB_STEP_SUMMARY=s.md $DANSO run much.toml --workload register --seed 3";
    let said = shell(dir.path(), script);
    said.exits(2).says("::error file=much.toml,title=unknown%3A much/seed-3::");
    assert!(said.out.starts_with("::stop-commands::"), "{}", said.out);
    assert!(read(dir.path().join("s.md")).contains("1 unknown"));
    assert_eq!(junit(&latest(dir.path()).join("junit.xml")), [1, 0, 1, 0]);
}

#[test]
fn a_budget_is_spent_and_explained() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("s.toml"), MIXED).unwrap();
    let said = danso(dir.path(), &["suite", "s.toml", "--budget", "30s", "--filter", "noop"]);
    said.exits(0).says("never run before").says("curiosity").says("rarity");
    let folder = dir.path().join("danso-suites/latest");
    let first = outcomes(&folder);
    assert!(first.iter().filter(|o| *o == "passed").count() > 2, "{first:?}");
    let said = danso(dir.path(), &["suite", "s.toml", "--budget", "15s"]);
    // The two that were run are known now; the third was not run.
    let chosen: Vec<_> = said.out.lines().filter(|line| line.starts_with("chosen")).collect();
    assert!(chosen[0].contains("contrary") && chosen[0].contains("never run before"), "{chosen:?}");
    assert!(chosen[1].contains("not run yet"), "{chosen:?}");
}

#[test]
fn a_killed_suite_leaves_what_had_finished_and_no_process() {
    let _turn = turn();
    let dir = tempfile::tempdir().unwrap();
    let test = "[defaults]\ntime = \"700ms\"\nfaults = \"none\"\n[[test]]\ntargets = [\"raft-kv\", \"noop\"]\n\
                seeds = 4\n";
    std::fs::write(dir.path().join("s.toml"), test).unwrap();
    let marker = dir.path().display().to_string();
    let folder = dir.path().join("danso-suites/latest");
    let moments = if quick() { 2 } else { 6 };
    for moment in 0..moments {
        let args = ["suite", "s.toml", "--jobs", "2", "--seed", "1"];
        let mut child = start(dir.path(), &args);
        let deadline = Instant::now() + Duration::from_secs(120);
        let over = || {
            let text = std::fs::read_to_string(folder.join("suite.json")).unwrap_or_default();
            text.matches("\"verdict\": \"valid\"").count()
        };
        while over() < moment {
            assert!(Instant::now() < deadline, "moment {moment}: {} are over", over());
            std::thread::sleep(Duration::from_millis(5));
        }
        // Somewhere between two writes, or in one.
        std::thread::sleep(Duration::from_millis(37 * moment as u64));
        kill(Pid::from_raw(child.id() as i32), Signal::SIGKILL).unwrap();
        child.wait().unwrap();
        if folder.join("suite.json").exists() {
            let (outcomes, counts) = (outcomes(&folder), junit(&folder.join("junit.xml")));
            assert_eq!((outcomes.len(), counts[0]), (8, 8));
            let passed = outcomes.iter().filter(|o| *o == "passed").count();
            assert!(passed + 2 >= moment, "moment {moment}: {outcomes:?}");
            assert_eq!(counts[1..], [0, 0, counts[3]], "what had not finished did not fail");
            assert!(counts[3] >= 1, "and did not pass: {outcomes:?}");
            assert!(read(folder.join("index.html")).ends_with("</html>"));
            std::fs::remove_file(&folder).unwrap();
        }
        nothing_runs(&marker);
    }
}

#[test]
fn an_interrupted_suite_ends_its_runs_and_says_what_was_not_run() {
    let _turn = turn();
    let dir = tempfile::tempdir().unwrap();
    let test = "[defaults]\ntime = \"20m\"\nfaults = \"none\"\n[[test]]\ntarget = \"raft-kv\"\nseeds = 3\n";
    std::fs::write(dir.path().join("s.toml"), test).unwrap();
    let marker = dir.path().display().to_string();
    for twice in [false, true] {
        let child = start(dir.path(), &["suite", "s.toml"]);
        let pid = Pid::from_raw(child.id() as i32);
        let deadline = Instant::now() + Duration::from_secs(60);
        // The suite, the run and three nodes.
        while processes(&marker).len() < 4 {
            assert!(Instant::now() < deadline, "{:?}", processes(&marker));
            std::thread::sleep(Duration::from_millis(20));
        }
        kill(pid, Signal::SIGINT).unwrap();
        if twice {
            std::thread::sleep(Duration::from_millis(300));
            kill(pid, Signal::SIGINT).unwrap();
        }
        let said = crate::harness::Said::of(&child.wait_with_output().unwrap());
        if !twice {
            said.exits(2).says("cut short   SIGINT").says("2 not run");
            let folder = dir.path().join("danso-suites/latest");
            assert_eq!(outcomes(&folder), ["unknown", "not run", "not run"]);
            assert_eq!(junit(&folder.join("junit.xml")), [3, 0, 1, 2]);
        } else {
            // The run may have ended before the second signal came.
            said.exits_with_any(&[255, 2]);
        }
        nothing_runs(&marker);
    }
}

#[test]
fn the_suites_of_the_project_can_be_run() {
    for entry in std::fs::read_dir(project().join("ci/suites")).unwrap() {
        let path = entry.unwrap().path();
        let said = danso(&project(), &["suite", path.to_str().unwrap(), "--list"]);
        said.exits(0).says(" tests, seed ");
    }
    let canaries = danso(&project(), &["suite", "ci/suites/canaries.toml", "--list"]);
    canaries.says("raft-kv/stale-read/seed-1").says("expects invalid with stale-read");
    assert_eq!(canaries.out.matches("expects valid").count(), 0);
}
