//! Workload `unique-ids`: ask every node for ids; none may be given out twice.

use danso_checkers::models;
use danso_vocab::{Call, Checker, OpSpec, Workload};

use crate::closing::AskHome;
use crate::generators::draw;

/// The workload.
pub const WORKLOAD: Workload = Workload {
    name: "unique-ids",
    about: "an id given out twice",
    ops: &[OpSpec { f: "generate", about: "an id that nobody was given before", reads: false }],
    params: &[],
    generator: |_, _| Ok(Box::new(draw(|_| Call::new("generate", ())))),
    closing: |_, seat| Ok(Box::new(AskHome::once(seat, Call::new("generate", ())))),
    checkers: |_| {
        let ids = models::find("unique-ids").map(|model| (model.checker)(().into()));
        ids.into_iter().map(|checker| checker as Box<dyn Checker>).collect()
    },
};
