//! Requests. The node that is asked coordinates: it asks or tells the owners of the key and waits
//! for R or W of them (Dynamo, §4.5).
//!
//! ```text
//!          abd                                 lww, siblings
//! read     query R ─▶ write back to W ─▶ answer    query R ─▶ answer ─▶ repair who lags behind
//! write    query R ─▶ store at W ─▶ answer         store at W ─▶ answer
//! ```
//!
//! In mode `abd` both are the two phases of Attiya, Bar-Noy and Dolev 1995 with the query before
//! a write that Lynch and Shvartsman 1997 (§3) add for several writers. A write is stamped once:
//! however often its messages are repeated, it is one write.
//!
//! | answer | status | definite | when |
//! | --- | --- | --- | --- |
//! | `too-few-members` | 503 | yes | the ring is smaller than the quorum |
//! | `no-quorum` | 503 | yes | not enough owners said what they have; nothing was told to any |
//! | `timeout` | 504 | writes: no | not enough owners have it yet; they still may |

use std::collections::{BTreeMap, BTreeSet};

use danso_vocab::{NodeId, Value};

use super::{MS, QuorumKv};
use crate::kit::http::Method;
use crate::kit::{Now, Request, Response, Ticket};
use crate::quorum_kv::message::Message;
use crate::quorum_kv::ring::position;
use crate::quorum_kv::settings::{Bug, Mode};
use crate::quorum_kv::siblings::{Context, Siblings};
use crate::quorum_kv::state::{State, newest};

/// Requests under way at most.
const MOST: usize = 4_096;

/// What is not answered is repeated after this, and then less and less often.
const REPEAT: u64 = 100 * MS;

/// What a client wants.
enum Wants {
    Get,
    Put(Write),
}

/// What is to be written, and what its writer has seen.
struct Write {
    value: Value,
    context: Context,
}

/// A request under way.
pub(super) struct Op {
    /// Who waits for the answer, until it is given.
    ticket: Option<Ticket>,
    key: String,
    wants: Wants,
    read_quorum: usize,
    write_quorum: usize,
    phase: Phase,
    repeat_at: u64,
    pause: u64,
    deadline: u64,
}

enum Phase {
    /// What do replicas have?
    Query { found: BTreeMap<NodeId, Option<State>> },
    /// They shall have this: a write, or what a read returns. `done` are the owners that do, or
    /// for which somebody keeps it.
    Store { state: State, quorum: usize, done: BTreeSet<NodeId> },
}

impl Op {
    pub(super) fn due(&self) -> u64 {
        self.repeat_at.min(self.deadline)
    }
}

impl QuorumKv {
    /// Takes a request on.
    pub(super) fn begin(
        &mut self,
        now: Now,
        ticket: Ticket,
        request: &Request,
    ) -> Result<(), Response> {
        let key = request.path[1].clone();
        let wants = match request.method {
            Method::Get => Wants::Get,
            Method::Put => {
                let value = request.field("value")?.clone();
                let context = match request.body.get("context") {
                    None | Some(Value::Nil) => Context::default(),
                    Some(given) => given.str().and_then(Context::parse).ok_or_else(|| {
                        Response::bad("`context` must be what a read gave with the values")
                    })?,
                };
                Wants::Put(Write { value, context })
            }
            Method::Delete if self.settings.mode != Mode::Siblings => {
                Wants::Put(Write { value: Value::Nil, context: Context::default() })
            }
            _ => return Err(Response::no_route()),
        };
        let read_quorum = self.quorum(request, "r", self.settings.read_quorum)?;
        let write_quorum = self.quorum(request, "w", self.settings.write_quorum)?;
        if self.owners(&key).len() < read_quorum.max(write_quorum) {
            return Err(Response::error(503, "too-few-members", true));
        }
        if self.ops.len() >= MOST {
            return Err(Response::error(429, "overloaded", true));
        }
        let mut op = Op {
            ticket: Some(ticket),
            key,
            wants,
            read_quorum,
            write_quorum,
            phase: Phase::Query { found: BTreeMap::new() },
            repeat_at: now.mono + REPEAT,
            pause: REPEAT,
            deadline: now.mono + self.settings.request_timeout,
        };
        if let (Wants::Put(write), Mode::Lww | Mode::Siblings) = (&op.wants, self.settings.mode) {
            op.phase = self.write(now, &op.key, write, write_quorum, 0);
        }
        // An answer to an earlier life of this node must not count.
        let number = u64::from(self.life) << 32 | (self.origin().nth & 0xFFFF_FFFF);
        self.ask(now.mono, number, &op);
        self.ops.insert(number, op);
        self.settle(number);
        Ok(())
    }

