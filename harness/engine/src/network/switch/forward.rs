//! The forwarding thread: reads packets at one port, looks up the link's policy, writes them to
//! another. One thread serves all ports: on few processors that is faster than one each.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread;

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::unistd::{read, write};

use super::failure::{Failure, Step};
use super::packet::{self, LONGEST};
use super::table::{Table, View};
use super::{SUBNET, Wire};
use crate::network::Block;

/// Packets read from one port before the others get their turn.
const TURN: usize = 64;
/// The event that means: end.
const STOP: u64 = u64::MAX;

/// Ends the thread when dropped, without waiting for it: closing its ports takes tens of
/// milliseconds each.
pub(super) struct Forwarder {
    stop: Arc<EventFd>,
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        if let Err(error) = self.stop.write(1) {
            tracing::warn!(%error, "the switch cannot be told to end");
        }
    }
}

/// A port: its file descriptor and the last byte of its address.
pub(super) struct Port {
    pub(super) fd: OwnedFd,
    pub(super) host: u8,
}

/// Starts forwarding between `ports`, whose links `table` numbers row by row.
pub(super) fn start(wire: Wire, ports: Vec<Port>, table: Arc<Table>) -> Result<Forwarder, Failure> {
    let ordinary = |e| Step::Ordinary.failed(e);
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map_err(ordinary)?;
    let stop = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK);
    let stop = Arc::new(stop.map_err(ordinary)?);
    epoll.add(&*stop, EpollEvent::new(EpollFlags::EPOLLIN, STOP)).map_err(ordinary)?;
    for (number, port) in ports.iter().enumerate() {
        let event = EpollEvent::new(EpollFlags::EPOLLIN, number as u64);
        epoll.add(&port.fd, event).map_err(ordinary)?;
    }
    let mut hosts = [None; 256];
    for (number, port) in ports.iter().enumerate() {
        hosts[usize::from(port.host)] = Some(number);
    }
    let worker = Worker {
        offset: wire.offset(),
        _stop: Arc::clone(&stop),
        epoll,
        ports,
        hosts,
        table,
        view: View::default(),
        strays: 0,
        lost: 0,
    };
    thread::Builder::new()
        .name("danso-switch".to_owned())
        .spawn(move || worker.run())
        .map_err(|e| Step::Ordinary.failed_io(&e))?;
    Ok(Forwarder { stop })
}

struct Worker {
    offset: usize,
    /// Kept open: the other half may be dropped first.
    _stop: Arc<EventFd>,
    epoll: Epoll,
    ports: Vec<Port>,
    hosts: [Option<usize>; 256],
    table: Arc<Table>,
    view: View,
    /// Packets to nobody: broadcasts, other networks.
    strays: u64,
    /// Packets the destination's kernel did not take.
    lost: u64,
}

impl Worker {
    fn run(mut self) {
        let mut events = [EpollEvent::empty(); 64];
        let mut buffer = vec![0u8; LONGEST];
        loop {
            let count = match self.epoll.wait(&mut events, EpollTimeout::NONE) {
                Ok(count) => count,
                Err(Errno::EINTR) => continue,
                Err(error) => {
                    tracing::error!(%error, "the switch ends");
                    return;
                }
            };
            for event in &events[..count] {
                if event.data() == STOP {
                    tracing::debug!(strays = self.strays, lost = self.lost, "the switch ends");
                    return;
                }
                self.turn(event.data() as usize, &mut buffer);
            }
        }
    }

    /// Forwards what has come in at this port, up to a limit.
    fn turn(&mut self, from: usize, buffer: &mut [u8]) {
        for _ in 0..TURN {
            match read(&self.ports[from].fd, buffer) {
                Ok(length) => self.forward(from, &buffer[..length]),
                Err(Errno::EAGAIN) => return,
                Err(Errno::EINTR | Errno::ENETDOWN | Errno::ENOBUFS) => {}
                Err(error) => {
                    tracing::error!(port = self.ports[from].host, %error, "a port is gone");
                    let _ = self.epoll.delete(&self.ports[from].fd);
                    return;
                }
            }
        }
    }

    fn forward(&mut self, from: usize, frame: &[u8]) {
        let Some(to) = self.route(frame) else {
            self.strays += 1;
            return;
        };
        let link = from * self.ports.len() + to;
        // Whatever does more to a packet than dropping it must split super-packets and complete
        // checksums first: the receiver trusts what a partial checksum covers.
        if self.table.policy(&mut self.view, link).block != Block::Open {
            self.table.stopped(link);
            return;
        }
        match write(&self.ports[to].fd, frame) {
            Ok(_) => self.table.passed(link),
            Err(error) => {
                self.lost += 1;
                tracing::debug!(port = self.ports[to].host, %error, "a packet is lost");
            }
        }
    }

    fn route(&self, frame: &[u8]) -> Option<usize> {
        let [a, b, c, host] = packet::destination(frame, self.offset)?.octets();
        if [a, b, c] == SUBNET { self.hosts[usize::from(host)] } else { None }
    }
}
