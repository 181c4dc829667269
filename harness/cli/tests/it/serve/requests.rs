//! Requests, as nobody polite would make them too.

use std::os::unix::fs::symlink;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{Server, run_folder};
use crate::harness::danso;

#[test]
fn runs_are_listed_filtered_and_compared() {
    let dir = tempfile::tempdir().unwrap();
    for i in 0..120 {
        let stamp = format!("20260101T{:02}{:02}00Z-7", i / 60, i % 60);
        let verdict = ["valid", "invalid", "unknown"][i % 3];
        run_folder(dir.path(), &stamp, &format!("test-{i}"), verdict);
    }
    let server = Server::of(dir.path());
    let all = server.get("/");
    assert_eq!(all.status, 200);
    assert_eq!(all.body.matches("type=\"checkbox\"").count(), 100, "a page is not too long");
    let at = |text: &str| all.body.find(text).unwrap();
    assert!(at(">test-119</a>") < at(">test-118</a>"), "the newest first");
    let second = server.get("/?page=2").body;
    assert_eq!(second.matches("type=\"checkbox\"").count(), 20);
    let rows = |path: &str| server.get(path).body.matches("type=\"checkbox\"").count();
    assert_eq!(rows("/?verdict=invalid"), 40);
    assert_eq!(rows("/?target=test-7"), 1);
    assert_eq!(rows("/?workload=test-8&verdict=valid"), 0);
    assert_eq!(rows("/?q=TEST-11+invalid"), 3, "of those that begin so, 112, 115 and 118");

    let run = |i: usize| format!("some/20260101T{:02}{:02}00Z-7", i / 60, i % 60);
    let about = server.get(&format!("/run/{}", run(1))).body;
    assert!(about.contains("<h1>invalid</h1>") && about.contains("report.html"), "{about}");
    let both = server.get(&format!("/compare?run={}&run={}", run(1), run(2)));
    assert_eq!(both.status, 200);
    for told in ["test-1", "test-2", ">workload<", "Waiting times"] {
        assert!(both.body.contains(told), "{told} is not in {}", both.body);
    }
    assert_eq!(server.get(&format!("/compare?run={}", run(1))).status, 400);

    // There is no report, so one is made; nothing is written.
    let report = server.get(&format!("/files/{}/report.html", run(1)));
    assert!(
        report.head.contains("content-security-policy: sandbox allow-scripts"),
        "{}",
        report.head
    );
    assert!(report.body.contains("<h1>invalid"), "{:.300}", report.body);
    assert!(!dir.path().join(run(1)).join("report.html").exists());
    let newest = server.get("/latest");
    assert_eq!(newest.status, 303);
    assert!(newest.head.contains(&format!("location: /run/{}", run(119).to_lowercase())));

    // Another verdict is seen at once, although what is known is kept.
    let results = dir.path().join(run(2)).join("results.json");
    let text = std::fs::read_to_string(&results).unwrap().replace("\"unknown\"", "\"valid\"");
    std::fs::write(&results, text).unwrap();
    assert_eq!(rows("/?verdict=unknown"), 39);
    std::fs::write(&results, "no results").unwrap();
    assert_eq!(rows("/?verdict=damaged"), 1);
}

#[test]
fn a_suite_is_listed_with_its_runs() {
    let dir = tempfile::tempdir().unwrap();
    let suite = dir.path().join("danso-suites/little/20260101T000000Z");
    let run = run_folder(&suite.join("tests/001-x/1"), "20260101T000001Z-7", "x", "valid");
    std::fs::write(suite.join("suite.json"), "{}").unwrap();
    std::fs::write(suite.join("index.html"), "<h1>a suite</h1>").unwrap();
    let server = Server::of(dir.path());
    let list = server.get("/").body;
    let address = "/files/danso-suites/little/20260101T000000Z/index.html";
    assert!(list.contains(&format!("href=\"{address}\"")), "{list}");
    assert!(list.contains("001-x/1/some/20260101T000001Z-7\""), "{list}");
    let page = server.get(address);
    assert!(page.head.contains("content-type: text/html"), "{}", page.head);
    assert!(page.head.contains("policy: sandbox"), "{}", page.head);
    let below = run.strip_prefix(dir.path()).unwrap().display().to_string();
    assert_eq!(server.get(&format!("/files/{below}/report.html")).status, 200);
}

