//! Real servers, whose acknowledged writes are counted before and after the power fails.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use danso_engine::disk::{Harm, Keep, Op, Rule};

use crate::inside::Bench;

fn installed(program: &str) -> bool {
    let found = std::process::Command::new(program).arg("--version").output().is_ok();
    if !found {
        println!("skipped: {program} is not installed");
    }
    found
}

/// A port nobody has, and nobody of these tests will get.
fn free_port() -> u16 {
    static GIVEN: Mutex<Vec<u16>> = Mutex::new(Vec::new());
    let mut given = GIVEN.lock().unwrap();
    loop {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        if !given.contains(&port) {
            given.push(port);
            return port;
        }
    }
}

/// A server under test.
trait Server {
    fn start(&self, bench: &Bench) -> Child;
    fn port(&self) -> u16;
    /// Writes the key of this number; whether that was acknowledged.
    fn put(&self, connection: &mut BufReader<TcpStream>, number: u32) -> std::io::Result<bool>;
    /// How many keys there are.
    fn count(&self, connection: &mut BufReader<TcpStream>) -> std::io::Result<u32>;
}

fn connect(port: u16) -> std::io::Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    Ok(BufReader::new(stream))
}

/// Waits until it serves and says how many keys there are.
fn serving(server: &dyn Server, child: &mut Child) -> u32 {
    let since = Instant::now();
    loop {
        if let Ok(mut connection) = connect(server.port())
            && let Ok(count) = server.count(&mut connection)
        {
            return count;
        }
        assert!(child.try_wait().unwrap().is_none(), "the server ended");
        assert!(since.elapsed() < Duration::from_secs(90), "the server does not serve");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Writes for a while, kills the server, lets the power fail if so, starts it again. Returns how
/// many keys were acknowledged, and how many are there.
fn outage(bench: &Bench, server: &dyn Server, first: u32, millis: u64, power: bool) -> (u32, u32) {
    let mut child = server.start(bench);
    let mut acknowledged = serving(server, &mut child);
    assert_eq!(acknowledged, first, "what was there before");
    let mut connection = connect(server.port()).unwrap();
    let since = Instant::now();
    while since.elapsed() < Duration::from_millis(millis) || acknowledged < first + 200 {
        assert!(server.put(&mut connection, acknowledged).unwrap());
        acknowledged += 1;
    }
    child.kill().unwrap();
    child.wait().unwrap();
    if power {
        let loss = bench.disk.crash(Keep::default(), 1).unwrap();
        println!("{acknowledged} acknowledged; {loss:?}");
    }
    let mut child = server.start(bench);
    let there = serving(server, &mut child);
    child.kill().unwrap();
    child.wait().unwrap();
    (acknowledged, there)
}

struct Redis {
    port: u16,
    fsync: &'static str,
}

impl Redis {
    fn ask(&self, connection: &mut BufReader<TcpStream>, command: &str) -> std::io::Result<String> {
        connection.get_mut().write_all(format!("{command}\r\n").as_bytes())?;
        let mut line = String::new();
        connection.read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }
}

impl Server for Redis {
    fn start(&self, bench: &Bench) -> Child {
        let port = self.port.to_string();
        let args = ["--port", &port, "--bind", "127.0.0.1", "--appendonly", "yes", "--save", ""];
        let mut command = bench.command("redis-server", &args);
        command.args(["--appendfsync", self.fsync]).stdout(Stdio::null());
        command.spawn().unwrap()
    }

    fn port(&self) -> u16 {
        self.port
    }

    fn put(&self, connection: &mut BufReader<TcpStream>, number: u32) -> std::io::Result<bool> {
        Ok(self.ask(connection, &format!("SET k{number} v"))? == "+OK")
    }

    fn count(&self, connection: &mut BufReader<TcpStream>) -> std::io::Result<u32> {
        let said = self.ask(connection, "DBSIZE")?;
        let count = said.strip_prefix(':').and_then(|n| n.parse().ok());
        let count = count.ok_or_else(|| std::io::Error::other(said))?;
        // The keys there are those written first: there is no hole.
        if count > 0 {
            assert_eq!(self.ask(connection, &format!("EXISTS k{}", count - 1))?, ":1");
        }
        Ok(count)
    }
}

#[test]
fn redis_that_always_syncs_loses_nothing() {
    let Some(bench) = Bench::new().filter(|_| installed("redis-server")) else { return };
    let redis = Redis { port: free_port(), fsync: "always" };
    let (acknowledged, there) = outage(&bench, &redis, 0, 400, true);
    assert_eq!(there, acknowledged);
    let (acknowledged, there) = outage(&bench, &redis, there, 400, true);
    assert_eq!(there, acknowledged);
}

#[test]
fn redis_that_syncs_every_second_loses_the_last_one() {
    let Some(bench) = Bench::new().filter(|_| installed("redis-server")) else { return };
    let redis = Redis { port: free_port(), fsync: "everysec" };
    // A page cache survives the death of a process.
    let (acknowledged, mut there) = outage(&bench, &redis, 0, 300, false);
    assert_eq!(there, acknowledged);
    let mut lost = 0;
    for _ in 0..3 {
        let (acknowledged, now) = outage(&bench, &redis, there, 1_300, true);
        lost += acknowledged - now;
        there = now;
    }
    assert!(lost > 0, "three power failures took nothing");
}

struct Etcd {
    port: u16,
    peers: u16,
}

impl Etcd {
    fn post(
        &self,
        connection: &mut BufReader<TcpStream>,
        path: &str,
        body: &str,
    ) -> std::io::Result<String> {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: etcd\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        connection.get_mut().write_all((head + body).as_bytes())?;
        let (mut length, mut status) = (0, String::new());
        connection.read_line(&mut status)?;
        loop {
            let mut line = String::new();
            if connection.read_line(&mut line)? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            let line = line.to_lowercase();
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let mut answer = vec![0; length];
        connection.read_exact(&mut answer)?;
        if !status.contains(" 200 ") {
            return Err(std::io::Error::other(status));
        }
        Ok(String::from_utf8(answer).unwrap())
    }
}

/// As JSON has bytes. The lengths here are multiples of three.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    assert!(bytes.len().is_multiple_of(3));
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let bits = three.iter().fold(0_usize, |all, b| all << 8 | usize::from(*b));
        for shift in [18, 12, 6, 0] {
            text.push(LETTERS[bits >> shift & 63].into());
        }
    }
    text
}

impl Server for Etcd {
    fn start(&self, bench: &Bench) -> Child {
        let url = |port| format!("http://127.0.0.1:{port}");
        let (clients, peers) = (url(self.port), url(self.peers));
        let name = format!("default={peers}");
        let args = [
            ("--data-dir", "etcd"),
            ("--listen-client-urls", &clients),
            ("--advertise-client-urls", &clients),
            ("--listen-peer-urls", &peers),
            ("--initial-advertise-peer-urls", &peers),
            ("--initial-cluster", &name),
        ];
        let mut command = bench.command("etcd", &[]);
        for (name, value) in args {
            command.args([name, value]);
        }
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    fn port(&self) -> u16 {
        self.port
    }

    fn put(&self, connection: &mut BufReader<TcpStream>, number: u32) -> std::io::Result<bool> {
        let key = base64(format!("k{number:08}").as_bytes());
        let body = format!(r#"{{"key":"{key}","value":"eHh4"}}"#);
        Ok(self.post(connection, "/v3/kv/put", &body)?.contains("revision"))
    }

    fn count(&self, connection: &mut BufReader<TcpStream>) -> std::io::Result<u32> {
        let body = r#"{"key":"AA==","range_end":"AA==","count_only":true}"#;
        let answer = self.post(connection, "/v3/kv/range", body)?;
        let count = answer.split(r#""count":""#).nth(1).and_then(|rest| rest.split('"').next());
        Ok(count.map_or(0, |n| n.parse().unwrap()))
    }
}

#[test]
fn etcd_loses_nothing_unless_its_disk_lies() {
    let Some(bench) = Bench::new().filter(|_| installed("etcd")) else { return };
    let etcd = Etcd { port: free_port(), peers: free_port() };
    let (acknowledged, there) = outage(&bench, &etcd, 0, 500, true);
    assert_eq!(there, acknowledged);
    // Again, with a disk that lies from some moment on.
    let mut child = etcd.start(&bench);
    let mut acknowledged = serving(&etcd, &mut child);
    assert_eq!(acknowledged, there);
    let mut connection = connect(etcd.port).unwrap();
    let lie = Rule {
        ops: vec![Op::Sync],
        files: Vec::new(),
        harm: Harm::Lie,
        chance: 1_000_000,
        times: None,
        seed: 1,
    };
    let lie = bench.disk.add(lie).unwrap();
    for _ in 0..200 {
        assert!(etcd.put(&mut connection, acknowledged).unwrap());
        acknowledged += 1;
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let loss = bench.disk.crash(Keep::default(), 1).unwrap();
    let tally = bench.disk.lift(lie).unwrap();
    assert!(tally.total() > 0 && loss.lost > 0, "{tally:?} {loss:?}");
    let mut child = etcd.start(&bench);
    let now = serving(&etcd, &mut child);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(now < acknowledged, "{now} of {acknowledged}");
    assert!(now >= there, "what was safe before the lies stays: {now} of {there}");
}