    /// R or W: the cluster's, or what the request says.
    fn quorum(&self, request: &Request, name: &str, usual: usize) -> Result<usize, Response> {
        let most = self.settings.replicas;
        match request.number(name)? {
            None => Ok(usual),
            Some(n) => {
                usize::try_from(n).ok().filter(|n| (1..=most).contains(n)).ok_or_else(|| {
                    Response::bad(format!("{name} is {n}, but there are {most} replicas"))
                })
            }
        }
    }

    /// The phase in which a write is stored, where a quorum has nothing later than `highest`.
    fn write(&mut self, now: Now, key: &str, write: &Write, quorum: usize, highest: u64) -> Phase {
        let mut done = BTreeSet::new();
        let state = if self.settings.mode == Mode::Siblings {
            // Whoever coordinates a write keeps it, so that its writes can be counted. If it is
            // no owner it hands the key over later.
            let entry = self.store.get(key).cloned();
            let actor = entry.as_ref().and_then(|e| e.actor);
            let actor = actor.unwrap_or_else(|| self.origin());
            let mut siblings = match entry.map(|e| e.state) {
                Some(State::Siblings(siblings)) => siblings,
                _ => Siblings::default(),
            };
            let drops = self.settings.bug == Some(Bug::SiblingDrop);
            siblings.write(actor, &write.context, write.value.clone(), drops);
            let record = self.store.put(key, State::Siblings(siblings.clone()), Some(actor));
            self.persist(now.mono, record);
            done.extend(self.owners(key).contains(&self.id).then_some(self.id));
            State::Siblings(siblings)
        } else {
            State::Last { stamp: self.stamp(now, highest), value: write.value.clone() }
        };
        Phase::Store { state, quorum, done }
    }

    /// Who is asked for each owner: the owner itself or, in a sloppy quorum, the next healthy
    /// node on the ring if the owner seems to be down (Dynamo, §4.6).
    fn places(&self, now: u64, key: &str) -> Vec<(NodeId, NodeId)> {
        let walk = self.ring.walk(position(key));
        let (owners, others) = walk.split_at(walk.len().min(self.settings.replicas));
        let mut healthy = others.iter().filter(|n| !self.detector.suspects(**n, now));
        let place = |owner: &NodeId| {
            let down = self.settings.sloppy && self.detector.suspects(*owner, now);
            let stands_in = if down { healthy.next() } else { None };
            (*stands_in.unwrap_or(owner), *owner)
        };
        owners.iter().map(place).collect()
    }

    /// Asks or tells those that have not answered.
    fn ask(&mut self, now: u64, number: u64, op: &Op) {
        for (at, owner) in self.places(now, &op.key) {
            let key = op.key.clone();
            match &op.phase {
                Phase::Query { found } if !found.contains_key(&at) => {
                    self.send(at, Message::Read { op: number, key });
                }
                Phase::Store { state, done, .. } if !done.contains(&owner) => {
                    let (state, owner) = (state.clone(), owner.0);
                    self.send(at, Message::Write { op: number, key, state, owner });
                }
                _ => {}
            }
        }
    }

    /// A replica says what it has.
    pub(super) fn found(&mut self, now: Now, from: NodeId, number: u64, state: Option<State>) {
        state.iter().for_each(|state| self.see(state));
        let Some(mut op) = self.ops.remove(&number) else { return };
        match &mut op.phase {
            Phase::Query { found } => {
                found.insert(from, state);
                if found.len() >= op.read_quorum {
                    self.conclude(now, number, &mut op);
                }
            }
            // It comes late: is there anything to repair?
            Phase::Store { state: newest, done, .. } => {
                done.extend((state.as_ref() == Some(newest)).then_some(from));
            }
        }
        self.ops.insert(number, op);
        self.settle(number);
    }

