//! Times procedures without search on valid histories: `time_polynomial [OPS]`.

#[path = "../benches/shapes/register.rs"]
mod register;
#[path = "../benches/shapes/turns.rs"]
mod turns;

use std::time::Instant;

use danso_checkers::linearizable::polynomial::{Decision, How, Part, Polynomial, RegisterZones};
use danso_vocab::History;
use turns::Size;

fn main() {
    let ops = std::env::args().nth(1).and_then(|arg| arg.parse().ok()).unwrap_or(1_000_000);
    let plain = RegisterZones::register(0.into());
    let swaps = RegisterZones::cas_register(0.into());
    for (processes, unknown) in [(10, 0), (10, 5), (100, 1)] {
        let size = Size { ops, processes, unknown };
        time(size, "register", &plain, &register::register(size, false));
        time(size, "cas-register", &swaps, &register::register(size, true));
    }
}

fn time(size: Size, name: &str, procedure: &dyn Polynomial, history: &History) {
    let rows: Vec<u32> = (0..history.len() as u32).collect();
    let part = Part { history, rows: &rows };
    let mut line = format!("{name:<20} {size:?}");
    for witness in [false, true] {
        let mut best = f64::MAX;
        for _ in 0..3 {
            let start = Instant::now();
            let decision = procedure.decide(&part, &How { witness, ..How::default() });
            best = best.min(start.elapsed().as_secs_f64() * 1000.0);
            assert!(matches!(decision, Decision::Linearizable(_)), "{decision:?}");
        }
        line += &format!("  {} {best:.1} ms", if witness { "with witness" } else { "verdict" });
    }
    println!("{line}");
}
