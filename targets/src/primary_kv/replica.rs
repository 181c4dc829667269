//! A replica: its log, its part in the view, and who waits for what.

use std::collections::BTreeMap;

use danso_vocab::{NodeId, Value};

use super::backup::{self, Taken};
use super::log::{Entry, Log, Position};
use super::message::{Message, Record};
use super::primary::{Primary, Send};
use super::settings::{Bug, Settings};
use super::view::{SERVICE, View};
use crate::kit::register::Action;
use crate::kit::{Boot, Ready, Response, Ticket};

/// Entries in one message at most.
const BATCH: usize = 256;

/// Changes that may wait.
const WAITING: usize = 4_096;

/// A read that waits.
#[derive(Debug)]
struct Read {
    ticket: Ticket,
    key: String,
    deadline: u64,
    /// How far this replica must be, once the primary has said so.
    index: Option<u64>,
}

/// A replica.
#[derive(Debug)]
pub(super) struct Replica {
    id: NodeId,
    settings: Settings,
    view: View,
    log: Log,
    commit: u64,
    /// Everything up to here is what the primary of this view has.
    matched: u64,
    primary: Option<Primary>,
    /// Changes by their index: who waits, and until when.
    changes: BTreeMap<u64, (Ticket, u64)>,
    reads: BTreeMap<u64, Read>,
    /// Reads to be confirmed: by which round, who asked (itself, too), and its number for it.
    confirm: Vec<(u64, NodeId, u64)>,
    count: u64,
    ping_at: u64,
    pub(super) ready: Ready<Message, Record>,
}

impl Replica {
    pub(super) fn new(boot: &Boot<Settings>, records: Vec<Record>, now: u64) -> Replica {
        let mut view = View::first(&boot.all);
        let mut log = Log::default();
        for record in records {
            match record {
                Record::View(newer) => view = newer,
                Record::Entry(entry) => log.put(entry),
                Record::State(store, entries) => log = Log::new(store, entries),
            }
        }
        let mut replica = Replica {
            id: boot.id,
            settings: boot.settings,
            view,
            commit: log.store.at.index,
            log,
            matched: 0,
            primary: None,
            changes: BTreeMap::new(),
            reads: BTreeMap::new(),
            confirm: Vec::new(),
            count: u64::from(boot.start) << 32,
            ping_at: now,
            ready: Ready::default(),
        };
        replica.take_part(now);
        replica
    }

    /// Plays the part that the view has for it.
    fn take_part(&mut self, now: u64) {
        self.matched = 0;
        let round = self.primary.as_ref().map_or(0, |p| p.round);
        let leads = self.view.primary() == self.id;
        self.primary =
            leads.then(|| Primary::new(&self.view, self.log.last(), round, self.settings, now));
        if !leads {
            self.step_down();
        }
    }

    /// What it was asked for as a primary, it cannot answer any more. The next primary may have
    /// the changes that wait, or not.
    fn step_down(&mut self) {
        for (_, (ticket, _)) in std::mem::take(&mut self.changes) {
            self.refuse(ticket, "unknown", false);
        }
        for (_, from, id) in std::mem::take(&mut self.confirm) {
            if from == self.id
                && let Some(read) = self.reads.remove(&id)
            {
                self.refuse(read.ticket, "not-primary", true);
            }
        }
    }

    fn refuse(&mut self, ticket: Ticket, error: &str, definite: bool) {
        let leader = self.view.primary().to_string();
        self.ready.answer(ticket, Response::error(503, error, definite).with("leader", leader));
    }

    /// A later view replaces the one it knows, whoever tells.
    fn adopt(&mut self, now: u64, view: View) {
        if view.number > self.view.number {
            self.ready.records.push(Record::View(view.clone()));
            self.view = view;
            let role = self.view.role(self.id);
            self.ready.told.push(format!("view {} as {role}", self.view.number));
            self.take_part(now);
        }
    }

