//! A whole node without its shell: acceptor, proposers, and requests as they come in.

use std::collections::{BTreeMap, VecDeque};

use danso_vocab::{NodeId, Rng, Value};
use serde::{Deserialize, Serialize};

use super::acceptor::{Acceptor, Record, Reply};
use super::ballot::Ballot;
use super::proposer::{Ask, Change, Effects, Proposer};
use super::register::{ChangeId, Register};
use super::settings::Settings;
use crate::kit::register::{Action, understand};
use crate::kit::{Boot, Input, Node, Now, Ready, Ticket};

/// What nodes tell each other about a key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Message {
    key: String,
    ballot: Ballot,
    says: Says,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Says {
    Prepare,
    Accept(Register),
    Reply(Reply),
}

/// A node.
pub(crate) struct Paxos {
    id: NodeId,
    all: Vec<NodeId>,
    settings: Settings,
    start: u32,
    rng: Rng,
    acceptor: Acceptor,
    /// Of keys that are being worked on.
    proposers: BTreeMap<String, Proposer>,
    changes: u64,
    /// Messages to itself.
    own: VecDeque<Message>,
    ready: Ready<Message, Record>,
}

impl Node for Paxos {
    type Settings = Settings;
    type Message = Message;
    type Record = Record;

    const NAME: &'static str = "paxos-register";

    fn settings(options: &BTreeMap<String, Value>) -> Result<Settings, String> {
        Ok(Settings::new(options)?.0)
    }

    fn fsync(settings: &Settings) -> bool {
        settings.fsync
    }

    fn new(boot: Boot<Settings>, records: Vec<Record>, _: Now) -> Paxos {
        Paxos {
            id: boot.id,
            all: boot.all,
            settings: boot.settings,
            start: boot.start,
            rng: boot.rng,
            acceptor: Acceptor::new(boot.settings.bug, records),
            proposers: BTreeMap::new(),
            changes: 0,
            own: VecDeque::new(),
            ready: Ready::default(),
        }
    }

    fn step(&mut self, now: Now, input: Input<Message>) {
        match input {
            Input::Request(ticket, request) => match understand(&request) {
                Ok((key, action)) => self.propose(now.mono, ticket, key, action),
                Err(refused) => self.ready.answer(ticket, refused),
            },
            Input::Message(from, message) => self.receive(now.mono, from, message),
        }
    }

    fn ready(&mut self, now: Now) -> Ready<Message, Record> {
        let due: Vec<String> = self
            .proposers
            .iter()
            .filter(|(_, proposer)| proposer.due() <= now.mono)
            .map(|(key, _)| key.clone())
            .collect();
        due.into_iter().for_each(|key| self.tick(now.mono, key));
        // What it tells itself need not wait: it is not sent before it is on disk, either.
        while let Some(message) = self.own.pop_front() {
            self.receive(now.mono, self.id, message);
        }
        self.proposers.retain(|_, proposer| !proposer.is_idle());
        std::mem::take(&mut self.ready)
    }

    fn due(&self) -> u64 {
        self.proposers.values().map(Proposer::due).min().unwrap_or(u64::MAX)
    }

    fn status(&self) -> Value {
        Value::of([
            ("id", self.id.to_string().into()),
            ("registers", (self.acceptor.len() as i64).into()),
            ("proposals", (self.proposers.len() as i64).into()),
        ])
    }

    fn compact(&self) -> Vec<Record> {
        self.acceptor.records()
    }
}

impl Paxos {
    fn propose(&mut self, now: u64, ticket: Ticket, key: &str, action: Action) {
        self.changes += 1;
        let id = ChangeId(self.id.0, self.start, self.changes);
        let deadline = now + self.settings.request_timeout;
        let change = Change::new(ticket, id, action, deadline);
        self.proposers.entry(key.to_owned()).or_default().add(change);
    }

    fn receive(&mut self, now: u64, from: NodeId, Message { key, ballot, says }: Message) {
        let ready = &mut self.ready;
        let reply = match says {
            Says::Prepare => {
                self.acceptor.prepare(&key, ballot, &mut ready.records, &mut ready.told)
            }
            Says::Accept(register) => {
                self.acceptor.accept(&key, ballot, register, &mut ready.records)
            }
            Says::Reply(reply) => return self.hear(now, from, key, (ballot, reply)),
        };
        self.send(from, Message { key, ballot, says: Says::Reply(reply) });
    }

    fn hear(&mut self, now: u64, from: NodeId, key: String, said: (Ballot, Reply)) {
        let Some(proposer) = self.proposers.get_mut(&key) else { return };
        let mut effects = Effects::default();
        let chance = (&self.settings, &mut self.rng);
        proposer.hear(now, &self.all, from, said, chance, &mut effects);
        self.carry_out(&key, effects);
        // If that was the end of a ballot, the next one can begin.
        self.tick(now, key);
    }

    fn tick(&mut self, now: u64, key: String) {
        let Some(proposer) = self.proposers.get_mut(&key) else { return };
        let mut effects = Effects::default();
        let promised = self.acceptor.promised(&key);
        let chance = (&self.settings, &mut self.rng);
        proposer.tick(now, (self.id, &self.all), promised, chance, &mut effects);
        self.carry_out(&key, effects);
    }

    fn carry_out(&mut self, key: &str, effects: Effects) {
        self.ready.answers.extend(effects.answers);
        for (to, ask) in effects.asks {
            let (ballot, says) = match ask {
                Ask::Prepare(ballot) => (ballot, Says::Prepare),
                Ask::Accept(ballot, register) => (ballot, Says::Accept(register)),
            };
            self.send(to, Message { key: key.to_owned(), ballot, says });
        }
    }

    fn send(&mut self, to: NodeId, message: Message) {
        if to == self.id {
            self.own.push_back(message);
        } else {
            self.ready.messages.push((to, message));
        }
    }
}
