//! How long a page takes from the bytes of a history, how large it is, and how much memory that
//! needs: `cargo bench -p danso-reports --bench page`. Wanted are at most 5 s and 1 GB for a million
//! events, and 15 MB for a page.

#![allow(clippy::unwrap_used, reason = "a benchmark may panic")]

use std::time::Instant;

use danso_reports::Record;
use danso_vocab::codec::jsonl::{self, Tail, Writer};
use danso_vocab::event::note;
use danso_vocab::{
    Anomaly, Call, Event, FaultId, Finding, History, NodeId, Note, OpId, Outcome, Process, Results,
    Rng, Time, Value,
};

const EVENTS: [u64; 3] = [40_000, 400_000, 1_000_000];
const WORKERS: u64 = 50;
const MS: u64 = 1_000_000;

fn main() {
    println!("{:>9} {:>8} {:>8} {:>8} {:>9}", "events", "read", "render", "page", "peak");
    for events in EVENTS {
        let bytes = history(events);
        let started = Instant::now();
        let history = jsonl::read(&bytes, Tail::Strict).unwrap().history;
        let read = started.elapsed();
        let results = results(&history);
        let record =
            Record { title: "bench", plan: None, history: &history, results: &results, logs: &[] };
        let started = Instant::now();
        let page = danso_reports::html(&record);
        let render = started.elapsed();
        let (page, peak) = (page.len() as f64 / 1e6, peak());
        println!("{events:>9} {read:>8.2?} {render:>8.2?} {page:>5.1} MB {peak:>6} MB");
    }
}

/// Reads and writes of many workers, now and then failing, with a partition every ten seconds.
fn history(events: u64) -> Vec<u8> {
    let mut rng = Rng::new(1).split("bench");
    let mut writer = Writer::new(Vec::new()).unwrap();
    let mut process: Vec<u32> = (0..WORKERS as u32).collect();
    let mut next = WORKERS as u32;
    let mut now = 0;
    for i in 0..events / 2 {
        let worker = (i % WORKERS) as usize;
        let id = Process(process[worker]);
        now += rng.between(MS / 100, MS / 5);
        if i % 40_000 == 20_000 {
            let fault = FaultId((i / 40_000) as u32);
            let begun = Note::new("partition", ()).fault(fault).nodes([NodeId(1)]);
            writer.write(Time(now), &Event::Note(begun)).unwrap();
            let healed = Note::new(note::HEAL, ()).fault(fault).nodes([NodeId(1)]);
            writer.write(Time(now + 2_000 * MS), &Event::Note(healed)).unwrap();
        }
        let call = match rng.below(2) {
            0 => Call::new("read", ()),
            _ => Call::new("write", i as i64),
        };
        let call = call.on(format!("k{}", rng.below(500)));
        let node = Some(NodeId(1 + (worker % 5) as u16));
        writer.write(Time(now), &Event::Invoke { process: id, node, call }).unwrap();
        let outcome = match rng.below(100) {
            0 => Outcome::Info("timed out after 1 s".into()),
            1..4 => Outcome::Fail("no leader".into()),
            _ => Outcome::Ok(Value::Int(rng.below(1 << 40) as i64)),
        };
        if let Outcome::Info(_) = outcome {
            process[worker] = next;
            next += 1;
        }
        now += rng.below(MS / 50);
        writer.write(Time(now), &Event::Complete { process: id, outcome }).unwrap();
    }
    std::mem::take(writer.sink())
}

fn results(history: &History) -> Results {
    let at = |part: usize| history.row(history.len() * part / 10).id();
    let anomaly = |ops: Vec<OpId>| Anomaly {
        name: "stale-read".into(),
        key: None,
        ops,
        because: "It is stale.".to_owned(),
        explain: Vec::new(),
        figure: None,
    };
    let found = vec![anomaly(vec![at(7), at(6)]), anomaly(vec![at(2)])];
    Results { findings: vec![Finding::invalid("linearizable", found)], ..Results::default() }
}

/// The most memory this process ever had, in MB; 0 where nobody says.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or_default() / 1000
}
