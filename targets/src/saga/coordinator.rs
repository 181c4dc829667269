//! The orchestrator: asks one service after another, writes down what it hears before it goes on,
//! and undoes what was done if one of them refuses or does not answer.
//!
//! The saga log (Garcia-Molina and Salem, section 3) says of each saga: begin, each step done or
//! undone, the decision, the end. Whatever it does not say has to be asked again after a restart,
//! which is harmless since services recognize what they have done.

use std::collections::{BTreeMap, BTreeSet};

use danso_vocab::Rng;

use super::breaker::Breaker;
use super::flow::{Flow, Stage};
use super::settings::{Bug, Settings};
use super::words::{
    Action, Command, Line, Message, Order, Outcome, Record, Standing, Step, Work, ended,
};
use crate::kit::{Response, Ticket};

/// The decider of the orchestrated flavour.
pub(super) struct Coordinator {
    settings: Settings,
    pub(super) log: Vec<Record>,
    flows: BTreeMap<String, Flow>,
    ended: BTreeMap<String, bool>,
    /// When which saga wants to act.
    timers: BTreeSet<(u64, String)>,
    breakers: [Breaker; 3],
    rng: Rng,
    /// The bug: timers of steps in sagas that have committed since.
    stale: BTreeMap<u64, Vec<Order>>,
}

impl Coordinator {
    /// One that goes on where its log ends.
    pub(super) fn new(settings: Settings, log: Vec<Record>, rng: Rng, now: u64) -> Coordinator {
        let breaker = Breaker::new(settings.breaker_failures, settings.breaker);
        let mut coordinator = Coordinator {
            settings,
            log: Vec::new(),
            flows: BTreeMap::new(),
            ended: BTreeMap::new(),
            timers: BTreeSet::new(),
            breakers: [breaker; 3],
            rng,
            stale: BTreeMap::new(),
        };
        for record in log {
            coordinator.take(record, now);
        }
        if coordinator.settings.bug == Some(Bug::ForgetInFlight) {
            // The bug: only what has ended is read back.
            coordinator.flows.clear();
        }
        for (saga, flow) in &mut coordinator.flows {
            flow.doubt = true;
            coordinator.timers.insert((now, saga.clone()));
        }
        coordinator
    }

    /// Takes a record in: the only way a saga's standing changes.
    fn take(&mut self, record: Record, now: u64) {
        match &record {
            Record::Begin(order) => {
                self.flows.insert(order.saga.clone(), Flow::new(order.clone(), now));
            }
            Record::End { saga, committed } => {
                self.flows.remove(saga);
                self.ended.insert(saga.clone(), *committed);
            }
            other => {
                if let Some(flow) = self.flows.get_mut(other.saga()) {
                    flow.take(other, self.settings.bug);
                    flow.since = now;
                }
            }
        }
        self.log.push(record);
    }

    fn write(&mut self, record: Record, now: u64, work: &mut Work) {
        work.records.push(Line::Record(record.clone()));
        self.take(record, now);
    }

    /// How a saga stands.
    pub(super) fn standing(&self, saga: &str) -> Standing {
        match self.ended.get(saga) {
            Some(committed) => Standing::Ended { committed: *committed },
            None if self.flows.contains_key(saga) => Standing::Open,
            None => Standing::Unknown,
        }
    }

    /// How many are under way.
    pub(super) fn open(&self) -> usize {
        self.flows.len()
    }

    /// The breakers' states, in order of the steps.
    pub(super) fn breakers(&self) -> [&'static str; 3] {
        self.breakers.map(|b| b.state())
    }

    /// A client orders, and waits for the end.
    pub(super) fn order(&mut self, ticket: Ticket, order: Order, now: u64, work: &mut Work) {
        if let Some(committed) = self.ended.get(&order.saga) {
            return work.answer(ticket, ended(&order.saga, *committed));
        }
        let saga = order.saga.clone();
        if !self.flows.contains_key(&saga) {
            if self.flows.len() >= self.settings.max_open {
                return work.answer(ticket, Response::error(429, "overloaded", true));
            }
            self.write(Record::Begin(order), now, work);
            self.act(&saga, now, work);
        }
        match self.flows.get_mut(&saga) {
            Some(flow) => flow.waiting.push(ticket),
            // It has ended at once: a breaker was open.
            None => {
                let committed = self.ended.get(&saga).copied().unwrap_or(false);
                work.answer(ticket, ended(&saga, committed));
            }
        }
    }

    /// A service answers.
    pub(super) fn did(
        &mut self,
        saga: &str,
        step: Step,
        outcome: Outcome,
        now: u64,
        work: &mut Work,
    ) {
        self.breakers[step.index()].success();
        let Some(flow) = self.flows.get(saga) else { return };
        let name = saga.to_owned();
        let record = match (&flow.stage, outcome) {
            (Stage::Forward(asked), Outcome::Applied) if *asked == step => {
                self.outlive(saga, now);
                Record::Done { saga: name, step, action: Action::Apply }
            }
            (Stage::Forward(asked), Outcome::Refused) if *asked == step => {
                self.write(Record::Refused { saga: name.clone(), step }, now, work);
                Record::Decide { saga: name, commit: false, undo: step.index() }
            }
            (Stage::Backward(left), Outcome::Compensated) if left.first() == Some(&step) => {
                Record::Done { saga: name, step, action: Action::Compensate }
            }
            _ => return, // an answer to what is not asked any more
        };
        self.write(record, now, work);
        self.act(saga, now, work);
    }

