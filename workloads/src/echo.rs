//! Workload `echo`: say something to a node; it must say the same.

use danso_checkers::accounting::Echo;
use danso_vocab::{Call, OpSpec, Workload};

use crate::closing::AskHome;
use crate::generators::draw;

/// The workload.
pub const WORKLOAD: Workload = Workload {
    name: "echo",
    about: "an answer to somebody else's question",
    ops: &[OpSpec { f: "echo", about: "the value, as it was said", reads: false }],
    params: &[],
    generator: |_, _| Ok(Box::new(draw(|rng| say(rng.below(1 << 20))))),
    closing: |_, seat| Ok(Box::new(AskHome::once(seat, say(seat.worker.into())))),
    checkers: |_| vec![Box::new(Echo)],
};

fn say(number: u64) -> Call {
    Call::new("echo", format!("please echo {number}"))
}
