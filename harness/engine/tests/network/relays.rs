//! What relays do to byte streams, seen by the sockets at both ends.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use danso_engine::network::{
    Ability, Backend, Block, Chance, Choice, Delay, Distribution, Http, Link, LinkStats, Mishap,
    Party, Policy, prepare,
};

use super::cases::{Case, open};
use super::peers::*;
use super::setup::Setup;

pub(crate) const CASES: [(&str, Case); 14] = [
    ("proxy::late_by_the_delay", late_by_the_delay),
    ("proxy::jitter_keeps_the_order", jitter_keeps_the_order),
    ("proxy::healing_ends_a_delay", healing_ends_a_delay),
    ("proxy::narrow", narrow),
    ("proxy::held_and_released_in_order", held_and_released_in_order),
    ("proxy::rejected", rejected),
    ("proxy::reset_by_chance", reset_by_chance),
    ("proxy::closed_late", closed_late),
    ("proxy::another_status", another_status),
    ("proxy::late_answer", late_answer),
    ("proxy::body_cut_short", body_cut_short),
    ("proxy::only_http_is_touched", only_http_is_touched),
    ("proxy::wrong_answers_have_their_share", wrong_answers_have_their_share),
    ("proxy::what_it_cannot_do_is_refused", what_it_cannot_do_is_refused),
];

/// Longer than a busy machine takes for anything that is not delayed on purpose.
const LATE: Duration = Duration::from_millis(1500);

fn set(net: &Net, from: Party, to: Party, policy: Policy) {
    net.set(&[(Link { from, to }, policy)]).unwrap();
}

fn stats(net: &Net, from: Party, to: Party) -> LinkStats {
    net.stats(Link { from, to })
}

fn delay(mean_ms: u64, jitter_ms: u64, distribution: Distribution) -> Policy {
    let [mean, jitter] = [mean_ms, jitter_ms].map(Duration::from_millis);
    Policy { delay: Delay { mean, jitter, distribution }, ..Policy::default() }
}

/// How long one byte there and one back take.
fn round_trip(mut near: &TcpStream, mut far: &TcpStream) -> Duration {
    let start = Instant::now();
    near.write_all(b"?").unwrap();
    far.read_exact(&mut [0]).unwrap();
    far.write_all(b"!").unwrap();
    near.read_exact(&mut [0]).unwrap();
    start.elapsed()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn late_by_the_delay(setup: Setup) {
    let net = open(setup);
    let (near, far) = pair(&net, node(1), 2);
    let plain = median((0..50).map(|_| round_trip(&near, &far)).collect());
    for (mean, distribution) in [
        (2, Distribution::Uniform),
        (20, Distribution::Uniform),
        (20, Distribution::Normal),
        (20, Distribution::Pareto),
    ] {
        let jitter = if mean > 2 { 4 } else { 0 };
        set(&net, node(1), node(2), delay(mean, jitter, distribution));
        let late = median((0..50).map(|_| round_trip(&near, &far)).collect());
        let least = Duration::from_millis(mean - jitter);
        assert!(late >= least, "{distribution:?} {mean} ms: {late:?}");
        // Only the machine can make it later; the exact figure is printed.
        println!("{distribution:?} {mean} ms: median {late:?}, without {plain:?}");
        assert!(late < Duration::from_millis(mean) + LATE, "{late:?}");
    }
    assert!(stats(&net, node(1), node(2)).touched >= 200);
    assert_eq!(stats(&net, node(2), node(1)).touched, 0);
    set(&net, node(1), node(2), Policy::default());
    let healed = (0..50).map(|_| round_trip(&near, &far)).min().unwrap();
    assert!(healed < Duration::from_millis(16), "{healed:?}");
    assert_eq!(stats(&net, node(1), node(2)).stopped, 0);
}

fn jitter_keeps_the_order(setup: Setup) {
    let net = open(setup);
    let (mut near, far) = pair(&net, node(1), 2);
    set(&net, node(1), node(2), delay(10, 10, Distribution::Uniform));
    let mut sent = Vec::new();
    for i in 0..200_u8 {
        near.write_all(&[i, i]).unwrap();
        sent.extend([i, i]);
        std::thread::sleep(Duration::from_micros(500));
    }
    assert_eq!(receive(&far, sent.len(), PATIENCE), sent);
}

fn healing_ends_a_delay(setup: Setup) {
    let net = open(setup);
    let (mut near, far) = pair(&net, node(1), 2);
    set(&net, node(1), node(2), delay(3_600_000, 0, Distribution::Uniform));
    stalls(&near, &far, b"an hour ");
    near.write_all(b"later").unwrap();
    set(&net, node(1), node(2), Policy::default());
    assert_eq!(receive(&far, 13, PATIENCE), b"an hour later");
}

fn narrow(setup: Setup) {
    const SIZE: usize = 1 << 20;
    let net = open(setup);
    let (near, mut far) = pair(&net, node(1), 2);
    let (mut other, mut bystander) = pair(&net, node(3), 1);
    // 8 Mbit/s: a second for a million bytes.
    let policy = Policy { bandwidth: Some(8_000_000), ..Policy::default() };
    set(&net, node(1), node(2), policy);
    let send = |mut stream: &TcpStream| stream.write_all(&vec![7; SIZE]).unwrap();
    let start = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(|| send(&near));
        far.read_exact(&mut vec![0; SIZE]).unwrap();
    });
    let took = start.elapsed();
    println!("1 MiB at 8 Mbit/s took {took:?}");
    assert!(took > Duration::from_millis(1000), "{took:?}");
    assert!(took < Duration::from_millis(1100) + 4 * LATE, "{took:?}");
    assert!(stats(&net, node(1), node(2)).touched > 0);
    other.write_all(b"not concerned").unwrap();
    bystander.read_exact(&mut [0; 13]).unwrap();
    assert_eq!(stats(&net, node(3), node(1)).touched, 0);
    // Healed in the middle of what would take a quarter of an hour.
    let policy = Policy { bandwidth: Some(10_000), ..Policy::default() };
    set(&net, node(1), node(2), policy);
    std::thread::scope(|scope| {
        scope.spawn(|| send(&near));
        std::thread::sleep(Duration::from_millis(300));
        set(&net, node(1), node(2), Policy::default());
        far.set_read_timeout(Some(PATIENCE)).unwrap();
        far.read_exact(&mut vec![0; SIZE]).unwrap();
    });
}

