//! What a disk that can fail costs, beside the machine's own: `cargo bench -p danso-engine
//! --bench disk`.
//!
//! Absolute numbers depend on the machine and on what else it does; ratios of medians, taken in
//! turns within one run, hardly do. A sync on such a disk is not one of the machine's: durability
//! is emulated, so that it is cheap.

#![allow(clippy::unwrap_used, reason = "a benchmark may panic")]

#[allow(dead_code, reason = "shared with the tests")]
#[path = "../tests/disk/inside.rs"]
mod inside;

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

use danso_engine::disk::{Harm, Op, Rule};

const ROUNDS: usize = 5;
const TIMES: u64 = 400;

type Act = fn(&File, u64);

const ACTS: [(&str, Act); 5] = [
    ("append 256 bytes", |file, i| file.write_all_at(&[1; 256], i * 256).unwrap()),
    ("append 256 bytes, fdatasync", |file, i| {
        file.write_all_at(&[1; 256], i * 256).unwrap();
        file.sync_data().unwrap();
    }),
    ("overwrite a page", |file, i| file.write_all_at(&[2; 4096], i % 64 * 4096).unwrap()),
    ("overwrite a page, fdatasync", |file, i| {
        file.write_all_at(&[2; 4096], i % 64 * 4096).unwrap();
        file.sync_data().unwrap();
    }),
    ("read a page that is cached", |file, i| {
        file.read_exact_at(&mut [0; 4096], i % 64 * 4096).unwrap();
    }),
];

fn main() {
    let Some(bench) = inside::Bench::new() else { return };
    let native = tempfile::tempdir().unwrap();
    let other = Rule {
        ops: Op::ALL.to_vec(),
        files: vec!["*.other".to_owned()],
        harm: Harm::Fail(libc::EIO),
        chance: 1_000_000,
        times: None,
        seed: 1,
    };
    println!(
        "{:<30} {:>10} {:>10} {:>10} {:>8}",
        "us, median", "native", "disk", "a rule", "ratio"
    );
    for (what, act) in ACTS {
        let (mut natively, mut here, mut ruled) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            natively.push(median(native.path(), act));
            here.push(bench.inside(|root| median(root, act)));
            let rule = bench.disk.add(other.clone()).unwrap();
            ruled.push(bench.inside(|root| median(root, act)));
            bench.disk.lift(rule).unwrap();
        }
        let best = |all: &[Duration]| all.iter().min().unwrap().as_secs_f64() * 1e6;
        let (a, b, c) = (best(&natively), best(&here), best(&ruled));
        println!("{what:<30} {a:>10.1} {b:>10.1} {c:>10.1} {:>7.3}x", b / a);
    }
    println!("{:?}", bench.disk.stats().unwrap());
}

/// The median time of an operation on a file of 64 pages, in a folder.
fn median(folder: &Path, act: Act) -> Duration {
    let path = folder.join("file");
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&path);
    let file = file.unwrap();
    file.write_all_at(&[0; 64 * 4096], 0).unwrap();
    file.sync_all().unwrap();
    let mut times: Vec<Duration> = (0..TIMES)
        .map(|i| {
            let since = Instant::now();
            act(&file, i);
            since.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[times.len() / 2]
}