    /// A client wants something.
    pub(super) fn request(&mut self, now: u64, ticket: Ticket, key: &str, action: Action) {
        let deadline = now + self.settings.request_timeout;
        match (&mut self.primary, action) {
            (_, Action::Read) if self.settings.bug == Some(Bug::StaleReplicaRead) => {
                let value = self.log.store.get(key);
                self.ready.answer(ticket, Response::ok(Value::of([("value", value)])));
            }
            (primary, Action::Read) => {
                if primary.is_none() && !self.settings.replicas_read {
                    return self.refuse(ticket, "not-primary", true);
                }
                self.count += 1;
                let read = Read { ticket, key: key.to_owned(), deadline, index: None };
                self.reads.insert(self.count, read);
                match primary {
                    Some(primary) => self.confirm.push((primary.round + 1, self.id, self.count)),
                    None => self.ask(self.count),
                }
            }
            (None, _) => self.refuse(ticket, "not-primary", true),
            (Some(_), _) if self.changes.len() >= WAITING => {
                self.ready.answer(ticket, Response::error(429, "overloaded", true));
            }
            (Some(_), action) => {
                let at = Position { view: self.view.number, index: self.log.last().index + 1 };
                let entry = Entry { at, key: key.to_owned(), action };
                self.ready.records.push(Record::Entry(entry.clone()));
                self.log.put(entry);
                self.changes.insert(at.index, (ticket, deadline));
            }
        }
    }

    /// Asks the primary how far this replica must be to answer a read.
    fn ask(&mut self, id: u64) {
        self.ready.messages.push((self.view.primary(), Message::ReadAsk { id }));
    }

    /// Another node says something.
    pub(super) fn receive(&mut self, now: u64, from: NodeId, message: Message) {
        match message {
            Message::Ping { .. } => {}
            Message::View(view) => self.adopt(now, view),
            Message::Append { view, round, prev, entries, commit } => {
                if !self.follows(now, from, view) {
                    return;
                }
                let taken = backup::append(&mut self.log, prev, entries, &mut self.ready.records);
                match taken {
                    Taken::Matched(matched) => self.ack(round, matched, commit),
                    Taken::Gap => {
                        let view = self.view.number;
                        self.ready.messages.push((from, Message::Gap { view }));
                    }
                }
            }
            Message::State { view, round, store, entries, commit } => {
                if !self.follows(now, from, view) {
                    return;
                }
                let (number, records) = (self.view.number, &mut self.ready.records);
                let matched = backup::replace(&mut self.log, number, store, entries, records);
                self.commit = self.commit.min(self.log.last().index);
                self.commit = self.commit.max(self.log.store.at.index);
                self.ack(round, matched, commit);
            }
            Message::Ack { view, round, matched } if view == self.view.number => {
                if let Some(primary) = &mut self.primary {
                    primary.acked(now, from, matched, round);
                }
            }
            Message::Gap { view } if view == self.view.number => {
                if let Some(primary) = &mut self.primary {
                    primary.lacks(now, from);
                }
            }
            Message::Ack { .. } | Message::Gap { .. } => {}
            Message::ReadAsk { id } => {
                if let Some(primary) = &self.primary {
                    self.confirm.push((primary.round + 1, from, id));
                }
            }
            Message::ReadAt { view, id, index } => {
                if let Some(read) = self.reads.get_mut(&id) {
                    read.index.get_or_insert(index);
                }
                if view == self.view.number && self.primary.is_none() {
                    self.commit = self.commit.max(index.min(self.matched));
                }
            }
        }
    }

    /// Whether it is a member of this view, or of none that is later. PacificA §3.1: a replica
    /// takes nothing from the primary of an earlier configuration; it tells it of the new one.
    fn follows(&mut self, now: u64, from: NodeId, view: View) -> bool {
        self.adopt(now, view.clone());
        if view.number < self.view.number {
            self.ready.messages.push((from, Message::View(self.view.clone())));
        }
        view.number == self.view.number && self.primary.is_none()
    }

    fn ack(&mut self, round: u64, matched: u64, commit: u64) {
        self.matched = self.matched.max(matched);
        self.commit = self.commit.max(commit.min(self.matched));
        let ack = Message::Ack { view: self.view.number, round, matched };
        self.ready.messages.push((self.view.primary(), ack));
    }

    /// Everything that is to be done by now.
    pub(super) fn tick(&mut self, now: u64) {
        self.replicate(now);
        if let Some(primary) = &self.primary {
            self.commit = self.commit.max(primary.committed(now, self.log.last().index));
        }
        for (at, changed) in self.log.apply(self.commit) {
            if let Some((ticket, _)) = self.changes.remove(&at.index) {
                let mismatch = || Response::error(409, "mismatch", true);
                self.ready.answer(ticket, if changed { Response::done() } else { mismatch() });
            }
        }
        self.confirm_reads(now);
        self.finish_reads();
        if now >= self.ping_at {
            self.ping_at = now + self.settings.ping;
            self.repeat();
            self.expire(now);
        }
    }

