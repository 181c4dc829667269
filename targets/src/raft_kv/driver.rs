//! The loop around a [`Node`]: gather what came in, step, persist once, send and answer.
//!
//! While the disk is busy requests gather, so that one fsync and one message to each peer serve
//! all of them. Nothing is sent or answered before what it rests on is durable.
//!
//! What a node says on stderr, a line each, so that faults can wait for it:
//!
//! | line | told |
//! | --- | --- |
//! | `restored term=5 log=120 snapshot=100`, `listening on 10.0.0.1:7400` | at the start |
//! | `became candidate term=5`, `became follower term=5` | before it is persisted |
//! | `became leader term=5` | before the term's first entry is persisted or sent |
//! | `voted for n2 term=5` | when the vote is persisted and on its way |
//! | `first commit index=121 term=5` | by a leader whose commit index has moved in its term, when those who waited for it have their answers |
//! | `installed snapshot index=100` | before it is persisted |

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use danso_vocab::NodeId;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::answer::Answer;
use super::core::{Event, Role};
use super::node::{Input, Node, Parcel, Ready, Request, Status};
use super::peers::Outbox;
use super::storage::Storage;

/// Inputs in one step at most.
const BATCH: usize = 1_024;

/// What the shell's other tasks hand in.
pub(crate) enum Inbound {
    /// A client's request.
    Request { request: Request, reply: oneshot::Sender<Answer> },
    /// Parcels from a peer. If it waits for a response, parcels for it can go with that.
    Parcels { from: NodeId, parcels: Vec<Parcel>, reply: Option<oneshot::Sender<Vec<Parcel>>> },
    /// What does the node know of itself?
    Status(oneshot::Sender<Status>),
}

/// A node with its disk and its peers.
pub(crate) struct Driver {
    pub(crate) node: Node,
    pub(crate) storage: Storage,
    pub(crate) outbox: Outbox,
    pub(crate) inbound: mpsc::Receiver<Inbound>,
    pub(crate) start: Instant,
    clients: BTreeMap<u64, oneshot::Sender<Answer>>,
    tickets: u64,
}

impl Driver {
    /// A driver; `start` is the instant 0 of the node's clock.
    pub(crate) fn new(
        node: Node,
        storage: Storage,
        outbox: Outbox,
        inbound: mpsc::Receiver<Inbound>,
        start: Instant,
    ) -> Driver {
        Driver { node, storage, outbox, inbound, start, clients: BTreeMap::new(), tickets: 0 }
    }

    /// Runs until the disk fails or everybody who could hand something in is gone.
    pub(crate) async fn run(mut self) -> Result<(), String> {
        let mut batch = Vec::new();
        loop {
            let due = self.start + Duration::from_nanos(self.node.due());
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
            let now = self.start.elapsed().as_nanos() as u64;
            let mut slots = Vec::new();
            for inbound in batch.drain(..) {
                self.take_in(now, inbound, &mut slots);
            }
            let ready = self.node.ready(now);
            self.carry_out(ready, slots)?;
        }
    }

    fn take_in(&mut self, now: u64, inbound: Inbound, slots: &mut Vec<Slot>) {
        match inbound {
            Inbound::Request { request, reply } => {
                self.tickets += 1;
                self.clients.insert(self.tickets, reply);
                self.node.step(now, Input::Request(self.tickets, request));
            }
            Inbound::Parcels { from, parcels, reply } => {
                for parcel in parcels {
                    self.node.step(now, Input::Parcel(from, parcel));
                }
                if let Some(reply) = reply {
                    slots.push(Slot { to: from, parcels: Vec::new(), reply });
                }
            }
            Inbound::Status(reply) => {
                let _ = reply.send(self.node.status());
            }
        }
    }

    fn carry_out(&mut self, mut ready: Ready, mut slots: Vec<Slot>) -> Result<(), String> {
        tell(ready.events.iter().filter(|e| !e.is_told_after()));
        self.storage.persist(&ready).map_err(|e| e.to_string())?;
        for (to, parcel) in ready.parcels.drain(..) {
            match slots.iter_mut().find(|s| s.to == to) {
                Some(slot) => slot.parcels.push(parcel),
                None => self.outbox.send(to, parcel),
            }
        }
        for slot in slots {
            let _ = slot.reply.send(slot.parcels);
        }
        for (ticket, answer) in ready.answers.drain(..) {
            if let Some(client) = self.clients.remove(&ticket) {
                // A client that has gone away does not wait for it any more.
                let _ = client.send(answer);
            }
        }
        tell(ready.events.iter().filter(|e| e.is_told_after()));
        Ok(())
    }
}

/// A peer that waits for the response to its POST.
struct Slot {
    to: NodeId,
    parcels: Vec<Parcel>,
    reply: oneshot::Sender<Vec<Parcel>>,
}

/// Writes events to stderr, a line each. Faults may be waiting for such a line.
fn tell<'a>(events: impl Iterator<Item = &'a Event>) {
    for event in events {
        say(&match event {
            Event::Became(role, term) => {
                debug_assert!(*role != Role::PreCandidate, "pre-candidates are not told of");
                format!("became {} term={term}", role.word())
            }
            Event::VotedFor(node, term) => format!("voted for {node} term={term}"),
            Event::Installed(index) => format!("installed snapshot index={index}"),
            Event::FirstCommit { index, term } => format!("first commit index={index} term={term}"),
        });
    }
}

/// Writes one line to stderr, at once and as a whole.
pub(crate) fn say(line: &str) {
    let _ = std::io::stderr().write_all(format!("{line}\n").as_bytes());
}
