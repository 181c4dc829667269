//! The replicated state machine: registers by key, and client sessions so that a retried command
//! takes effect once (thesis, chapter 6.3).
//!
//! An absent key and a key holding `null` are the same thing: a compare-and-set from `null`
//! creates, a write of `null` deletes.
//!
//! A session remembers the last sequence number and its result. Clients have one command under
//! way at a time and count up, so that is all it takes. A session is opened by its first command
//! and forgotten when [`MAX_SESSIONS`] others have been used since; a copy of a command that
//! stayed in the network longer than that would be taken for a new one. Eviction depends on the
//! log alone, so all replicas forget the same sessions.

use std::collections::BTreeMap;

use danso_vocab::Value;
use serde::{Deserialize, Serialize};

use super::json;

/// Sessions remembered at most.
pub(crate) const MAX_SESSIONS: usize = 10_000;

/// Which attempt of which client a command is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Session {
    /// The client, unique for ever.
    pub(crate) client: String,
    /// Its commands, counted up; a retry repeats the number.
    pub(crate) seq: u64,
}

/// A change of one key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Action {
    /// Sets the value.
    Put {
        #[serde(with = "json")]
        value: Value,
    },
    /// Sets the value to `new` if it is `old`.
    Cas {
        #[serde(with = "json")]
        old: Value,
        #[serde(with = "json")]
        new: Value,
    },
    /// Removes the key.
    Delete,
}

/// What a log entry asks the state machine to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Command {
    pub(crate) key: String,
    pub(crate) action: Action,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) session: Option<Session>,
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Effect {
    /// It changed the key.
    Done,
    /// A compare-and-set found another value and changed nothing.
    Mismatch,
    /// Its client had moved on to a later command already; this copy changed nothing.
    Superseded,
}

/// The last command of a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Last {
    seq: u64,
    effect: Effect,
    /// The index of the entry that last used the session.
    used: u64,
}

/// The state machine. Its JSON is the content of a snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Kv {
    values: BTreeMap<String, Held>,
    sessions: BTreeMap<String, Last>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
struct Held(#[serde(with = "json")] Value);

impl Kv {
    /// The value of `key`; nil if it is absent.
    pub(crate) fn get(&self, key: &str) -> Value {
        self.values.get(key).map_or(Value::Nil, |held| held.0.clone())
    }

    /// Applies the command of the log entry `index`; a retry gets the first attempt's result,
    /// unless `dedupe` is off.
    pub(crate) fn apply(&mut self, index: u64, command: &Command, dedupe: bool) -> Effect {
        let Some(session) = command.session.as_ref().filter(|_| dedupe) else {
            return self.change(command);
        };
        if let Some(last) = self.sessions.get_mut(&session.client) {
            last.used = index;
            if session.seq == last.seq {
                return last.effect;
            }
            if session.seq < last.seq {
                return Effect::Superseded;
            }
        }
        let effect = self.change(command);
        let last = Last { seq: session.seq, effect, used: index };
        self.sessions.insert(session.client.clone(), last);
        if self.sessions.len() > MAX_SESSIONS {
            self.forget_one();
        }
        effect
    }

    /// How this very command ended, if it has been applied already. Applied means committed, so
    /// any replica may say it.
    pub(crate) fn remembered(&self, session: &Session) -> Option<Effect> {
        let last = self.sessions.get(&session.client)?;
        (last.seq == session.seq).then_some(last.effect)
    }

    fn change(&mut self, command: &Command) -> Effect {
        let new = match &command.action {
            Action::Put { value } => value.clone(),
            Action::Cas { old, new } => {
                if self.values.get(&command.key).map_or(&Value::Nil, |held| &held.0) != old {
                    return Effect::Mismatch;
                }
                new.clone()
            }
            Action::Delete => Value::Nil,
        };
        if new.is_nil() {
            self.values.remove(&command.key);
        } else {
            self.values.insert(command.key.clone(), Held(new));
        }
        Effect::Done
    }

    /// Forgets the session not used for the longest time.
    fn forget_one(&mut self) {
        let oldest = self.sessions.iter().min_by_key(|(_, last)| last.used);
        if let Some(client) = oldest.map(|(client, _)| client.clone()) {
            self.sessions.remove(&client);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(value: i64, seq: u64) -> Command {
        let session = Some(Session { client: "c".into(), seq });
        Command { key: "k".into(), action: Action::Put { value: value.into() }, session }
    }

    fn cas(old: impl Into<Value>, new: impl Into<Value>) -> Command {
        let action = Action::Cas { old: old.into(), new: new.into() };
        Command { key: "k".into(), action, session: None }
    }

    #[test]
    fn absent_and_null_are_the_same() {
        let mut kv = Kv::default();
        assert_eq!(kv.apply(1, &cas((), 1), true), Effect::Done);
        assert_eq!(kv.apply(2, &cas((), 2), true), Effect::Mismatch);
        assert_eq!(kv.apply(3, &cas(1, ()), true), Effect::Done);
        assert_eq!(kv, Kv::default());
    }

    #[test]
    fn a_retry_takes_effect_once_and_is_told_the_first_result() {
        let mut kv = Kv::default();
        let session = Some(Session { client: "c".into(), seq: 2 });
        let swap = Command { session: session.clone(), ..cas(1, 2) };
        kv.apply(1, &put(1, 1), true);
        assert_eq!(kv.remembered(session.as_ref().unwrap()), None);
        assert_eq!(kv.apply(2, &swap, true), Effect::Done);
        assert_eq!(kv.apply(3, &swap, true), Effect::Done);
        assert_eq!(kv.remembered(session.as_ref().unwrap()), Some(Effect::Done));
        assert_eq!(kv.apply(4, &put(1, 1), true), Effect::Superseded);
        assert_eq!(kv.get("k"), 2.into());
        // The bug: the same retry, applied again.
        assert_eq!(kv.apply(5, &swap, false), Effect::Mismatch);
    }

    #[test]
    fn sessions_are_bounded_and_the_oldest_goes_first() {
        let mut kv = Kv::default();
        for i in 0..=MAX_SESSIONS as u64 {
            let session = Some(Session { client: format!("c{i}"), seq: 1 });
            kv.apply(i + 1, &Command { session, ..put(1, 1) }, true);
        }
        assert_eq!(kv.sessions.len(), MAX_SESSIONS);
        assert_eq!(kv.remembered(&Session { client: "c0".into(), seq: 1 }), None);
        assert!(kv.remembered(&Session { client: "c1".into(), seq: 1 }).is_some());
    }

    #[test]
    fn snapshots_round_trip() {
        let mut kv = Kv::default();
        kv.apply(1, &put(7, 1), true);
        kv.apply(2, &cas(7, Value::from("x")), true);
        let json = serde_json::to_string(&kv).unwrap();
        assert_eq!(serde_json::from_str::<Kv>(&json).unwrap(), kv);
    }
}
