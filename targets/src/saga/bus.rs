//! The event bus of the choreographed flavour, with the order book that listens to it.
//!
//! One durable log. Services publish in order, numbered, until the bus confirms (so an event is in
//! the log once). The log is delivered to each service from where it last confirmed, until it does
//! (so at least once). The order book derives from the events how each saga stands; it asks nobody
//! for anything.

use std::collections::BTreeMap;

use super::settings::{Bug, Settings};
use super::words::{
    Action, Event, Line, Message, Order, Outcome, Record, Standing, Step, Work, ended,
};
use crate::kit::{Response, Ticket};

/// Records of the log that one message covers at most.
const WINDOW: usize = 256;

/// The log from one service's view.
#[derive(Clone, Copy, Debug, Default)]
struct Consumer {
    /// It has worked off all before.
    position: usize,
    /// A message is under way, and is repeated then.
    repeat: Option<u64>,
    /// Events it has published.
    published: u64,
}

/// The decider of the choreographed flavour: nobody decides, but here it is known.
pub(super) struct Bus {
    settings: Settings,
    pub(super) log: Vec<Record>,
    orders: BTreeMap<String, Order>,
    ended: BTreeMap<String, bool>,
    waiting: BTreeMap<String, Vec<Ticket>>,
    consumers: [Consumer; 3],
}

impl Bus {
    /// One that goes on where its disk ends.
    pub(super) fn new(settings: Settings, lines: Vec<Line>) -> Bus {
        let mut bus = Bus {
            settings,
            log: Vec::new(),
            orders: BTreeMap::new(),
            ended: BTreeMap::new(),
            waiting: BTreeMap::new(),
            consumers: Default::default(),
        };
        for line in lines {
            match line {
                Line::Record(record) => bus.take(record),
                Line::Position { step, next } => {
                    bus.consumers[step.index()].position = next as usize;
                }
                Line::Entry(_) => {}
            }
        }
        if bus.settings.bug == Some(Bug::LostEvent) {
            // The bug: positions are not remembered, and the newest event is where to begin.
            let end = bus.log.len();
            bus.consumers.iter_mut().for_each(|c| c.position = end);
        }
        bus
    }

    fn take(&mut self, record: Record) {
        match &record {
            Record::Begin(order) => drop(self.orders.insert(order.saga.clone(), order.clone())),
            Record::Done { step, .. } | Record::Refused { step, .. } => {
                self.consumers[step.index()].published += 1;
            }
            Record::Decide { .. } => {}
            Record::End { saga, committed } => drop(self.ended.insert(saga.clone(), *committed)),
        }
        self.log.push(record);
    }

    fn write(&mut self, record: Record, work: &mut Work) {
        work.records.push(Line::Record(record.clone()));
        self.take(record);
    }

    /// How a saga stands.
    pub(super) fn standing(&self, saga: &str) -> Standing {
        match self.ended.get(saga) {
            Some(committed) => Standing::Ended { committed: *committed },
            None if self.orders.contains_key(saga) => Standing::Open,
            None => Standing::Unknown,
        }
    }

    /// How many are under way.
    pub(super) fn open(&self) -> usize {
        self.orders.len() - self.ended.len()
    }

    /// A client orders, and waits for the end.
    pub(super) fn order(&mut self, ticket: Ticket, order: Order, now: u64, work: &mut Work) {
        let saga = order.saga.clone();
        match self.standing(&saga) {
            Standing::Ended { committed } => return work.answer(ticket, ended(&saga, committed)),
            Standing::Unknown if self.open() >= self.settings.max_open => {
                return work.answer(ticket, Response::error(429, "overloaded", true));
            }
            Standing::Unknown => self.write(Record::Begin(order), work),
            Standing::Open => {}
        }
        self.waiting.entry(saga).or_default().push(ticket);
        self.deliver(now, work);
    }

    /// A service publishes events, the first of them its `from`th.
    pub(super) fn publish(
        &mut self,
        step: Step,
        from: u64,
        events: Vec<Event>,
        now: u64,
        work: &mut Work,
    ) {
        let had = self.consumers[step.index()].published;
        // What came before is in the log; what comes after a gap is sent again.
        let new = had.checked_sub(from).map_or(events.len(), |known| known as usize);
        for event in events.into_iter().skip(new) {
            self.happened(event, work);
        }
        let next = self.consumers[step.index()].published;
        work.messages.push((step.node(), Message::Published { next }));
        self.deliver(now, work);
    }

