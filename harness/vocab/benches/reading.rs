//! How fast histories are read, and how much memory they take: `cargo bench -p danso-vocab
//! --bench reading [-- OPERATIONS]`.

#![allow(clippy::unwrap_used, reason = "a benchmark may panic")]

use std::fmt::Write as _;
use std::time::Instant;

use danso_vocab::Rng;
use danso_vocab::codec::history::{Format, Options, read};

/// Clients at work.
const PROCESSES: u64 = 10;
/// Registers they work on.
const KEYS: u64 = 8;

/// The events of a history of `ops` operations on registers: index, process, type, f, key, value.
fn events(ops: u64, mut each: impl FnMut(u64, u64, &str, &str, u64, Option<u64>)) {
    let mut rng = Rng::new(7);
    let mut index = 0;
    let mut written = 0;
    let mut open: Vec<(u64, &str, u64)> = Vec::new();
    let mut begun = 0;
    while begun < ops || !open.is_empty() {
        let finish = open.len() as u64 == PROCESSES || begun == ops || rng.below(2) == 0;
        if finish && !open.is_empty() {
            let (process, f, key) = open.swap_remove(rng.below(open.len() as u64) as usize);
            let value = (f == "read").then(|| rng.below(written.max(1)));
            each(index, process, "ok", f, key, value);
        } else if begun < ops {
            let process = (0..PROCESSES).find(|p| open.iter().all(|o| o.0 != *p)).unwrap();
            let (f, key) = (if rng.below(2) == 0 { "read" } else { "write" }, rng.below(KEYS));
            let value = (f == "write").then(|| {
                written += 1;
                written
            });
            each(index, process, "invoke", f, key, value);
            open.push((process, f, key));
            begun += 1;
        }
        index += 1;
    }
}

/// A history in danso's own format.
fn jsonl(ops: u64) -> String {
    let mut out = String::new();
    events(ops, |index, process, kind, f, key, value| {
        let value = value.map_or("null".to_owned(), |v| v.to_string());
        let node = if kind == "invoke" {
            format!(",\"node\":\"n{}\"", process % 5 + 1)
        } else {
            String::new()
        };
        let time = index * 104_729;
        writeln!(
            out,
            "{{\"index\":{index},\"time\":{time},\"process\":{process},\"type\":\"{kind}\",\"f\":\"{f}\",\"key\":\"k{key}\",\"value\":{value}{node}}}"
        )
        .unwrap();
    });
    out
}

/// The same as Jepsen writes it, of one register.
fn edn(ops: u64) -> String {
    let mut out = String::new();
    events(ops, |index, process, kind, f, _, value| {
        let value = value.map_or("nil".to_owned(), |v| v.to_string());
        let time = index * 104_729;
        writeln!(
            out,
            "{{:type :{kind}, :f :{f}, :value {value}, :process {process}, :time {time}, :index {index}}}"
        )
        .unwrap();
    });
    out
}

fn measure(name: &str, format: Format, ops: u64, text: &str, want: f64) {
    let options = Options { format: Some(format), ..Options::default() };
    let mut best = f64::INFINITY;
    let mut bytes = 0;
    for _ in 0..20 {
        let start = Instant::now();
        let loaded = read(text.as_bytes(), &options).unwrap();
        best = best.min(start.elapsed().as_secs_f64());
        assert_eq!(loaded.history.len() as u64, ops);
        bytes = loaded.history.bytes();
    }
    let rate = text.len() as f64 / 1e6 / best;
    println!(
        "{name:6} {:7.1} MB  {rate:6.0} MB/s  {:5.2} M ops/s  {:4.2} of the wanted {want} MB/s  {:4.1} B/op resident",
        text.len() as f64 / 1e6,
        ops as f64 / 1e6 / best,
        rate / want,
        bytes as f64 / ops as f64,
    );
}

fn main() {
    let ops = std::env::args().filter_map(|arg| arg.parse().ok()).next().unwrap_or(100_000);
    measure("jsonl", Format::Jsonl, ops, &jsonl(ops), 250.0);
    measure("edn", Format::Edn, ops, &edn(ops), 150.0);
}
