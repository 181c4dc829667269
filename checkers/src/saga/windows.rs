//! What must have happened before what, as far as the journals tell.
//!
//! Two things order what happened at different services. An effect says how many records its
//! decider had written when it was asked for (`after`), so it comes after those. A decider's
//! `done` record comes after the effect it confirms. Since the decider's records are one sequence,
//! every event has a *window* in it: the number of records that certainly come before it (`low`),
//! and the first record that certainly comes after it (`high`). Within a journal windows propagate:
//! what precedes an effect precedes all later ones. One pass up and one down each journal makes
//! that exact: any chain of events that leaves a journal passes through the decider's records and
//! comes back from a later one, so no further rounds are needed.

use super::evidence::{Act, Effects, Evidence, NONE, What};

/// The events of each saga, by counting sort: O(n).
pub(super) struct Groups {
    starts: Vec<u32>,
    members: Vec<u32>,
}

impl Groups {
    /// Groups positions by `saga`, which is below `sagas`; within a saga the order stays.
    pub(super) fn new(saga: &[u32], sagas: usize) -> Groups {
        let mut starts = vec![0_u32; sagas + 1];
        for id in saga {
            starts[*id as usize + 1] += 1;
        }
        for i in 0..sagas {
            starts[i + 1] += starts[i];
        }
        let mut next = starts.clone();
        let mut members = vec![0_u32; saga.len()];
        for (at, id) in saga.iter().enumerate() {
            members[next[*id as usize] as usize] = at as u32;
            next[*id as usize] += 1;
        }
        Groups { starts, members }
    }

    /// The positions of `saga`'s events.
    pub(super) fn of(&self, saga: usize) -> &[u32] {
        &self.members[self.starts[saga] as usize..self.starts[saga + 1] as usize]
    }
}

/// The windows of all effects.
pub(super) struct Windows {
    pub(super) low: Vec<u32>,
    pub(super) high: Vec<u32>,
}

impl Windows {
    /// O(n) for n effects and records.
    pub(super) fn new(evidence: &Evidence<'_>, effects: &Groups, records: &Groups) -> Windows {
        let mut low = evidence.effects.after.clone();
        let mut high = vec![NONE; low.len()];
        for saga in 0..evidence.sagas.len() {
            let effects = effects.of(saga);
            for record in records.of(saga) {
                let What::Done(step, undone) = evidence.decisions.what[*record as usize] else {
                    continue;
                };
                if let Some(at) = confirmed(&evidence.effects, effects, step, undone) {
                    high[at] = high[at].min(*record);
                }
            }
        }
        for journal in &evidence.journals {
            let mut most = 0;
            for at in journal.range.clone() {
                most = low[at].max(most);
                low[at] = most;
            }
            let mut least = NONE;
            for at in journal.range.clone().rev() {
                least = high[at].min(least);
                high[at] = least;
            }
        }
        Windows { low, high }
    }
}

/// The effect that must have happened when a decider heard of it: the first of its kind. Which of
/// several repetitions it heard of, nobody knows.
fn confirmed(all: &Effects<'_>, effects: &[u32], step: u8, undone: bool) -> Option<usize> {
    let fits = |act: Act| match act {
        Act::Apply => !undone,
        Act::Compensate | Act::Null => undone,
        Act::Idle => false,
    };
    let at = effects.iter().map(|at| *at as usize);
    at.filter(|at| all.step[*at] == step).find(|at| fits(all.act[*at]))
}
