//! A state machine with what must be replicated beside it: client sessions, so that a retried
//! command takes effect once (thesis, chapter 6.3), and the log's time.
//!
//! A session remembers the last sequence number and its reply. Clients have one command under
//! way at a time and count up, so that is all it takes. A session is opened by its first command
//! and forgotten when [`MAX_SESSIONS`] others have been used since; a copy of a command that
//! stayed in the network longer than that would be taken for a new one. Eviction depends on the
//! log alone, so all replicas forget the same sessions.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::machine::{Machine, Moment};

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

/// What a log entry asks the state machine to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Op<C> {
    pub(crate) command: C,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) session: Option<Session>,
    /// When, in ns: see [`super::time`].
    pub(crate) time: u64,
}

/// A client had moved on to a later command already; this copy changed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Superseded;

/// The last command of a client.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Last<R> {
    seq: u64,
    reply: R,
    /// The index of the entry that last used the session.
    used: u64,
}

/// The replicated state. Its JSON is the content of a snapshot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "M: Machine")]
pub(crate) struct Replica<M: Machine> {
    machine: M,
    sessions: BTreeMap<String, Last<M::Reply>>,
    time: u64,
}

impl<M: Machine> Default for Replica<M> {
    fn default() -> Self {
        Replica { machine: M::default(), sessions: BTreeMap::new(), time: 0 }
    }
}

impl<M: Machine> Replica<M> {
    /// The machine.
    pub(crate) fn machine(&self) -> &M {
        &self.machine
    }

    /// The time of the last command.
    pub(crate) fn time(&self) -> u64 {
        self.time
    }

    /// Applies the command of the log entry `index`; a retry gets the first attempt's reply,
    /// unless `dedupe` is off.
    pub(crate) fn apply(
        &mut self,
        rules: &M::Rules,
        index: u64,
        op: &Op<M::Command>,
        dedupe: bool,
    ) -> Result<M::Reply, Superseded> {
        let at = Moment { index, time: op.time };
        self.time = op.time;
        let Some(session) = op.session.as_ref().filter(|_| dedupe) else {
            return Ok(self.machine.apply(rules, at, &op.command));
        };
        if let Some(last) = self.sessions.get_mut(&session.client) {
            last.used = index;
            if session.seq == last.seq {
                return Ok(last.reply.clone());
            }
            if session.seq < last.seq {
                return Err(Superseded);
            }
        }
        let reply = self.machine.apply(rules, at, &op.command);
        let last = Last { seq: session.seq, reply: reply.clone(), used: index };
        self.sessions.insert(session.client.clone(), last);
        if self.sessions.len() > MAX_SESSIONS {
            self.forget_one();
        }
        Ok(reply)
    }

    /// How this very command ended, if it has been applied already. Applied means committed, so
    /// any replica may say it.
    pub(crate) fn remembered(&self, session: &Session) -> Option<&M::Reply> {
        let last = self.sessions.get(&session.client)?;
        (last.seq == session.seq).then_some(&last.reply)
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
    use crate::raft::toy::Sum;

    fn add(n: i64, client: &str, seq: u64) -> Op<i64> {
        let session = Some(Session { client: client.into(), seq });
        Op { command: n, session, time: seq }
    }

    #[test]
    fn a_retry_takes_effect_once_and_is_told_the_first_result() {
        let mut sum = Replica::<Sum>::default();
        let second = add(2, "c", 2);
        assert_eq!(sum.apply(&(), 1, &add(1, "c", 1), true), Ok(1));
        assert_eq!(sum.remembered(second.session.as_ref().unwrap()), None);
        assert_eq!(sum.apply(&(), 2, &second, true), Ok(3));
        assert_eq!(sum.apply(&(), 3, &second, true), Ok(3));
        assert_eq!(sum.remembered(second.session.as_ref().unwrap()), Some(&3));
        assert_eq!(sum.apply(&(), 4, &add(1, "c", 1), true), Err(Superseded));
        assert_eq!(sum.machine(), &Sum(3));
        // The bug: the same retry, applied again.
        assert_eq!(sum.apply(&(), 5, &second, false), Ok(5));
    }

    #[test]
    fn sessions_are_bounded_and_the_oldest_goes_first() {
        let mut sum = Replica::<Sum>::default();
        for i in 0..=MAX_SESSIONS as u64 {
            sum.apply(&(), i + 1, &add(1, &format!("c{i}"), 1), true).unwrap();
        }
        assert_eq!(sum.sessions.len(), MAX_SESSIONS);
        assert_eq!(sum.remembered(&Session { client: "c0".into(), seq: 1 }), None);
        assert!(sum.remembered(&Session { client: "c1".into(), seq: 1 }).is_some());
    }

    #[test]
    fn snapshots_round_trip() {
        let mut sum = Replica::<Sum>::default();
        sum.apply(&(), 1, &add(7, "c", 1), true).unwrap();
        let json = serde_json::to_string(&sum).unwrap();
        assert_eq!(serde_json::from_str::<Replica<Sum>>(&json).unwrap(), sum);
    }
}
