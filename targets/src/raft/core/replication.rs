//! AppendEntries, conflict back-off and the commit rule (paper 5.3 and 5.4.2).
//!
//! A leader has at most one message with entries under way to each peer; while it waits for the
//! answer it still sends empty ones as heartbeats and for reads. An answer to a later message
//! than the one with entries shows that the latter, or its answer, was lost.

use std::collections::{BTreeMap, VecDeque};

use danso_vocab::NodeId;

use super::members::Members;
use super::message::{Append, Appended, Fit, Install, Message};
use super::{Bug, Content, Data, Event, Position, Raft, Role};
use crate::kit::Now;

/// What only a leader knows.
#[derive(Debug)]
pub(super) struct Leading {
    /// The last `seq` sent.
    pub(super) seq: u64,
    pub(super) peers: BTreeMap<NodeId, Progress>,
    /// Whether the commit index has moved in this term.
    committed: bool,
    /// When each `seq` that a majority has not answered yet was sent, if leases are used.
    pub(super) sent: VecDeque<(u64, u64)>,
    /// When the last `seq` was sent that a majority has answered.
    pub(super) led_at: Option<u64>,
}

/// How far a peer is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Progress {
    /// The next index to send (nextIndex).
    pub(super) next: u64,
    /// The logs agree up to here (matchIndex).
    pub(super) matched: u64,
    /// The `seq` of the message with entries or snapshot that has not been answered.
    pub(super) waiting: Option<u64>,
    /// The highest `seq` it answered.
    pub(super) answered: u64,
    /// When to send something even if there is nothing to say.
    pub(super) heartbeat_due: u64,
}

impl<C: Data, S: Data> Raft<C, S> {
    /// Becomes leader: an election is won.
    pub(super) fn lead(&mut self, now: u64) {
        self.role = Role::Leader;
        self.leader = Some(self.config.id);
        let sent = VecDeque::new();
        let peers = BTreeMap::new();
        self.leading = Some(Leading { seq: 0, peers, committed: false, sent, led_at: None });
        self.follow_members(now);
        self.events.push(Event::Became(Role::Leader, self.term));
        // Entries of earlier terms are committed only along with one of this term (5.4.2), so
        // there must be one even if nobody asks for anything.
        self.log.append(self.term, Content::Nothing);
        self.advance_commit();
    }

    /// Appends a command to the log and says where; `None`: this node does not lead.
    pub(crate) fn propose(&mut self, command: C) -> Option<Position> {
        if self.role != Role::Leader {
            return None;
        }
        let index = self.log.append(self.term, Content::Command(command));
        self.advance_commit();
        Some(Position { term: self.term, index })
    }

    /// Sends to the members from now on, and to nobody else.
    pub(super) fn follow_members(&mut self, now: u64) {
        let Some(leading) = &mut self.leading else { return };
        let progress = Progress {
            next: self.log.last().index + 1,
            matched: 0,
            waiting: None,
            answered: 0,
            heartbeat_due: now,
        };
        leading.peers.retain(|peer, _| self.members.nodes.contains(peer));
        for member in self.members.nodes.iter().filter(|m| **m != self.config.id) {
            leading.peers.entry(*member).or_insert(progress);
        }
    }

    /// A leader that is no member any more, and has committed that, leads no longer.
    pub(super) fn leave_if_removed(&mut self, now: u64) {
        let member = self.members.nodes.contains(&self.config.id);
        if self.role == Role::Leader && !member && self.members.at <= self.commit {
            self.follow(now, self.term);
            self.leader = None;
        }
    }

    /// When the next heartbeat is due.
    pub(super) fn heartbeat_due(&self) -> u64 {
        let peers = self.leading.iter().flat_map(|l| l.peers.values());
        peers.map(|p| p.heartbeat_due).min().unwrap_or(u64::MAX)
    }

    /// Sends each peer what it lacks, a heartbeat if one is due, and begins a round for waiting
    /// reads.
    pub(super) fn send_appends(&mut self, now: Now) {
        let round = self.wants_round();
        let Some(mut leading) = self.leading.take() else { return };
        leading.seq += 1;
        let clock = self.lease_clock(now);
        let now = now.mono;
        let mut sent = false;
        if round {
            self.begin_round(leading.seq);
        }
        let last = self.log.last().index;
        for (peer, progress) in &mut leading.peers {
            let entries = progress.waiting.is_none() && progress.next <= last;
            if entries || round || now >= progress.heartbeat_due {
                let message = self.message_for(progress, leading.seq, entries);
                progress.heartbeat_due = now + self.config.heartbeat;
                self.messages.push((*peer, message));
                sent = true;
            }
        }
        if sent && self.config.lease.is_some() {
            leading.note_sent(clock);
        }
        self.leading = Some(leading);
    }

    fn message_for(&self, progress: &mut Progress, seq: u64, entries: bool) -> Message<C, S> {
        if entries {
            progress.waiting = Some(seq);
        }
        let prev = match self.log.term(progress.next - 1) {
            Some(term) => Position { index: progress.next - 1, term },
            // What the peer lacks is in the snapshot only. While that is under way, heartbeats
            // go out at the log's base.
            None => match self.snapshot.as_ref().filter(|_| entries) {
                Some(snapshot) => {
                    let snapshot = snapshot.clone();
                    return Message::Install(Install { term: self.term, seq, snapshot });
                }
                None => self.log.base(),
            },
        };
        let max = if entries { self.config.max_entries } else { 0 };
        Message::Append(Append {
            term: self.term,
            seq,
            prev,
            entries: self.log.slice(prev.index + 1, max),
            commit: self.commit,
        })
    }

