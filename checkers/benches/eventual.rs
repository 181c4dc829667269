//! How long a million operations of replicated objects take to check, and how much memory beside
//! the history: `cargo bench -p danso-checkers --bench eventual`.

#![allow(clippy::unwrap_used, reason = "a benchmark may panic")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use danso_checkers::eventual::{Object, eventual};
use danso_vocab::{
    Call, Checker, Event, History, HistoryBuilder, Limits, NodeId, Outcome, Process, Rng, Time,
    Value,
};

static NOW: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: everything is handed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        MOST.fetch_max(now, Ordering::Relaxed);
        // SAFETY: the caller keeps the rules of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the rules of `dealloc`.
        unsafe { System.dealloc(at, layout) }
    }
}

const OPS: u64 = 1_000_000;
const NODES: u16 = 5;

fn main() {
    println!("{:<22} {:>5} {:>9} {:>9} {:>7}  verdict", "1 M ops", "keys", "CPU", "wall", "B/op");
    for keys in [1, 100] {
        for object in [
            Object::Register,
            Object::LastWriteRegister,
            Object::GCounter,
            Object::PnCounter,
            Object::GSet,
            Object::OrSet,
        ] {
            measure(object, keys);
        }
    }
}

fn measure(object: Object, keys: u64) {
    let history = history(object, keys);
    let checker = eventual(object, Value::Nil);
    let before = NOW.load(Ordering::Relaxed);
    MOST.store(before, Ordering::Relaxed);
    let (start, busy) = (Instant::now(), on_cpu());
    let finding = checker.check(&history, &Limits::default());
    let (wall, cpu) = (start.elapsed(), on_cpu() - busy);
    let bytes = (MOST.load(Ordering::Relaxed) - before) as f64 / history.len() as f64;
    println!(
        "{:<22} {keys:>5} {:>9} {:>9} {bytes:>7.0}  {}",
        checker.name(),
        format!("{cpu:.0?}"),
        format!("{wall:.0?}"),
        finding.verdict
    );
}

/// The time this thread has spent on a CPU, which a busy machine does not lengthen.
fn on_cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let ns = text.split_whitespace().next().and_then(|ns| ns.parse().ok());
    Duration::from_nanos(ns.unwrap_or(0))
}

/// Ten processes at five replicas that all know everything at once. Half of the operations change
/// something; what sets hold is read rarely, since a read of a set costs what it shows.
fn history(object: Object, keys: u64) -> History {
    let mut rng = Rng::new(7);
    let mut builder = HistoryBuilder::new();
    let mut states = vec![Value::Nil; keys as usize];
    let mut sums = vec![0_i64; keys as usize];
    let mut sets = vec![BTreeSet::new(); keys as usize];
    let mut time = 0;
    let mut op = |process: u32, call: Call, ret: Value| {
        let (process, node) = (Process(process), Some(NodeId(process as u16 % NODES + 1)));
        time += 1_000;
        builder.push(Time(time), Event::Invoke { process, node, call }).unwrap();
        time += 1_000;
        let outcome = Outcome::Ok(ret);
        builder.push(Time(time), Event::Complete { process, outcome }).unwrap();
    };
    let reads = !matches!(object, Object::GSet | Object::OrSet);
    for n in 0..OPS {
        let at = rng.below(keys) as usize;
        let key = Value::Int(at as i64);
        let process = (n % 10) as u32;
        let (call, ret) = match object {
            _ if reads && rng.chance(1, 2) => {
                let sum = Value::Int(sums[at]);
                let counter = matches!(object, Object::GCounter | Object::PnCounter);
                (Call::new("read", ()), if counter { sum } else { states[at].clone() })
            }
            Object::Register | Object::LastWriteRegister => {
                states[at] = Value::Int(n as i64);
                (Call::new("write", n as i64), Value::Nil)
            }
            Object::GCounter | Object::PnCounter => {
                let least = if object == Object::GCounter { 0 } else { -3 };
                let delta = rng.below(9) as i64 + least;
                sums[at] += delta;
                (Call::new("add", delta), Value::Nil)
            }
            Object::OrSet if n % 2 == 1 => {
                let last = sets[at].pop_last();
                let tag = last.map(|n| format!("t{n}")).into_iter().collect::<Vec<_>>();
                (Call::new("remove", last.unwrap_or(0)), tag.into())
            }
            Object::GSet | Object::OrSet => {
                sets[at].insert(n as i64);
                (Call::new("add", n as i64), Value::from(format!("t{n}")))
            }
        };
        op(process, call.on(key), ret);
    }
    for at in 0..keys as usize {
        for process in 0..NODES {
            let ret = match object {
                Object::GCounter | Object::PnCounter => Value::Int(sums[at]),
                Object::GSet | Object::OrSet => {
                    Value::List(sets[at].iter().map(|n| Value::Int(*n)).collect())
                }
                Object::Register | Object::LastWriteRegister => states[at].clone(),
            };
            op(process.into(), Call::new("read", ()).on(Value::Int(at as i64)), ret);
        }
    }
    builder.finish()
}