    /// R replicas have said what they have.
    fn conclude(&mut self, now: Now, number: u64, op: &mut Op) {
        let Phase::Query { found } = &op.phase else { return };
        let state = newest(found.values());
        match (&op.wants, state) {
            (Wants::Put(write), state) => {
                let highest = state.map_or(0, |s| s.time());
                op.phase = self.write(now, &op.key, write, op.write_quorum, highest);
                self.ask(now.mono, number, op);
            }
            (Wants::Get, None) => {
                let nothing = match self.settings.mode {
                    Mode::Siblings => State::Siblings(Siblings::default()).shown(),
                    _ => value(Value::Nil),
                };
                self.answer(op, nothing);
                op.deadline = 0;
            }
            (Wants::Get, Some(state)) => {
                let same = found.iter().filter(|(_, s)| s.as_ref() == Some(&state));
                let done = same.map(|(node, _)| *node).collect();
                if self.settings.bug == Some(Bug::NoReadRepair) {
                    self.answer(op, state.shown());
                    op.deadline = 0;
                    return;
                }
                // What a read returns must not be taken back: a quorum has it before (ABD 1995,
                // §3). Elsewhere replicas are repaired, but nobody waits for it (Dynamo, §5).
                let quorum = if self.settings.mode == Mode::Abd { op.write_quorum } else { 0 };
                op.phase = Phase::Store { state, quorum, done };
                let enough = matches!(&op.phase, Phase::Store { done, .. } if done.len() >= quorum);
                if !enough {
                    self.ask(now.mono, number, op);
                }
            }
        }
    }

    /// An owner has it, or somebody has it for that owner.
    pub(super) fn wrote(&mut self, _: Now, number: u64, owner: NodeId) {
        if let Some(Op { phase: Phase::Store { done, .. }, .. }) = self.ops.get_mut(&number) {
            done.insert(owner);
            self.settle(number);
        }
    }

    /// Answers a request when enough owners have it, and forgets it when all have.
    fn settle(&mut self, number: u64) {
        let Some(mut op) = self.ops.remove(&number) else { return };
        if let Phase::Store { state, quorum, done } = &op.phase {
            if done.len() >= *quorum && op.ticket.is_some() {
                let response = match op.wants {
                    Wants::Get => state.shown(),
                    Wants::Put(_) => Response::done(),
                };
                self.answer(&mut op, response);
            }
            let Phase::Store { done, .. } = &op.phase else { return };
            let repairs = self.settings.read_repair || self.settings.mode == Mode::Abd;
            let useless = op.ticket.is_none() && matches!(op.wants, Wants::Get) && !repairs;
            if useless || self.owners(&op.key).iter().all(|owner| done.contains(owner)) {
                return;
            }
        }
        if op.deadline > 0 {
            self.ops.insert(number, op);
        }
    }

    fn answer(&mut self, op: &mut Op, response: Response) {
        if let Some(ticket) = op.ticket.take() {
            self.ready.answer(ticket, response);
        }
    }

    /// Repeats what is not answered, and gives up what took too long.
    pub(super) fn go_on(&mut self, now: Now) {
        let due = self.ops.iter().filter(|(_, op)| op.due() <= now.mono);
        let due: Vec<u64> = due.map(|(number, _)| *number).collect();
        for number in due {
            let Some(mut op) = self.ops.remove(&number) else { continue };
            if now.mono >= op.deadline {
                self.give_up(now.mono, op);
                continue;
            }
            self.ask(now.mono, number, &op);
            op.pause *= 2;
            op.repeat_at = now.mono + op.pause;
            // A repair of a read is told once; what it does not reach others will.
            if op.ticket.is_some() || matches!(op.wants, Wants::Put(_)) {
                self.ops.insert(number, op);
            }
        }
    }

    fn give_up(&mut self, now: u64, mut op: Op) {
        match &op.phase {
            Phase::Query { .. } => self.answer(&mut op, Response::error(503, "no-quorum", true)),
            Phase::Store { state, done, .. } => {
                let (state, done) = (state.clone(), done.clone());
                let reads = matches!(op.wants, Wants::Get);
                self.answer(&mut op, Response::error(504, "timeout", reads));
                // What a replica has missed is kept for it here, and does not count as kept.
                if reads || !self.settings.hinted_handoff {
                    return;
                }
                for owner in self.owners(&op.key) {
                    if owner != self.id && !done.contains(&owner) {
                        self.keep_for(now, owner, &op.key, &state);
                    }
                }
            }
        }
    }
}

impl State {
    /// The answer to a read.
    fn shown(&self) -> Response {
        match self {
            State::Last { value: last, .. } => value(last.clone()),
            State::Siblings(siblings) => Response::ok(Value::of([
                ("values", siblings.values().into()),
                ("context", siblings.context().text().into()),
            ])),
        }
    }
}

fn value(value: Value) -> Response {
    Response::ok(Value::of([("value", value)]))
}
