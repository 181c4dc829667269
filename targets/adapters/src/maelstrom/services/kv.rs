//! Stores of keys and values that promise less and less.

use std::collections::{BTreeMap, VecDeque};

use danso_vocab::Rng;
use serde_json::{Value as Json, json};

use super::super::errors;
use super::{Body, failed};

/// So many states of the past a sequential store can answer from.
const PAST: u64 = 32;
/// Replicas of a store in which the last write wins.
const REPLICAS: usize = 5;

/// What is asked of a store.
pub(super) struct Request {
    key: String,
    what: What,
}

enum What {
    Read,
    Write(Json),
    Cas { from: Json, to: Json, create: bool },
}

impl Request {
    /// The request in a body.
    ///
    /// # Errors
    /// If it is none: the answer that says so.
    pub(super) fn read(body: &Body) -> Result<Request, Json> {
        let field = |name: &str| {
            let missing = || failed(errors::MALFORMED, &format!("there is no `{name}`"));
            body.get(name).cloned().ok_or_else(missing)
        };
        let what = match body.get("type").and_then(Json::as_str) {
            Some("read") => What::Read,
            Some("write") => What::Write(field("value")?),
            Some("cas") => What::Cas {
                from: field("from")?,
                to: field("to")?,
                create: body.get("create_if_not_exists") == Some(&Json::Bool(true)),
            },
            _ => return Err(failed(errors::UNSUPPORTED, "there are read, write and cas")),
        };
        Ok(Request { key: field("key")?.to_string(), what })
    }

    /// What is to be answered where the key has this value, and the value it gets, if it changes.
    fn on(&self, now: Option<&Json>) -> (Json, Option<Json>) {
        let none = || failed(errors::NO_KEY, "key does not exist");
        match (&self.what, now) {
            (What::Read, Some(value)) => (json!({ "type": "read_ok", "value": value }), None),
            (What::Read, None) => (none(), None),
            (What::Write(value), now) => {
                let changes = now != Some(value);
                (json!({ "type": "write_ok" }), changes.then(|| value.clone()))
            }
            (What::Cas { to, create: true, .. }, None) => {
                (json!({ "type": "cas_ok" }), Some(to.clone()))
            }
            (What::Cas { .. }, None) => (none(), None),
            (What::Cas { from, to, .. }, Some(now)) if from == now => {
                (json!({ "type": "cas_ok" }), (to != now).then(|| to.clone()))
            }
            (What::Cas { from, .. }, Some(now)) => {
                let text = format!("the value is {now}, not {from}");
                (failed(errors::MISMATCH, &text), None)
            }
        }
    }
}

/// One state, and everybody sees it.
#[derive(Debug, Default)]
pub(super) struct Linear {
    values: BTreeMap<String, Json>,
}

impl Linear {
    pub(super) fn answer(&mut self, request: &Request) -> Json {
        let (answer, new) = request.on(self.values.get(&request.key));
        if let Some(new) = new {
            self.values.insert(request.key.clone(), new);
        }
        answer
    }
}

/// One order of all operations, in which each node's stand as that node made them, but perhaps
/// long after they were made: what changes nothing may see a state of the past, though not one
/// before the last that the node has seen.
#[derive(Debug, Default)]
pub(super) struct Sequential {
    /// The number of the newest state.
    newest: u64,
    /// The last values of each key, with the state in which they came.
    values: BTreeMap<String, VecDeque<(u64, Json)>>,
    /// The last state each node has seen.
    seen: BTreeMap<String, u64>,
}

impl Sequential {
    pub(super) fn answer(&mut self, src: &str, request: &Request, rng: &mut Rng) -> Json {
        let seen = self.seen.get(src).copied().unwrap_or(0);
        let state = rng.between(seen.max(self.newest.saturating_sub(PAST)), self.newest);
        let (answer, new) = request.on(self.at(&request.key, state));
        if new.is_none() {
            self.seen.insert(src.to_owned(), state);
            return answer;
        }
        let (answer, new) = request.on(self.at(&request.key, self.newest));
        if let Some(new) = new {
            self.newest += 1;
            let history = self.values.entry(request.key.clone()).or_default();
            history.push_back((self.newest, new));
            // What is older than any state that can be answered from.
            let oldest = self.newest.saturating_sub(PAST);
            while history.get(1).is_some_and(|(since, _)| *since <= oldest) {
                history.pop_front();
            }
        }
        self.seen.insert(src.to_owned(), self.newest);
        answer
    }

    /// How many values of a key are kept.
    #[cfg(test)]
    pub(super) fn kept(&self, key: &str) -> usize {
        self.values.get(key).map_or(0, VecDeque::len)
    }

    /// The value a key had in a state.
    fn at(&self, key: &str, state: u64) -> Option<&Json> {
        let history = self.values.get(key)?;
        history.iter().rev().find(|(since, _)| *since <= state).map(|(_, value)| value)
    }
}

/// Replicas that tell each other now and then what was written last, by clocks that do not agree.
#[derive(Debug)]
pub(super) struct LastWrite {
    replicas: Vec<Replica>,
}

#[derive(Clone, Debug, Default)]
struct Replica {
    clock: u64,
    values: BTreeMap<String, (u64, Json)>,
}

impl Default for LastWrite {
    fn default() -> Self {
        LastWrite { replicas: vec![Replica::default(); REPLICAS] }
    }
}

impl LastWrite {
    pub(super) fn answer(&mut self, request: &Request, rng: &mut Rng) -> Json {
        let mut any = || rng.below(REPLICAS as u64) as usize;
        let (from, to, asked) = (any(), any(), any());
        if from != to {
            let told = self.replicas[from].clone();
            self.replicas[to].hear(told);
        }
        let replica = &mut self.replicas[asked];
        let (answer, _) = request.on(replica.values.get(&request.key).map(|(_, value)| value));
        // A write of the same value is a write, too: its time counts.
        let written = match (&request.what, answer["type"].as_str()) {
            (What::Write(value), _) => Some(value),
            (What::Cas { to, .. }, Some("cas_ok")) => Some(to),
            _ => None,
        };
        if let Some(value) = written {
            replica.clock += 1;
            replica.values.insert(request.key.clone(), (replica.clock, value.clone()));
        }
        answer
    }
}

impl Replica {
    fn hear(&mut self, other: Replica) {
        self.clock = self.clock.max(other.clock);
        for (key, (time, value)) in other.values {
            let rank = |time: u64, value: &Json| (time, value.to_string());
            let newer = self.values.get(&key).is_none_or(|(t, v)| rank(*t, v) < rank(time, &value));
            if newer {
                self.values.insert(key, (time, value));
            }
        }
    }
}
