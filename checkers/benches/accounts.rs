//! How long checks of a million operations take, and how much memory they use beside the history:
//! `cargo bench -p danso-checkers --bench accounts [-- WORD]`. Wanted are less than 3 s and at most
//! 100 bytes an operation. To add a check, add a line to [`CASES`].

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark may panic")]

#[path = "accounts/histories.rs"]
mod histories;
#[path = "accounts/weigh.rs"]
mod weigh;

use std::time::Instant;

use danso_checkers::{checks, models};
use danso_vocab::{Checker, History, Limits, Value, Verdict};

/// What is measured.
struct Case {
    /// The check or model.
    name: &'static str,
    /// What it begins with.
    initial: fn() -> Value,
    /// A valid history of about so many operations.
    history: fn(usize) -> History,
}

const fn case(name: &'static str, initial: fn() -> Value, history: fn(usize) -> History) -> Case {
    Case { name, initial, history }
}

const CASES: &[Case] = &[
    case("set", nil, histories::set),
    case("set-full", nil, histories::sets),
    case("bank", nil, histories::bank),
    case("long-fork", nil, histories::long_fork),
    case("lock", || 1_000.into(), histories::lock),
    case("leader", nil, histories::leader),
    case("unique-ids", nil, histories::unique_ids),
    case("counter", || 0.into(), histories::counter),
    case("total-queue", nil, histories::queue),
    case("kafka", nil, histories::kafka),
    case("eventual-register", nil, histories::registers),
    case("last-write-register", nil, histories::registers),
    case("g-counter", nil, histories::counter),
    case("pn-counter", nil, histories::counter),
    case("g-set", nil, histories::set),
    case("or-set", nil, histories::set),
];

const OPS: usize = 1_000_000;

fn nil() -> Value {
    Value::Nil
}

fn main() {
    let only = std::env::args().skip(1).find(|arg| !arg.starts_with("--")).unwrap_or_default();
    println!(
        "{:<20} {:>9} {:>8} {:>12} {:>6} {:>6}",
        "", "ops", "seconds", "ops/s", "B/op", "ratio"
    );
    for Case { name, initial, history } in CASES.iter().filter(|case| case.name.contains(&only)) {
        let history = history(OPS);
        let check: Box<dyn Checker> = match checks::find(name) {
            Some(check) => (check.checker)(initial()),
            None => (models::find(name).expect("a bundled check or model").checker)(initial()),
        };
        let mut best = f64::MAX;
        let mut peak = 0;
        for _ in 0..3 {
            let held = weigh::reset();
            let start = Instant::now();
            let finding = check.check(&history, &Limits::default());
            best = best.min(start.elapsed().as_secs_f64());
            peak = weigh::peak() - held;
            assert_eq!(finding.verdict, Verdict::Valid, "{name}: {}", finding.reason);
        }
        let ops = history.len() as f64;
        let weight = peak as f64 / ops;
        let ratio = (best / 3.0).max(weight / 100.0);
        println!(
            "{name:<20} {:>9} {best:>8.3} {:>12.0} {weight:>6.0} {ratio:>6.2}  history {:.0} B/op",
            history.len(),
            ops / best,
            history.bytes() as f64 / ops
        );
    }
}