    pub(super) fn on_append(&mut self, now: u64, from: NodeId, m: Append<C>) {
        let whole = m.entries.iter().zip(m.prev.index + 1..).all(|(e, index)| e.index == index);
        // Two leaders of one term mean that an election was broken; there is no right answer.
        if (m.term == self.term && self.role == Role::Leader) || !whole {
            return;
        }
        let fit = if m.term < self.term {
            // The answer's term is what deposes the sender.
            Fit::Conflict { prev: m.prev.index, index: m.prev.index, term: None }
        } else {
            self.hear(now, from);
            self.fit(&m)
        };
        self.send(from, Message::Appended(Appended { term: self.term, seq: m.seq, fit }));
    }

    /// Puts a leader's entries where they belong (5.3).
    fn fit(&mut self, m: &Append<C>) -> Fit {
        let prev = m.prev.index;
        match self.log.term(prev) {
            Some(term) if term == m.prev.term => {}
            Some(term) => {
                let index = self.log.first_of_term_at(prev);
                return Fit::Conflict { prev, index, term: Some(term) };
            }
            None if prev > self.log.base().index => {
                let index = self.log.last().index + 1;
                return Fit::Conflict { prev, index, term: None };
            }
            // Before the base everything is committed, and so the same everywhere.
            None => {}
        }
        for entry in &m.entries {
            match self.log.term(entry.index) {
                Some(term) if term == entry.term => continue,
                Some(_) if entry.index > self.log.base().index => self.overwrite(entry.index),
                None if entry.index > self.log.base().index => {}
                _ => continue,
            }
            if let Content::Members(nodes) = &entry.content {
                let nodes = nodes.iter().map(|n| NodeId(*n)).collect();
                self.members = Members { nodes, at: entry.index };
            }
            self.log.push(entry.clone());
        }
        let index = prev + m.entries.len() as u64;
        // Only what is known to agree with the leader's log counts as committed here.
        self.commit = self.commit.max(m.commit.min(index).min(self.log.last().index));
        Fit::Matched { index }
    }

    /// Drops entries that the leader's log contradicts, from `index` on.
    fn overwrite(&mut self, index: u64) {
        if index <= self.commit {
            // Leader completeness (5.4.3) rules this out, unless a bug was asked for: then the
            // node carries on like one that never looks.
            assert!(
                self.config.bug.is_some(),
                "refusing to drop entry {index}: {} is committed",
                self.commit
            );
            self.commit = index - 1;
        }
        self.log.truncate(index);
        self.look_up_members();
    }

    pub(super) fn on_appended(&mut self, from: NodeId, m: Appended) {
        let last = self.log.last().index;
        let Some(progress) = self.answered(from, m.term, m.seq) else { return };
        match m.fit {
            Fit::Matched { index } => {
                progress.matched = progress.matched.max(index.min(last));
                progress.next = progress.next.max(progress.matched + 1);
                self.advance_commit();
            }
            Fit::Conflict { prev, index, term } if prev + 1 == progress.next => {
                if prev <= progress.matched {
                    // Either an old answer come late, or the peer has lost what it had
                    // acknowledged. Starting over is right for the first and all that can be
                    // done about the second.
                    progress.matched = 0;
                }
                let hint = term.and_then(|t| self.log.last_of_term(t, prev)).map(|i| i + 1);
                let next = hint.unwrap_or(index).clamp(1, prev.max(1));
                if let Some(progress) = self.leading.as_mut().and_then(|l| l.peers.get_mut(&from)) {
                    progress.next = next.max(progress.matched + 1);
                }
            }
            Fit::Conflict { .. } => {}
        }
    }

    /// Notes that a peer has answered `seq` in this term. `None` if that does not concern this
    /// node as it is now.
    pub(super) fn answered(&mut self, from: NodeId, term: u64, seq: u64) -> Option<&mut Progress> {
        if term != self.term {
            return None;
        }
        let progress = self.leading.as_mut()?.peers.get_mut(&from)?;
        progress.answered = progress.answered.max(seq);
        if progress.waiting.is_some_and(|w| seq >= w) {
            progress.waiting = None;
        }
        // This node needs no answer from itself.
        let leading = self.leading.as_ref()?;
        let round = self.reached(|node| leading.peers.get(&node).map_or(u64::MAX, |p| p.answered));
        self.confirm_rounds(round);
        self.leading.as_mut()?.peers.get_mut(&from)
    }

    /// Commits what a majority has (5.3), if the last of it is of this term (5.4.2).
    pub(super) fn advance_commit(&mut self) {
        let Some(leading) = &self.leading else { return };
        let last = self.log.last().index;
        let held = match self.config.bug {
            Some(Bug::CommitMinority) => last,
            // Who is no peer is this node itself.
            _ => self.reached(|node| leading.peers.get(&node).map_or(last, |p| p.matched)),
        };
        let own_term =
            self.log.term(held) == Some(self.term) || self.config.bug == Some(Bug::CommitOldTerm);
        if held > self.commit && own_term {
            self.commit = held;
            let first =
                self.leading.as_mut().is_some_and(|l| !std::mem::replace(&mut l.committed, true));
            if first {
                self.events.push(Event::FirstCommit { index: held, term: self.term });
            }
        }
    }
}
