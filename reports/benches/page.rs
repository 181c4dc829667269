//! How long a page takes from the bytes of a history, how large it is, and how much memory that
//! needs: `cargo bench -p danso-reports --bench page`. Wanted are at most 5 s and 1 GB for a million
//! events, and 15 MB for a page.

#![allow(clippy::unwrap_used, reason = "a benchmark may panic")]

#[path = "page/run.rs"]
mod run;

use std::time::Instant;

use danso_reports::Record;
use danso_vocab::codec::jsonl::{self, Tail};

const EVENTS: [u64; 3] = [40_000, 400_000, 1_000_000];

fn main() {
    println!("{:>9} {:>8} {:>8} {:>8} {:>9}", "events", "read", "render", "page", "peak");
    for events in EVENTS {
        let bytes = run::history(events);
        let started = Instant::now();
        let history = jsonl::read(&bytes, Tail::Strict).unwrap().history;
        let read = started.elapsed();
        let results = run::results(&history);
        let record =
            Record { title: "bench", plan: None, history: &history, results: &results, logs: &[] };
        let started = Instant::now();
        let page = danso_reports::html(&record);
        let render = started.elapsed();
        let (page, peak) = (page.len() as f64 / 1e6, peak());
        println!("{events:>9} {read:>8.2?} {render:>8.2?} {page:>5.1} MB {peak:>6} MB");
    }
}

/// The most memory this process ever had, in MB; 0 where nobody says.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or_default() / 1000
}
