//! What is agreed on: a value, and which changes made it.
//!
//! A proposer that loses its ballot in the accept phase does not know whether its change will
//! stand: another one may have found it and carried it on. To try again safely it must be able to
//! tell, so a register remembers its last [`REMEMBERED`] changes. Two values that might both still
//! win have each change at most once, since it is added to none that has it already.

use danso_vocab::Value;
use serde::{Deserialize, Serialize};

use crate::kit::json;

/// Changes a register remembers.
pub(super) const REMEMBERED: u64 = 16;

/// Names a change for ever: the node that proposes it, its start, and a count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ChangeId(pub(super) u16, pub(super) u32, pub(super) u64);

/// A register.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Register {
    #[serde(with = "json")]
    pub(super) value: Value,
    /// How many changes made it.
    pub(super) version: u64,
    /// The last of them.
    changes: Vec<ChangeId>,
}

/// Whether a change is part of a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    Yes,
    No,
    /// It may have been forgotten.
    Perhaps,
}

impl Register {
    /// Replaces the value.
    pub(super) fn change(&mut self, id: ChangeId, value: Value) {
        self.value = value;
        self.version += 1;
        self.changes.push(id);
        if self.changes.len() as u64 > REMEMBERED {
            self.changes.remove(0);
        }
    }

    /// Whether the change `id`, which was never made to a version before `since`, is part of it.
    pub(super) fn has(&self, id: ChangeId, since: u64) -> Known {
        match (self.changes.contains(&id), self.version <= since + REMEMBERED) {
            (true, _) => Known::Yes,
            (false, true) => Known::No,
            (false, false) => Known::Perhaps,
        }
    }
}
