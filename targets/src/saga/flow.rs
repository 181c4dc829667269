//! One saga under way at its coordinator, and how the saga log brings it back.

use super::settings::Bug;
use super::words::{Action, Order, Record, Step};
use crate::kit::Ticket;

/// What is asked for now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// T of this step.
    Forward(Step),
    /// C of the first of these, then of the others.
    Backward(Vec<Step>),
    /// All steps are done; the decision was perhaps written, the end was not.
    Finishing,
}

/// A saga under way.
#[derive(Clone, Debug)]
pub(super) struct Flow {
    pub(super) order: Order,
    pub(super) stage: Stage,
    /// When the stage began, ns.
    pub(super) since: u64,
    /// Messages sent in this stage.
    pub(super) tries: u32,
    /// Others may have been sent before a restart.
    pub(super) doubt: bool,
    /// When to act next, ns.
    pub(super) due: u64,
    /// Clients that wait.
    pub(super) waiting: Vec<Ticket>,
}

impl Flow {
    pub(super) fn new(order: Order, now: u64) -> Flow {
        Flow {
            order,
            stage: Stage::Forward(Step::Reserve),
            since: now,
            tries: 0,
            doubt: false,
            due: now,
            waiting: Vec::new(),
        }
    }

    /// Takes a record of the saga log in: the same whether it is written now or read back.
    pub(super) fn take(&mut self, record: &Record, bug: Option<Bug>) {
        match record {
            Record::Done { step, action: Action::Apply, .. } => {
                self.stage = step.next().map_or(Stage::Finishing, Stage::Forward);
            }
            Record::Done { step, action: Action::Compensate, .. } => {
                if let Stage::Backward(left) = &mut self.stage {
                    left.retain(|s| s != step);
                }
            }
            Record::Decide { commit: true, .. } => self.stage = Stage::Finishing,
            Record::Decide { commit: false, undo, .. } => {
                self.stage = Stage::Backward(backward(*undo, bug));
            }
            Record::Begin(_) | Record::Refused { .. } | Record::End { .. } => {}
        }
        (self.tries, self.doubt) = (0, false);
    }
}

/// The compensations of the first `undo` steps, in reverse order: whoever undoes a step must find
/// what it rests on as it was (Garcia-Molina and Salem, section 2).
fn backward(undo: usize, bug: Option<Bug>) -> Vec<Step> {
    let steps = Step::ALL.into_iter().take(undo);
    if bug == Some(Bug::ForwardOrder) {
        return steps.collect();
    }
    steps.rev().collect()
}
