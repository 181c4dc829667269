//! Times procedures without search: `time_polynomial [OPS [NAME]]`.

#[path = "../benches/shapes/counter.rs"]
mod counter;
#[path = "../benches/shapes/log.rs"]
mod log;
#[path = "../benches/shapes/register.rs"]
mod register;
#[path = "../benches/shapes/turns.rs"]
mod turns;

use std::time::Instant;

use danso_checkers::linearizable::polynomial::{
    Counting, Decision, Distinct, How, KnownOrder, Offsets, Part, Polynomial, RegisterZones,
    Tickets,
};
use danso_vocab::History;
use turns::Size;

fn main() {
    let mut args = std::env::args().skip(1);
    let ops = args.next().and_then(|arg| arg.parse().ok()).unwrap_or(1_000_000);
    let only = args.next().unwrap_or_default();
    for (processes, unknown, wrong) in
        [(10, 0, false), (10, 5, false), (100, 1, false), (10, 1, true)]
    {
        let size = Size { ops, processes, unknown, wrong };
        let run = |name: &str, procedure: &dyn Polynomial, history: &dyn Fn() -> History| {
            if name.contains(&only) {
                time(size, name, procedure, &history());
            }
        };
        let swaps = RegisterZones::cas_register(0.into());
        run("register", &RegisterZones::register(0.into()), &|| register::register(size, false));
        run("cas-register", &swaps, &|| register::register(size, true));
        let known = KnownOrder::cas_register(0.into());
        run("versioned-register", &known, &|| register::versioned(size));
        run("counter", &Counting::new(0), &|| counter::counter(size));
        run("fetch-and-increment", &Tickets::new(0), &|| {
            counter::tickets(size, "fetch-and-increment")
        });
        run("append-log", &Offsets, &|| log::append_log(size));
        run("unique-ids", &Distinct, &|| counter::tickets(size, "generate"));
    }
}

fn time(size: Size, name: &str, procedure: &dyn Polynomial, history: &History) {
    let rows: Vec<u32> = (0..history.len() as u32).collect();
    let part = Part { history, rows: &rows };
    let mut line = format!("{name:<20} {size:?}");
    let mut told = String::new();
    for witness in [false, true] {
        let mut best = f64::MAX;
        for _ in 0..3 {
            let start = Instant::now();
            let decision = procedure.decide(&part, &How { witness, ..How::default() });
            best = best.min(start.elapsed().as_secs_f64() * 1000.0);
            match decision {
                Decision::Linearizable(_) => assert!(!size.wrong, "{name}"),
                Decision::Refuted(core) => {
                    assert!(size.wrong, "{name}: {core:?}");
                    told =
                        format!("\n    {} rows: {}: {}", core.rows.len(), core.name, core.because);
                }
                Decision::Unfit(reason) => told = format!("\n    unfit: {reason}"),
                Decision::Stopped => unreachable!("nobody stops it"),
            }
        }
        line += &format!("  {} {best:.1} ms", if witness { "with witness" } else { "verdict" });
    }
    println!("{line}{told}");
}