fn held_and_released_in_order(setup: Setup) {
    let net = open(setup);
    let (near, far) = pair(&net, node(1), 2);
    set(&net, node(1), node(2), Policy::blocked(Block::Hold));
    passes(&far, &near, b"the other way is open");
    stalls(&near, &far, b"first ");
    stalls(&near, &far, b"second ");
    assert!(stats(&net, node(1), node(2)).stopped > 0);
    set(&net, node(1), node(2), Policy::default());
    (&near).write_all(b"third").unwrap();
    assert_eq!(receive(&far, 18, PATIENCE), b"first second third");
}

/// Reads until the connection breaks, and says how.
fn broken(mut stream: &TcpStream) -> ErrorKind {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    loop {
        match stream.read(&mut [0; 64]) {
            Ok(0) => panic!("closed, not broken"),
            Ok(_) => {}
            Err(error) => return error.kind(),
        }
    }
}

fn rejected(setup: Setup) {
    let net = open(setup);
    let incoming = accept(listen(&net, 2));
    let mut near = dial(&net, node(1), 2, PATIENCE).unwrap();
    let far = incoming.recv_timeout(PATIENCE).unwrap();
    let (quiet, deaf) = pair(&net, node(1), 3);
    let reject = Policy::blocked(Block::Reject);
    let links = [(node(1), node(2)), (node(2), node(1)), (node(1), node(3))];
    for (from, to) in links {
        set(&net, from, to, reject);
    }
    near.write_all(b"refused").unwrap();
    assert_eq!(broken(&near), ErrorKind::ConnectionReset);
    assert_eq!(broken(&far), ErrorKind::ConnectionReset);
    assert_eq!(stats(&net, node(1), node(2)).stopped, 1);
    // New ones too, and nobody is called.
    let refused = match dial(&net, node(1), 2, PATIENCE) {
        Ok(stream) => broken(&stream),
        Err(error) => error.kind(),
    };
    assert!(matches!(refused, ErrorKind::ConnectionReset | ErrorKind::ConnectionRefused));
    assert!(incoming.recv_timeout(QUIET).is_err(), "a connection went through");
    assert_eq!(stats(&net, node(1), node(2)).stopped, 2);
    for (from, to) in links {
        set(&net, from, to, Policy::default());
    }
    passes(&quiet, &deaf, b"who said nothing heard nothing");
    let near = dial(&net, node(1), 2, PATIENCE).unwrap();
    passes(&near, &incoming.recv_timeout(PATIENCE).unwrap(), b"again");
}

