//! A service of the choreographed flavour: reacts to events, and publishes what it did.
//!
//! Its journal is its outbox: an entry and the event about it are one record, so that neither can
//! be lost without the other (*transactional outbox*, Richardson, chapter 3).

use super::service::Service;
use super::words::{Action, Entry, Event, Kind, Line, Message, Outcome, Step, Work};
use danso_vocab::NodeId;

/// The bus.
const BUS: NodeId = NodeId(1);

/// Events in one message at most.
const WINDOW: usize = 256;

/// What the service of `step` does about an event. Forward along the steps as they are done,
/// backward as they are refused or undone: nobody else tells it what to do.
pub(super) fn reaction(step: Step, event: &Event) -> Option<Action> {
    match event.what {
        None => (step == Step::Reserve).then_some(Action::Apply),
        Some((done, Outcome::Applied)) => (done.next() == Some(step)).then_some(Action::Apply),
        Some((undone, Outcome::Refused | Outcome::Compensated)) => {
            (undone.previous() == Some(step)).then_some(Action::Compensate)
        }
    }
}

/// A service with its outbox.
pub(super) struct Reactor {
    pub(super) service: Service,
    /// Entries the bus has.
    confirmed: usize,
    /// A message is under way, and is repeated then.
    repeat: Option<u64>,
    retry: u64,
}

impl Reactor {
    pub(super) fn new(service: Service, retry: u64) -> Reactor {
        // The bus knows what it has; it says so when it is told again.
        Reactor { service, confirmed: 0, repeat: None, retry }
    }

    /// Events, each with its position in the bus's log.
    pub(super) fn deliver(
        &mut self,
        events: Vec<(u64, Event)>,
        next: u64,
        (now, wall): (u64, u64),
        work: &mut Work,
    ) {
        for (position, event) in events {
            let Some(action) = reaction(self.service.step, &event) else { continue };
            let (_, entry) = self.service.act(action, &event.order, position + 1, wall);
            work.records.extend(entry.cloned().map(Line::Entry));
        }
        work.messages.push((BUS, Message::Consumed { next }));
        self.publish(now, work);
    }

    /// The bus confirms.
    pub(super) fn published(&mut self, next: u64, now: u64, work: &mut Work) {
        let next = next as usize;
        if next > self.confirmed {
            self.confirmed = next.min(self.service.entries.len());
            self.repeat = None;
        }
        self.publish(now, work);
    }

    /// Sends what the bus has not confirmed, unless that is under way.
    pub(super) fn publish(&mut self, now: u64, work: &mut Work) {
        let waits = self.repeat.is_some_and(|at| now < at);
        if waits || self.confirmed >= self.service.entries.len() {
            return;
        }
        let window = self.service.entries[self.confirmed..].iter().take(WINDOW);
        let events = window.map(|entry| self.event(entry)).collect();
        let from = self.confirmed as u64;
        work.messages.push((BUS, Message::Publish { from, events }));
        self.repeat = Some(now + self.retry);
    }

    fn event(&self, entry: &Entry) -> Event {
        let outcome = match entry.kind {
            Kind::Apply => Outcome::Applied,
            Kind::Refuse => Outcome::Refused,
            Kind::Compensate | Kind::NullCompensation => Outcome::Compensated,
        };
        Event { what: Some((self.service.step, outcome)), order: entry.order.clone() }
    }

    /// When there is something to do.
    pub(super) fn due(&self) -> u64 {
        if self.confirmed < self.service.entries.len() {
            self.repeat.unwrap_or(0)
        } else {
            u64::MAX
        }
    }
}
