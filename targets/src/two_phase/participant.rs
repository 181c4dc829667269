//! A participant: votes, waits for the decision, and obeys it.

use std::collections::{BTreeMap, BTreeSet};

use danso_vocab::{NodeId, Value};

use super::accounts::COORDINATOR;
use super::message::{Message, Part, Record, TxId, Vote, Work};
use super::settings::{Bug, Settings};
use crate::kit::Ready;

/// What it has voted yes for and not heard the decision of.
#[derive(Debug)]
struct Prepared {
    part: Part,
    since: u64,
    ask_at: u64,
}

/// A participant.
#[derive(Debug)]
pub(super) struct Participant {
    settings: Settings,
    balances: BTreeMap<u64, i64>,
    prepared: BTreeMap<TxId, Prepared>,
    /// By age: what waits for younger ones to finish.
    waiting: BTreeMap<TxId, Part>,
    /// Attempts before this one are over.
    low: TxId,
    /// Those from `low` on that are over, too: a late message must not begin them again.
    finished: BTreeSet<TxId>,
    pub(super) ready: Ready<Message, Record>,
}

impl Participant {
    /// A participant that begins with these balances and remembers this.
    pub(super) fn new(
        settings: Settings,
        opening: BTreeMap<u64, i64>,
        records: Vec<Record>,
        now: u64,
    ) -> Participant {
        let mut participant = Participant {
            settings,
            balances: opening,
            prepared: BTreeMap::new(),
            waiting: BTreeMap::new(),
            low: TxId::default(),
            finished: BTreeSet::new(),
            ready: Ready::default(),
        };
        for record in records {
            participant.remember(record, now);
        }
        participant
    }

    fn remember(&mut self, record: Record, now: u64) {
        match record {
            Record::State { balances, low, finished } => {
                self.balances = balances.into_iter().collect();
                (self.low, self.finished) = (low, finished);
                self.prepared.clear();
            }
            Record::Prepared { low, part } => {
                self.low = self.low.max(low);
                self.prepared.insert(part.id, Prepared { part, since: now, ask_at: now });
            }
            Record::Committed { id, work } => {
                self.apply(&work);
                self.prepared.remove(&id);
                self.finished.insert(id);
            }
            Record::Aborted { id } => {
                self.prepared.remove(&id);
                self.finished.insert(id);
            }
            Record::Commit { .. } | Record::End { .. } => {}
        }
    }

    fn apply(&mut self, work: &Work) {
        if let Work::Move(changes) = work {
            for (account, amount) in changes {
                *self.balances.entry(*account).or_default() += amount;
            }
        }
    }

    fn say(&mut self, message: Message) {
        self.ready.messages.push((COORDINATOR, message));
    }

    /// The coordinator says something.
    pub(super) fn receive(&mut self, now: u64, message: Message) {
        match message {
            Message::Prepare { low, part } => {
                self.low = self.low.max(low);
                self.finished = self.finished.split_off(&self.low);
                if part.id >= self.low && !self.finished.contains(&part.id) {
                    self.prepare(now, part);
                }
            }
            Message::Decide { id, commit } => self.decide(now, id, commit),
            Message::Vote { .. } | Message::Done { .. } | Message::Ask { .. } => {}
        }
    }

    /// Gray §5.8.3.3, Bernstein et al. §7.4: having locked what the transaction uses, a
    /// participant votes; before it votes yes it makes sure that it can still commit after a
    /// crash.
    fn prepare(&mut self, now: u64, part: Part) {
        let Part { id, age, .. } = part;
        if self.prepared.contains_key(&id) {
            // It was asked again: the vote was lost.
            let vote = self.yes(&part.work);
            return self.say(Message::Vote { id, vote });
        }
        // Wait-die: it may wait for younger ones, but not for older ones; so nobody waits in a
        // circle. Those that wait have their turn before younger ones come.
        let holders = self.prepared.values().filter(|p| p.part.work.conflicts(&part.work));
        let mut holders = holders.map(|p| p.part.age).peekable();
        let wait = holders.peek().is_some();
        let mut waiters = self.waiting.values().filter(|w| w.id != id && w.age < age);
        if holders.any(|h| h < age) || waiters.any(|w| w.work.conflicts(&part.work)) {
            self.waiting.remove(&age);
            return self.say(Message::Vote { id, vote: Vote::Conflict });
        }
        if wait {
            self.waiting.insert(age, part);
            return;
        }
        self.waiting.remove(&age);
        if !self.can(&part.work) {
            return self.say(Message::Vote { id, vote: Vote::Insufficient });
        }
        if self.settings.bug != Some(Bug::ForgetPrepared) {
            self.ready.records.push(Record::Prepared { low: self.low, part: part.clone() });
        }
        self.ready.told.push(format!("prepared {}.{}", id.0, id.1));
        let vote = self.yes(&part.work);
        self.say(Message::Vote { id, vote });
        let ask_at = now + 2 * self.settings.repeat;
        self.prepared.insert(id, Prepared { part, since: now, ask_at });
    }

    fn can(&self, work: &Work) -> bool {
        let enough = |(account, amount): &(u64, i64)| {
            self.balances.get(account).is_some_and(|balance| balance + amount >= 0)
        };
        matches!(work, Work::Read) || matches!(work, Work::Move(m) if m.iter().all(enough))
    }

    fn yes(&self, work: &Work) -> Vote {
        Vote::Yes(match work {
            Work::Read => self.balances.iter().map(|(a, b)| (*a, *b)).collect(),
            Work::Move(_) => Vec::new(),
        })
    }

