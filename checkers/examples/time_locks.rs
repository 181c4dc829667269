//! How long it takes to decide histories of locks: `cargo run --release --example time_locks`.

#[allow(unreachable_pub, reason = "it is shared with the benchmarks")]
#[path = "../benches/shapes/lock.rs"]
mod lock;

use std::time::Instant;

use danso_checkers::linearizable::polynomial::{Decision, How, Lock, Part, Polynomial};
use danso_vocab::Stop;
use lock::Locks;

fn main() {
    let n = 1_000_000;
    let shapes = [
        ("mutex", Lock::mutex(), lock::mutex(n, 10, 0)),
        ("mutex, 1 % unknown", Lock::mutex(), lock::mutex(n, 10, 1)),
        ("mutex, 100 processes", Lock::mutex(), lock::mutex(n, 100, 0)),
        ("mutex, tries", Lock::mutex(), Locks { tries: 50, ..lock::mutex(n, 10, 1) }),
        ("fenced mutex", Lock::fenced(), lock::mutex(n, 10, 0)),
        ("reentrant mutex", Lock::reentrant(), lock::mutex(n, 10, 0)),
        ("rw-lock, 1 % unknown", Lock::read_write(), lock::rw_lock(n, 20, 1)),
        ("rw-lock, tries", Lock::read_write(), Locks { tries: 50, ..lock::rw_lock(n, 20, 0) }),
        ("semaphore of 5, 1 % unknown", Lock::semaphore(5), lock::semaphore(n, 20, 1, 5)),
    ];
    for (name, procedure, shape) in shapes {
        let history = shape.history();
        let rows: Vec<u32> = (0..history.len() as u32).collect();
        let part = Part { history: &history, rows: &rows };
        for witness in [false, true] {
            let how = How { witness, stop: Stop::new() };
            let start = Instant::now();
            let decision = procedure.decide(&part, &how);
            let spent = start.elapsed();
            let word = match decision {
                Decision::Linearizable(witness) => {
                    format!("linearizable {:?}", witness.map(|order| order.len()))
                }
                other => format!("{other:?}"),
            };
            println!("{name:<30} {:>8} ops {spent:>9.1?} {word}", rows.len());
        }
    }
}
