//! Raft, as in Ongaro and Ousterhout's paper ("In Search of an Understandable Consensus
//! Algorithm", extended version) and Ongaro's thesis. Sections are cited as of the paper unless
//! the thesis is named.
//!
//! A state machine without sockets, clock, disk or chance of its own: whoever drives it says
//! what time it is, passes in messages and proposals, then calls [`Raft::flush`] and takes what
//! is in [`Output`]. **The contract with the driver:** what [`Output`] says to persist is on
//! disk before any of its messages is sent and before anybody is told of a commit. That is what
//! lets a leader count itself among the replicas of an entry it has just appended: another
//! node's acknowledgement cannot exist before the leader's own copy is durable.
//!
//! | file | concept |
//! | --- | --- |
//! | `log` | entries after a base |
//! | `message` | what nodes say |
//! | `members` | who takes part, and how that changes (thesis, chapter 4) |
//! | `election` | pre-vote, votes, terms (5.2, 5.4.1; thesis 9.6) |
//! | `replication` | AppendEntries, back-off, commit rule (5.3, 5.4.2) |
//! | `read` | ReadIndex and leases (thesis 6.4) |
//! | `snapshot` | compaction and InstallSnapshot (7) |

mod election;
mod log;
mod members;
mod message;
mod read;
mod replication;
mod snapshot;

#[cfg(test)]
mod change_tests;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;

use danso_vocab::{NodeId, Rng};
use serde::{Deserialize, Serialize};

use self::members::Members;
use self::read::Reads;
use self::replication::Leading;
use super::bug::Bug;
use crate::kit::Now;

pub(crate) use self::log::{Content, Entry, Log, Position};
pub(crate) use self::members::{Change, Unchanged};
pub(crate) use self::message::{Message, Snapshot};
pub(crate) use self::read::ReadId;

/// What entries and snapshots carry; the protocol does not look inside.
pub(crate) trait Data: Clone + std::fmt::Debug + PartialEq {}

impl<T: Clone + std::fmt::Debug + PartialEq> Data for T {}

/// What a node must know before it starts. Times in ns.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) id: NodeId,
    /// All other nodes. At first all of them are members.
    pub(crate) peers: Vec<NodeId>,
    pub(crate) election_min: u64,
    pub(crate) election_max: u64,
    pub(crate) heartbeat: u64,
    /// The most entries in one message.
    pub(crate) max_entries: usize,
    pub(crate) pre_vote: bool,
    /// How long a leader trusts that nobody else was elected, in ns of its own clock; `None` if
    /// it asks for every read (see `read`).
    pub(crate) lease: Option<u64>,
    pub(crate) bug: Option<Bug>,
}

/// What must survive a crash besides log and snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HardState {
    pub(crate) term: u64,
    /// Who got this node's vote in that term.
    pub(crate) vote: Option<u16>,
}

/// What a node finds on its disk.
#[derive(Clone, Debug)]
pub(crate) struct Restored<C, S> {
    pub(crate) hard: HardState,
    pub(crate) snapshot: Option<Arc<Snapshot<S>>>,
    pub(crate) base: Position,
    pub(crate) entries: Vec<Arc<Entry<C>>>,
}

impl<C, S> Default for Restored<C, S> {
    fn default() -> Self {
        let hard = HardState::default();
        Restored { hard, snapshot: None, base: Position::default(), entries: Vec::new() }
    }
}

/// What a node is in its term.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Follower,
    /// Asking whether it could win.
    PreCandidate,
    Candidate,
    Leader,
}

impl Role {
    /// The word for people.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Role::Follower => "follower",
            Role::PreCandidate => "pre-candidate",
            Role::Candidate => "candidate",
            Role::Leader => "leader",
        }
    }
}

/// Something worth a line in the node's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Became(Role, u64),
    /// A vote for somebody else.
    VotedFor(NodeId, u64),
    Installed(u64),
    /// A leader's commit index, in its term, moved for the first time: it can serve.
    FirstCommit {
        index: u64,
        term: u64,
    },
}

impl Event {
    /// Whether it is to be told when what follows from it was done, and not before: whoever
    /// kills a node for such a line shall not prevent what the line says.
    pub(crate) fn is_told_after(&self) -> bool {
        matches!(self, Event::VotedFor(..) | Event::FirstCommit { .. })
    }
}

/// What the driver must do, in this order: tell events, persist, send, tell the other events.
#[derive(Debug)]
pub(crate) struct Output<C, S> {
    pub(crate) events: Vec<Event>,
    pub(crate) hard: Option<HardState>,
    /// A new snapshot, and where the log that is kept begins.
    pub(crate) snapshot: Option<(Arc<Snapshot<S>>, Position)>,
    /// Entries to append. The first one's index says what it replaces.
    pub(crate) entries: Vec<Arc<Entry<C>>>,
    pub(crate) messages: Vec<(NodeId, Message<C, S>)>,
}

/// One node's part in the protocol.
pub(crate) struct Raft<C, S> {
    config: Config,
    rng: Rng,
    term: u64,
    vote: Option<NodeId>,
    log: Log<C>,
    snapshot: Option<Arc<Snapshot<S>>>,
    commit: u64,
    role: Role,
    leader: Option<NodeId>,
    /// When a leader was last heard.
    heard: Option<u64>,
    election_due: u64,
    /// When to ask again those who did not vote.
    ask_due: u64,
    /// Who granted a vote or pre-vote, this node included.
    votes: BTreeSet<NodeId>,
    members: Members,
    leading: Option<Leading>,
    reads: Reads,
    persisted: HardState,
    new_snapshot: bool,
    events: Vec<Event>,
    messages: Vec<(NodeId, Message<C, S>)>,
}

