//! What policies do to TCP connections, observed by their ends.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use danso_engine::network::{Block, Chance, Delay, Ip, Link, Policy};

use super::cases::open_ip;
use super::peers::*;
use super::setup::Setup;

/// Opens a network of each version of the protocol and a connection from node 1 to node 2.
fn connections(setup: Setup, case: impl Fn(&Net, TcpStream, TcpStream)) {
    for ip in [Ip::V4, Ip::V6] {
        let net = open_ip(setup, ip);
        let (near, far) = pair(&net, node(1), 2);
        assert_eq!(near.peer_addr().unwrap().is_ipv6(), ip == Ip::V6);
        case(&net, near, far);
    }
}

/// Both directions between nodes 1 and 2.
fn set(net: &Net, policy: Policy) {
    let links = [(node(1), node(2)), (node(2), node(1))];
    net.set(&links.map(|(from, to)| (Link { from, to }, policy))).unwrap();
}

fn byte(i: usize) -> u8 {
    (i.wrapping_mul(0x9e37_79b9) >> 13) as u8
}

/// Sends `size` bytes and returns how many arrive wrong.
fn transfer(near: &TcpStream, mut far: &TcpStream, size: usize) -> usize {
    let mut near = near.try_clone().unwrap();
    let sender = std::thread::spawn(move || {
        let bytes: Vec<u8> = (0..size).map(byte).collect();
        near.write_all(&bytes).unwrap();
    });
    let mut got = vec![0; size];
    far.set_read_timeout(Some(PATIENCE)).unwrap();
    far.read_exact(&mut got).unwrap();
    sender.join().unwrap();
    got.iter().enumerate().filter(|(i, got)| **got != byte(*i)).count()
}

/// Loss, corruption, duplicates and disorder: TCP copes with all of them.
pub(crate) fn a_bad_line_is_survived(setup: Setup) {
    connections(setup, |net, near, far| {
        let some = Chance::of(0.02);
        set(
            net,
            Policy {
                loss: some,
                corrupt: some,
                duplicate: some,
                reorder: some,
                delay: Delay { mean: Duration::from_micros(200), ..Delay::default() },
                ..Policy::default()
            },
        );
        assert_eq!(transfer(&near, &far, 1 << 20), 0);
        let errors = counter(net, node(2), "snmp", "Tcp:", "InCsumErrors");
        assert!(errors > 0, "no checksum was wrong");
        let again = counter(net, node(1), "snmp", "Tcp:", "RetransSegs");
        assert!(again > 0, "nothing was sent again");
        set(net, Policy::default());
        assert_eq!(transfer(&near, &far, 8 << 20), 0);
        assert_eq!(counter(net, node(2), "snmp", "Tcp:", "InCsumErrors"), errors);
    });
}

pub(crate) fn believable_corruption_arrives(setup: Setup) {
    connections(setup, |net, near, far| {
        set(
            net,
            Policy { corrupt: Chance::of(0.1), corrupt_believably: true, ..Policy::default() },
        );
        let wrong = transfer(&near, &far, 1 << 20);
        // 725 full segments or more, each in ten damaged.
        assert!((20..400).contains(&wrong), "{wrong} bytes wrong");
        assert_eq!(counter(net, node(2), "snmp", "Tcp:", "InCsumErrors"), 0);
        set(net, Policy::default());
        assert_eq!(transfer(&near, &far, 1 << 20), 0);
    });
}

fn broken(mut stream: &TcpStream) -> ErrorKind {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.read(&mut [0]).unwrap_err().kind()
}

/// Both ends of a connection learn of its end.
pub(crate) fn resets(setup: Setup) {
    connections(setup, |net, near, far| {
        passes(&near, &far, b"before");
        let link = Link { from: node(1), to: node(2) };
        net.set(&[(link, Policy { reset: Chance::of(1.0), ..Policy::default() })]).unwrap();
        (&near).write_all(b"last words").unwrap();
        assert_eq!(broken(&near), ErrorKind::ConnectionReset);
        assert_eq!(broken(&far), ErrorKind::ConnectionReset);
        assert!(net.stats(link).touched > 0);
        net.set(&[(link, Policy::default())]).unwrap();
        let (near, far) = again(net);
        passes(&near, &far, b"a new one");
    });
}

/// Another connection to the port that is already listened on would be refused: a new port.
fn again(net: &Net) -> (TcpStream, TcpStream) {
    pair(net, node(2), 3)
}

/// Connections are refused, those there are are reset: the sender's end.
pub(crate) fn rejects(setup: Setup) {
    connections(setup, |net, near, far| {
        passes(&near, &far, b"before");
        set(net, Policy::blocked(Block::Reject));
        let error = dial(net, node(1), 2, PATIENCE).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        (&near).write_all(b"last words").unwrap();
        assert_eq!(broken(&near), ErrorKind::ConnectionReset);
        assert!(net.stats(Link { from: node(1), to: node(2) }).stopped >= 2);
        set(net, Policy::default());
        let stream = dial(net, node(1), 2, PATIENCE).unwrap();
        (&stream).write_all(b"again").unwrap();
    });
}

