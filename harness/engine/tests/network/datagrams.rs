//! What policies do to numbered UDP packets, observed by the sockets that send and receive them.

use std::io::ErrorKind;
use std::net::UdpSocket;
use std::ops::Range;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use danso_engine::network::{
    Block, Chance, Delay, Distribution, Ip, Link, LinkStats, Party, Policy,
};
use danso_vocab::NodeId;
use nix::sys::socket::{setsockopt, sockopt};

use super::cases::open_ip;
use super::peers::*;
use super::setup::Setup;

const LINK: Link = Link { from: Party::Node(NodeId(1)), to: Party::Node(NodeId(2)) };

/// A datagram that has arrived.
struct Arrival {
    number: u64,
    /// Since it was sent.
    took: Duration,
    when: Instant,
    /// Bits that are not as they were sent.
    flipped: u32,
}

impl Arrival {
    fn of(bytes: &[u8], base: Instant) -> Arrival {
        let number = u64::from_be_bytes(bytes[..8].try_into().unwrap());
        let at = u64::from_be_bytes(bytes[8..16].try_into().unwrap());
        let when = Instant::now();
        let flipped = bytes[16..].iter().zip(pattern(number, bytes.len() - 16));
        Arrival {
            number,
            took: (when - base).saturating_sub(Duration::from_nanos(at)),
            when,
            flipped: flipped.map(|(a, b)| (a ^ b).count_ones()).sum(),
        }
    }
}

/// Node 1 sends, node 2 receives.
struct Line {
    net: Net,
    near: UdpSocket,
    arrivals: Receiver<Arrival>,
    base: Instant,
    sent: u64,
}

impl Line {
    fn open(net: &Net) -> Line {
        let to = net.listen(n(2), PORT);
        let far = inside(net, node(2), move || UdpSocket::bind(to).unwrap());
        let from = (net.listen(n(1), PORT).ip(), 0);
        let near = inside(net, node(1), move || UdpSocket::bind(from).unwrap());
        near.connect(to).unwrap();
        // What the machine allows; the rest is done by sending in small portions.
        setsockopt(&far, sockopt::RcvBuf, &(4 << 20)).unwrap();
        let base = Instant::now();
        let (tell, arrivals) = channel();
        std::thread::spawn(move || {
            let mut bytes = [0; 8192];
            while let Ok(length) = far.recv(&mut bytes) {
                if tell.send(Arrival::of(&bytes[..length], base)).is_err() {
                    return;
                }
            }
        });
        Line { net: net.clone(), near, arrivals, base, sent: 0 }
    }

    fn set(&self, policy: Policy) {
        self.net.set(&[(LINK, policy)]).unwrap();
    }

    fn stats(&self) -> LinkStats {
        self.net.stats(LINK)
    }

    /// Sends numbered datagrams with this many bytes behind number and time.
    fn send(&mut self, count: u64, padding: usize) {
        for _ in 0..count {
            let mut bytes = self.sent.to_be_bytes().to_vec();
            bytes.extend((self.base.elapsed().as_nanos() as u64).to_be_bytes());
            bytes.extend(pattern(self.sent, padding));
            self.near.send(&bytes).unwrap();
            self.sent += 1;
            if self.sent.is_multiple_of(20) {
                self.keep_pace();
            }
        }
    }

    /// Not faster than the switch reads on a busy machine: queues are finite.
    fn keep_pace(&self) {
        let start = Instant::now();
        let seen = |s: LinkStats| s.passed + s.stopped + s.touched;
        while seen(self.stats()) < self.sent && start.elapsed() < Duration::from_millis(500) {
            std::thread::sleep(Duration::from_micros(200));
        }
    }

    /// All that arrives until nothing has for `quiet`.
    fn receive(&self, quiet: Duration) -> Vec<Arrival> {
        std::iter::from_fn(|| self.arrivals.recv_timeout(quiet).ok()).collect()
    }

