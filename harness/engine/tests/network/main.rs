//! Networks, observed from inside.
//!
//! Not under the usual test harness: `prepare` needs a process with one thread, and each setup
//! another privilege. So every case runs in a fresh process of this same binary.

#![allow(clippy::unwrap_used, reason = "all of this is a test")]

mod cases;
mod datagrams;
mod files;
mod nft;
mod peers;
mod relays;
mod remains;
mod setup;
mod streams;

use std::process::{Child, ExitCode, Stdio};
use std::time::{Duration, Instant};

use setup::Setup;

/// At once; most of a case's time is waiting for retransmissions.
const AT_ONCE: usize = 4;
const PATIENCE: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.first().map(String::as_str) {
        Some("--case") => cases::run(&args[1]),
        Some("--hold") => remains::hold(&args[1]),
        Some("--dial") => nft::dial_and_talk(&args[1]),
        Some("--nothing") => {}
        Some("--list") => {
            for name in cases::names() {
                println!("{name}: test");
            }
        }
        _ => return run_all(&args),
    }
    ExitCode::SUCCESS
}

struct Running {
    name: String,
    child: Child,
    since: Instant,
}

fn run_all(args: &[String]) -> ExitCode {
    let exact = args.iter().any(|arg| arg == "--exact");
    let wanted: Vec<_> = args.iter().filter(|arg| !arg.starts_with("--")).collect();
    let matches = |name: &String| {
        wanted.is_empty()
            || wanted.iter().any(|w| if exact { *w == name } else { name.contains(w.as_str()) })
    };
    let (mut passed, mut failed, mut skipped) = (0, Vec::new(), 0);
    let mut waiting: Vec<_> = cases::names().into_iter().filter(matches).rev().collect();
    let mut running: Vec<Running> = Vec::new();
    println!("\nrunning {} tests", waiting.len());
    while !waiting.is_empty() || !running.is_empty() {
        while running.len() < AT_ONCE
            && let Some(name) = waiting.pop()
        {
            let setup = Setup::of(&name);
            let spawned = setup.obstacle().map_or_else(
                || {
                    let mut command = setup.command(&["--case", &name]);
                    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
                    command.spawn().map_err(|error| error.to_string())
                },
                Err,
            );
            match spawned {
                Ok(child) => running.push(Running { name, child, since: Instant::now() }),
                Err(reason) => {
                    skipped += 1;
                    println!("test {name} ... ignored, skipped: {reason}");
                }
            }
        }
        for mut case in std::mem::take(&mut running) {
            let ended = case.child.try_wait().expect("a child can be waited for").is_some();
            if !ended && case.since.elapsed() < PATIENCE {
                running.push(case);
                continue;
            }
            let took = case.since.elapsed().as_secs_f32();
            let _ = case.child.kill();
            let output = case.child.wait_with_output().expect("a child can be waited for");
            let said = String::from_utf8_lossy(&output.stdout).into_owned()
                + &String::from_utf8_lossy(&output.stderr);
            if output.status.success() {
                passed += 1;
                println!("test {} ... ok ({took:.1} s)", case.name);
            } else {
                println!("test {} ... FAILED ({took:.1} s)\n{said}", case.name);
                failed.push(case.name);
            }
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let verdict = if failed.is_empty() { "ok" } else { "FAILED" };
    println!(
        "\ntest result: {verdict}. {passed} passed; {} failed; {skipped} ignored; 0 measured; \
         0 filtered out",
        failed.len()
    );
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
