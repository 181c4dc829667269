//! The proposer of one key: one ballot at a time, for all that gathered since the one before.

use std::collections::BTreeSet;

use danso_vocab::{NodeId, Rng, Value};

use super::acceptor::Reply;
use super::ballot::Ballot;
use super::register::{ChangeId, Known, Register};
use super::settings::Settings;
use crate::kit::register::Action;
use crate::kit::{Response, Ticket};

/// How often a lost ballot doubles the pause after it.
const DOUBLINGS: u32 = 5;

/// What a client waits for.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) ticket: Ticket,
    pub(super) id: ChangeId,
    pub(super) action: Action,
    pub(super) deadline: u64,
    /// The version it was first added to in an accept phase. Before that it had no effect.
    since: Option<u64>,
}

impl Change {
    pub(super) fn new(ticket: Ticket, id: ChangeId, action: Action, deadline: u64) -> Change {
        Change { ticket, id, action, deadline, since: None }
    }

    /// The answer to somebody whose change found no majority in time.
    fn late(self) -> (Ticket, Response) {
        let response = match self.since {
            None => Response::error(503, "no-quorum", true),
            Some(_) => Response::error(503, "unknown", false),
        };
        (self.ticket, response)
    }
}

#[derive(Debug)]
enum Phase {
    /// What the promises so far say was accepted last.
    Prepare { last: Ballot, register: Register },
    /// What is to be accepted, and what will be answered then; in the order of the changes.
    Accept { register: Register, answers: Vec<Response> },
}

/// A ballot under way.
#[derive(Debug)]
struct Round {
    ballot: Ballot,
    changes: Vec<Change>,
    phase: Phase,
    agreed: BTreeSet<NodeId>,
    refused: BTreeSet<NodeId>,
    repeat_at: u64,
}

/// What a proposer asks acceptors.
#[derive(Debug)]
pub(super) enum Ask {
    Prepare(Ballot),
    Accept(Ballot, Register),
}

/// A proposer.
#[derive(Debug, Default)]
pub(super) struct Proposer {
    waiting: Vec<Change>,
    round: Option<Round>,
    /// The highest ballot it was refused for.
    beaten_by: Ballot,
    losses: u32,
    resume_at: u64,
}

/// What a proposer's step leads to: questions, and to whom; answers.
#[derive(Debug, Default)]
pub(super) struct Effects {
    pub(super) asks: Vec<(NodeId, Ask)>,
    pub(super) answers: Vec<(Ticket, Response)>,
}

impl Proposer {
    /// One more change.
    pub(super) fn add(&mut self, change: Change) {
        self.waiting.push(change);
    }

    /// Whether it has nothing to do.
    pub(super) fn is_idle(&self) -> bool {
        self.round.is_none() && self.waiting.is_empty()
    }

    /// When it has something to do by itself.
    pub(super) fn due(&self) -> u64 {
        let waiting = self.waiting.iter().map(|c| c.deadline).min().unwrap_or(u64::MAX);
        match &self.round {
            Some(round) => {
                let first = round.changes.iter().map(|c| c.deadline).min().unwrap_or(0);
                round.repeat_at.min(first).min(waiting)
            }
            None if self.waiting.is_empty() => u64::MAX,
            None => self.resume_at.min(waiting),
        }
    }

    /// Gives up what is late, repeats what is lost, begins what can begin. `promised` is the
    /// highest ballot this node's own acceptor has heard of.
    pub(super) fn tick(
        &mut self,
        now: u64,
        (me, all): (NodeId, &[NodeId]),
        promised: Ballot,
        (settings, rng): (&Settings, &mut Rng),
        effects: &mut Effects,
    ) {
        self.expire(now, effects);
        if self.round.is_none() && now >= self.resume_at && !self.waiting.is_empty() {
            // §2.2, phase 1 (a): a proposer selects a number and sends a prepare request. Its own
            // acceptor remembers the highest one it has used, so none is used twice.
            self.round = Some(Round {
                ballot: promised.max(self.beaten_by).next(me),
                changes: std::mem::take(&mut self.waiting),
                phase: Phase::Prepare { last: Ballot::default(), register: Register::default() },
                agreed: BTreeSet::new(),
                refused: BTreeSet::new(),
                repeat_at: now,
            });
        }
        let Some(round) = self.round.as_mut().filter(|r| now >= r.repeat_at) else { return };
        if round.refused.is_empty() {
            round.repeat_at = now + settings.repeat;
            round.ask(all, effects);
        } else {
            // Those who did not refuse do not answer either.
            self.lose(now, settings, rng);
        }
    }