    /// Waits until the switch has counted what has been sent.
    fn await_stats(&self, counted: impl Fn(LinkStats) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !counted(self.stats()) {
            assert!(Instant::now() < deadline, "{:?}", self.stats());
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// After healing all is as before.
    fn heals(&mut self) {
        self.set(Policy::default());
        let (before, first) = (self.stats(), self.sent);
        self.send(100, 100);
        these(&numbers(&self.receive(QUIET)), first..first + 100, "healed");
        let after = self.stats();
        assert_eq!((after.stopped, after.touched), (before.stopped, before.touched));
        assert!(after.passed >= before.passed + 100);
    }
}

fn pattern(number: u64, length: usize) -> impl Iterator<Item = u8> {
    (0..length as u64).map(move |i| (number.wrapping_mul(31) + i * 7) as u8)
}

fn numbers(arrivals: &[Arrival]) -> Vec<u64> {
    arrivals.iter().map(|a| a.number).collect()
}

/// These have arrived, all and in order.
fn these(numbers: &[u64], expected: Range<u64>, why: &str) {
    let mut next = expected.clone();
    let wrong = numbers.iter().find(|n| next.next() != Some(**n));
    let count = numbers.len() as u64;
    let all = count == expected.end - expected.start;
    assert!(wrong.is_none() && all, "{count} of {expected:?} arrived, {wrong:?} early: {why}");
}

fn share(of: u64, all: u64) -> f64 {
    of as f64 / all as f64
}

/// Opens a network of each version of the protocol and a line across it.
fn lines(setup: Setup, case: impl Fn(&mut Line, Ip)) {
    for ip in [Ip::V4, Ip::V6] {
        let net = open_ip(setup, ip);
        case(&mut Line::open(&net), ip);
    }
}

pub(crate) fn loss(setup: Setup) {
    lines(setup, |line, _| {
        line.set(Policy { loss: Chance::of(0.1), ..Policy::default() });
        line.send(3000, 100);
        let arrived = line.receive(QUIET).len() as u64;
        let stats = line.stats();
        assert_eq!((stats.passed, stats.stopped), (arrived, 3000 - arrived));
        assert!((0.07..0.13).contains(&share(stats.stopped, 3000)), "{stats:?}");
        line.heals();
    });
}

/// Bursts, of which the seed decides.
pub(crate) fn bursts_by_seed(setup: Setup) {
    let lost = || {
        let mut line = Line::open(&open_ip(setup, Ip::V4));
        let loss = Chance { share: 0.2, correlation: 0.9 };
        line.set(Policy { loss, ..Policy::default() });
        line.send(3000, 10);
        let arrived = numbers(&line.receive(QUIET));
        let lost: Vec<u64> = (0..3000).filter(|n| arrived.binary_search(n).is_err()).collect();
        lost
    };
    let first = lost();
    assert!((0.08..0.35).contains(&share(first.len() as u64, 3000)), "{}", first.len());
    let bursts = 1 + first.windows(2).filter(|w| w[1] != w[0] + 1).count();
    assert!(first.len() > 5 * bursts, "{} lost in {bursts} bursts", first.len());
    assert_eq!(first, lost(), "the same seed and another luck");
}

pub(crate) fn duplicates(setup: Setup) {
    lines(setup, |line, _| {
        line.set(Policy { duplicate: Chance::of(0.2), ..Policy::default() });
        line.send(2000, 100);
        let mut arrived = numbers(&line.receive(QUIET));
        let all = arrived.len() as u64;
        assert!(arrived.is_sorted());
        arrived.dedup();
        these(&arrived, 0..2000, "and some twice");
        let stats = line.stats();
        assert_eq!((stats.passed, stats.stopped, stats.touched), (all, 0, all - 2000));
        assert!((0.15..0.25).contains(&share(stats.touched, 2000)), "{stats:?}");
        line.heals();
    });
}

pub(crate) fn corruption(setup: Setup) {
    lines(setup, |line, ip| {
        let errors = |line: &Line| match ip {
            Ip::V4 => counter(&line.net, node(2), "snmp", "Udp:", "InCsumErrors"),
            Ip::V6 => counter(&line.net, node(2), "snmp6", "Udp6InCsumErrors", ""),
        };
        line.set(Policy { corrupt: Chance::of(0.2), ..Policy::default() });
        line.send(2000, 200);
        let arrivals = line.receive(QUIET);
        let stats = line.stats();
        assert!((0.15..0.25).contains(&share(stats.touched, 2000)), "{stats:?}");
        assert!(arrivals.iter().all(|a| a.flipped == 0), "the checksum let one through");
        // A flipped bit in a length makes a packet that is wrong otherwise.
        let lost = 2000 - arrivals.len() as u64;
        assert!(lost <= stats.touched && lost * 10 >= stats.touched * 9, "{lost} {stats:?}");
        let told = errors(line);
        assert!(told <= lost && told * 10 >= lost * 8, "{told} of {lost}");

        let believably =
            Policy { corrupt: Chance::of(0.2), corrupt_believably: true, ..Policy::default() };
        let (first, before) = (line.sent, line.stats().touched);
        line.set(believably);
        line.send(1000, 400);
        let arrivals = line.receive(QUIET);
        assert_eq!(arrivals.len(), 1000, "from {first}");
        assert_eq!(errors(line), told);
        // A flip in the number makes the pattern another.
        let damaged = arrivals.iter().filter(|a| a.flipped == 1).count() as u64;
        let touched = line.stats().touched - before;
        assert!(damaged <= touched && damaged * 10 > touched * 8, "{damaged} of {touched}");
        line.heals();
    });
}

pub(crate) fn delays(setup: Setup) {
    lines(setup, |line, _| {
        let (mean, jitter) = (Duration::from_millis(40), Duration::from_millis(10));
        let delay = Delay { mean, ..Delay::default() };
        line.set(Policy { delay, ..Policy::default() });
        line.send(300, 100);
        let arrivals = line.receive(QUIET);
        these(&numbers(&arrivals), 0..300, "late");
        assert!(arrivals.iter().all(|a| a.took >= mean));
        assert_eq!(line.stats().touched, 300);
        for distribution in [Distribution::Uniform, Distribution::Normal, Distribution::Pareto] {
            let delay = Delay { mean, jitter, distribution };
            line.set(Policy { delay, ..Policy::default() });
            let first = line.sent;
            line.send(100, 100);
            let arrivals = line.receive(QUIET);
            these(&numbers(&arrivals), first..first + 100, "jitter alone keeps the order");
            if distribution == Distribution::Uniform {
                assert!(arrivals.iter().all(|a| a.took >= mean - jitter));
            }
        }
        line.heals();
    });
}

pub(crate) fn reordering(setup: Setup) {
    lines(setup, |line, _| {
        let displaced = |numbers: &[u64]| {
            let mut sorted = numbers.to_vec();
            sorted.sort_unstable();
            sorted.dedup();
            assert_eq!(sorted.len(), numbers.len());
            let mut most = 0;
            let late = numbers.iter().filter(|n| {
                most = most.max(**n);
                **n < most
            });
            late.count() as u64
        };
        // Overtaken by the next.
        line.set(Policy { reorder: Chance::of(0.1), ..Policy::default() });
        line.send(2000, 10);
        let arrived = numbers(&line.receive(QUIET));
        assert_eq!(arrived.len(), 2000);
        let late = share(displaced(&arrived), 2000);
        assert!((0.04..0.14).contains(&late), "{late}");
        // Overtaking those that are delayed.
        let delay = Delay { mean: Duration::from_millis(60), ..Delay::default() };
        line.set(Policy { reorder: Chance::of(0.1), delay, ..Policy::default() });
        let first = line.sent;
        line.send(1000, 10);
        let arrivals = line.receive(QUIET);
        assert_eq!(arrivals.len(), 1000);
        let early = arrivals.iter().filter(|a| a.took < delay.mean).count() as u64;
        assert!((0.01..0.14).contains(&share(early, 1000)), "{early}");
        assert!(displaced(&numbers(&arrivals)) >= early, "from {first}");
        line.heals();
    });
}

pub(crate) fn long_packets_vanish(setup: Setup) {
    lines(setup, |line, _| {
        line.set(Policy { longest: Some(600), ..Policy::default() });
        line.send(100, 400);
        line.send(100, 800);
        these(&numbers(&line.receive(QUIET)), 0..100, "short ones");
        assert_eq!(line.stats().stopped, 100);
        line.heals();
    });
}

/// A datagram longer than a packet goes in parts, each a packet of its own.
pub(crate) fn parts_of_datagrams(setup: Setup) {
    lines(setup, |line, _| {
        line.set(Policy { longest: Some(1500), ..Policy::default() });
        line.send(20, 5000);
        let arrivals = line.receive(QUIET);
        these(&numbers(&arrivals), 0..20, "in parts");
        assert!(arrivals.iter().all(|a| a.flipped == 0));
        assert_eq!(line.stats().passed, 80);
        line.set(Policy {
            corrupt: Chance::of(1.0),
            corrupt_believably: true,
            ..Policy::default()
        });
        line.send(20, 5000);
        // Only the first part has the checksum, and can be changed to fit.
        let arrivals = line.receive(QUIET);
        assert_eq!(arrivals.len(), 20);
        assert_eq!(line.stats().touched, 20);
        line.heals();
    });
}

pub(crate) fn bandwidth(setup: Setup) {
    lines(setup, |line, _| {
        const RATE: f64 = 4e6;
        line.set(Policy { bandwidth: Some(RATE as u64), ..Policy::default() });
        line.send(600, 984);
        let arrivals = line.receive(QUIET);
        let stats = line.stats();
        assert_eq!(stats.passed + stats.stopped, 600);
        assert!(stats.touched > 0 && arrivals.len() as u64 <= stats.passed);
        // However late we are to look, nothing came before its time.
        let bits = 8.0 * 1028.0 * (arrivals.len() - 1) as f64;
        let span = arrivals.last().unwrap().when - line.base;
        assert!(span.as_secs_f64() >= bits / RATE, "{span:?} for {bits} bits");
        line.heals();
    });
}

pub(crate) fn held_is_released_in_order(setup: Setup) {
    lines(setup, |line, _| {
        line.set(Policy::blocked(Block::Hold));
        line.send(200, 100);
        assert_eq!(line.receive(QUIET).len(), 0);
        assert_eq!((line.stats().passed, line.stats().stopped), (0, 200));
        line.set(Policy::default());
        line.send(50, 100);
        these(&numbers(&line.receive(QUIET)), 0..250, "released");
        assert_eq!((line.stats().passed, line.stats().stopped), (250, 200));
        line.set(Policy::blocked(Block::Hold));
        line.send(20, 100);
        line.await_stats(|stats| stats.stopped >= 220);
        line.set(Policy::CUT);
        line.set(Policy::default());
        assert_eq!(line.receive(QUIET).len(), 0, "a cut kills what is held");
        line.heals();
    });
}

/// What is under way when the policy changes.
pub(crate) fn changes_reach_what_is_under_way(setup: Setup) {
    lines(setup, |line, _| {
        let slow = |mean| {
            let delay = Delay { mean, ..Delay::default() };
            Policy { delay, ..Policy::default() }
        };
        let send = |line: &mut Line, count| {
            let before = line.stats().touched;
            line.send(count, 100);
            line.await_stats(|stats| stats.touched >= before + count);
        };
        line.set(slow(Duration::from_secs(600)));
        send(line, 100);
        line.set(Policy::default());
        line.send(100, 100);
        these(&numbers(&line.receive(QUIET)), 0..200, "healing brings all, and in order");
        line.set(slow(Duration::from_secs(600)));
        send(line, 50);
        line.set(slow(Duration::from_millis(50)));
        line.send(50, 100);
        these(&numbers(&line.receive(QUIET)), 200..300, "a shorter delay is for all");
        line.set(slow(Duration::from_secs(600)));
        let stopped = line.stats().stopped;
        send(line, 50);
        line.set(Policy::CUT);
        line.set(Policy::default());
        assert_eq!(line.receive(QUIET).len(), 0, "a cut kills what is under way");
        assert_eq!(line.stats().stopped, stopped + 50);
        line.heals();
    });
}

/// The sender of a datagram is told that nobody listens.
pub(crate) fn refused(setup: Setup) {
    lines(setup, |line, _| {
        line.set(Policy::blocked(Block::Reject));
        line.near.send(b"anyone?").unwrap();
        line.near.set_read_timeout(Some(PATIENCE)).unwrap();
        let error = line.near.recv(&mut [0; 8]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        assert_eq!(line.stats().stopped, 1);
        line.heals();
    });
}