/// Small messages pass, large ones stall until the link is healed.
pub(crate) fn long_segments_vanish(setup: Setup) {
    connections(setup, |net, near, far| {
        set(net, Policy { longest: Some(700), ..Policy::default() });
        passes(&near, &far, b"small");
        passes(&far, &near, &[1; 500]);
        stalls(&near, &far, &[2; 5000]);
        set(net, Policy::default());
        assert_eq!(receive(&far, 5000, PATIENCE), [2; 5000]);
    });
}

pub(crate) fn bandwidth_holds_for_streams(setup: Setup) {
    connections(setup, |net, near, far| {
        const RATE: u64 = 16_000_000;
        set(net, Policy { bandwidth: Some(RATE), ..Policy::default() });
        let start = Instant::now();
        assert_eq!(transfer(&near, &far, 1 << 20), 0);
        let least = Duration::from_secs_f64(8.0 * f64::from(1 << 20) / RATE as f64);
        assert!(start.elapsed() >= least, "{:?}", start.elapsed());
        set(net, Policy::default());
        assert_eq!(transfer(&near, &far, 4 << 20), 0);
    });
}

/// Nothing of a connection that is held is lost, and nothing sent again is needed.
pub(crate) fn held_connections_go_on(setup: Setup) {
    connections(setup, |net, near, far| {
        passes(&near, &far, b"before");
        set(net, Policy::blocked(Block::Hold));
        stalls(&near, &far, b"held");
        set(net, Policy::default());
        assert_eq!(receive(&far, 4, PATIENCE), b"held");
        passes(&far, &near, b"after");
    });
}

/// The end of a connection comes later than its last words.
pub(crate) fn ends_linger(setup: Setup) {
    connections(setup, |net, near, mut far| {
        const LINGER: Duration = Duration::from_millis(800);
        set(net, Policy { linger: LINGER, ..Policy::default() });
        passes(&near, &far, b"hello");
        let start = Instant::now();
        (&near).write_all(b"last words").unwrap();
        near.shutdown(Shutdown::Write).unwrap();
        assert_eq!(receive(&far, 10, PATIENCE), b"last words");
        far.set_read_timeout(Some(PATIENCE)).unwrap();
        assert_eq!(far.read(&mut [0]).unwrap(), 0);
        assert!(start.elapsed() >= LINGER, "{:?}", start.elapsed());
        set(net, Policy::default());
        passes(&far, &near, b"half open still");
    });
}

/// What the kernel hands over as one is handed on as one, unless something is done to it.
pub(crate) fn clean_links_keep_super_packets(setup: Setup) {
    connections(setup, |net, near, far| {
        let received = || {
            let packets = counter(net, node(2), "dev", "eth0:", "packets");
            (counter(net, node(2), "dev", "eth0:", "bytes"), packets)
        };
        let average = |size| {
            let before = received();
            assert_eq!(transfer(&near, &far, size), 0);
            let after = received();
            (after.0 - before.0) / (after.1 - before.1)
        };
        let clean = average(32 << 20);
        assert!(clean > 4000, "{clean} bytes a packet");
        set(net, Policy { longest: Some(1500), ..Policy::default() });
        let shaped = average(4 << 20);
        assert!(shaped <= 1514, "{shaped} bytes a packet");
        assert_eq!(net.stats(Link { from: node(1), to: node(2) }).stopped, 0);
    });
}

/// Policies of all kinds in quick succession, and a stream that arrives whole.
pub(crate) fn storms_are_survived(setup: Setup) {
    connections(setup, |net, near, far| {
        let weather = std::thread::spawn({
            let net = net.clone();
            move || {
                let mut rng = danso_vocab::Rng::new(11);
                for _ in 0..60 {
                    let policy = any_weather(&mut rng);
                    let ends = if rng.chance(1, 2) { (1, 2) } else { (2, 1) };
                    let link = Link { from: node(ends.0), to: node(ends.1) };
                    net.set(&[(link, policy)]).unwrap();
                    std::thread::sleep(Duration::from_millis(rng.below(25)));
                }
                set(&net, Policy::default());
            }
        });
        assert_eq!(transfer(&near, &far, 6 << 20), 0);
        weather.join().unwrap();
        assert_eq!(transfer(&far, &near, 1 << 20), 0);
        assert_eq!(net.shortfall().lost, 0);
    });
}

/// Anything TCP copes with.
fn any_weather(rng: &mut danso_vocab::Rng) -> Policy {
    let chance = |rng: &mut danso_vocab::Rng| Chance {
        share: rng.below(20) as f64 / 100.0,
        correlation: rng.below(50) as f64 / 100.0,
    };
    let mut policy = Policy::default();
    match rng.below(8) {
        0 => policy = Policy::CUT,
        1 => policy = Policy::blocked(Block::Hold),
        2 => policy.delay.mean = Duration::from_millis(rng.below(40)),
        3 => policy.bandwidth = Some(1_000_000 + rng.below(50_000_000)),
        4 => policy.longest = Some(1500 - rng.below(1000) as u32),
        5 => policy.loss = chance(rng),
        6 => (policy.reorder, policy.duplicate) = (chance(rng), chance(rng)),
        _ => {
            policy.corrupt = chance(rng);
            policy.delay.jitter = Duration::from_millis(rng.below(10));
        }
    }
    policy
}
