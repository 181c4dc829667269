//! What the packet switch costs, beside loopback: `cargo bench -p danso-engine --bench network`.
//!
//! Absolute numbers depend on the machine and on what else it does; ratios, taken in turns within
//! one run, hardly do.

#![allow(clippy::unwrap_used, reason = "a benchmark may panic")]

#[allow(dead_code, reason = "shared with the tests")]
#[path = "../tests/network/peers.rs"]
mod peers;

use std::io::{Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use danso_engine::network::{Choice, Delay, Link, Party, Policy, Prepared, Spec, prepare};
use danso_vocab::NodeId;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;

use peers::{Net, PATIENCE, PORT, accept, dial, inside, listen, n, node};

fn main() {
    let prepared = match prepare(Choice::Switch) {
        Ok(prepared) => prepared,
        Err(error) => return println!("skipped: {error}"),
    };
    println!("{}", open(&prepared).describe());
    println!("{:<44} {:>12} {:>12}  target", "", "measured", "");
    round_trips(&prepared);
    throughput(&prepared);
    cuts(&prepared);
    delays(&prepared);
    idle(&prepared);
}

fn open(prepared: &Prepared) -> Net {
    prepared.open(&Spec::new(NodeId::all(5), vec![PORT])).unwrap()
}

fn line(what: &str, measured: String, beside: String, target: &str, met: bool) {
    let verdict = if met { "met" } else { "MISSED" };
    println!("{what:<44} {measured:>12} {beside:>12}  {target}: {verdict}");
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Connections from node 1 to the first nodes. One to itself is loopback's, in its own namespace.
struct Ends {
    net: Net,
    incoming: Vec<Receiver<TcpStream>>,
}

impl Ends {
    fn open(net: &Net) -> Ends {
        let incoming = (1..=3).map(|to| accept(listen(net, to))).collect();
        Ends { net: net.clone(), incoming }
    }

    fn pair(&self, to: u16) -> (TcpStream, TcpStream) {
        let near = dial(&self.net, node(1), to, PATIENCE).unwrap();
        (near, self.incoming[usize::from(to) - 1].recv().unwrap())
    }
}

/// 64 bytes there and back, everything on one processor: the cost in software alone.
fn round_trips(prepared: &Prepared) {
    let all = sched_getaffinity(Pid::from_raw(0)).unwrap();
    let first = (0..CpuSet::count()).find(|cpu| all.is_set(*cpu).unwrap()).unwrap();
    let mut one = CpuSet::new();
    one.set(first).unwrap();
    // The network's threads inherit it.
    sched_setaffinity(Pid::from_raw(0), &one).unwrap();
    let ends = Ends::open(&open(prepared));
    let (mut loopback, mut switched) = (f64::MAX, f64::MAX);
    for _ in 0..5 {
        loopback = loopback.min(round_trip(ends.pair(1)));
        switched = switched.min(round_trip(ends.pair(2)));
    }
    sched_setaffinity(Pid::from_raw(0), &all).unwrap();
    let ratio = switched / loopback;
    let (measured, beside) = (format!("{switched:.1} us"), format!("{loopback:.1} us"));
    line("round trip p50, one processor / loopback's", measured, beside, "", true);
    line("  ratio", format!("{ratio:.2}"), String::new(), "<= 2.2", ratio <= 2.2);
}

fn round_trip((near, far): (TcpStream, TcpStream)) -> f64 {
    let echo = std::thread::spawn(move || {
        let mut bytes = [0; 64];
        while (&far).read_exact(&mut bytes).is_ok() {
            (&far).write_all(&bytes).unwrap();
        }
    });
    let mut bytes = [7; 64];
    let times = (0..5000).map(|_| {
        let start = Instant::now();
        (&near).write_all(&bytes).unwrap();
        (&near).read_exact(&mut bytes).unwrap();
        start.elapsed().as_secs_f64() * 1e6
    });
    let median = median(times.collect());
    drop(near);
    echo.join().unwrap();
    median
}

/// One flow as fast as it goes.
fn throughput(prepared: &Prepared) {
    let net = open(prepared);
    let ends = Ends::open(&net);
    let shaped = |policy| {
        let both = [(node(1), node(3)), (node(3), node(1))];
        net.set(&both.map(|(from, to)| (Link { from, to }, policy))).unwrap();
    };
    let segmented = Policy { longest: Some(1500), ..Policy::default() };
    let short = Delay { mean: Duration::from_micros(50), ..Delay::default() };
    let delayed = Policy { delay: short, ..Policy::default() };
    let mut best = [0f64; 4];
    for _ in 0..3 {
        best[0] = best[0].max(flow(&ends, 1));
        best[1] = best[1].max(flow(&ends, 2));
        for (at, policy) in [(2, segmented), (3, delayed)] {
            shaped(policy);
            best[at] = best[at].max(flow(&ends, 3));
        }
    }
    let [loopback, clean, segmented, delayed] = best;
    let show = |gbits: f64| format!("{gbits:.1} Gbit/s");
    let share = 100.0 * clean / loopback;
    line("clean link / loopback", show(clean), show(loopback), "", true);
    let met = share >= 60.0 || clean >= 15.0;
    line("  share", format!("{share:.0} %"), String::new(), ">= 60 % or >= 15 Gbit/s", met);
    for (what, gbits) in [("segmented", segmented), ("delayed by 50 us", delayed)] {
        let what = format!("faulted link, {what}");
        line(&what, show(gbits), String::new(), ">= 1.5 Gbit/s", gbits >= 1.5);
    }
}

fn flow(ends: &Ends, to: u16) -> f64 {
    const LASTS: Duration = Duration::from_millis(1200);
    let (near, far) = ends.pair(to);
    let reader = std::thread::spawn(move || {
        let (mut bytes, mut sum) = (vec![0; 256 << 10], 0u64);
        let start = Instant::now();
        while let Ok(length @ 1..) = (&far).read(&mut bytes) {
            sum += length as u64;
        }
        8.0 * sum as f64 / start.elapsed().as_secs_f64() / 1e9
    });
    let (bytes, start) = (vec![7; 256 << 10], Instant::now());
    while start.elapsed() < LASTS {
        (&near).write_all(&bytes).unwrap();
    }
    drop(near);
    reader.join().unwrap()
}

/// A datagram that has arrived: its number, and when it was sent and came.
struct Arrival {
    number: u64,
    sent: Duration,
    came: Duration,
}

/// Numbered datagrams from node 1 to node 2.
struct Line {
    near: UdpSocket,
    base: Instant,
    sent: Vec<Duration>,
}

impl Line {
    fn open(net: &Net) -> (Line, Receiver<Arrival>) {
        let base = Instant::now();
        let to = net.listen(n(2), PORT);
        let far = inside(net, node(2), move || UdpSocket::bind(to).unwrap());
        let from = net.listen(n(1), 0);
        let near = inside(net, node(1), move || UdpSocket::bind(from).unwrap());
        near.connect(to).unwrap();
        let (tell, told) = channel();
        std::thread::spawn(move || {
            let mut bytes = [0; 16];
            while far.recv(&mut bytes).is_ok() {
                let came = base.elapsed();
                let number = u64::from_be_bytes(bytes[..8].try_into().unwrap());
                let sent = u64::from_be_bytes(bytes[8..].try_into().unwrap());
                let sent = Duration::from_nanos(sent);
                if tell.send(Arrival { number, sent, came }).is_err() {
                    return;
                }
            }
        });
        (Line { near, base, sent: Vec::new() }, told)
    }

    fn send(&mut self) {
        let mut bytes = (self.sent.len() as u64).to_be_bytes().to_vec();
        let now = self.base.elapsed();
        bytes.extend((now.as_nanos() as u64).to_be_bytes());
        self.near.send(&bytes).unwrap();
        self.sent.push(now);
    }
}

/// How long after the call to cut all links a packet was sent that still passed, and after the
/// call to heal them one that was still dropped.
fn cuts(prepared: &Prepared) {
    const ROUNDS: usize = 300;
    let net = open(prepared);
    let all: Vec<Link> = (1..=5)
        .flat_map(|a| (1..=5).filter(move |b| *b != a).map(move |b| (a, b)))
        .map(|(a, b)| Link { from: Party::Node(n(a)), to: Party::Node(n(b)) })
        .collect();
    let set = |policy: Policy| {
        let changes: Vec<_> = all.iter().map(|link| (*link, policy)).collect();
        net.set(&changes).unwrap();
    };
    let (mut wire, told) = Line::open(&net);
    let base = wire.base;
    let stop = Arc::new(AtomicBool::new(false));
    let sender = std::thread::spawn({
        let stop = Arc::clone(&stop);
        move || {
            // Without it a sleep of microseconds is one of many.
            let _ = nix::sys::prctl::set_timerslack(1);
            while !stop.load(Ordering::Relaxed) {
                wire.send();
                std::thread::sleep(Duration::from_micros(20));
            }
            wire.sent
        }
    });
    let (mut calls, mut cut, mut healed) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        std::thread::sleep(Duration::from_millis(3));
        let (cut_at, start) = (base.elapsed(), Instant::now());
        set(Policy::CUT);
        calls.push(start.elapsed());
        std::thread::sleep(Duration::from_millis(4));
        let before = told.try_iter().last().map_or(cut_at, |last| last.sent);
        cut.push(before.saturating_sub(cut_at));
        let heal_at = base.elapsed();
        set(Policy::default());
        let first = told.recv_timeout(Duration::from_secs(5)).unwrap();
        healed.push((heal_at, first.number));
    }
    stop.store(true, Ordering::Relaxed);
    let sent = sender.join().unwrap();
    let last_dropped = |(at, first): (Duration, u64)| {
        (first as usize).checked_sub(1).map_or(Duration::ZERO, |last| sent[last].saturating_sub(at))
    };
    let heal: Vec<_> = healed.into_iter().map(last_dropped).collect();
    for (what, mut times) in [("call", calls), ("cut", cut), ("heal", heal)] {
        times.sort();
        let (p50, p99) = (times[ROUNDS / 2], times[ROUNDS * 99 / 100]);
        let what = format!("{what} of all links of 5 nodes, p99 / p50");
        let (p50, shown) = (format!("{p50:.1?}"), format!("{p99:.1?}"));
        line(&what, shown, p50, "<= 1 ms", p99 <= Duration::from_millis(1));
    }
}

/// How much later than the delay packets arrive.
fn delays(prepared: &Prepared) {
    let net = open(prepared);
    let (mut wire, told) = Line::open(&net);
    for micros in [0, 100, 500, 1_000, 2_000, 5_000, 20_000, 100_000] {
        let mean = Duration::from_micros(micros);
        let delay = Delay { mean, ..Delay::default() };
        let link = Link { from: node(1), to: node(2) };
        net.set(&[(link, Policy { delay, ..Policy::default() })]).unwrap();
        let count = (1_000_000 / micros.max(5_000)).clamp(30, 200);
        let late = (0..count).map(|_| {
            std::thread::sleep(Duration::from_micros(700));
            wire.send();
            let arrival = told.recv_timeout(Duration::from_secs(5)).unwrap();
            (arrival.came - arrival.sent).as_secs_f64() * 1e6 - micros as f64
        });
        let late = median(late.collect());
        let what = format!("later than a delay of {mean:?}, p50");
        line(&what, format!("{late:.0} us"), String::new(), "<= 200 us", late <= 200.0);
    }
}

/// Processor time of a network nobody uses.
fn idle(prepared: &Prepared) {
    let used = || Duration::from(clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).unwrap());
    let _net = open(prepared);
    std::thread::sleep(Duration::from_millis(300));
    let (before, start) = (used(), Instant::now());
    std::thread::sleep(Duration::from_secs(2));
    let share = 100.0 * (used() - before).as_secs_f64() / start.elapsed().as_secs_f64();
    line("idle network of 5 nodes", format!("{share:.3} %"), String::new(), "< 2 %", share < 2.0);
}
