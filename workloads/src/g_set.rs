//! Workload `g-set`: add elements that nobody else adds to a set that only grows, at every
//! replica; judged by what the replicas come to once everything has healed and had `settle` ms.
//! This makes sense only if the target's client asks the node it was given and no other.

use danso_vocab::{OpSpec, ParamSpec, Value, Workload};

use crate::broadcast::{Grow, checkers, closing};
use crate::replicas::SETTLE;

/// The workload.
pub const WORKLOAD: Workload = Workload {
    name: "g-set",
    about: "elements lost between replicas: a set that grows, whose replicas must come to hold \
            all that was added",
    ops: OPS,
    params: PARAMS,
    generator: |params, seat| Ok(Box::new(Grow::new(params, seat, OPS)?)),
    closing,
    checkers,
};

const OPS: &[OpSpec] = &[
    OpSpec { f: "add", about: "put in the value", reads: false },
    OpSpec { f: "read", about: "[value …] that are in here", reads: true },
];

const PARAMS: &[ParamSpec] = &[
    ParamSpec {
        name: "mix",
        about: "how often to add and read, relative to each other",
        default: || Value::of([("add", 5.into()), ("read", 1.into())]),
    },
    SETTLE,
];
