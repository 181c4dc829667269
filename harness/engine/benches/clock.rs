//! What a clock of its own costs a node: `cargo bench -p danso-engine --bench clock`. Prints what
//! was measured, the same without or what is wanted, and the ratio of the two. Times of calls are
//! those of a thousand.

#![allow(clippy::unwrap_used, reason = "a benchmark may panic")]

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use danso_engine::clock::preload::Library;
use danso_engine::clock::{Clock, Skew};
use nix::time::{ClockId, clock_gettime};

const CALLS: u32 = 100_000;
const ROUNDS: usize = 4;
const HOUR: i64 = 3_600_000_000_000;

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("call") => call(),
        Some("watch") => watch(),
        _ => measure(),
    }
}

fn measure() {
    println!("{:<58} {:>10} {:>10} {:>6}", "", "measured", "against", "ratio");
    calls();
    changes();
    execs();
}

fn line(name: &str, measured: Duration, against: Duration, more: &str) {
    let ratio = measured.as_secs_f64() / against.as_secs_f64();
    let (measured, against) = (format!("{measured:.1?}"), format!("{against:.1?}"));
    println!("{name:<58} {measured:>10} {against:>10} {ratio:>6.2}  {more}");
}

/// How a program gets its clock.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    True,
    Relocated,
    InPlace,
    Preloaded,
}

fn command(way: Way, clock: &Clock, library: &Library, program: &[&str]) -> Command {
    let helper = env!("CARGO_BIN_EXE_danso-internal");
    let helped = |more: &[&str]| {
        let mut command = Command::new(helper);
        command.args(["internal", "clocked"]).args(more).arg(clock.path()).args(program);
        command
    };
    let plain = || {
        let mut command = Command::new(program[0]);
        command.args(&program[1..]);
        command
    };
    match way {
        Way::True => plain(),
        Way::Relocated => helped(&[]),
        Way::InPlace => helped(&["--in-place"]),
        Way::Preloaded => {
            let mut command = plain();
            command.envs(library.environment(&clock.path(), &[]));
            command
        }
    }
}

fn own() -> String {
    std::env::current_exe().unwrap().display().to_string()
}

fn folder() -> (tempfile::TempDir, Clock, Library) {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::create(&dir.path().join("clock")).unwrap();
    let library = Library::write(dir.path()).unwrap();
    (dir, clock, library)
}

/// In a process of its own: nanoseconds for a thousand calls, of both clocks.
fn call() {
    for id in [ClockId::CLOCK_REALTIME, ClockId::CLOCK_MONOTONIC] {
        let best = (0..5).map(|_| {
            let start = Instant::now();
            for _ in 0..CALLS {
                std::hint::black_box(clock_gettime(std::hint::black_box(id)).unwrap());
            }
            start.elapsed()
        });
        print!("{} ", best.min().unwrap().as_nanos() * 1000 / u128::from(CALLS));
    }
    println!();
}

