//! The coordinator: asks for votes, decides, and tells until everybody knows.

use std::collections::{BTreeMap, BTreeSet};

use danso_vocab::{NodeId, Rng, Value};

use super::accounts;
use super::message::{Message, Part, Record, TxId, Vote, Work};
use super::settings::{Bug, Settings};
use crate::kit::{Ready, Response, Ticket};

/// The longest pause before a transaction that met another is tried again, in ns.
const BACK_OFF: u64 = 15_000_000;

/// Transactions under way at a time.
const UNDER_WAY: usize = 1_024;

/// What a client wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    Transfer { from: u64, to: u64, amount: i64 },
    Read,
}

/// A transaction of a client, perhaps tried several times.
#[derive(Clone, Debug)]
struct Transaction {
    ticket: Ticket,
    wish: Wish,
    age: Option<TxId>,
    deadline: u64,
}

/// An attempt that is being voted on.
#[derive(Debug)]
struct Attempt {
    transaction: Transaction,
    parts: BTreeMap<NodeId, Part>,
    voted: BTreeSet<NodeId>,
    balances: Vec<(u64, i64)>,
    deadline: u64,
    repeat_at: u64,
}

/// A decision to commit that somebody may not know.
#[derive(Debug)]
struct Decision {
    participants: BTreeSet<NodeId>,
    repeat_at: u64,
}

/// The coordinator.
#[derive(Debug)]
pub(super) struct Coordinator {
    settings: Settings,
    participants: Vec<NodeId>,
    rng: Rng,
    /// The next attempt.
    next: TxId,
    attempts: BTreeMap<TxId, Attempt>,
    decided: BTreeMap<TxId, Decision>,
    /// Transactions to be tried again, and when.
    later: Vec<(u64, Transaction)>,
    pub(super) ready: Ready<Message, Record>,
}

impl Coordinator {
    /// A coordinator in its `start`-th life. What was being voted on is forgotten: presumed abort
    /// (Mohan et al. §3.1), whoever asks is told that it was aborted.
    pub(super) fn new(
        settings: Settings,
        participants: Vec<NodeId>,
        rng: Rng,
        start: u32,
        records: Vec<Record>,
        now: u64,
    ) -> Coordinator {
        let mut decided = BTreeMap::new();
        for record in records {
            match record {
                Record::Commit { id, participants } => {
                    let participants = participants.into_iter().map(NodeId).collect();
                    decided.insert(id, Decision { participants, repeat_at: now });
                }
                Record::End { id } => drop(decided.remove(&id)),
                _ => {}
            }
        }
        Coordinator {
            settings,
            participants,
            rng,
            next: TxId(start, 1),
            attempts: BTreeMap::new(),
            decided,
            later: Vec::new(),
            ready: Ready::default(),
        }
    }

    /// A client wants something.
    pub(super) fn request(&mut self, now: u64, ticket: Ticket, wish: Wish) {
        if self.attempts.len() + self.later.len() >= UNDER_WAY {
            return self.ready.answer(ticket, Response::error(429, "overloaded", true));
        }
        let deadline = now + self.settings.request_timeout;
        self.begin(now, Transaction { ticket, wish, age: None, deadline });
    }

    fn begin(&mut self, now: u64, mut transaction: Transaction) {
        let id = self.next;
        self.next.1 += 1;
        let age = *transaction.age.get_or_insert(id);
        let part = |node: NodeId, work: Work| (node, Part { id, age, work });
        let parts = match transaction.wish {
            Wish::Read => self.participants.iter().map(|n| part(*n, Work::Read)).collect(),
            Wish::Transfer { from, to, amount } => {
                let mut moves: BTreeMap<NodeId, Vec<(u64, i64)>> = BTreeMap::new();
                for (account, amount) in [(from, -amount), (to, amount)] {
                    let node = accounts::home(account, &self.participants);
                    moves.entry(node).or_default().push((account, amount));
                }
                moves.into_iter().map(|(node, moves)| part(node, Work::Move(moves))).collect()
            }
        };
        let attempt = Attempt {
            transaction,
            parts,
            voted: BTreeSet::new(),
            balances: Vec::new(),
            deadline: now + self.settings.vote_timeout,
            repeat_at: now,
        };
        self.attempts.insert(id, attempt);
    }

    /// A participant says something.
    pub(super) fn receive(&mut self, now: u64, from: NodeId, message: Message) {
        match message {
            Message::Vote { id, vote } => self.vote(now, from, id, vote),
            Message::Done { id } => {
                let Some(decision) = self.decided.get_mut(&id) else { return };
                decision.participants.remove(&from);
                if decision.participants.is_empty() {
                    self.decided.remove(&id);
                    self.record(Record::End { id });
                }
            }
            Message::Ask { id } => {
                let commit = self.decided.contains_key(&id);
                // What is still being voted on has no decision. What is not known was aborted,
                // since a commit is remembered until everybody has it.
                if commit || !self.attempts.contains_key(&id) {
                    self.ready.messages.push((from, Message::Decide { id, commit }));
                }
            }
            Message::Prepare { .. } | Message::Decide { .. } => {}
        }
    }

