//! How long `danso check` takes, piece by piece and as a whole: `cargo bench -p danso --bench
//! check [-- full] [-- WORD]`. Prints what was measured, what is wanted, and the ratio: at most
//! 1.00 where the wish is met. `full` adds histories of ten million operations; any other word
//! selects lines that contain it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark may panic")]

mod shapes;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use danso_checkers::{checks, models};
use danso_vocab::codec::history::{Format, Options, read};
use danso_vocab::{History, Limits, Value};

use shapes::containers::Kind;
use shapes::contended::{self, Shape};
use shapes::turns::Size;
use shapes::{containers, counter, lock, log, register, text};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    let full = args.iter().any(|arg| arg == "full");
    let only = args.into_iter().find(|arg| arg != "full").unwrap_or_default();
    let table = Table { only };
    println!("{:<62} {:>10} {:>10} {:>6}", "", "measured", "wanted", "ratio");
    recorded(&table);
    contended(&table);
    fast(&table, 1_000_000, "1 M", 1.0);
    if full {
        fast(&table, 10_000_000, "10 M", 10.0);
    }
    accounts(&table);
    reading(&table);
    whole(&table);
}

struct Table {
    only: String,
}

impl Table {
    fn wants(&self, name: &str) -> bool {
        name.contains(&self.only)
    }

    /// A time: less is better.
    fn time(&self, name: &str, spent: Duration, wanted: Duration, more: &str) {
        let ratio = spent.as_secs_f64() / wanted.as_secs_f64();
        let wanted = format!("{wanted:.0?}");
        println!("{name:<62} {:>10} {wanted:>10} {ratio:>6.2}  {more}", format!("{spent:.1?}"));
    }
}

/// The shortest of some tries, and the last answer.
fn best<T>(tries: usize, mut work: impl FnMut() -> T) -> (Duration, T) {
    let mut best = Duration::MAX;
    let mut answer = None;
    for _ in 0..tries {
        let start = Instant::now();
        answer = Some(work());
        best = best.min(start.elapsed());
    }
    (best, answer.expect("at least one try"))
}

fn check(model: &str, initial: Value, history: &History) -> String {
    let checker = (models::find(model).expect("a bundled model").checker)(initial);
    let finding = checker.check(history, &Limits::default());
    let by: Vec<&str> = finding.stats.keys().filter_map(|name| name.strip_prefix("by-")).collect();
    format!("{} by {}", finding.verdict, by.join(", "))
}

/// All recorded etcd histories.
fn recorded(table: &Table) {
    let name = "52 etcd histories, compare-and-set registers";
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/histories/etcd-cas");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        println!("{name}: skipped, there are none beside this checkout");
        return;
    };
    if !table.wants(name) {
        return;
    }
    let logs = entries.map(|entry| entry.unwrap().path());
    let logs = logs.filter(|path| path.extension().is_some_and(|e| e == "log"));
    let load = |path| read(std::fs::File::open(path).unwrap(), &Options::default()).unwrap();
    let histories: Vec<History> = logs.map(|path| load(path).history).collect();
    let all = || histories.iter().for_each(|h| drop(check("cas-register", Value::Nil, h)));
    let spent = best(20, all).0;
    table.time(name, spent, Duration::from_millis(5), &format!("{} histories", histories.len()));
    let worst = histories.iter().map(|h| best(20, || check("cas-register", Value::Nil, h)).0).max();
    table.time("  the worst of them", worst.unwrap(), Duration::from_millis(1), "");
}

/// Few values, written again and again: the search decides.
fn contended(table: &Table) {
    for processes in [10, 20, 30, 50] {
        for (unknown, wrong) in
            [(0, false), (1, false), (5, false), (0, true), (1, true), (5, true)]
        {
            let lie = if wrong { ", wrong read" } else { "" };
            let name =
                format!("10 k ops, 5 values, {processes} processes, {unknown} % unknown{lie}");
            if !table.wants(&name) {
                continue;
            }
            let mut all: Vec<(Duration, String)> = (1..=9)
                .map(|seed| {
                    let shape =
                        Shape { ops: 10_000, keys: 1, processes, values: 5, unknown, wrong, seed };
                    let history = contended::history(shape);
                    best(1, || check("cas-register", Value::Nil, &history))
                })
                .collect();
            all.sort();
            let wanted = Duration::from_millis(if processes > 30 { 2_000 } else { 100 });
            let worst = all.last().unwrap().0;
            let invalid = all.iter().filter(|(_, said)| said.starts_with("invalid")).count();
            let more = format!("median of 9, worst {worst:.1?}, {invalid} invalid");
            table.time(&name, all[4].0, wanted, &more);
        }
    }
    let name = "1 M ops, 100 keys, 5 values, 50 processes";
    if table.wants(name) {
        let shape = Shape {
            ops: 1_000_000,
            keys: 100,
            processes: 50,
            values: 5,
            unknown: 0,
            wrong: false,
            seed: 1,
        };
        let history = contended::history(shape);
        let (spent, said) = best(3, || check("cas-register", Value::Nil, &history));
        table.time(name, spent, Duration::from_millis(600), &said);
    }
}

