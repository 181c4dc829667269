//! How long it takes to decide histories of containers without search. Prints one line a shape,
//! with the time spent on a processor if the system tells; the first argument that is a number
//! is how many operations.

#[path = "shapes/containers.rs"]
mod shapes;

use std::time::{Duration, Instant};

use danso_checkers::linearizable::polynomial::{
    Bag, Decision, FifoQueue, How, LinSet, Part, Polynomial, PriorityQueue, Stack,
};
use shapes::Kind;

fn main() {
    let ops = std::env::args().find_map(|arg| arg.parse().ok()).unwrap_or(1_000_000);
    let shapes: [(Kind, u64, u64, bool); 16] = [
        (Kind::FifoQueue, 0, 0, false),
        (Kind::FifoQueue, 1, 0, false),
        (Kind::FifoQueue, 0, 10, false),
        (Kind::Stack, 0, 0, false),
        (Kind::Stack, 1, 0, false),
        (Kind::Stack, 0, 10, false),
        (Kind::PriorityQueue, 0, 0, false),
        (Kind::PriorityQueue, 1, 0, false),
        (Kind::PriorityQueue, 0, 10, false),
        (Kind::Bag, 1, 0, false),
        (Kind::LinSet, 0, 30, false),
        (Kind::LinSet, 1, 30, false),
        (Kind::FifoQueue, 0, 0, true),
        (Kind::FifoQueue, 0, 10, true),
        (Kind::Stack, 0, 0, true),
        (Kind::PriorityQueue, 0, 0, true),
    ];
    let epoch = Instant::now();
    let now = || processor_time().unwrap_or_else(|| epoch.elapsed());
    for (kind, unknown, peeks, wrong) in shapes {
        let history = shapes::history(kind, ops, 10, unknown, peeks, wrong, 7);
        let rows: Vec<u32> = (0..history.len() as u32).collect();
        let part = Part { history: &history, rows: &rows };
        let procedure: &dyn Polynomial = match kind {
            Kind::FifoQueue => &FifoQueue,
            Kind::Stack => &Stack,
            Kind::PriorityQueue => &PriorityQueue::default(),
            Kind::Bag => &Bag,
            Kind::LinSet => &LinSet,
        };
        for witness in [false, true] {
            let how = How { witness, ..How::default() };
            let mut best = None;
            let mut said = String::new();
            for _ in 0..3 {
                let start = now();
                said = match procedure.decide(&part, &how) {
                    Decision::Linearizable(_) => "valid".to_owned(),
                    Decision::Refuted(refutation) => {
                        format!("{} by {} operations", refutation.name, refutation.rows.len())
                    }
                    Decision::Unfit(reason) => format!("unfit: {reason}"),
                    Decision::Stopped => "stopped".to_owned(),
                };
                let spent = now().saturating_sub(start);
                best = best.filter(|best| *best < spent).or(Some(spent));
            }
            let with = if witness { "with witness" } else { "" };
            let spent = best.unwrap_or_default();
            println!(
                "{ops} ops, 10 processes, {unknown} % unknown, {peeks} % peeks, {kind:?}: {said} {spent:.1?} {with}"
            );
        }
    }
}

/// What this thread has spent on a processor, so that neighbours do not count.
fn processor_time() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(Duration::from_nanos(text.split(' ').next()?.parse().ok()?))
}