fn reset_by_chance(setup: Setup) {
    let net = open(setup);
    let incoming = accept(listen(&net, 2));
    let policy = Policy { reset: Chance::of(0.2), ..Policy::default() };
    set(&net, node(1), node(2), policy);
    let mut lengths = Vec::new();
    for _ in 0..40 {
        let mut near = dial(&net, node(1), 2, PATIENCE).unwrap();
        let mut far = incoming.recv_timeout(PATIENCE).unwrap();
        far.set_read_timeout(Some(PATIENCE)).unwrap();
        let length = (0..).find(|_| {
            near.write_all(b"x").unwrap();
            far.read_exact(&mut [0]).is_err()
        });
        lengths.push(length.unwrap());
        assert_eq!(broken(&near), ErrorKind::ConnectionReset);
    }
    // In the mean four chunks pass before the fifth; forty draws of the fixed seed.
    let mean = lengths.iter().sum::<usize>() as f64 / 40.0;
    assert!((2.0..7.0).contains(&mean), "{lengths:?}");
    assert_eq!(stats(&net, node(1), node(2)).touched, 40);
    set(&net, node(1), node(2), Policy::default());
    let near = dial(&net, node(1), 2, PATIENCE).unwrap();
    let far = incoming.recv_timeout(PATIENCE).unwrap();
    for _ in 0..50 {
        round_trip(&near, &far);
    }
}

fn closed_late(setup: Setup) {
    let net = open(setup);
    let (mut near, mut far) = pair(&net, node(1), 2);
    let lag = Duration::from_millis(700);
    set(&net, node(1), node(2), Policy { linger: lag, ..Policy::default() });
    let start = Instant::now();
    near.write_all(b"bye").unwrap();
    near.shutdown(Shutdown::Write).unwrap();
    assert_eq!(receive(&far, 3, PATIENCE), b"bye");
    let data = start.elapsed();
    passes(&far, &near, b"half open: still heard");
    far.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(far.read(&mut [0]).unwrap(), 0);
    assert!(start.elapsed() >= lag, "{:?}", start.elapsed());
    println!("data after {data:?}, the end after {:?}", start.elapsed());
    assert_eq!(stats(&net, node(1), node(2)).touched, 1);
    // An hour late, and healed.
    let (near, mut far) = pair(&net, node(1), 3);
    set(&net, node(1), node(3), Policy { linger: Duration::from_secs(3600), ..Policy::default() });
    drop(near);
    assert_eq!(receive(&far, 1, QUIET), b"");
    set(&net, node(1), node(3), Policy::default());
    far.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(far.read(&mut [0]).unwrap(), 0);
}

/// Serves HTTP on node 2: `/chunked` in chunks, all else counted, bodies of twelve bytes.
fn serve(net: &Net) {
    let incoming = accept(listen(net, 2));
    std::thread::spawn(move || {
        for mut stream in incoming {
            std::thread::spawn(move || {
                while let Some(head) = head(&mut stream) {
                    let answer = match head.starts_with("GET /chunked") {
                        true => {
                            "transfer-encoding: chunked\r\n\r\n7\r\nhello, \r\n5\r\nworld\r\n0\r\n\r\n"
                        }
                        false => "content-length: 12\r\n\r\nhello, world",
                    };
                    let answer = format!("HTTP/1.1 200 OK\r\n{answer}");
                    // The client may have gone.
                    let _ = stream.write_all(answer.as_bytes());
                }
            });
        }
    });
}

/// A message's head; `None` at the end of the connection.
fn head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        match stream.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            _ => return None,
        }
    }
    Some(String::from_utf8(head).unwrap())
}

/// Asks for `path` over a connection that is kept; the status and the whole answer, as far as it
/// came before the connection ended.
fn get(stream: &mut TcpStream, path: &str) -> (u16, String, bool) {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: n2\r\n\r\n").as_bytes()).unwrap();
    let head = head(stream).expect("an answer has a head");
    let status = head[9..12].parse().unwrap();
    let whole = match head.contains("chunked") {
        true => "7\r\nhello, \r\n5\r\nworld\r\n0\r\n\r\n".len(),
        false if head.contains("content-length: 0") => 0,
        false => 12,
    };
    let mut body = vec![0; whole];
    let mut got = 0;
    while got < whole {
        match stream.read(&mut body[got..]).unwrap() {
            0 => break,
            count => got += count,
        }
    }
    body.truncate(got);
    (status, String::from_utf8(body).unwrap(), got == whole)
}

fn wrong(mishap: Mishap) -> Policy {
    Policy { http: Some(Http { share: 1.0, mishap }), ..Policy::default() }
}

/// A connection from the clients to the HTTP server, and the link its answers take.
fn client(net: &Net) -> (TcpStream, (Party, Party)) {
    serve(net);
    (dial(net, Party::Clients, 2, PATIENCE).unwrap(), (node(2), Party::Clients))
}

fn another_status(setup: Setup) {
    let net = open(setup);
    let (mut stream, (from, to)) = client(&net);
    for path in ["/", "/chunked"] {
        assert_eq!(get(&mut stream, path).0, 200);
        set(&net, from, to, wrong(Mishap::Status(503)));
        assert_eq!(get(&mut stream, path), (503, String::new(), true));
        assert_eq!(get(&mut stream, path).0, 503, "the connection is kept");
        set(&net, from, to, Policy::default());
        assert_eq!(get(&mut stream, path).0, 200);
    }
    assert_eq!(stats(&net, from, to).touched, 4);
    assert_eq!(stats(&net, to, from).touched, 0);
}