/// Unique values or a known order: no search.
fn fast(table: &Table, ops: usize, how_many: &str, times: f64) {
    let size = Size { ops, processes: 10, unknown: 0, wrong: false };
    let crashing = Size { unknown: 1, ..size };
    let of = |kind, unknown| containers::history(kind, ops, 10, unknown, 0, false, 7);
    type Make<'a> = &'a dyn Fn() -> History;
    let cases: [(&str, &str, i64, u64, Make<'_>); 17] = [
        ("register", "register", 0, 80, &|| register::register(size, false)),
        ("register, 1 % unknown", "register", 0, 80, &|| register::register(crashing, false)),
        ("cas-register", "cas-register", 0, 80, &|| register::register(size, true)),
        ("register with versions", "cas-register", 0, 400, &|| register::versioned(size)),
        ("fifo-queue", "fifo-queue", 0, 80, &|| of(Kind::FifoQueue, 0)),
        ("fifo-queue, 1 % unknown", "fifo-queue", 0, 80, &|| of(Kind::FifoQueue, 1)),
        ("stack", "stack", 0, 400, &|| of(Kind::Stack, 0)),
        ("priority-queue", "priority-queue", 0, 130, &|| of(Kind::PriorityQueue, 0)),
        ("bag", "bag", 0, 150, &|| of(Kind::Bag, 0)),
        ("lin-set", "lin-set", 0, 150, &|| of(Kind::LinSet, 0)),
        ("mutex", "mutex", 0, 150, &|| lock::mutex(ops, 10, 0).history()),
        ("semaphore of 3", "semaphore", 3, 150, &|| lock::semaphore(ops, 10, 0, 3).history()),
        ("rw-lock", "rw-lock", 0, 150, &|| lock::rw_lock(ops, 10, 0).history()),
        ("counter", "counter", 0, 400, &|| counter::counter(size)),
        ("fetch-and-increment", "fetch-and-increment", 0, 150, &|| {
            counter::tickets(size, "fetch-and-increment")
        }),
        ("append-log", "append-log", 0, 400, &|| log::append_log(size)),
        ("unique-ids", "unique-ids", 0, 150, &|| counter::tickets(size, "generate")),
    ];
    for (what, model, initial, wanted, make) in cases {
        let name = format!("{how_many} ops, {what}");
        if !table.wants(&name) {
            continue;
        }
        let history = make();
        let (spent, said) = best(3, || check(model, initial.into(), &history));
        let resident = history.bytes() as f64 / history.len() as f64;
        let wanted = Duration::from_millis(wanted).mul_f64(times);
        table.time(&name, spent, wanted, &format!("{said}; history {resident:.0} B/op"));
    }
}

/// What is accounted for instead of ordered.
fn accounts(table: &Table) {
    let name = "1 M ops, total-queue";
    if table.wants(name) {
        let history = containers::history(Kind::FifoQueue, 1_000_000, 10, 0, 0, false, 7);
        let total_queue = (checks::find("total-queue").expect("a check").checker)(Value::Nil);
        let (spent, finding) = best(3, || total_queue.check(&history, &Limits::default()));
        table.time(name, spent, Duration::from_secs(3), &finding.reason);
    }
}

/// From bytes to columns.
fn reading(table: &Table) {
    let cases = [("JSONL", Format::Jsonl, 250.0), ("EDN", Format::Edn, 150.0)];
    for (what, format, wanted) in cases {
        let name = format!("reading {what}, 200 k ops, one thread");
        if !table.wants(&name) {
            continue;
        }
        let text = if format == Format::Edn { text::edn(200_000) } else { text::jsonl(200_000) };
        let options = Options { format: Some(format), ..Options::default() };
        let (spent, loaded) = best(9, || read(text.as_bytes(), &options).unwrap());
        let rate = text.len() as f64 / 1e6 / spent.as_secs_f64();
        let resident = loaded.history.bytes() as f64 / loaded.history.len() as f64;
        let ratio = wanted / rate;
        let (rate, wanted) = (format!("{rate:.0} MB/s"), format!("{wanted:.0} MB/s"));
        println!("{name:<62} {rate:>10} {wanted:>10} {ratio:>6.2}  {resident:.0} B/op resident");
    }
}

/// The whole process: start, read, check, print.
fn whole(table: &Table) {
    let name = "danso check of 1 M ops in JSONL, whole process";
    if !table.wants(name) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("history.jsonl");
    let history =
        register::register(Size { ops: 1_000_000, processes: 10, unknown: 0, wrong: false }, false);
    let text = text::of(&history);
    std::fs::write(&file, &text).unwrap();
    let mut kib = 0;
    let run = || {
        let mut danso = Command::new(env!("CARGO_BIN_EXE_danso"));
        danso.arg("check").arg(&file).args(["--model", "register", "--initial", "0"]);
        let mut danso = danso.stdout(Stdio::piped()).spawn().unwrap();
        // What the kernel tells afterwards is what this process had when it forked.
        while danso.try_wait().unwrap().is_none() {
            kib = resident(danso.id()).max(kib);
            std::thread::sleep(Duration::from_millis(2));
        }
        danso.wait_with_output().unwrap()
    };
    let (spent, output) = best(5, run);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let mib = kib / 1024;
    let verdict = said.lines().find(|line| line.starts_with("verdict")).unwrap_or("no verdict");
    let more =
        format!("{} MB, {mib} MiB resident (wanted: 300), {verdict}", text.len() / 1_000_000);
    table.time(name, spent, Duration::from_secs(1), &more);
}

/// The most a process has held so far, in KiB.
fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok()).unwrap_or(0)
}
