//! Clients of a simulated cluster: one call at a time, and no retry of what may have happened.

use danso_vocab::codec::json;
use danso_vocab::{Call, Event, HistoryBuilder, NodeId, Outcome, Process, Rng, Time};

use super::super::client::Reply;
use super::super::http::{Request, Response};

const MS: u64 = 1_000_000;

/// When a client calls an operation indeterminate and goes on as somebody else.
const GIVE_UP: u64 = 3_000 * MS;

/// Refusals after which a call is failed.
const ATTEMPTS: u32 = 8;

/// What clients ask for, and what they make of answers.
pub(crate) trait Load {
    /// The next call of a client.
    fn call(&mut self, client: usize, rng: &mut Rng) -> Call;

    /// What is asked for in the end, when everything is healed; each must succeed.
    fn closing(&self) -> Vec<Call>;

    /// A call as a request.
    fn request(&self, call: &Call) -> Request;

    /// What an answer says of a call, or that it should be tried elsewhere.
    fn outcome(&self, call: &Call, reply: &Reply) -> Option<Outcome>;

    /// What became of a call.
    fn observe(&mut self, client: usize, call: &Call, outcome: &Outcome) {
        let _ = (client, call, outcome);
    }
}

/// A client.
pub(super) struct Client {
    number: usize,
    process: Process,
    nodes: usize,
    /// The node that is asked next, as a position.
    at: usize,
    open: Option<Open>,
    /// What is left to do in the end; `None` before the end.
    closing: Option<Vec<Call>>,
    pub(super) turn_at: u64,
}

struct Open {
    call: Call,
    since: u64,
    attempts: u32,
    /// The attempt under way.
    ticket: Option<u64>,
}

/// What all clients write to.
pub(super) struct Record {
    pub(super) history: HistoryBuilder,
    pub(super) succeeded: u64,
    processes: u32,
    tickets: u64,
    /// Every event has a time of its own.
    last: u64,
}

impl Record {
    pub(super) fn new(clients: usize) -> Record {
        let history = HistoryBuilder::new();
        Record { history, succeeded: 0, processes: clients as u32, tickets: 0, last: 0 }
    }

    fn push(&mut self, now: u64, event: Event) {
        self.last = now.max(self.last + 1);
        self.history.push(Time(self.last), event).expect("clients make well-formed histories");
    }
}

/// An attempt: to which node, under which number, what.
pub(super) type Attempt = (usize, u64, Request);

impl Client {
    pub(super) fn new(number: usize, nodes: usize) -> Client {
        let process = Process(number as u32);
        let turn_at = 10 * MS;
        let at = number % nodes;
        Client { number, process, nodes, at, open: None, closing: None, turn_at }
    }

    /// From now on only these calls.
    pub(super) fn close(&mut self, calls: Vec<Call>) {
        self.closing = Some(calls);
    }

    pub(super) fn is_done(&self) -> bool {
        self.closing.as_ref().is_some_and(Vec::is_empty) && self.open.is_none()
    }

    /// It is this client's turn: time for a new call, another attempt, or to give up.
    pub(super) fn turn<L: Load>(
        &mut self,
        now: u64,
        rng: &mut Rng,
        load: &mut L,
        record: &mut Record,
    ) -> Option<Attempt> {
        let expired = self.open.as_ref().is_some_and(|o| now >= o.since + GIVE_UP);
        if expired {
            self.end(now, Outcome::Info("timeout".into()), load, record);
            self.at = rng.below(self.nodes as u64) as usize;
        }
        if self.open.is_none() {
            let call = match &mut self.closing {
                Some(calls) => calls.last()?.clone(),
                None => load.call(self.number, rng),
            };
            if rng.chance(1, 8) {
                self.at = rng.below(self.nodes as u64) as usize;
            }
            let node = Some(NodeId(self.at as u16 + 1));
            let process = self.process;
            record.push(now, Event::Invoke { process, node, call: call.clone() });
            self.open = Some(Open { call, since: now, attempts: 0, ticket: None });
        }
        let open = self.open.as_mut()?;
        self.turn_at = open.since + GIVE_UP;
        if open.ticket.is_some() {
            return None;
        }
        record.tickets += 1;
        open.ticket = Some(record.tickets);
        Some((self.at, record.tickets, load.request(&open.call)))
    }

    /// An answer arrived.
    pub(super) fn answered<L: Load>(
        &mut self,
        now: u64,
        ticket: u64,
        response: Option<Response>,
        rng: &mut Rng,
        load: &mut L,
        record: &mut Record,
    ) {
        let Some(open) = self.open.as_mut().filter(|o| o.ticket == Some(ticket)) else { return };
        let reply = match response {
            Some(Response { status, body }) => {
                // As it comes out of the other end of a connection.
                let body = json::from_str(&json::to_string(&body)).expect("JSON");
                Reply::Said { status, body }
            }
            None => Reply::Unreached,
        };
        if let Some(outcome) = load.outcome(&open.call, &reply) {
            self.end(now, outcome, load, record);
            self.turn_at = now + rng.below(30 * MS);
            return;
        }
        open.ticket = None;
        open.attempts += 1;
        self.at = reply.leader().map_or((self.at + 1) % self.nodes, NodeId::index);
        self.turn_at = now + 5 * MS + rng.below(20 * MS);
        if open.attempts >= ATTEMPTS {
            self.end(now, Outcome::Fail(reply.error()), load, record);
        }
    }

    fn end<L: Load>(&mut self, now: u64, outcome: Outcome, load: &mut L, record: &mut Record) {
        let Some(open) = self.open.take() else { return };
        load.observe(self.number, &open.call, &outcome);
        if matches!(outcome, Outcome::Ok(_)) {
            record.succeeded += 1;
            if let Some(calls) = &mut self.closing {
                // What was open when the end began is none of them.
                if calls.last() == Some(&open.call) {
                    calls.pop();
                }
            }
        }
        let retired = matches!(outcome, Outcome::Info(_));
        record.push(now, Event::Complete { process: self.process, outcome });
        if retired {
            self.process = Process(record.processes);
            record.processes += 1;
        }
    }
}