    /// The bug: the timer of a last step that had to be repeated is not stopped.
    fn outlive(&mut self, saga: &str, now: u64) {
        let Some(flow) = self.flows.get(saga) else { return };
        let last = flow.stage == Stage::Forward(Step::Arrange);
        if self.settings.bug == Some(Bug::CompensateAfterCommit) && last && flow.tries > 1 {
            let at = now.max(flow.since + self.settings.patience);
            self.stale.entry(at).or_default().push(flow.order.clone());
        }
    }

    /// Does whatever time has come for.
    pub(super) fn tick(&mut self, now: u64, work: &mut Work) {
        while let Some((at, saga)) = self.timers.first().cloned()
            && at <= now
        {
            self.timers.pop_first();
            // A timer that was moved is still in the set at its old time.
            if self.flows.get(&saga).is_some_and(|flow| flow.due <= now) {
                self.act(&saga, now, work);
            }
        }
        while let Some(entry) = self.stale.first_entry()
            && *entry.key() <= now
        {
            for order in entry.remove() {
                self.ask(Step::Arrange, Action::Compensate, order, work);
            }
        }
    }

    /// When there is something to do.
    pub(super) fn due(&self) -> u64 {
        let timer = self.timers.first().map_or(u64::MAX, |(at, _)| *at);
        self.stale.first_key_value().map_or(timer, |(at, _)| timer.min(*at))
    }

    /// Takes a saga one message further, or ends it.
    fn act(&mut self, saga: &str, now: u64, work: &mut Work) {
        let Some(flow) = self.flows.get_mut(saga) else { return };
        let order = flow.order.clone();
        let (step, action) = match &flow.stage {
            Stage::Finishing => return self.commit(saga, now, work),
            Stage::Backward(left) => match left.first() {
                Some(step) => (*step, Action::Compensate),
                None => return self.end(saga, false, now, work),
            },
            Stage::Forward(step) => (*step, Action::Apply),
        };
        let (forward, tries) = (action == Action::Apply, flow.tries);
        let never_asked = tries == 0 && !flow.doubt;
        if forward && tries > 0 && now >= flow.since + self.settings.patience {
            // Nobody knows whether the step was done, so it is undone like the others: its service
            // makes a null compensation of that if it was not.
            let mut undo = step.index() + 1;
            if self.settings.bug == Some(Bug::SkipCompensation) {
                undo = step.index(); // the bug: no answer is taken for a refusal
            }
            return self.abort(saga, undo, now, work);
        }
        if tries > 0 {
            self.breakers[step.index()].failure(now);
        }
        match self.breakers[step.index()].admit(now) {
            // Fail fast.
            Err(_) if forward && never_asked => self.abort(saga, step.index(), now, work),
            Err(until) => self.again(saga, until, false),
            Ok(()) => {
                self.ask(step, action, order, work);
                let pause = self.pause(tries);
                self.again(saga, now + pause, true);
            }
        }
    }

    /// Sends a command. It says how many records there are; the shell makes them durable first.
    fn ask(&mut self, step: Step, action: Action, order: Order, work: &mut Work) {
        let after = self.log.len() as u64;
        let command = Command { step, action, order, after };
        work.messages.push((step.node(), Message::Do(command)));
    }

    /// Exponential back-off: twice as long each time, half of it by chance.
    fn pause(&mut self, tries: u32) -> u64 {
        let Settings { retry, retry_max, .. } = self.settings;
        let pause = retry.saturating_mul(1 << tries.min(16)).min(retry_max.max(retry));
        pause / 2 + self.rng.below(pause / 2 + 1)
    }

    fn again(&mut self, saga: &str, at: u64, asked: bool) {
        if let Some(flow) = self.flows.get_mut(saga) {
            flow.tries += u32::from(asked);
            flow.due = at;
            self.timers.insert((at, saga.to_owned()));
        }
    }

    fn abort(&mut self, saga: &str, undo: usize, now: u64, work: &mut Work) {
        let record = Record::Decide { saga: saga.to_owned(), commit: false, undo };
        self.write(record, now, work);
        self.act(saga, now, work);
    }

    fn commit(&mut self, saga: &str, now: u64, work: &mut Work) {
        self.write(Record::Decide { saga: saga.to_owned(), commit: true, undo: 0 }, now, work);
        self.end(saga, true, now, work);
    }

    fn end(&mut self, saga: &str, committed: bool, now: u64, work: &mut Work) {
        let waiting = self.flows.get(saga).map(|f| f.waiting.clone()).unwrap_or_default();
        self.write(Record::End { saga: saga.to_owned(), committed }, now, work);
        for ticket in waiting {
            work.answer(ticket, ended(saga, committed));
        }
    }
}
