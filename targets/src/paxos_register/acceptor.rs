//! The acceptor: what it has promised and accepted, by key.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::ballot::Ballot;
use super::register::Register;
use super::settings::Bug;

/// What an acceptor must not forget: "Paxos Made Simple" §2.5, "stable storage, preserved during
/// failures, is used to maintain the information that the acceptor must remember".
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Record {
    Promised { key: String, ballot: Ballot },
    Accepted { key: String, ballot: Ballot, register: Register },
}

/// What an acceptor says to a proposer.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Reply {
    /// It will accept no ballot below this one, and this is what it accepted last.
    Promise { accepted: Ballot, register: Register },
    /// It accepted.
    Accepted,
    /// It has promised this higher ballot.
    Refuse { promised: Ballot },
}

#[derive(Clone, Debug, Default)]
struct Slot {
    promised: Ballot,
    accepted: Ballot,
    register: Register,
}

/// The acceptor of a node.
#[derive(Debug, Default)]
pub(super) struct Acceptor {
    bug: Option<Bug>,
    slots: BTreeMap<String, Slot>,
}

impl Acceptor {
    /// What a restarted acceptor remembers.
    pub(super) fn new(bug: Option<Bug>, records: Vec<Record>) -> Acceptor {
        let mut acceptor = Acceptor { bug, slots: BTreeMap::new() };
        for record in records {
            match record {
                Record::Promised { key, ballot } => acceptor.slot(&key).promised = ballot,
                Record::Accepted { key, ballot, register } => {
                    let slot = acceptor.slot(&key);
                    slot.promised = slot.promised.max(ballot);
                    (slot.accepted, slot.register) = (ballot, register);
                }
            }
        }
        acceptor
    }

    /// "Paxos Made Simple" §2.2, phase 1 (b): an acceptor that receives a prepare request with a
    /// number greater than that of any prepare request to which it has responded promises not to
    /// accept any lower one, and says what it has accepted. The same request again gets the same
    /// response. `told` takes a line for those who watch.
    pub(super) fn prepare(
        &mut self,
        key: &str,
        ballot: Ballot,
        records: &mut Vec<Record>,
        told: &mut Vec<String>,
    ) -> Reply {
        let slot = self.slot(key);
        if ballot < slot.promised {
            return Reply::Refuse { promised: slot.promised };
        }
        let reply = Reply::Promise { accepted: slot.accepted, register: slot.register.clone() };
        if ballot > slot.promised {
            let unfinished = slot.promised > slot.accepted;
            if unfinished && !ballot.same_proposer(slot.promised) {
                told.push(format!("promised over {key} {ballot} over {}", slot.promised));
            }
            slot.promised = ballot;
            self.keep(Record::Promised { key: key.to_owned(), ballot }, records);
        }
        reply
    }

    /// "Paxos Made Simple" §2.2, phase 2 (b): an acceptor accepts a proposal unless it has
    /// responded to a prepare request with a greater number.
    pub(super) fn accept(
        &mut self,
        key: &str,
        ballot: Ballot,
        register: Register,
        records: &mut Vec<Record>,
    ) -> Reply {
        let bug = self.bug;
        let slot = self.slot(key);
        let heeded = if bug == Some(Bug::AcceptLower) { slot.accepted } else { slot.promised };
        if ballot < heeded {
            return Reply::Refuse { promised: slot.promised };
        }
        if ballot != slot.accepted {
            slot.promised = slot.promised.max(ballot);
            (slot.accepted, slot.register) = (ballot, register.clone());
            self.keep(Record::Accepted { key: key.to_owned(), ballot, register }, records);
        }
        Reply::Accepted
    }

    /// Makes something durable before anybody hears of it.
    fn keep(&self, record: Record, records: &mut Vec<Record>) {
        if self.bug != Some(Bug::PromiseAmnesia) {
            records.push(record);
        }
    }

    /// The highest ballot it has heard of.
    pub(super) fn promised(&self, key: &str) -> Ballot {
        self.slots.get(key).map_or(Ballot::default(), |slot| slot.promised)
    }

    /// How many registers it knows.
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Records that say all it knows.
    pub(super) fn records(&self) -> Vec<Record> {
        let mut kept = Vec::new();
        let records = &mut kept;
        for (key, slot) in &self.slots {
            if !slot.accepted.is_none() {
                let (key, register) = (key.clone(), slot.register.clone());
                self.keep(Record::Accepted { key, ballot: slot.accepted, register }, records);
            }
            if slot.promised > slot.accepted {
                let (key, ballot) = (key.clone(), slot.promised);
                self.keep(Record::Promised { key, ballot }, records);
            }
        }
        kept
    }

    fn slot(&mut self, key: &str) -> &mut Slot {
        if !self.slots.contains_key(key) {
            self.slots.insert(key.to_owned(), Slot::default());
        }
        self.slots.get_mut(key).expect("it was just put there")
    }
}
