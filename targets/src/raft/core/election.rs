//! Terms, votes and pre-votes (paper 5.2 and 5.4.1; thesis 9.6).

use danso_vocab::NodeId;

use super::message::{Ballot, Message, PreVoted, Voted};
use super::{Data, Event, Raft, Role};

impl<C: Data, S: Data> Raft<C, S> {
    /// Stands for election, or first asks whether that makes sense.
    pub(super) fn campaign(&mut self, now: u64) {
        self.reset_election_timer(now);
        self.leader = None;
        self.votes = [self.config.id].into();
        if self.config.pre_vote {
            self.role = Role::PreCandidate;
            self.ask(now);
            if self.is_majority(&self.votes) {
                self.stand(now);
            }
        } else {
            self.stand(now);
        }
    }

    /// Whoever is no member waits until somebody says that it is one.
    pub(super) fn wait_for_leader(&mut self, now: u64) {
        self.leader = None;
        self.role = Role::Follower;
        self.reset_election_timer(now);
    }

    /// Becomes a candidate for the next term.
    fn stand(&mut self, now: u64) {
        self.term += 1;
        self.vote = Some(self.config.id);
        self.role = Role::Candidate;
        self.votes = [self.config.id].into();
        self.reset_election_timer(now);
        self.events.push(Event::Became(Role::Candidate, self.term));
        self.ask(now);
        if self.is_majority(&self.votes) {
            self.lead(now);
        }
    }

    /// Asks everybody who has not granted yet. Done again and again until the election is over:
    /// a lost request must not cost a whole election timeout (5.5: retry indefinitely).
    pub(super) fn ask(&mut self, now: u64) {
        self.ask_due = now + self.config.heartbeat;
        let last = self.log.last();
        let message = match self.role {
            Role::PreCandidate => Message::PreVote(Ballot { term: self.term + 1, last }),
            _ => Message::Vote(Ballot { term: self.term, last }),
        };
        for member in self.members.nodes.difference(&self.votes) {
            if *member != self.config.id {
                self.messages.push((*member, message.clone()));
            }
        }
    }

    pub(super) fn on_pre_vote(&mut self, now: u64, from: NodeId, m: Ballot) {
        // Whoever hears from a leader does not help to depose it: that is what keeps a node
        // returning from a partition from disturbing the others (thesis 9.6).
        let granted = !self.hears_leader(now) && self.would_vote(from, m);
        let answer = PreVoted { term: self.term, ballot: m.term, granted };
        self.send(from, Message::PreVoted(answer));
    }

    /// Whether it leads, or has heard a leader within the shortest election timeout.
    pub(super) fn hears_leader(&self, now: u64) -> bool {
        match (self.role, self.heard) {
            (Role::Leader, _) => true,
            (_, Some(heard)) => now < heard + self.config.election_min,
            (_, None) => false,
        }
    }

    pub(super) fn on_pre_voted(&mut self, now: u64, from: NodeId, m: PreVoted) {
        if self.role != Role::PreCandidate || !m.granted || m.ballot != self.term + 1 {
            return;
        }
        self.votes.insert(from);
        if self.is_majority(&self.votes) {
            self.stand(now);
        }
    }

    pub(super) fn on_vote(&mut self, now: u64, from: NodeId, m: Ballot) {
        let granted = self.would_vote(from, m);
        if granted {
            if self.vote.is_none() {
                self.events.push(Event::VotedFor(from, self.term));
            }
            self.vote = Some(from);
            self.reset_election_timer(now);
        }
        self.send(from, Message::Voted(Voted { term: self.term, granted }));
    }

    pub(super) fn on_voted(&mut self, now: u64, from: NodeId, m: Voted) {
        if self.role != Role::Candidate || !m.granted || m.term != self.term {
            return;
        }
        self.votes.insert(from);
        if self.is_majority(&self.votes) {
            self.lead(now);
        }
    }

    /// Whether this node may vote for `from` in that ballot: one vote a term, and only for a log
    /// that is at least as up to date as its own (5.4.1). A ballot for a later term than this
    /// node's is one in which it has not voted.
    fn would_vote(&self, from: NodeId, m: Ballot) -> bool {
        let free = m.term > self.term || self.vote.is_none_or(|v| v == from);
        m.term >= self.term && free && m.last >= self.log.last()
    }

    /// Becomes a follower of a term nobody is known to lead yet.
    pub(super) fn follow(&mut self, now: u64, term: u64) {
        let newer = term > self.term;
        if newer {
            self.term = term;
            self.vote = None;
            self.leader = None;
        }
        if newer || self.role == Role::Candidate {
            self.events.push(Event::Became(Role::Follower, self.term));
        }
        if self.role == Role::Leader {
            self.leading = None;
            self.reads.refuse_all();
            self.reset_election_timer(now);
        }
        self.role = Role::Follower;
        self.votes.clear();
    }

    /// Hears the leader of this term.
    pub(super) fn hear(&mut self, now: u64, leader: NodeId) {
        if self.role != Role::Follower {
            self.follow(now, self.term);
        }
        self.leader = Some(leader);
        self.heard = Some(now);
        self.reset_election_timer(now);
    }

    /// Draws a new election timeout (5.2: randomised, so that split votes are rare).
    pub(super) fn reset_election_timer(&mut self, now: u64) {
        let timeout = self.rng.between(self.config.election_min, self.config.election_max);
        self.election_due = now + timeout;
    }
}
