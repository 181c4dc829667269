//! [`Links`]: messages to the other nodes.
//!
//! A message is a datagram of its own, so that loss, delay, duplicates, reordering and partitions
//! mean here what they mean to a network of messages: what is lost is lost, and nothing is sent
//! again. How fast datagrams are sent says [`Pace`]. A message too long for one, and every
//! message where the network carries streams only (`proxy`), goes over TCP; what cannot be
//! written at once is dropped.
//!
//! A datagram begins with a line of its own: `m NUMBER` for a message, `M NUMBER` for one that
//! asks whether it has arrived, `a NUMBER` for the answer. A stand-in that was started again
//! begins anew, so an answer to its former life, which it may take for its own, only lets it send
//! a little faster.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::sys::socket::{getsockopt, setsockopt, sockopt};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::lines::{Outlet, Pipe, pipe};
use super::pace::Pace;

/// A message with more bytes than this takes no datagram.
const DATAGRAM: usize = 60_000;
/// Bytes a socket is to hold for us, if the kernel lets it.
const BUFFER: usize = 4 << 20;
/// The share of that which may be under way to one node from all others together. The kernel
/// counts generously, and answers take room as well.
const SHARE: usize = 3;
/// The most of it: about what interfaces hold.
const MOST: usize = 800 << 10;
/// How long a message waits until it is known that others have arrived.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long a stream may take to come about, or to take a message.
const STREAM: Duration = Duration::from_secs(1);

/// How messages are carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carrier {
    /// A datagram each.
    Datagrams,
    /// Over TCP.
    Streams,
}

/// The ways to all other nodes.
pub(super) struct Links {
    links: BTreeMap<String, Link>,
}

/// The way to one.
struct Link {
    messages: Pipe,
    at: SocketAddr,
    flow: Arc<Flow>,
}

#[derive(Debug)]
struct Flow {
    pace: Mutex<Pace>,
    heard: Notify,
}

impl Flow {
    fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Links {
    /// Ways to these, from `socket` if messages are datagrams.
    pub(super) fn start(
        peers: &BTreeMap<String, SocketAddr>,
        socket: Option<&Arc<UdpSocket>>,
    ) -> Links {
        // All have the same kernel, so the others' sockets hold as much as this one.
        let whole = socket.map_or(0, |socket| room(socket) / SHARE).min(MOST);
        let window = whole / peers.len().max(1);
        let link = |(name, at): (&String, &SocketAddr)| {
            let (messages, outlet) = pipe();
            let flow = Flow { pace: Mutex::new(Pace::new(window)), heard: Notify::new() };
            let flow = Arc::new(flow);
            match socket {
                Some(socket) => {
                    let (long, streamed) = pipe();
                    tokio::spawn(stream(streamed, *at));
                    let (socket, flow) = (socket.clone(), flow.clone());
                    tokio::spawn(datagrams(outlet, socket, *at, flow, long));
                }
                None => drop(tokio::spawn(stream(outlet, *at))),
            }
            (name.clone(), Link { messages, at: *at, flow })
        };
        Links { links: peers.iter().map(link).collect() }
    }

    /// Whether there is a node of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.links.contains_key(name)
    }

    /// Sends a message; `false` if too many wait already, and it is lost.
    pub(super) fn send(&self, to: &str, line: Vec<u8>) -> bool {
        self.links.get(to).is_some_and(|link| link.messages.put(line))
    }

    /// Takes in a datagram: the message in it, if it has one.
    pub(super) async fn receive<'a>(
        &self,
        socket: &UdpSocket,
        from: SocketAddr,
        datagram: &'a [u8],
    ) -> Option<&'a [u8]> {
        let end = datagram.iter().position(|byte| *byte == b'\n')?;
        let (head, rest) = (std::str::from_utf8(&datagram[..end]).ok()?, &datagram[end + 1..]);
        let (word, number) = head.split_once(' ')?;
        let number: u64 = number.parse().ok()?;
        let link = self.links.values().find(|link| link.at == from)?;
        match word {
            "a" => {
                link.flow.pace().arrived(number);
                link.flow.heard.notify_one();
                return None;
            }
            "M" => {
                // If it cannot be said that it arrived, the sender waits a little.
                let said = socket.send_to(format!("a {number}\n").as_bytes(), from).await;
                drop(said);
            }
            "m" => {}
            _ => return None,
        }
        Some(rest)
    }
}

/// Makes room for datagrams that wait to be read: how many bytes.
fn room(socket: &UdpSocket) -> usize {
    // One of them may be refused; what has come of it is asked for.
    let _ = setsockopt(socket, sockopt::RcvBuf, &BUFFER);
    let _ = setsockopt(socket, sockopt::RcvBufForce, &BUFFER);
    getsockopt(socket, sockopt::RcvBuf).unwrap_or(0)
}

/// Sends messages as datagrams; those too long for one are handed on.
async fn datagrams(
    mut messages: Outlet,
    socket: Arc<UdpSocket>,
    to: SocketAddr,
    flow: Arc<Flow>,
    long: Pipe,
) {
    while let Some(line) = messages.next().await {
        if line.len() > DATAGRAM {
            // What finds no room is lost, like any message that cannot be sent.
            long.put(line);
            continue;
        }
        let room = async {
            while !flow.pace().has_room(line.len()) {
                flow.heard.notified().await;
            }
        };
        if timeout(PATIENCE, room).await.is_err() {
            flow.pace().give_up();
        }
        let (number, asks) = flow.pace().send(line.len());
        let mut datagram = format!("{} {number}\n", if asks { "M" } else { "m" }).into_bytes();
        datagram.extend_from_slice(&line);
        // A datagram that the kernel refuses is lost, as one that is dropped on its way.
        drop(socket.send_to(&datagram, to).await);
    }
}

/// Writes messages to a stream, which is made again when it breaks. What cannot be written at
/// once is dropped, and what waits behind it.
async fn stream(mut messages: Outlet, to: SocketAddr) {
    let mut stream: Option<TcpStream> = None;
    while let Some(line) = messages.next().await {
        if stream.is_none() {
            stream = timeout(STREAM, connect(to)).await.ok().and_then(Result::ok);
        }
        let written = match &mut stream {
            Some(open) => matches!(timeout(STREAM, open.write_all(&line)).await, Ok(Ok(()))),
            None => false,
        };
        if !written {
            stream = None;
            messages.clear();
        }
    }
}

async fn connect(to: SocketAddr) -> std::io::Result<TcpStream> {
    let mut stream = TcpStream::connect(to).await?;
    stream.set_nodelay(true)?;
    stream.write_all(b"peer\n").await?;
    Ok(stream)
}
