//! One service: does and undoes one step, each once per saga, whatever arrives how often and in
//! whatever order.
//!
//! - A step or compensation that was done is not done again: repeated, it is answered alike.
//! - A compensation that finds nothing to undo (the step's message was lost, or is late) is a *null
//!   compensation*: it succeeds, and it is written down.
//! - A step that arrives after its compensation is refused. Without that tombstone a late message
//!   would leave something done in a saga that was undone: *suspension*.
//!
//! What was done is written down with the journal entry itself, so effect and memory of it are one.

use std::collections::BTreeMap;

use danso_vocab::Value;

use super::settings::{Bug, Settings};
use super::stores::Store;
use super::words::{Action, Entry, Kind, Order, Outcome, Step};

/// What a service knows of a saga.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    applied: bool,
    refused: bool,
    /// Undone, or never to be done.
    undone: bool,
}

/// A service.
pub(super) struct Service {
    pub(super) step: Step,
    pub(super) entries: Vec<Entry>,
    store: Store,
    known: BTreeMap<String, Known>,
    bug: Option<Bug>,
}

impl Service {
    /// The service of `step`, with the journal it has written.
    pub(super) fn new(step: Step, settings: &Settings, journal: Vec<Entry>) -> Service {
        let mut service = Service {
            step,
            entries: Vec::new(),
            store: Store::new(step, settings),
            known: BTreeMap::new(),
            bug: settings.bug,
        };
        for entry in journal {
            service.take(entry);
        }
        service
    }

    /// Does or undoes the step for an order. A new entry is at the journal's end; `after` and `at`
    /// are written down with it.
    pub(super) fn act(
        &mut self,
        action: Action,
        order: &Order,
        after: u64,
        at: u64,
    ) -> (Outcome, Option<&Entry>) {
        let known = self.known.get(&order.saga).copied().unwrap_or_default();
        let (outcome, kind) = match action {
            Action::Apply => self.apply(known, order),
            Action::Compensate => (Outcome::Compensated, self.compensate(known)),
        };
        let entry = kind.map(|kind| {
            self.take(Entry { kind, order: order.clone(), after, at });
            &self.entries[self.entries.len() - 1]
        });
        (outcome, entry)
    }

    fn apply(&self, known: Known, order: &Order) -> (Outcome, Option<Kind>) {
        let again = known.applied && !known.undone;
        if again && self.step == Step::Charge && self.bug == Some(Bug::ChargeOnRetry) {
            // The bug: every request is a new charge.
            return (Outcome::Applied, Some(Kind::Apply));
        }
        if again {
            return (Outcome::Applied, None);
        }
        if known.undone || known.refused {
            return (Outcome::Refused, None);
        }
        if self.store.can(self.step, order) {
            (Outcome::Applied, Some(Kind::Apply))
        } else {
            (Outcome::Refused, Some(Kind::Refuse))
        }
    }

    fn compensate(&self, known: Known) -> Option<Kind> {
        if known.undone {
            // The bug: every request is a new refund.
            let twice = self.step == Step::Charge && self.bug == Some(Bug::CompensateTwice);
            return (twice && known.applied).then_some(Kind::Compensate);
        }
        Some(if known.applied { Kind::Compensate } else { Kind::NullCompensation })
    }

    /// Takes an entry in: the only way anything changes.
    fn take(&mut self, entry: Entry) {
        let known = self.known.entry(entry.order.saga.clone()).or_default();
        match entry.kind {
            Kind::Apply => {
                known.applied = true;
                self.store.apply(self.step, &entry.order);
            }
            Kind::Compensate => {
                known.undone = true;
                self.store.compensate(self.step, &entry.order);
            }
            Kind::NullCompensation => known.undone = true,
            Kind::Refuse => known.refused = true,
        }
        self.entries.push(entry);
    }

    /// What it holds, as the API shows it.
    pub(super) fn state(&self) -> Value {
        self.store.value(self.step, self.entries.len())
    }
}
