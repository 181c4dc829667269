//! The state machine: locks that are leased, resources they guard, elections.
//!
//! A lease is over when the log's time says so, which never runs too fast ([`crate::raft::time`]):
//! whoever counts from before it asked is never surprised. It may still *find out* too late:
//! nothing can keep a client that was paused from writing after its lease. What protects the
//! resource is the **fencing token** that comes with the lock, and that it refuses a smaller
//! token than it has seen (Kleppmann, *How to do distributed locking*, 2016; Burrows, *The
//! Chubby lock service*, OSDI 2006, 2.4: sequencers). Tokens are log indices, so they grow.
//!
//! An election is a lock whose token is a term: a candidate leads a term of its own until its
//! lease is over or it resigns, so a term has one leader.

use std::collections::BTreeMap;

use danso_vocab::Value;
use serde::{Deserialize, Serialize};

use super::settings::Bug;
use crate::kit::json;
use crate::raft::{Machine, Moment};

/// The state machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Locks {
    locks: BTreeMap<String, Lease>,
    resources: BTreeMap<String, Guarded>,
    elections: BTreeMap<String, Reign>,
}

/// A lock that somebody holds, or held.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Lease {
    owner: String,
    token: u64,
    /// By the log's time, in ns.
    over: u64,
}

/// What a resource holds, and by which token it was written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Guarded {
    token: u64,
    #[serde(with = "json")]
    value: Value,
}

/// The last term of an election.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Reign {
    term: u64,
    leader: String,
    over: u64,
}

/// What changes it. Times in ns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Command {
    /// Takes a lock if nobody holds it.
    Acquire { lock: String, owner: String, ttl: u64 },
    /// Gives it back.
    Release { lock: String, token: u64 },
    /// Writes to a guarded resource.
    Write {
        resource: String,
        token: u64,
        #[serde(with = "json")]
        value: Value,
    },
    /// Leads a new term if nobody leads, or goes on leading.
    Campaign { election: String, candidate: String, ttl: u64 },
    /// Leads no longer.
    Resign { election: String, candidate: String },
}

/// What reads it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Query {
    /// Who holds a lock?
    Holder { lock: String },
    /// What does a resource hold?
    Resource { resource: String },
    /// Who leads?
    Leader { election: String },
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Reply {
    /// It is done.
    Done,
    /// The lock is the caller's, with this token.
    Token(u64),
    /// Somebody else holds the lock.
    Held,
    /// The caller does not hold it (any more).
    NotHeld,
    /// The resource has seen a greater token.
    StaleToken,
    /// Somebody else leads.
    Led,
    /// Who holds a lock, by which token.
    Holder { owner: String, token: u64 },
    /// What a resource holds, and the token it was written by.
    Found {
        token: u64,
        #[serde(with = "json")]
        value: Value,
    },
    /// Who leads which term.
    Leader { term: u64, leader: String },
    /// Nobody, nothing.
    Nothing,
}

impl Machine for Locks {
    type Rules = Option<Bug>;
    type Command = Command;
    type Query = Query;
    type Reply = Reply;

    fn apply(&mut self, bug: &Option<Bug>, at: Moment, command: &Command) -> Reply {
        match command {
            Command::Acquire { lock, owner, ttl } => {
                if self.locks.get(lock).is_some_and(|lease| at.time < lease.over) {
                    return Reply::Held;
                }
                let lease = Lease { owner: owner.clone(), token: at.index, over: at.time + ttl };
                self.locks.insert(lock.clone(), lease);
                Reply::Token(at.index)
            }
            Command::Release { lock, token } => match self.locks.get(lock) {
                Some(lease) if lease.token == *token && at.time < lease.over => {
                    self.locks.remove(lock);
                    Reply::Done
                }
                _ => Reply::NotHeld,
            },
            Command::Write { resource, token, value } => {
                let seen = self.resources.get(resource).map_or(0, |guarded| guarded.token);
                if *token < seen && *bug != Some(Bug::NoFencing) {
                    return Reply::StaleToken;
                }
                let guarded = Guarded { token: *token, value: value.clone() };
                self.resources.insert(resource.clone(), guarded);
                Reply::Done
            }
            Command::Campaign { election, candidate, ttl } => {
                let over = at.time + ttl;
                let last = self.elections.get_mut(election);
                let term = match last {
                    Some(reign) if at.time < reign.over && reign.leader == *candidate => {
                        reign.over = over;
                        reign.term
                    }
                    Some(reign) if at.time < reign.over => return Reply::Led,
                    last => {
                        let term = last.map_or(0, |reign| reign.term) + 1;
                        let reign = Reign { term, leader: candidate.clone(), over };
                        self.elections.insert(election.clone(), reign);
                        term
                    }
                };
                Reply::Leader { term, leader: candidate.clone() }
            }
            Command::Resign { election, candidate } => match self.elections.get_mut(election) {
                Some(reign) if at.time < reign.over && reign.leader == *candidate => {
                    // The term is remembered: nobody shall lead it again.
                    reign.over = at.time;
                    Reply::Done
                }
                _ => Reply::NotHeld,
            },
        }
    }

    fn query(&self, _: &Option<Bug>, time: u64, query: &Query) -> Reply {
        match query {
            Query::Holder { lock } => match self.locks.get(lock) {
                Some(lease) if time < lease.over => {
                    Reply::Holder { owner: lease.owner.clone(), token: lease.token }
                }
                _ => Reply::Nothing,
            },
            Query::Resource { resource } => match self.resources.get(resource) {
                Some(Guarded { token, value }) => {
                    Reply::Found { token: *token, value: value.clone() }
                }
                None => Reply::Nothing,
            },
            Query::Leader { election } => match self.elections.get(election) {
                Some(reign) if time < reign.over => {
                    Reply::Leader { term: reign.term, leader: reign.leader.clone() }
                }
                _ => Reply::Nothing,
            },
        }
    }
}
