//! What clients do to a system, and what must hold: here, add to a number and read it.
//!
//! Put it into `tests/` of a project that has danso among its dev-dependencies, beside a test
//! file that says how the system is started and asked, and test it:
//!
//! ```text
//! #[test]
//! fn nothing_is_lost() -> Result<(), danso::Error> {
//!     Test::new("tests/my-system.toml", &SUMS).run()?.assert_valid();
//!     Ok(())
//! }
//! ```

use danso::prelude::*;

/// The workload: which operations there are, who asks for them, who judges.
pub const SUMS: Workload = Workload {
    name: "sums",
    about: "lost, doubled and stale additions to one number",
    // `reads: true` has no effect: if nobody knows how one ended, nothing is lost.
    ops: &[
        OpSpec { f: "add", about: "add the number", reads: false },
        OpSpec { f: "read", about: "the sum; 0 at first", reads: true },
    ],
    params: &[],
    // During the load: two additions for each read.
    generator: |_, _| Ok(Box::new(calls([(2, add), (1, read)]))),
    // After everything has healed: what nobody reads back is not missed.
    closing: |_, _| Ok(Box::new(draw(read).limit(1))),
    checkers: |_| vec![linearizable(Sum)],
};

// All chance comes from `rng`, so that a seed asks the same each time.
fn add(rng: &mut Rng) -> Call {
    Call::new("add", 1 + rng.below(5) as i64)
}

fn read(_: &mut Rng) -> Call {
    Call::new("read", ())
}

/// The model: the system with one client, one copy and no failures.
struct Sum;

impl Model for Sum {
    type State = i64;

    fn name(&self) -> &'static str {
        "sum"
    }

    fn init(&self) -> i64 {
        0
    }

    /// The state after `f(arg)` answered `ret`; `None` if it cannot have answered that.
    fn step(&self, sum: &i64, f: &str, arg: &Value, ret: Ret<'_>) -> Option<i64> {
        match (f, ret) {
            ("add", _) => Some(sum + arg.int()?),
            ("read", Ret::Saw(seen)) => (seen.int()? == *sum).then_some(*sum),
            // Nobody knows what it answered.
            ("read", Ret::Unknown) => Some(*sum),
            _ => None,
        }
    }
}
