//! Real servers, asked over the network.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use danso_engine::clock::{Clock, Skew};
use nix::time::ClockId;

use super::node::{How, SECOND, can, command, has, page, true_clock, words};

/// A server under the helper, which it dies with.
struct Server(Child);

impl Server {
    fn start(clock: &Clock, program: &[&str], dir: &std::path::Path) -> Server {
        let mut command = command(clock, &words(program), How::default());
        command.current_dir(dir).stdin(Stdio::null());
        Server(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Asks until there is an answer.
fn patiently<T>(mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "the server does not answer");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A time in whole seconds between these true ones, on a clock that is so far ahead.
fn expect(ask: impl Fn() -> i64, ahead_s: i64) {
    let before = true_clock(ClockId::CLOCK_REALTIME) / SECOND;
    let seen = ask();
    let after = true_clock(ClockId::CLOCK_REALTIME) / SECOND;
    // A server may keep a time for a moment.
    let range = before + ahead_s - 2..=after + ahead_s + 1;
    assert!(range.contains(&seen), "{} s ahead, not {ahead_s}", seen - after);
}

fn changes(clock: &Clock, ask: impl Fn() -> i64) {
    expect(&ask, 0);
    let layer = clock.apply(Skew::Bump(3_600 * SECOND)).unwrap();
    expect(&ask, 3_600);
    clock.apply(Skew::Bump(-86_400 * SECOND)).unwrap();
    expect(&ask, 3_600 - 86_400);
    clock.lift(layer);
    expect(&ask, -86_400);
    clock.reset();
    expect(&ask, 0);
}

#[test]
fn redis() {
    if !can() || !has("redis-server") || !has("redis-cli") {
        return;
    }
    let (dir, clock) = page();
    let socket = dir.path().join("socket").display().to_string();
    let args = ["redis-server", "--port", "0", "--save", "", "--unixsocket", &socket];
    let _server = Server::start(&clock, &args, dir.path());
    let ask = |words: &[&str]| {
        let output = Command::new("redis-cli").args(["-s", &socket]).args(words).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        output.status.success().then_some(text).filter(|t| !t.contains("onnect"))
    };
    patiently(|| ask(&["PING"]));
    let time = || {
        let answer = ask(&["TIME"]).unwrap();
        answer.lines().next().unwrap().parse::<i64>().unwrap()
    };
    changes(&clock, time);
    // What expires by that clock expires early.
    ask(&["SET", "k", "v", "EX", "3600"]).unwrap();
    assert_eq!(ask(&["EXISTS", "k"]).unwrap().trim(), "1");
    clock.apply(Skew::Bump(7_200 * SECOND)).unwrap();
    patiently(|| ask(&["EXISTS", "k"]).filter(|a| a.trim() == "0"));
}

#[test]
fn etcd() {
    if !can() || !has("etcd") {
        return;
    }
    let (dir, clock) = page();
    let free = || {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        format!("127.0.0.1:{port}")
    };
    let (clients, peers) = (free(), free());
    let urls = [format!("http://{clients}"), format!("http://{peers}")];
    let args = [
        "etcd",
        "--listen-client-urls",
        &urls[0],
        "--advertise-client-urls",
        &urls[0],
        "--listen-peer-urls",
        &urls[1],
        "--initial-advertise-peer-urls",
        &urls[1],
        "--initial-cluster",
        &format!("default={}", urls[1]),
    ];
    let _server = Server::start(&clock, &args, dir.path());
    // The time it puts into its answers.
    let date = || {
        let mut stream = TcpStream::connect(&clients).ok()?;
        stream.write_all(b"GET /version HTTP/1.0\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let date = answer.lines().find_map(|l| l.strip_prefix("Date: "))?;
        let zoned = jiff::fmt::rfc2822::parse(date.trim()).ok()?;
        Some(zoned.timestamp().as_second())
    };
    patiently(date);
    changes(&clock, || patiently(date));
}
