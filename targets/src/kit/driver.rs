//! The loop around a [`Node`]: gather what came in, step, persist once, send and answer.
//!
//! While the disk is busy requests gather, so that one fsync and one message to each peer serve
//! all of them.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use danso_vocab::{NodeId, Value};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::http::{Request, Response};
use super::journal::Journal;
use super::peers::Outbox;
use super::{Input, Node, Now, Ticket};

/// Inputs in one step at most.
const BATCH: usize = 1_024;

/// What the shell's other tasks hand in.
pub(super) enum Inbound<M> {
    /// A client's request.
    Request { request: Request, reply: oneshot::Sender<Response> },
    /// Messages from a peer. If it waits for a response, messages for it can go with that.
    Messages { from: NodeId, messages: Vec<M>, reply: Option<oneshot::Sender<Vec<M>>> },
    /// Can the node serve?
    Health(oneshot::Sender<Result<(), String>>),
    /// What does the node know of itself?
    Status(oneshot::Sender<Value>),
}

/// A node with its disk and its peers.
pub(super) struct Driver<N: Node> {
    node: N,
    journal: Journal,
    outbox: Outbox<N::Message>,
    inbound: mpsc::Receiver<Inbound<N::Message>>,
    clocks: Clocks,
    clients: BTreeMap<Ticket, oneshot::Sender<Response>>,
    tickets: u64,
}

impl<N: Node> Driver<N> {
    /// A driver of this node.
    pub(super) fn new(
        node: N,
        journal: Journal,
        outbox: Outbox<N::Message>,
        inbound: mpsc::Receiver<Inbound<N::Message>>,
        clocks: Clocks,
    ) -> Driver<N> {
        let clients = BTreeMap::new();
        Driver { node, journal, outbox, inbound, clocks, clients, tickets: 0 }
    }

    /// Runs until the disk fails or everybody who could hand something in is gone.
    pub(super) async fn run(mut self) -> Result<(), String> {
        let mut batch = Vec::new();
        loop {
            let due = self.clocks.instant(self.node.due());
            tokio::select! {
                n = self.inbound.recv_many(&mut batch, BATCH) => if n == 0 { return Ok(()) },
                () = tokio::time::sleep_until(due) => {}
            }
            // Whoever can hand something in right now shall do so before the next write.
            tokio::task::yield_now().await;
            while batch.len() < BATCH
                && let Ok(more) = self.inbound.try_recv()
            {
                batch.push(more);
            }
            let now = self.clocks.now();
            let mut slots = Vec::new();
            for inbound in batch.drain(..) {
                self.take_in(now, inbound, &mut slots);
            }
            self.carry_out(now, slots)?;
        }
    }

    fn take_in(
        &mut self,
        now: Now,
        inbound: Inbound<N::Message>,
        slots: &mut Vec<Slot<N::Message>>,
    ) {
        match inbound {
            Inbound::Request { request, reply } => {
                self.tickets += 1;
                let ticket = Ticket(self.tickets);
                self.clients.insert(ticket, reply);
                self.node.step(now, Input::Request(ticket, request));
            }
            Inbound::Messages { from, messages, reply } => {
                for message in messages {
                    self.node.step(now, Input::Message(from, message));
                }
                slots.extend(reply.map(|reply| Slot { to: from, messages: Vec::new(), reply }));
            }
            // Who does not wait for it any more need not be told.
            Inbound::Health(reply) => drop(reply.send(self.node.health())),
            Inbound::Status(reply) => drop(reply.send(self.node.status())),
        }
    }

    fn carry_out(&mut self, now: Now, mut slots: Vec<Slot<N::Message>>) -> Result<(), String> {
        let ready = self.node.ready(now);
        ready.lines.iter().for_each(|line| say(line));
        self.journal.append(ready.records).map_err(|e| e.to_string())?;
        for (to, message) in ready.messages {
            match slots.iter_mut().find(|slot| slot.to == to) {
                Some(slot) => slot.messages.push(message),
                None => self.outbox.send(to, message),
            }
        }
        for slot in slots {
            // If the peer has given up, its messages are lost, as messages may be.
            let _ = slot.reply.send(slot.messages);
        }
        for (ticket, response) in ready.answers {
            if let Some(client) = self.clients.remove(&ticket) {
                // A client that has gone away does not wait for it any more.
                let _ = client.send(response);
            }
        }
        ready.told.iter().for_each(|line| say(line));
        if self.journal.is_long() {
            self.journal.replace(self.node.compact()).map_err(|e| e.to_string())?;
        }
        Ok(())
    }
}

/// A peer that waits for the response to its POST.
struct Slot<M> {
    to: NodeId,
    messages: Vec<M>,
    reply: oneshot::Sender<Vec<M>>,
}

/// A node's clocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clocks {
    start: Instant,
}

impl Clocks {
    /// Clocks that count from now.
    pub(super) fn start() -> Clocks {
        Clocks { start: Instant::now() }
    }

    /// What they say.
    #[expect(clippy::disallowed_methods, reason = "a node has a wall clock, and it may be wrong")]
    pub(super) fn now(self) -> Now {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let ns = |d: Duration| u64::try_from(d.as_nanos()).unwrap_or(u64::MAX);
        Now { mono: ns(self.start.elapsed()), wall: ns(wall) }
    }

    fn instant(self, mono: u64) -> Instant {
        // A day is as good as never.
        self.start + Duration::from_nanos(mono).min(self.start.elapsed() + DAY)
    }
}

const DAY: Duration = Duration::from_secs(86_400);

/// Writes one line to stderr, at once and as a whole. Faults may be waiting for it.
pub(super) fn say(line: &str) {
    let _ = std::io::stderr().write_all(format!("{line}\n").as_bytes());
}