    /// An acceptor said something about `ballot`.
    pub(super) fn hear(
        &mut self,
        now: u64,
        all: &[NodeId],
        from: NodeId,
        (ballot, reply): (Ballot, Reply),
        (settings, rng): (&Settings, &mut Rng),
        effects: &mut Effects,
    ) {
        let majority = all.len() / 2 + 1;
        let Some(round) = self.round.as_mut().filter(|r| r.ballot == ballot) else { return };
        match (reply, &mut round.phase) {
            (Reply::Promise { accepted, register: theirs }, Phase::Prepare { last, register }) => {
                if accepted > *last {
                    (*last, *register) = (accepted, theirs);
                }
                round.agreed.insert(from);
                if round.agreed.len() == majority {
                    round.propose(effects);
                    round.repeat_at = now + settings.repeat;
                    round.ask(all, effects);
                }
            }
            (Reply::Accepted, Phase::Accept { answers, .. }) => {
                round.agreed.insert(from);
                // §2.2: a value is chosen when a majority has accepted it.
                if round.agreed.len() == majority {
                    let tickets = round.changes.iter().map(|c| c.ticket);
                    effects.answers.extend(tickets.zip(answers.drain(..)));
                    (self.round, self.losses, self.resume_at) = (None, 0, now);
                }
            }
            (Reply::Refuse { promised }, _) => {
                self.beaten_by = self.beaten_by.max(promised);
                round.refused.insert(from);
                if round.refused.len() > all.len() - majority {
                    self.lose(now, settings, rng);
                }
            }
            _ => {}
        }
    }

    /// §2.4: two proposers can keep each other from ever finishing; a pause drawn at random, and
    /// longer each time, ends that.
    fn lose(&mut self, now: u64, settings: &Settings, rng: &mut Rng) {
        let Some(round) = self.round.take() else { return };
        let newer = std::mem::replace(&mut self.waiting, round.changes);
        self.waiting.extend(newer);
        self.losses += 1;
        let most = settings.back_off << self.losses.min(DOUBLINGS);
        self.resume_at = now + rng.below(most);
    }

    fn expire(&mut self, now: u64, effects: &mut Effects) {
        effects
            .answers
            .extend(self.waiting.extract_if(.., |c| c.deadline <= now).map(Change::late));
        let Some(round) = &mut self.round else { return };
        while let Some(at) = round.changes.iter().position(|c| c.deadline <= now) {
            effects.answers.push(round.changes.remove(at).late());
            if let Phase::Accept { answers, .. } = &mut round.phase {
                answers.remove(at);
            }
        }
        if round.changes.is_empty() {
            self.round = None;
        }
    }
}

impl Round {
    /// Asks those who have not answered.
    fn ask(&self, all: &[NodeId], effects: &mut Effects) {
        for node in all {
            if self.agreed.contains(node) || self.refused.contains(node) {
                continue;
            }
            let ask = match &self.phase {
                Phase::Prepare { .. } => Ask::Prepare(self.ballot),
                Phase::Accept { register, .. } => Ask::Accept(self.ballot, register.clone()),
            };
            effects.asks.push((*node, ask));
        }
    }

    /// §2.2, phase 2 (a), as CASPaxos §2.2 has it: with promises of a majority the proposer
    /// changes the value of the highest-numbered proposal among them, or the empty one, and asks
    /// to accept the result. A read changes nothing, and is asked to be accepted all the same.
    fn propose(&mut self, effects: &mut Effects) {
        let Phase::Prepare { register, .. } = &mut self.phase else { return };
        let mut register = std::mem::take(register);
        let mut answers = Vec::new();
        let changes = std::mem::take(&mut self.changes);
        for mut change in changes {
            match apply(&mut register, &mut change) {
                Some(answer) => {
                    answers.push(answer);
                    self.changes.push(change);
                }
                None => effects.answers.push(change.late()),
            }
        }
        self.phase = Phase::Accept { register, answers };
        self.agreed.clear();
        self.refused.clear();
    }
}

/// Applies a change and says what will be answered if the result is accepted; `None` if it is
/// impossible to tell whether the change is part of it already.
fn apply(register: &mut Register, change: &mut Change) -> Option<Response> {
    if let Some(since) = change.since {
        match register.has(change.id, since) {
            Known::Yes => return Some(Response::done()),
            Known::No => {}
            Known::Perhaps => return None,
        }
    }
    let new = match &change.action {
        Action::Read => {
            let value = register.value.clone();
            return Some(Response::ok(Value::of([("value", value)])));
        }
        Action::Cas { old, .. } if *old != register.value => {
            return Some(Response::error(409, "mismatch", true));
        }
        Action::Write(new) | Action::Cas { new, .. } => new.clone(),
    };
    change.since.get_or_insert(register.version);
    register.change(change.id, new);
    Some(Response::done())
}