#[test]
fn nothing_outside_and_nothing_foreign_is_shown() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("secret"), "secret").unwrap();
    let out = dir.path().join("runs");
    let run = run_folder(&out, "20260101T000000Z-7", "x", "valid");
    let data = run.join("nodes/n1/data");
    // A target writes into its data folder whatever it likes.
    for name in [
        "evil.svg",
        "evil.html",
        "report.html",
        "index.html",
        "evil.js",
        "plan.json",
        "danso.log",
        "results.json",
        "suite.json",
    ] {
        std::fs::write(
            data.join(name),
            "<svg xmlns='http://www.w3.org/2000/svg' onload='owned()'>",
        )
        .unwrap();
    }
    symlink(dir.path().join("secret"), data.join("link")).unwrap();
    symlink("/etc", run.join("etc")).unwrap();
    nix::unistd::mkfifo(&data.join("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let server = Server::of(&out);
    let base = "/files/some/20260101T000000Z-7";
    for path in [
        "/files/../secret",
        "/files/%2e%2e/secret",
        "/files/..%2fsecret",
        "/files/some/..%2f..%2f..%2fsecret",
        "/files//etc/passwd",
        "/files/%2fetc/passwd",
        "/files/some%00",
        "/files/%ff",
        "/files/some/./x",
        "/log/../../secret",
        "/run/../..",
        "/run/..",
        "/-/../secret",
        "/compare/../../secret",
        &format!("{base}/nodes/n1/data/link"),
        &format!("{base}/nodes/n1/data/pipe"),
        &format!("{base}/etc/passwd"),
        &format!("{base}/etc"),
        &format!("{base}/nodes/n1/data/nothing"),
        "/run/some/20260101T000000Z-7/nodes/n1/data",
    ] {
        let answer = server.get(path);
        assert!(matches!(answer.status, 400 | 404), "{path}: {}", answer.status);
        assert!(!answer.body.contains("secret\n") && !answer.body.contains("root:"), "{path}");
    }
    for name in ["evil.svg", "evil.html", "report.html", "index.html", "evil.js", "plan.json"] {
        let answer = server.get(&format!("{base}/nodes/n1/data/{name}"));
        assert_eq!(answer.status, 200, "{name}");
        assert!(answer.head.contains("content-disposition: attachment"), "{name}: {}", answer.head);
        assert!(answer.head.contains("x-content-type-options: nosniff"), "{name}: {}", answer.head);
        let kinds = ["content-type: application/octet-stream", "content-type: text/plain"];
        assert!(kinds.iter().any(|kind| answer.head.contains(kind)), "{name}: {}", answer.head);
    }
    let list = server.get("/").body;
    assert_eq!(list.matches("type=\"checkbox\"").count(), 1, "what a target wrote is no run");
    assert!(!list.contains("Suites"), "and no suite");
}

#[test]
fn a_report_made_on_the_fly_shows_nothing_from_outside() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("stderr.log"), "top secret").unwrap();
    let out = dir.path().join("runs");
    let run = run_folder(&out, "20260101T000000Z-7", "x", "valid");
    let log = run.join("nodes/n1/stderr.log");
    let server = Server::of(&out);
    let path = "/files/some/20260101T000000Z-7/report.html";
    let own = server.get(path);
    assert!(own.status == 200 && own.body.contains("stderr of n1"), "the log is shown at all");
    std::fs::remove_file(&log).unwrap();
    symlink(dir.path().join("stderr.log"), &log).unwrap();
    let linked = server.get(path);
    assert!(linked.status == 200 && !linked.body.contains("top secret"));
    // A pipe that nobody writes to keeps nobody waiting.
    std::fs::remove_file(&log).unwrap();
    nix::unistd::mkfifo(&log, nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert_eq!(server.get(path).status, 200);
    std::fs::remove_dir_all(run.join("nodes/n1")).unwrap();
    symlink(dir.path(), run.join("nodes/n1")).unwrap();
    let linked = server.get(path);
    assert!(linked.status == 500 && !linked.body.contains("top secret"), "{}", linked.status);
}