fn late_answer(setup: Setup) {
    let net = open(setup);
    let (mut stream, (from, to)) = client(&net);
    let late = Duration::from_millis(600);
    set(&net, from, to, wrong(Mishap::Delay(late)));
    for path in ["/", "/chunked"] {
        let start = Instant::now();
        let (status, _, whole) = get(&mut stream, path);
        assert!(status == 200 && whole && start.elapsed() >= late, "{:?}", start.elapsed());
    }
    assert_eq!(stats(&net, from, to).touched, 2);
    set(&net, from, to, Policy::default());
    let quickest = (0..10).map(|_| {
        let start = Instant::now();
        get(&mut stream, "/");
        start.elapsed()
    });
    assert!(quickest.min().unwrap() < late);
}

fn body_cut_short(setup: Setup) {
    let net = open(setup);
    serve(&net);
    let (from, to) = (node(2), Party::Clients);
    set(&net, from, to, wrong(Mishap::Truncate(9)));
    for (path, rest) in [("/", "hello, wo"), ("/chunked", "7\r\nhello, \r\n5\r\nwo")] {
        let mut stream = dial(&net, to, 2, PATIENCE).unwrap();
        assert_eq!(get(&mut stream, path), (200, rest.to_owned(), false));
        assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    }
    assert_eq!(stats(&net, from, to).touched, 2);
    // Twelve bytes are no more than twelve.
    set(&net, from, to, wrong(Mishap::Truncate(12)));
    let mut stream = dial(&net, to, 2, PATIENCE).unwrap();
    assert!(get(&mut stream, "/").2 && get(&mut stream, "/chunked").2);
    assert_eq!(stats(&net, from, to).touched, 2);
}

fn only_http_is_touched(setup: Setup) {
    let net = open(setup);
    let (near, far) = pair(&net, Party::Clients, 2);
    for mishap in [Mishap::Status(500), Mishap::Truncate(0), Mishap::Delay(PATIENCE)] {
        set(&net, node(2), Party::Clients, wrong(mishap));
        set(&net, Party::Clients, node(2), wrong(mishap));
        for said in [b"HELLO 1\r\n\r\n".as_slice(), b"\0\xff\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"] {
            passes(&near, &far, said);
            passes(&far, &near, said);
        }
    }
    assert_eq!(stats(&net, node(2), Party::Clients).touched, 0);
}

fn wrong_answers_have_their_share(setup: Setup) {
    let net = open(setup);
    let (mut stream, (from, to)) = client(&net);
    let http = Some(Http { share: 0.25, mishap: Mishap::Status(500) });
    set(&net, from, to, Policy { http, ..Policy::default() });
    let wrong = (0..400).filter(|_| get(&mut stream, "/").0 == 500).count();
    // A hundred, give or take five standard deviations; the seed is fixed.
    assert!((57..=143).contains(&wrong), "{wrong} of 400");
    assert_eq!(stats(&net, from, to).touched, wrong as u64);
}

fn what_it_cannot_do_is_refused(setup: Setup) {
    let net = open(setup);
    let some = Chance::of(0.1);
    for (policy, ability) in [
        (Policy { loss: some, ..Policy::default() }, Ability::Loss),
        (Policy { duplicate: some, ..Policy::default() }, Ability::Duplicate),
        (Policy { reorder: some, ..Policy::default() }, Ability::Reorder),
        (Policy { corrupt: some, ..Policy::default() }, Ability::Corrupt),
        (Policy { longest: Some(1000), ..Policy::default() }, Ability::Longest),
    ] {
        let both = [(Link::nodes(n(2), n(1)), Policy::CUT), (Link::nodes(n(1), n(2)), policy)];
        let error = net.set(&both).unwrap_err().to_string();
        assert!(error.contains("`proxy`") && error.contains(ability.word()), "{error}");
        assert!(!Backend::Proxy.can(ability));
    }
    assert!(!Backend::Proxy.can(Ability::OneWay) && !Backend::Proxy.can(Ability::Udp));
    let error = net.set(&[(Link::nodes(n(1), n(2)), wrong(Mishap::Status(100)))]).unwrap_err();
    assert!(error.to_string().contains("100"), "{error}");
    // Nothing of what was refused was done.
    let (near, far) = pair(&net, node(1), 2);
    passes(&near, &far, b"there");
    passes(&far, &near, b"and back");
    assert_eq!(prepare(Choice::Proxy).unwrap().backend, Backend::Proxy);
}