    /// Writes an event down, and what follows from it for the order.
    fn happened(&mut self, event: Event, work: &mut Work) {
        let Some((step, outcome)) = event.what else { return };
        let saga = event.order.saga;
        let done = |action| Record::Done { saga: saga.clone(), step, action };
        self.write(
            match outcome {
                Outcome::Applied => done(Action::Apply),
                Outcome::Compensated => done(Action::Compensate),
                Outcome::Refused => Record::Refused { saga: saga.clone(), step },
            },
            work,
        );
        if self.standing(&saga) != Standing::Open {
            return;
        }
        match (step, outcome) {
            (Step::Arrange, Outcome::Applied) => {
                self.write(Record::Decide { saga: saga.clone(), commit: true, undo: 0 }, work);
                self.end(&saga, true, work);
            }
            (_, Outcome::Refused) => {
                let undo = step.index();
                self.write(Record::Decide { saga: saga.clone(), commit: false, undo }, work);
                if undo == 0 {
                    self.end(&saga, false, work);
                }
            }
            (Step::Reserve, Outcome::Compensated) => self.end(&saga, false, work),
            _ => {}
        }
    }

    fn end(&mut self, saga: &str, committed: bool, work: &mut Work) {
        self.write(Record::End { saga: saga.to_owned(), committed }, work);
        for ticket in self.waiting.remove(saga).unwrap_or_default() {
            work.answer(ticket, ended(saga, committed));
        }
    }

    /// A service confirms.
    pub(super) fn consumed(&mut self, step: Step, next: u64, now: u64, work: &mut Work) {
        let end = self.log.len();
        let consumer = &mut self.consumers[step.index()];
        if next as usize > consumer.position {
            consumer.position = (next as usize).min(end);
            consumer.repeat = None;
            work.records.push(Line::Position { step, next });
        }
        self.deliver(now, work);
    }

    /// Sends each service what it has not confirmed, unless that is under way.
    pub(super) fn deliver(&mut self, now: u64, work: &mut Work) {
        for step in Step::ALL {
            let consumer = self.consumers[step.index()];
            let waits = consumer.repeat.is_some_and(|at| now < at);
            if waits || consumer.position >= self.log.len() {
                continue;
            }
            let next = self.log.len().min(consumer.position + WINDOW);
            let window = (consumer.position..next).filter_map(|at| {
                let event = self.event(&self.log[at])?;
                super::reactor::reaction(step, &event)?;
                Some((at as u64, event))
            });
            let events = window.collect();
            let next = next as u64;
            work.messages.push((step.node(), Message::Deliver { events, next }));
            self.consumers[step.index()].repeat = Some(now + self.settings.retry);
        }
    }

    /// The event that a record is, if it is one.
    fn event(&self, record: &Record) -> Option<Event> {
        let what = match record {
            Record::Begin(_) => None,
            Record::Done { step, action: Action::Apply, .. } => Some((*step, Outcome::Applied)),
            Record::Done { step, action: Action::Compensate, .. } => {
                Some((*step, Outcome::Compensated))
            }
            Record::Refused { step, .. } => Some((*step, Outcome::Refused)),
            Record::Decide { .. } | Record::End { .. } => return None,
        };
        Some(Event { what, order: self.orders.get(record.saga())?.clone() })
    }

    /// When there is something to do.
    pub(super) fn due(&self) -> u64 {
        let waiting = self.consumers.iter().filter(|c| c.position < self.log.len());
        waiting.map(|c| c.repeat.unwrap_or(0)).min().unwrap_or(u64::MAX)
    }

    /// Its disk, from which [`Bus::new`] makes it again.
    pub(super) fn lines(&self) -> Vec<Line> {
        let records = self.log.iter().cloned().map(Line::Record);
        let positions = Step::ALL.map(|step| {
            let next = self.consumers[step.index()].position as u64;
            Line::Position { step, next }
        });
        records.chain(positions).collect()
    }
}
