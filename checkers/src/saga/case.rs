//! One saga: what was applied, undone and decided, as bit masks, and where.

use super::definition::Definition;
use super::evidence::{Act, Decisions, Effects, NONE, What};

/// Positions by step; [`NONE`] where there is nothing.
type ByStep = [u32; Definition::MAX_STEPS];

/// A saga's evidence, small enough for the stack.
pub(super) struct Case {
    pub(super) saga: usize,
    /// The first T, C and null C of each step, as positions among all effects.
    pub(super) first: [ByStep; 3],
    /// Steps with a T, a C, a null C.
    pub(super) has: [u32; 3],
    /// Steps with two Ts before any C; with two Cs.
    pub(super) twice: [u32; 2],
    /// Steps with a T after a C or null C of their own.
    pub(super) late: u32,
    /// The second T, and the second C, of each step in `twice`.
    pub(super) again: [ByStep; 2],
    /// The first T of each step in `late` that came after a C or null C.
    pub(super) too_late: ByStep,
    pub(super) begin: u32,
    pub(super) commit: u32,
    pub(super) abort: u32,
    pub(super) end_committed: u32,
    pub(super) end_aborted: u32,
}

impl Case {
    /// From the saga's effects and records, each in journal order. O(n).
    pub(super) fn new(
        saga: usize,
        effects: &Effects<'_>,
        members: &[u32],
        decisions: &Decisions,
        records: &[u32],
    ) -> Case {
        let nowhere = [NONE; Definition::MAX_STEPS];
        let mut case = Case {
            saga,
            first: [nowhere; 3],
            has: [0; 3],
            twice: [0; 2],
            late: 0,
            again: [nowhere; 2],
            too_late: nowhere,
            begin: NONE,
            commit: NONE,
            abort: NONE,
            end_committed: NONE,
            end_aborted: NONE,
        };
        for at in members {
            case.effect(*at, effects.step[*at as usize], effects.act[*at as usize]);
        }
        for at in records {
            let place = match decisions.what[*at as usize] {
                What::Begin => &mut case.begin,
                What::Commit => &mut case.commit,
                What::Abort => &mut case.abort,
                What::Committed => &mut case.end_committed,
                What::Aborted => &mut case.end_aborted,
                What::Done(..) | What::Idle => continue,
            };
            *place = (*at).min(*place);
        }
        case
    }

    fn effect(&mut self, at: u32, step: u8, act: Act) {
        let (bit, i, kind) = (1_u32 << step, usize::from(step), act as usize);
        if act == Act::Idle {
            return;
        }
        let undone = self.has[Act::Compensate as usize] | self.has[Act::Null as usize];
        let seen = self.has[kind] & bit != 0;
        match act {
            Act::Apply if undone & bit != 0 => {
                self.late |= bit;
                self.too_late[i] = at.min(self.too_late[i]);
            }
            Act::Apply | Act::Compensate if seen => {
                self.twice[kind] |= bit;
                self.again[kind][i] = at.min(self.again[kind][i]);
            }
            _ => {}
        }
        if !seen {
            self.first[kind][i] = at;
            self.has[kind] |= bit;
        }
    }

    /// Steps applied.
    pub(super) fn applied(&self) -> u32 {
        self.has[Act::Apply as usize]
    }

    /// Steps undone by a compensation that was not a no-op.
    pub(super) fn undone(&self) -> u32 {
        self.has[Act::Compensate as usize]
    }

    /// Whether the decider decided to commit, or said that it had.
    pub(super) fn commits(&self) -> bool {
        self.commit != NONE || self.end_committed != NONE
    }

    /// Whether it decided to abort, or said that it had.
    pub(super) fn aborts(&self) -> bool {
        self.abort != NONE || self.end_aborted != NONE
    }

    /// The record that ends it.
    pub(super) fn ended(&self) -> Option<u32> {
        Some(self.end_committed.min(self.end_aborted)).filter(|at| *at != NONE)
    }

    /// Whether the decider has any record of it but of steps.
    pub(super) fn decided_anything(&self) -> bool {
        self.begin != NONE || self.commits() || self.aborts()
    }
}

/// The steps of a mask.
pub(super) fn steps(mask: u32) -> impl Iterator<Item = usize> {
    (0..Definition::MAX_STEPS).filter(move |i| mask & (1 << i) != 0)
}
