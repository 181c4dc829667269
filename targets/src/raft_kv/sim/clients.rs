//! Clients that behave like the real one: one call at a time, retried with the same number.

use danso_vocab::{Rng, Value};

use crate::raft::answer::{Answer, Error, Refusal};
use crate::raft::node::RequestOf;
use crate::raft::replica::Session;
use crate::raft_kv::kv::{Action, Command, Kv, Reply};

use super::oracle::{Oracle, Violation};

type Request = RequestOf<Kv>;

/// An attempt's patience, in ns.
const PATIENCE: u64 = 300_000_000;

/// When a client calls an operation indeterminate and goes on as somebody else.
const GIVE_UP: u64 = 3_000_000_000;

/// A client.
pub(super) struct Client {
    number: u64,
    life: u64,
    seq: u64,
    home: usize,
    nodes: usize,
    pending: Option<Pending>,
    last_seen: Value,
    pub(super) succeeded: u64,
    pub(super) turn_at: u64,
}

struct Pending {
    request: Request,
    /// What had been shown when it was invoked.
    shown: u64,
    since: u64,
    at: usize,
    /// Whether no attempt can have had an effect.
    certain: bool,
    /// The attempt under way.
    ticket: Option<u64>,
}

/// An attempt: to which node, under which number, what.
pub(super) type Attempt = (usize, u64, Request);

impl Client {
    pub(super) fn new(number: u64, nodes: usize, start: u64) -> Client {
        Client {
            number,
            life: 0,
            seq: 0,
            home: number as usize % nodes,
            nodes,
            pending: None,
            last_seen: Value::Nil,
            succeeded: 0,
            turn_at: start,
        }
    }

    /// It is this client's turn: time for a new call, or patience with an attempt is over.
    pub(super) fn turn(
        &mut self,
        now: u64,
        tickets: &mut u64,
        rng: &mut Rng,
        oracle: &mut Oracle,
    ) -> Attempt {
        if let Some(pending) = &mut self.pending {
            if pending.ticket.take().is_some() {
                pending.certain = false;
                pending.at = (pending.at + 1) % self.nodes;
            }
            if now - pending.since > GIVE_UP {
                self.give_up(oracle);
            }
        }
        let pending = match &mut self.pending {
            Some(pending) => pending,
            empty => {
                let request = draw(self.number, self.life, &mut self.seq, &self.last_seen, rng);
                let at = if rng.chance(1, 4) {
                    rng.below(self.nodes as u64) as usize
                } else {
                    self.home
                };
                let shown = oracle.shown;
                empty.insert(Pending {
                    request,
                    shown,
                    since: now,
                    at,
                    certain: true,
                    ticket: None,
                })
            }
        };
        *tickets += 1;
        pending.ticket = Some(*tickets);
        self.turn_at = now + PATIENCE;
        (pending.at, *tickets, pending.request.clone())
    }

    fn give_up(&mut self, oracle: &mut Oracle) {
        let Some(pending) = self.pending.take() else { return };
        if let Request::Apply(_, Some(session)) = pending.request {
            if pending.certain {
                oracle.denied(session);
            } else {
                self.life += 1;
                self.seq = 0;
            }
        }
    }

    /// An answer arrived.
    pub(super) fn answered(
        &mut self,
        now: u64,
        ticket: u64,
        answer: Answer<Reply>,
        rng: &mut Rng,
        oracle: &mut Oracle,
    ) -> Result<(), Violation> {
        let Some(pending) = self.pending.as_mut().filter(|p| p.ticket == Some(ticket)) else {
            return Ok(());
        };
        let told = match (answer, &pending.request) {
            (Answer::Reply(Reply::Value { value }), Request::Read(key)) => {
                let found = oracle.found(key, &value, pending.shown);
                self.last_seen = value;
                found
            }
            (Answer::Refused(Refusal { error: Error::Superseded, .. }), _) => {
                Err("superseded".to_owned())
            }
            (Answer::Reply(reply), Request::Apply(_, Some(session))) => {
                oracle.changed(session, &reply, pending.shown)
            }
            (Answer::Refused(refusal), _) => {
                pending.certain &= refusal.definite;
                pending.ticket = None;
                let hint = refusal.leader.map(|l| usize::from(l) - 1).filter(|l| *l != pending.at);
                pending.at = hint.unwrap_or((pending.at + 1) % self.nodes);
                self.turn_at = now + 20_000_000;
                return Ok(());
            }
            (answer, request) => Err(format!("{answer:?} to {request:?}")),
        };
        self.pending = None;
        self.succeeded += 1;
        self.turn_at = now + rng.below(30_000_000);
        told
    }
}

fn draw(number: u64, life: u64, seq: &mut u64, seen: &Value, rng: &mut Rng) -> Request {
    let key = format!("k{}", rng.below(2));
    if rng.chance(2, 5) {
        return Request::Read(key);
    }
    *seq += 1;
    // A value nobody else writes.
    let value = Value::Int(((number * 1_000 + life) * 1_000 + *seq) as i64);
    let action = match rng.below(4) {
        0 => Action::Cas { old: seen.clone(), new: value },
        1 => Action::Delete,
        _ => Action::Put { value },
    };
    let session = Some(Session { client: format!("c{number}-{life}"), seq: *seq });
    Request::Apply(Command { key, action }, session)
}
