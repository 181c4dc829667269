//! What can be done to a clock, seen from inside, and what must never be seen.

use std::io::Read;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use danso_engine::clock::{Skew, inside};
use danso_vocab::Rng;
use nix::time::ClockId;
use nix::unistd::Pid;

use super::node::{How, Node, SECOND, build, can, command, folder, has, page, true_clock, words};

fn built(source: &str) -> Option<String> {
    let (built, sources) = folder();
    // Tests run side by side: one file each.
    let name = format!("skews-{source}-{:?}", std::thread::current().id());
    let program = built.join(name).display().to_string();
    let source = sources.join(source).display().to_string();
    build("cc", &["-O2", "-pthread", "-o", &program, &source], &[]).map(|()| program)
}

/// What a program prints that is run with the clocks of `clock`, and how it ends.
fn output(clock: &danso_engine::clock::Clock, program: &[&str]) -> (String, Option<i32>) {
    let output = command(clock, &words(program), How::default()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    (text + &String::from_utf8_lossy(&output.stderr), output.status.code())
}

#[test]
fn a_frozen_clock_stands_still_and_a_drifting_one_gains() {
    let Some(program) = built("clocks.c").filter(|_| can()) else { return };
    let (_dir, clock) = page();
    let mut node = Node::start(&clock, &[program], How::default());
    let layer = clock.apply(Skew::Freeze { monotonic: true }).unwrap();
    std::thread::sleep(Duration::from_millis(2));
    let first = node.ask();
    std::thread::sleep(Duration::from_millis(20));
    let second = node.ask();
    second.check(&clock);
    for name in ["realtime", "mono", "raw", "boot", "gettimeofday"] {
        assert_eq!(first.of(name), second.of(name), "{name}");
    }
    clock.lift(layer);
    clock.apply(Skew::Drift { ppm: -500_000, monotonic: true }).unwrap();
    let third = node.ask();
    third.check(&clock);
    for name in ["mono", "raw", "boot", "mono-coarse"] {
        assert!(third.of(name) >= second.of(name), "{name} went back");
    }
    clock.reset();
    let last = node.ask();
    last.check(&clock);
    assert!(last.of("mono") >= third.of("mono"));
}

#[test]
fn slewing_and_strobing_are_seen() {
    let Some(program) = built("clocks.c").filter(|_| can()) else { return };
    let (_dir, clock) = page();
    let mut node = Node::start(&clock, &[program], How::default());
    clock.apply(Skew::Slew { by: -SECOND / 50, over: Duration::from_millis(50) }).unwrap();
    node.ask().check(&clock);
    std::thread::sleep(Duration::from_millis(55));
    let answer = node.ask();
    answer.check(&clock);
    let ahead = answer.of("realtime") - true_clock(ClockId::CLOCK_REALTIME);
    assert!(ahead <= -SECOND / 50, "{ahead}");
    clock.reset();
    let by = 5 * SECOND;
    clock.apply(Skew::Strobe { by, every: Duration::from_millis(3) }).unwrap();
    let (mut there, mut here) = (0, 0);
    let deadline = Instant::now() + Duration::from_secs(60);
    while there == 0 || here == 0 {
        let before = true_clock(ClockId::CLOCK_REALTIME);
        let reading = node.ask().of("realtime");
        let after = true_clock(ClockId::CLOCK_REALTIME);
        // It began to strobe a moment after it was asked to.
        if (before..=after).contains(&reading) {
            here += 1;
        } else {
            assert!((before + by..=after + by).contains(&reading));
            there += 1;
        }
        assert!(Instant::now() < deadline, "{there} jumps there, {here} back");
    }
}

#[test]
fn no_clock_is_ever_malformed_and_no_monotonic_one_goes_back() {
    let Some(program) = built("stress.c").filter(|_| can()) else { return };
    for in_place in [false, true] {
        let (_dir, clock) = page();
        // Drifts add up to less than this within the test.
        let args = [program.clone(), "2000".to_owned()];
        let mut command = command(&clock, &args, How { in_place, ..How::default() });
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut rng = Rng::new(11);
        let mut layers = vec![
            clock.apply(Skew::Strobe { by: 5 * SECOND, every: Duration::from_millis(1) }).unwrap(),
        ];
        let end = Instant::now() + Duration::from_millis(1500);
        while Instant::now() < end {
            let skew = match rng.below(5) {
                0 => Skew::Bump(rng.between(0, 1000).cast_signed() * SECOND - 500 * SECOND),
                1 => Skew::Freeze { monotonic: true },
                2 => Skew::Strobe { by: -5 * SECOND, every: Duration::from_micros(50) },
                _ => {
                    let ppm = rng.between(0, 4_000_000).cast_signed() - 1_000_000;
                    Skew::Drift { ppm, monotonic: rng.chance(1, 2) }
                }
            };
            layers.push(clock.apply(skew).unwrap());
            if layers.len() > 3 {
                clock.lift(layers.remove(0));
            }
        }
        drop(child.stdin.take());
        let mut text = String::new();
        child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
        assert!(child.wait().unwrap().success());
        assert!(text.contains("malformed=0 far=0 back=0"), "{text}");
        assert!(!text.contains("calls=0 "), "{text}");
    }
}

#[test]
fn later_programs_are_met_however_they_are_started() {
    if !can() {
        return;
    }
    let (_dir, clock) = page();
    clock.apply(Skew::Bump(86_400 * SECOND)).unwrap();
    let tomorrow = |text: &str| {
        let now = true_clock(ClockId::CLOCK_REALTIME) / SECOND;
        let seen: Vec<i64> = text.lines().map(|l| l.trim().parse().unwrap()).collect();
        assert!(!seen.is_empty());
        for time in seen {
            assert!((now + 86_400 - 60..=now + 86_400).contains(&time), "{text}");
        }
    };
    // Programs that are not there do not harm those that are.
    let (text, code) = output(&clock, &["sh", "-c", "/no/such 2>/dev/null; date +%s; exit 7"]);
    tomorrow(&text);
    assert_eq!(code, Some(7));
    // Many at once, which are killed as they begin; that they could not be met is told then.
    let storm = "for i in 1 2 3 4 5 6 7 8; do (date +%s; sh -c 'date +%s' & kill -9 $! ) 2>/dev/null & done; wait";
    let (text, _) = output(&clock, &["sh", "-c", storm]);
    let times = text.lines().filter(|l| l.bytes().all(|b| b.is_ascii_digit()));
    tomorrow(&times.collect::<Vec<_>>().join("\n"));
    // In another session, and by nobody's child.
    let (text, _) = output(&clock, &["sh", "-c", "setsid sh -c '(date +%s) & wait'"]);
    tomorrow(&text);
    if has("python3") {
        // By a thread that is not the first, while others run.
        let script = "import os, threading, time\n\
            threading.Thread(target=lambda: time.sleep(60), daemon=True).start()\n\
            threading.Thread(target=lambda: os.execvp('date', ['date', '+%s'])).start()\n\
            time.sleep(60)";
        let (text, code) = output(&clock, &["python3", "-c", script]);
        tomorrow(&text);
        assert_eq!(code, Some(0));
        let script = "import subprocess; subprocess.run(['date', '+%s'], close_fds=False)";
        tomorrow(&output(&clock, &["python3", "-c", script]).0);
    }
}

#[test]
fn without_a_follower_the_first_program_is_met_and_later_ones_are_not() {
    if !can() {
        return;
    }
    let (_dir, clock) = page();
    clock.apply(Skew::Bump(86_400 * SECOND)).unwrap();
    let how = How { first_only: true, ..How::default() };
    let run = |program: &[&str]| {
        let output = command(&clock, &words(program), how).output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap().trim().parse::<i64>().unwrap()
    };
    let now = true_clock(ClockId::CLOCK_REALTIME) / SECOND;
    assert!(run(&["date", "+%s"]) >= now + 86_400);
    assert!(run(&["sh", "-c", "date +%s; exit 0"]) < now + 86_400);
}

#[test]
fn a_program_dies_with_its_helper_and_is_seen_from_outside_until_then() {
    if !can() {
        return;
    }
    let (_dir, clock) = page();
    let mut helper = command(&clock, &words(&["sleep", "60"]), How::default())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let id = helper.id();
    let deadline = Instant::now() + Duration::from_secs(60);
    let child = loop {
        let list = format!("/proc/{id}/task/{id}/children");
        let children = std::fs::read_to_string(list).unwrap();
        let child = children.trim().parse().ok().map(Pid::from_raw);
        // It is being patched until its clock can be read.
        if let Some(child) = child
            && inside::read(child, clock.token()).is_ok()
        {
            break child;
        }
        assert!(Instant::now() < deadline);
        std::thread::sleep(Duration::from_millis(2));
    };
    clock.apply(Skew::Bump(-SECOND)).unwrap();
    let reading = inside::read(child, clock.token()).unwrap();
    assert_eq!((reading.wall_ns, reading.monotonic_ns), (-SECOND, 0));
    assert!(inside::read(child, clock.token() + 1).unwrap_err().contains("another node's"));
    let own = inside::read(Pid::from_raw(id.cast_signed()), clock.token());
    assert!(own.unwrap_err().contains("the machine's clocks"));
    helper.kill().unwrap();
    helper.wait().unwrap();
    while std::fs::read_to_string(format!("/proc/{child}/stat")).is_ok_and(|s| !s.contains(") Z")) {
        assert!(Instant::now() < deadline, "the program outlives its helper");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn a_debugger_can_attach_afterwards() {
    if !can() || !has("strace") {
        return;
    }
    let (_dir, clock) = page();
    let script = "strace -f -e trace=exit_group -o /dev/null sh -c 'exit 5'";
    // Within the tree a tracer meets the follower: one of the two is told, nobody hangs.
    let (_, code) = output(&clock, &["sh", "-c", script]);
    assert!(code.is_some());
    let plain = Command::new("true").status().unwrap();
    assert!(plain.success());
}
