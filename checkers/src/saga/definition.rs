//! [`Definition`]: what a saga's steps are, who does them, and what they move.

use std::time::Duration;

use danso_vocab::Name;

/// What can become of a step once it is done (Richardson 2018, chapter 4; the words are older).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepKind {
    /// It has a compensation.
    Compensatable,
    /// The point of no return: once it is done the saga must go forward.
    Pivot,
    /// It comes after the pivot, has no compensation and must succeed in the end.
    Retriable,
}

/// One step: a forward action T of one service, and its compensation C by the same service.
#[derive(Clone, Debug)]
pub struct Step {
    /// Its name in journals.
    pub name: Name,
    /// What its compensation is called in explanations.
    pub undo: Name,
    /// The service that does it, and whose journal tells of it.
    pub service: Name,
    /// The steps that must be done before it, as positions in [`Definition::steps`].
    pub after: Vec<usize>,
    /// What becomes of it.
    pub kind: StepKind,
    /// What it moves, if its service keeps account.
    pub ledger: Option<Ledger>,
}

/// How a service's final state accounts for the effects of a step. Names are fields of the state;
/// each is a map from object to integer, or a plain integer if there are no objects.
#[derive(Clone, Debug)]
pub struct Ledger {
    /// The field of order and effect that says on what: `item`.
    pub object: Option<Name>,
    /// The field of order and effect that says how much: `quantity`. Without it, one.
    pub measure: Option<Name>,
    /// What there was in the beginning, and what of it is free; never negative.
    pub free: Option<[Name; 2]>,
    /// Where it went: added up, or taken off if the flag says so.
    pub held: Vec<(Name, bool)>,
}

/// A kind of saga.
#[derive(Clone, Debug)]
pub struct Definition {
    /// The operation by which a client begins one and hears how it ended.
    pub begin: Name,
    /// Its steps, at most [`Definition::MAX_STEPS`]; a step comes after those it needs.
    pub steps: Vec<Step>,
    /// Whose journal has the decisions.
    pub decider: Name,
    /// Sagas promise isolation by some countermeasure: a dirty read is an anomaly, not a figure.
    pub isolated: bool,
    /// How long after everything healed a saga may stay open.
    pub recovery: Duration,
}

impl Definition {
    /// More steps than any saga has; their sets are bit masks.
    pub const MAX_STEPS: usize = 16;

    /// The order business: reserve stock, charge the customer, arrange shipping, one after another,
    /// all of them compensatable.
    pub fn orders(recovery: Duration) -> Definition {
        type Word = &'static str;
        let step = |[name, undo, service]: [Word; 3], after: &[usize], ledger| Step {
            name: name.into(),
            undo: undo.into(),
            service: service.into(),
            after: after.to_vec(),
            kind: StepKind::Compensatable,
            ledger: Some(ledger),
        };
        let stock = Ledger {
            object: Some("item".into()),
            measure: Some("quantity".into()),
            free: Some(["initial".into(), "stock".into()]),
            held: vec![("reserved".into(), false), ("sold".into(), false)],
        };
        let money = Ledger {
            object: Some("customer".into()),
            measure: Some("amount".into()),
            free: Some(["initial".into(), "accounts".into()]),
            held: vec![("charged".into(), false), ("refunded".into(), true)],
        };
        let parcels = Ledger {
            object: None,
            measure: None,
            free: None,
            held: vec![("shipments".into(), false)],
        };
        Definition {
            begin: "order".into(),
            steps: vec![
                step(["reserve", "release", "inventory"], &[], stock),
                step(["charge", "refund", "payment"], &[0], money),
                step(["arrange", "cancel", "shipping"], &[1], parcels),
            ],
            decider: "coordinator".into(),
            isolated: false,
            recovery,
        }
    }

    /// Why it makes no sense, if it does not.
    pub(super) fn flaw(&self) -> Option<String> {
        if self.steps.is_empty() || self.steps.len() > Self::MAX_STEPS {
            return Some(format!("a saga has 1 to {} steps", Self::MAX_STEPS));
        }
        let early = |(i, step): (usize, &Step)| step.after.iter().any(|before| *before >= i);
        self.steps
            .iter()
            .enumerate()
            .find(|(i, step)| early((*i, step)))
            .map(|(_, step)| format!("step {} comes before one it needs", step.name))
    }

    /// For each step all steps before it, directly or not, as a bit mask.
    pub(super) fn predecessors(&self) -> Vec<u32> {
        let mut masks: Vec<u32> = Vec::new();
        for step in &self.steps {
            let mask = step.after.iter().map(|i| masks[*i] | 1 << i).fold(0, |all, m| all | m);
            masks.push(mask);
        }
        masks
    }

    /// The steps of this kind, as a bit mask.
    pub(super) fn of_kind(&self, kind: StepKind) -> u32 {
        self.steps
            .iter()
            .enumerate()
            .filter(|(_, s)| s.kind == kind)
            .fold(0, |m, (i, _)| m | 1 << i)
    }

    /// The services, each once, in order of their first step.
    pub(super) fn services(&self) -> Vec<&str> {
        let mut services: Vec<&str> = Vec::new();
        for step in &self.steps {
            if !services.contains(&&*step.service) {
                services.push(&step.service);
            }
        }
        services
    }
}