impl<C: Data, S: Data> Raft<C, S> {
    /// A node that has just started at `now` with what it found on its disk.
    pub(crate) fn new(config: Config, rng: Rng, restored: Restored<C, S>, now: u64) -> Raft<C, S> {
        let commit = restored.snapshot.as_ref().map_or(0, |s| s.last.index);
        let mut raft = Raft {
            rng,
            term: restored.hard.term,
            vote: restored.hard.vote.map(NodeId),
            log: Log::new(restored.base, restored.entries),
            snapshot: restored.snapshot,
            commit,
            role: Role::Follower,
            leader: None,
            // Before it was started it may have promised to vote for nobody (see `read`).
            heard: config.lease.map(|_| now),
            election_due: 0,
            ask_due: 0,
            votes: BTreeSet::new(),
            members: Members { nodes: BTreeSet::new(), at: 0 },
            leading: None,
            reads: Reads::default(),
            persisted: restored.hard,
            new_snapshot: false,
            events: Vec::new(),
            messages: Vec::new(),
            config,
        };
        raft.look_up_members();
        raft.reset_election_timer(now);
        raft
    }

    /// The current term.
    pub(crate) fn term(&self) -> u64 {
        self.term
    }

    /// What this node is.
    pub(crate) fn role(&self) -> Role {
        self.role
    }

    /// Who leads, as far as this node knows.
    pub(crate) fn leader(&self) -> Option<NodeId> {
        self.leader
    }

    /// The last index known to be committed.
    pub(crate) fn commit(&self) -> u64 {
        self.commit
    }

    /// The log.
    pub(crate) fn log(&self) -> &Log<C> {
        &self.log
    }

    /// The newest snapshot.
    pub(crate) fn snapshot(&self) -> Option<&Arc<Snapshot<S>>> {
        self.snapshot.as_ref()
    }

    /// Whether a leader has committed an entry of its own term, and so knows what is committed
    /// (thesis 6.4, step 1). Not so for others.
    pub(crate) fn is_settled(&self) -> bool {
        self.role == Role::Leader && self.log.term(self.commit) == Some(self.term)
    }

    /// Takes a message in.
    pub(crate) fn receive(&mut self, now: u64, from: NodeId, message: Message<C, S>) {
        if !self.config.peers.contains(&from) {
            return;
        }
        if self.config.lease.is_some()
            && matches!(message, Message::Vote(_))
            && self.hears_leader(now)
        {
            // As if it had not come: that is what a leader's lease rests on (see `read`).
            return;
        }
        let term = message.binding_term();
        if term > self.term {
            self.follow(now, term);
        }
        match message {
            Message::PreVote(m) => self.on_pre_vote(now, from, m),
            Message::PreVoted(m) => self.on_pre_voted(now, from, m),
            Message::Vote(m) => self.on_vote(now, from, m),
            Message::Voted(m) => self.on_voted(now, from, m),
            Message::Append(m) => self.on_append(now, from, m),
            Message::Appended(m) => self.on_appended(from, m),
            Message::Install(m) => self.on_install(now, from, m),
            Message::Installed(m) => self.on_installed(from, m),
        }
    }

    /// Lets time pass.
    pub(crate) fn tick(&mut self, now: u64) {
        match self.role {
            Role::Leader => {}
            _ if now >= self.election_due && !self.may_stand() => self.wait_for_leader(now),
            _ if now >= self.election_due => self.campaign(now),
            Role::Candidate | Role::PreCandidate if now >= self.ask_due => self.ask(now),
            _ => {}
        }
    }

    /// When [`Raft::tick`] and [`Raft::flush`] have something to do even if nothing comes in.
    pub(crate) fn due(&self) -> u64 {
        match self.role {
            Role::Leader => self.heartbeat_due(),
            Role::Follower => self.election_due,
            Role::PreCandidate | Role::Candidate => self.election_due.min(self.ask_due),
        }
    }

    /// Gathers everything to be done since the last time. Called once for a batch of inputs, so
    /// that one write and one message serve all of them.
    pub(crate) fn flush(&mut self, now: Now) -> Output<C, S> {
        self.send_appends(now);
        self.leave_if_removed(now.mono);
        let hard = HardState { term: self.term, vote: self.stored_vote() };
        let changed = hard != self.persisted;
        self.persisted = hard;
        let mut output = Output {
            events: std::mem::take(&mut self.events),
            hard: changed.then_some(hard),
            snapshot: None,
            entries: self.log.take_changed(),
            messages: std::mem::take(&mut self.messages),
        };
        if let Some(snapshot) = self.snapshot.as_ref().filter(|_| self.new_snapshot) {
            output.snapshot = Some((snapshot.clone(), self.log.base()));
        }
        self.new_snapshot = false;
        output
    }

    /// What would have to be persisted if nothing were yet.
    pub(crate) fn everything(&self) -> Output<C, S> {
        let snapshot = self.snapshot.as_ref().map(|s| (s.clone(), self.log.base()));
        Output {
            events: Vec::new(),
            hard: Some(self.persisted),
            snapshot,
            entries: self.log.slice(0, usize::MAX),
            messages: Vec::new(),
        }
    }

    /// The vote as it goes to disk.
    fn stored_vote(&self) -> Option<u16> {
        if self.config.bug == Some(Bug::ForgetVote) {
            return None;
        }
        self.vote.map(|v| v.0)
    }

    fn send(&mut self, to: NodeId, message: Message<C, S>) {
        self.messages.push((to, message));
    }
}
