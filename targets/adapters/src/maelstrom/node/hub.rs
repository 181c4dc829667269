//! [`Hub`]: who is there, and how each is reached.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::UdpSocket;
use tokio::sync::{Mutex as AsyncMutex, oneshot};

use super::super::lines::{Outlet, Pipe, pipe};
use super::super::link::Links;
use super::super::message::Message;
use super::super::services;
use super::flags::Flags;

/// Who tells a node its name: a client whose name no other has.
pub(super) const HERALD: &str = "c0";

/// Everybody a node can speak to.
pub(super) struct Hub {
    name: String,
    nodes: Vec<String>,
    child: Pipe,
    links: Links,
    clients: Mutex<BTreeMap<String, Pipe>>,
    to_services: Pipe,
    services: AsyncMutex<Outlet>,
    asked: AtomicI64,
    answers: Mutex<BTreeMap<i64, oneshot::Sender<Message>>>,
    ready: AtomicBool,
    /// The program was told that it reads too slowly.
    slow: AtomicBool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Hub {
    pub(super) fn new(flags: &Flags, child: Pipe, socket: Option<&Arc<UdpSocket>>) -> Hub {
        let (to_services, services) = pipe();
        Hub {
            name: flags.name.clone(),
            nodes: flags.nodes.clone(),
            child,
            links: Links::start(&flags.peers, socket),
            clients: Mutex::default(),
            to_services,
            services: AsyncMutex::new(services),
            asked: AtomicI64::new(0),
            answers: Mutex::default(),
            ready: AtomicBool::new(false),
            slow: AtomicBool::new(false),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn links(&self) -> &Links {
        &self.links
    }

    /// What the program says to services. Held by the one connection that takes it there.
    pub(super) fn services(&self) -> &AsyncMutex<Outlet> {
        &self.services
    }

    /// The program has understood who it is.
    pub(super) fn is_ready(&self) {
        self.ready.store(true, Ordering::Release);
    }

    /// Whether it has.
    pub(super) fn serves(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }

    /// A question of the herald's: its number, and where the answer will be.
    pub(super) fn expect(&self) -> (i64, oneshot::Receiver<Message>) {
        let id = self.asked.fetch_add(1, Ordering::Relaxed) + 1;
        let (sender, receiver) = oneshot::channel();
        lock(&self.answers).insert(id, sender);
        (id, receiver)
    }

    /// Tells the program something. What it does not read for too long is lost, in the end.
    pub(super) fn tell(&self, line: Vec<u8>) {
        if !self.child.put(line) && !self.slow.swap(true, Ordering::Relaxed) {
            eprintln!("danso: {} does not read what it is told; messages are lost", self.name);
        }
    }

    /// Tells the program what came from outside, if it is a message at all: a packet may have
    /// been damaged on its way.
    pub(super) fn hear(&self, line: &[u8]) {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        if line.contains(&b'\n') || Message::read(line).is_err() {
            eprintln!("danso: {} is not told {}", self.name, super::shown(line));
            return;
        }
        self.tell([line, b"\n"].concat());
    }

    /// A client is there.
    pub(super) fn meet(&self, name: &str, client: Pipe) {
        lock(&self.clients).insert(name.to_owned(), client);
    }

    /// A client has gone, unless it is there again.
    pub(super) fn forget(&self, name: &str, client: &Pipe) {
        let mut clients = lock(&self.clients);
        if clients.get(name).is_some_and(|there| there.is(client)) {
            clients.remove(name);
        }
    }

    /// Hands on what the program says.
    ///
    /// # Errors
    /// If nobody of that name can be there.
    pub(super) async fn route(&self, message: Message, line: Vec<u8>) -> Result<(), String> {
        let to = message.dest.as_str();
        if to == HERALD {
            let answer = message.in_reply_to().and_then(|id| lock(&self.answers).remove(&id));
            if let Some(answer) = answer {
                // Whoever asked may have given up.
                drop(answer.send(message));
            }
        } else if to == self.name {
            self.tell(line);
        } else if self.links.has(to) {
            self.links.send(to, line);
        } else if services::NAMES.contains(&to) {
            self.to_services.put(line);
        } else if is_client(to) {
            if let Some(client) = lock(&self.clients).get(to) {
                client.put(line);
            }
        } else {
            return Err(format!(
                "{} sends a message to `{to}`, whom there is not; there are {}, clients c1, c2 …, \
                 {}",
                self.name,
                self.nodes.join(", "),
                services::NAMES.join(", ")
            ));
        }
        Ok(())
    }
}

fn is_client(name: &str) -> bool {
    name.strip_prefix('c').is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}