#[test]
fn only_polite_requests_are_answered() {
    let dir = tempfile::tempdir().unwrap();
    let run = run_folder(dir.path(), "20260101T000000Z-7", "x", "valid");
    let server = Server::of(dir.path());
    let status = |head: &str| server.ask(head).status;
    let own = &server.address;
    // A page of somebody else's whose name was made to lead here.
    assert_eq!(status("GET / HTTP/1.1\r\nHost: evil.example\r\n"), 421);
    assert_eq!(status("GET / HTTP/1.1\r\nHost: evil.example:8428\r\n"), 421);
    assert_eq!(status("GET / HTTP/1.1\r\n"), 400);
    assert_eq!(status("GET / HTTP/1.1\r\nHost: localhost:1\r\n"), 200);
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"] {
        assert_eq!(status(&format!("{method} / HTTP/1.1\r\nHost: {own}\r\n")), 405, "{method}");
    }
    let long = "x".repeat(10_000);
    assert_eq!(status(&format!("GET /?q={long} HTTP/1.1\r\nHost: {own}\r\n")), 414);
    let head = server.ask(&format!("HEAD / HTTP/1.1\r\nHost: {own}\r\n"));
    assert!(head.status == 200 && head.body.is_empty());
    assert!(!server.get("/").head.contains("access-control"), "no other site may read this");
    assert!(
        server
            .get("/")
            .head
            .contains("content-security-policy: default-src 'none'; script-src 'self'")
    );

    std::fs::write(run.join("big.bin"), "0123456789".repeat(100_000)).unwrap();
    let path = "/files/some/20260101T000000Z-7/big.bin";
    assert_eq!(server.get(path).body.len(), 1_000_000);
    let ranged = |range: &str| {
        server.ask(&format!("GET {path} HTTP/1.1\r\nHost: {own}\r\nRange: bytes={range}\r\n"))
    };
    let part = ranged("500003-500007");
    assert_eq!((part.status, part.body.as_str()), (206, "34567"));
    assert!(part.head.contains("content-range: bytes 500003-500007/1000000"), "{}", part.head);
    assert_eq!(ranged("-3").body, "789");
    assert_eq!(ranged("1000000-").status, 416);
}

#[test]
fn it_ends_when_told_to() {
    let dir = tempfile::tempdir().unwrap();
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let mut server = Server::of(dir.path());
        // A connection that nobody uses keeps nobody.
        let _idle = std::net::TcpStream::connect(&server.address).unwrap();
        kill(Pid::from_raw(server.child.id() as i32), signal).unwrap();
        assert_eq!(server.child.wait().unwrap().code(), Some(0), "{signal}");
    }
}

#[test]
fn mistakes_are_told_with_their_mend() {
    let dir = tempfile::tempdir().unwrap();
    danso(dir.path(), &["serve", "nowhere"]).exits(254).says("name the folder");
    let run = run_folder(dir.path(), "20260101T000000Z-7", "x", "valid");
    let said = danso(dir.path(), &["serve", run.to_str().unwrap()]);
    said.exits(254).says("is a run folder").says("danso serve");
    let server = Server::of(dir.path());
    let (_, port) = server.address.rsplit_once(':').unwrap();
    danso(dir.path(), &["serve", ".", "--port", port]).exits(254).says("--port 0");
}