    /// Sends members what they lack, and asks for the confirmation that reads wait for.
    fn replicate(&mut self, now: u64) {
        let Some(primary) = &mut self.primary else { return };
        let last = self.log.last().index;
        let again = now >= primary.repeat_at;
        let asked = self.confirm.iter().any(|(round, ..)| *round > primary.round);
        if !(again || asked || primary.has_news(last)) {
            return;
        }
        if again {
            primary.repeat_at = now + self.settings.ping;
        }
        primary.round += 1;
        let (round, commit) = (primary.round, self.commit);
        for (to, send) in primary.sends(last, again) {
            let prev = match send {
                Send::After(index) => self.log.position(index).map(|prev| (index, prev)),
                Send::Everything => None,
            };
            let view = self.view.clone();
            let message = match prev {
                Some((index, prev)) => {
                    let entries = self.log.after(index, BATCH).to_vec();
                    Message::Append { view, round, prev, entries, commit }
                }
                None => {
                    let store = self.log.store.clone();
                    let entries = self.log.after(store.at.index, usize::MAX).to_vec();
                    Message::State { view, round, store, entries, commit }
                }
            };
            self.ready.messages.push((to, message));
        }
    }

    fn confirm_reads(&mut self, now: u64) {
        let Some(primary) = &self.primary else { return };
        if !primary.is_settled(self.commit) {
            return;
        }
        let confirmed = primary.confirmed(now);
        for (_, from, id) in self.confirm.extract_if(.., |(round, ..)| *round <= confirmed) {
            if from != self.id {
                let at = Message::ReadAt { view: self.view.number, id, index: self.commit };
                self.ready.messages.push((from, at));
            } else if let Some(read) = self.reads.get_mut(&id) {
                read.index.get_or_insert(self.commit);
            }
        }
    }

    /// Answers reads for which this replica is far enough.
    fn finish_reads(&mut self) {
        let here = self.log.store.at.index;
        let far_enough = |_: &u64, read: &mut Read| read.index.is_some_and(|index| index <= here);
        for (_, read) in self.reads.extract_if(.., far_enough) {
            let value = self.log.store.get(&read.key);
            self.ready.answer(read.ticket, Response::ok(Value::of([("value", value)])));
        }
    }

    /// What may have been lost is said again.
    fn repeat(&mut self) {
        let in_step = self.primary.as_ref().is_some_and(Primary::is_in_step);
        let ping = Message::Ping { view: self.view.number, last: self.log.last(), in_step };
        self.ready.messages.push((SERVICE, ping));
        if self.primary.is_none() {
            let open = self.reads.iter().filter(|(_, r)| r.index.is_none()).map(|(id, _)| *id);
            let open: Vec<u64> = open.collect();
            open.into_iter().for_each(|id| self.ask(id));
        }
    }

    fn expire(&mut self, now: u64) {
        let late: Vec<Ticket> = self
            .changes
            .extract_if(.., |_, (_, until)| *until <= now)
            .map(|(_, (t, _))| t)
            .collect();
        late.into_iter().for_each(|ticket| self.refuse(ticket, "unknown", false));
        let late = self.reads.extract_if(.., |_, read| read.deadline <= now);
        let late: Vec<Ticket> = late.map(|(_, read)| read.ticket).collect();
        late.into_iter().for_each(|ticket| self.refuse(ticket, "no-primary", true));
    }

    pub(super) fn due(&self) -> u64 {
        self.primary.as_ref().map_or(u64::MAX, |p| p.repeat_at).min(self.ping_at)
    }

    pub(super) fn status(&self) -> Value {
        Value::of([
            ("id", self.id.to_string().into()),
            ("role", self.view.role(self.id).into()),
            ("view", (self.view.number as i64).into()),
            ("primary", self.view.primary().to_string().into()),
            ("last", (self.log.last().index as i64).into()),
            ("commit", (self.commit as i64).into()),
        ])
    }

    /// Whether a request would find a primary.
    pub(super) fn health(&self) -> Result<(), String> {
        match (&self.primary, self.view.role(self.id)) {
            (Some(primary), _) if !primary.is_settled(self.commit) => {
                Err("it waits for its replicas".to_owned())
            }
            (None, "idle") => Err("it is not in the view".to_owned()),
            _ => Ok(()),
        }
    }

    pub(super) fn records(&self) -> Vec<Record> {
        let store = self.log.store.clone();
        let entries = self.log.after(store.at.index, usize::MAX).to_vec();
        vec![Record::View(self.view.clone()), Record::State(store, entries)]
    }
}