    /// What it does not know it has carried out before and forgotten, or never voted yes for.
    fn decide(&mut self, now: u64, id: TxId, commit: bool) {
        self.waiting.retain(|_, part| part.id != id);
        match self.prepared.remove(&id) {
            Some(Prepared { part, .. }) if commit => {
                self.apply(&part.work);
                self.ready.records.push(Record::Committed { id, work: part.work });
            }
            Some(_) => self.ready.records.push(Record::Aborted { id }),
            None => {}
        }
        if id >= self.low {
            self.finished.insert(id);
        }
        if commit {
            self.say(Message::Done { id });
        }
        // Strict two-phase locking: locks end here, and others have their turn, the oldest first.
        for part in self.waiting.values().cloned().collect::<Vec<_>>() {
            self.prepare(now, part);
        }
    }

    /// Bernstein et al. §7.4: a participant that has voted yes must not decide by itself. It is
    /// blocked, keeps its locks, and asks until it is told.
    pub(super) fn tick(&mut self, now: u64) {
        let (repeat, bug) = (self.settings.repeat, self.settings.bug);
        let mut tired = Vec::new();
        for (id, prepared) in &mut self.prepared {
            if bug == Some(Bug::PresumeCommit) && now >= prepared.since + self.settings.in_doubt {
                tired.push(*id);
            } else if now >= prepared.ask_at {
                prepared.ask_at = now + repeat;
                self.ready.messages.push((COORDINATOR, Message::Ask { id: *id }));
            }
        }
        tired.into_iter().for_each(|id| self.decide(now, id, true));
    }

    pub(super) fn due(&self) -> u64 {
        self.prepared.values().map(|p| p.ask_at).min().unwrap_or(u64::MAX)
    }

    pub(super) fn status(&self, id: NodeId) -> Value {
        let balances = self.balances.iter().map(|(a, b)| (a.to_string(), (*b).into()));
        Value::of([
            ("id", id.to_string().into()),
            ("role", "participant".into()),
            ("balances", Value::Map(balances.collect())),
            ("in-doubt", (self.prepared.len() as i64).into()),
            ("waiting", (self.waiting.len() as i64).into()),
        ])
    }

    pub(super) fn records(&self) -> Vec<Record> {
        let balances = self.balances.iter().map(|(a, b)| (*a, *b)).collect();
        let (low, finished) = (self.low, self.finished.clone());
        let mut records = vec![Record::State { balances, low, finished }];
        if self.settings.bug != Some(Bug::ForgetPrepared) {
            let prepared = self.prepared.values().map(|p| p.part.clone());
            records.extend(prepared.map(|part| Record::Prepared { low, part }));
        }
        records
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn participant(records: Vec<Record>) -> Participant {
        let (settings, _) = Settings::new(&BTreeMap::new()).unwrap();
        Participant::new(settings, [(0, 10), (3, 10)].into(), records, 0)
    }

    fn prepare(id: u64, work: Work) -> Message {
        let id = TxId(1, id);
        Message::Prepare { low: TxId(1, 1), part: Part { id, age: id, work } }
    }

    /// What it says now.
    fn says(participant: &mut Participant) -> Vec<Message> {
        let ready = std::mem::take(&mut participant.ready);
        ready.messages.into_iter().map(|(_, message)| message).collect()
    }

    /// The true property: in doubt it blocks, for ever and through restarts, and never diverges.
    #[test]
    fn in_doubt_it_waits_for_ever() {
        let mut participant = participant(Vec::new());
        participant.receive(0, prepare(1, Work::Move(vec![(0, -4)])));
        let records = std::mem::take(&mut participant.ready.records);
        assert!(matches!(says(&mut participant)[..], [Message::Vote { vote: Vote::Yes(_), .. }]));
        for hour in 1..10 {
            participant.tick(hour * 3_600 * SECOND);
            assert!(matches!(says(&mut participant)[..], [Message::Ask { id: TxId(1, 1) }]));
        }
        // Whoever is younger and wants what it holds cannot have it.
        participant.receive(0, prepare(2, Work::Read));
        let said = says(&mut participant);
        assert!(matches!(said[..], [Message::Vote { vote: Vote::Conflict, .. }]), "{said:?}");
        for commit in [true, false] {
            let mut again = self::participant(records.clone());
            assert_eq!(again.prepared.len(), 1);
            again.receive(0, Message::Decide { id: TxId(1, 1), commit });
            assert_eq!(again.balances[&0], if commit { 6 } else { 10 });
            // A late copy begins nothing.
            again.receive(0, prepare(1, Work::Move(vec![(0, -4)])));
            assert!(again.prepared.is_empty());
        }
    }

    #[test]
    fn older_ones_wait_and_younger_ones_die() {
        let mut participant = participant(Vec::new());
        participant.receive(0, prepare(5, Work::Read));
        participant.receive(0, prepare(6, Work::Read));
        assert_eq!(says(&mut participant).len(), 2, "readers do not hinder each other");
        participant.receive(0, prepare(3, Work::Move(vec![(3, 1)])));
        assert!(says(&mut participant).is_empty(), "it waits");
        participant.receive(0, prepare(7, Work::Read));
        let said = says(&mut participant);
        assert!(matches!(said[..], [Message::Vote { vote: Vote::Conflict, .. }]), "{said:?}");
        participant.receive(0, Message::Decide { id: TxId(1, 5), commit: false });
        assert!(says(&mut participant).is_empty(), "it still waits");
        participant.receive(0, Message::Decide { id: TxId(1, 6), commit: false });
        let said = says(&mut participant);
        assert!(matches!(said[..], [Message::Vote { id: TxId(1, 3), .. }]), "{said:?}");
        participant.receive(0, prepare(8, Work::Move(vec![(0, -11)])));
        let said = says(&mut participant);
        assert!(matches!(said[..], [Message::Vote { vote: Vote::Insufficient, .. }]), "{said:?}");
    }
}
