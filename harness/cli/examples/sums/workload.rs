//! What clients do: add to, and read, one number. Lost and doubled additions show.

use danso::prelude::*;

use super::model::Sum;

pub(crate) const SUMS: Workload = Workload {
    name: "sums",
    about: "lost, doubled and stale additions to one number",
    ops: &[
        OpSpec { f: "add", about: "add the number", reads: false },
        OpSpec { f: "read", about: "the sum; 0 at first", reads: true },
    ],
    params: &[],
    generator: |_, _| Ok(Box::new(calls([(2, add), (1, read)]))),
    closing: |_, _| Ok(Box::new(draw(read).limit(1))),
    checkers: |_| vec![linearizable(Sum)],
};

fn add(rng: &mut Rng) -> Call {
    Call::new("add", 1 + rng.below(5) as i64)
}

fn read(_: &mut Rng) -> Call {
    Call::new("read", ())
}