fn calls() {
    let (_dir, clock, library) = folder();
    let own = own();
    let ask = |way| -> [u64; 2] {
        let output = command(way, &clock, &library, &[&own, "call"]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let mut numbers = text.split_whitespace().map(|n| n.parse().unwrap());
        [numbers.next().unwrap(), numbers.next().unwrap()]
    };
    let skews: [(&str, Way, &[Skew]); 6] = [
        ("patched, true time", Way::Relocated, &[]),
        ("patched, an hour ahead", Way::Relocated, &[Skew::Bump(HOUR)]),
        (
            "patched, drifting, monotonic too",
            Way::Relocated,
            &[Skew::Drift { ppm: 0, monotonic: true }, Skew::Bump(HOUR)],
        ),
        (
            "patched, strobing",
            Way::Relocated,
            &[Skew::Strobe { by: HOUR, every: Duration::from_millis(1) }],
        ),
        ("patched in place, an hour ahead", Way::InPlace, &[Skew::Bump(HOUR)]),
        ("preloaded, an hour ahead", Way::Preloaded, &[Skew::Bump(HOUR)]),
    ];
    for (name, way, skews) in skews {
        for skew in skews {
            // Its own stopwatch runs by the monotonic clock: almost true there.
            let skew = match *skew {
                Skew::Drift { monotonic, .. } => Skew::Drift { ppm: 1, monotonic },
                skew => skew,
            };
            clock.apply(skew).unwrap();
        }
        let (mut native, mut patched) = ([u64::MAX; 2], [u64::MAX; 2]);
        for _ in 0..ROUNDS {
            let (plain, other) = (ask(Way::True), ask(way));
            for i in 0..2 {
                native[i] = native[i].min(plain[i]);
                patched[i] = patched[i].min(other[i]);
            }
        }
        for (i, id) in ["REALTIME", "MONOTONIC"].into_iter().enumerate() {
            let name = format!("clock_gettime {id}: {name}");
            let time = |thousandth| Duration::from_nanos(thousandth);
            let each = format!("{:.1} ns a call", patched[i] as f64 / 1000.0);
            line(&name, time(patched[i]), time(native[i]), &each);
        }
        clock.reset();
    }
}

/// In a process of its own: tells when its wall clock jumps.
fn watch() {
    let far = |time: i64| time - true_wall() > HOUR / 2;
    println!("ready");
    loop {
        let raw = clock_gettime(ClockId::CLOCK_MONOTONIC).unwrap();
        let wall = clock_gettime(ClockId::CLOCK_REALTIME).unwrap();
        let wall = wall.tv_sec() * 1_000_000_000 + wall.tv_nsec();
        if far(wall) {
            println!("{}", raw.tv_sec() * 1_000_000_000 + raw.tv_nsec());
            // Until it is told to go on, which is when the clock is true again.
            let mut byte = [0];
            if std::io::stdin().read(&mut byte).unwrap() == 0 {
                return;
            }
        }
    }
}

/// The machine's wall clock, past whatever stands in front of it.
fn true_wall() -> i64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: it writes one timespec.
    unsafe { libc::syscall(libc::SYS_clock_gettime, libc::CLOCK_REALTIME, &raw mut time) };
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

fn changes() {
    let (_dir, clock, library) = folder();
    let own = own();
    let mut child = command(Way::Relocated, &clock, &library, &[&own, "watch"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "ready");
    let (mut took, mut seen) = (Vec::new(), Vec::new());
    for _ in 0..200 {
        std::thread::sleep(Duration::from_millis(2));
        let before = clock_gettime(ClockId::CLOCK_MONOTONIC).unwrap();
        let start = Instant::now();
        let layer = clock.apply(Skew::Bump(HOUR)).unwrap();
        took.push(start.elapsed());
        let at: i64 = lines.next().unwrap().unwrap().parse().unwrap();
        let before = before.tv_sec() * 1_000_000_000 + before.tv_nsec();
        // It may have looked at its other clock a moment before.
        seen.push(Duration::from_nanos((at - before).max(0).cast_unsigned()));
        clock.lift(layer);
        stdin.write_all(b"\n").unwrap();
    }
    // It looks at its clock, not at us; the program ends with its helper.
    child.kill().unwrap();
    child.wait().unwrap();
    let wanted = Duration::from_millis(1);
    for (name, mut times) in
        [("a change of offset: the call", took), ("a change of offset: seen by a node", seen)]
    {
        times.sort();
        let p99 = times[times.len() * 99 / 100];
        line(name, times[times.len() / 2], wanted, &format!("p99 {p99:.1?}"));
    }
}

fn execs() {
    let (_dir, clock, library) = folder();
    let script = "i=0; while [ $i -lt 200 ]; do /bin/true; i=$((i+1)); done";
    let time = |way| {
        let start = Instant::now();
        let status = command(way, &clock, &library, &["/bin/sh", "-c", script]).status();
        assert!(status.unwrap().success() && Path::new("/bin/true").exists());
        start.elapsed() / 200
    };
    let (mut native, mut patched) = (Duration::MAX, Duration::MAX);
    for _ in 0..ROUNDS {
        native = native.min(time(Way::True));
        patched = patched.min(time(Way::Relocated));
    }
    let more = format!("{:.1?} more", patched.saturating_sub(native));
    line("fork, exec and wait in a node", patched, native, &more);
}
