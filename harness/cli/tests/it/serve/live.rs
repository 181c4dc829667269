//! A run that is under way, and one that was killed.

use std::time::{Duration, Instant};

use danso_browser::Browser;

use super::Server;
use crate::harness::{start, turn};

const ARGS: [&str; 11] = [
    "run",
    "raft-kv",
    "--time",
    "4s",
    "--seed",
    "5",
    "--faults",
    "pause",
    "--rate",
    "300",
    "--network=proxy",
];

#[test]
fn a_run_is_seen_while_it_goes_on_and_turns_into_its_report() {
    let Some(browser) = Browser::start() else { return };
    let _turn = turn();
    let dir = tempfile::tempdir().unwrap();
    let server = Server::of(dir.path());
    let mut run = start(dir.path(), &ARGS);
    let mut page = browser.open(&server.url("/"));
    let found = "fetch('/latest').then(r => r.ok && r.url)";
    let address = page.wait_for(found).as_str().unwrap().to_owned();
    page.go(&address);
    // Loaded once: from here on the page keeps itself up to date.
    let heading = "document.querySelector('h1').textContent";
    page.wait_for(&format!("{heading} === 'running' && document.body.innerText.includes('ok')"));
    page.wait_for("document.querySelectorAll('svg rect').length > 2");
    if let Some(kept) = std::env::var_os("DANSO_KEEP_REPORTS") {
        page.screenshot_whole(&std::path::Path::new(&kept).join("serve-live.png"));
    }
    assert!(page.eval("document.title").as_str().unwrap().starts_with("running"));
    let ended = page.wait_for(&format!("{heading} !== 'running' && {heading}"));
    assert_eq!(run.wait().unwrap().code(), Some(0));
    assert_eq!(ended, "valid");
    page.click("a.button");
    page.wait_for("document.querySelector('h1')?.textContent.startsWith('valid') && location.href.endsWith('report.html')");
    assert_eq!(page.console(), [""; 0]);
}

#[test]
fn a_killed_run_is_not_taken_for_one_under_way() {
    let _turn = turn();
    let dir = tempfile::tempdir().unwrap();
    let mut run = start(dir.path(), &ARGS);
    let server = Server::of(dir.path());
    let since = Instant::now();
    let until = |text: &str| {
        while !server.get("/").body.contains(text) {
            assert!(
                since.elapsed() < Duration::from_secs(120),
                "no {text} in {}",
                server.get("/").body
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    until("badge running");
    run.kill().unwrap();
    run.wait().unwrap();
    until("badge killed");
    let folder = std::fs::read_link(dir.path().join("danso-runs/latest")).unwrap();
    let page = server.get(&format!("/run/danso-runs/{}", folder.display())).body;
    assert!(page.contains("danso report"), "the page does not say what to do: {page}");
}