    fn vote(&mut self, now: u64, from: NodeId, id: TxId, vote: Vote) {
        let Some(attempt) = self.attempts.get_mut(&id) else { return };
        match vote {
            Vote::Yes(mut balances) => {
                if attempt.voted.insert(from) {
                    attempt.balances.append(&mut balances);
                }
                if attempt.voted.len() == attempt.parts.len() {
                    self.commit(now, id);
                }
            }
            Vote::Conflict => {
                let Some(transaction) = self.abort(id) else { return };
                let at = now + self.rng.below(BACK_OFF);
                self.later.push((at, transaction));
            }
            Vote::Insufficient => {
                if let Some(transaction) = self.abort(id) {
                    let refused = Response::error(409, "insufficient", true);
                    self.ready.answer(transaction.ticket, refused);
                }
            }
        }
    }

    /// Bernstein et al. §7.4: if all votes are yes, the coordinator decides to commit by writing
    /// that down, and only then tells anybody.
    fn commit(&mut self, now: u64, id: TxId) {
        let Some(attempt) = self.attempts.remove(&id) else { return };
        let participants: BTreeSet<NodeId> = attempt.parts.keys().copied().collect();
        let answer = match attempt.transaction.wish {
            Wish::Read => {
                let balances = attempt.balances.iter().map(|(a, b)| (a.to_string(), (*b).into()));
                // All locks were held when the last vote came, and nothing was changed: committed
                // or aborted is the same, and need not be remembered (Mohan et al. §3.1).
                self.tell(&participants, id, true);
                Response::ok(Value::Map(balances.collect()))
            }
            Wish::Transfer { .. } => {
                let numbers = participants.iter().map(|n| n.0).collect();
                self.record(Record::Commit { id, participants: numbers });
                self.ready.told.push(format!("committed {}.{}", id.0, id.1));
                self.tell(&participants, id, true);
                let repeat_at = now + self.settings.repeat;
                self.decided.insert(id, Decision { participants, repeat_at });
                Response::done()
            }
        };
        self.ready.answer(attempt.transaction.ticket, answer);
    }

    /// Presumed abort (Mohan et al. §3.1): nothing is written down, and nobody need confirm.
    fn abort(&mut self, id: TxId) -> Option<Transaction> {
        let attempt = self.attempts.remove(&id)?;
        let participants = attempt.parts.keys().copied().collect();
        self.tell(&participants, id, false);
        Some(attempt.transaction)
    }

    fn tell(&mut self, participants: &BTreeSet<NodeId>, id: TxId, commit: bool) {
        let decide = |n: &NodeId| (*n, Message::Decide { id, commit });
        self.ready.messages.extend(participants.iter().map(decide));
    }

    fn record(&mut self, record: Record) {
        if self.settings.bug != Some(Bug::CoordinatorAmnesia) {
            self.ready.records.push(record);
        }
    }

    /// Everything that is to be done by now.
    pub(super) fn tick(&mut self, now: u64) {
        for (_, transaction) in self.later.extract_if(.., |(at, _)| *at <= now).collect::<Vec<_>>()
        {
            if now >= transaction.deadline {
                let busy = Response::error(503, "busy", true);
                self.ready.answer(transaction.ticket, busy);
            } else {
                self.begin(now, transaction);
            }
        }
        let late = self.attempts.iter().filter(|(_, a)| a.deadline <= now).map(|(id, _)| *id);
        for id in late.collect::<Vec<_>>() {
            if let Some(transaction) = self.abort(id) {
                let aborted = Response::error(503, "no-vote", true);
                self.ready.answer(transaction.ticket, aborted);
            }
        }
        self.repeat(now);
    }

    /// Asks and tells those who have not answered.
    fn repeat(&mut self, now: u64) {
        let messages = &mut self.ready.messages;
        let low = self.attempts.keys().next().copied().unwrap_or(self.next);
        for attempt in self.attempts.values_mut().filter(|a| a.repeat_at <= now) {
            attempt.repeat_at = now + self.settings.repeat;
            let silent = attempt.parts.iter().filter(|(n, _)| !attempt.voted.contains(n));
            messages
                .extend(silent.map(|(n, part)| (*n, Message::Prepare { low, part: part.clone() })));
        }
        for (id, decision) in self.decided.iter_mut().filter(|(_, d)| d.repeat_at <= now) {
            decision.repeat_at = now + self.settings.repeat;
            let decide = |n: &NodeId| (*n, Message::Decide { id: *id, commit: true });
            messages.extend(decision.participants.iter().map(decide));
        }
    }

    pub(super) fn due(&self) -> u64 {
        let attempts = self.attempts.values().map(|a| a.repeat_at.min(a.deadline));
        let decided = self.decided.values().map(|d| d.repeat_at);
        let later = self.later.iter().map(|(at, _)| *at);
        attempts.chain(decided).chain(later).min().unwrap_or(u64::MAX)
    }

    pub(super) fn status(&self, id: NodeId) -> Value {
        Value::of([
            ("id", id.to_string().into()),
            ("role", "coordinator".into()),
            ("voting", (self.attempts.len() as i64).into()),
            ("decided", (self.decided.len() as i64).into()),
        ])
    }

    pub(super) fn records(&self) -> Vec<Record> {
        if self.settings.bug == Some(Bug::CoordinatorAmnesia) {
            return Vec::new();
        }
        let commit = |(id, decision): (&TxId, &Decision)| Record::Commit {
            id: *id,
            participants: decision.participants.iter().map(|n| n.0).collect(),
        };
        self.decided.iter().map(commit).collect()
    }
}
