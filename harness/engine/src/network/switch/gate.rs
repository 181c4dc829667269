//! [`Gate`]: where packets leave the switch, and where they are counted.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use danso_vocab::traffic::Fate;
use nix::errno::Errno;
use nix::unistd::write;

use super::journey::{Exit, Journey};
use super::table::Table;
use super::tap::Tap;
use super::{now, segment};

/// What may wait on all links together, bytes.
const MOST_WAITING: usize = 512 << 20;

/// A port: its file descriptor and the last byte of its address.
#[derive(Debug)]
pub(super) struct Port {
    pub(super) fd: OwnedFd,
    pub(super) host: u8,
}

/// All ports, from outside.
pub(super) struct Gate {
    /// Where the IP packet starts in a frame.
    pub(super) offset: usize,
    pub(super) ports: Arc<Vec<Port>>,
    pub(super) table: Arc<Table>,
    /// Bytes that wait.
    pub(super) waiting: usize,
    pub(super) tap: Option<Tap>,
}

impl Gate {
    /// The exit of one link.
    pub(super) fn door(&mut self, from: usize, to: usize) -> Door<'_> {
        Door { link: from * self.ports.len() + to, from, to, gate: self }
    }

    /// Hands a frame to a party; whether its kernel took it.
    fn hand(&mut self, to: usize, frame: &[u8]) -> bool {
        if let Some(tap) = &mut self.tap {
            tap.frame(to, now(), frame);
        }
        loop {
            match write(&self.ports[to].fd, frame) {
                Ok(_) => return true,
                Err(Errno::EINTR) => {}
                Err(error) => {
                    self.table.lost.fetch_add(1, Ordering::Relaxed);
                    tracing::debug!(port = self.ports[to].host, %error, "a packet is lost");
                    return false;
                }
            }
        }
    }
}

/// The exit of one link.
pub(super) struct Door<'a> {
    gate: &'a mut Gate,
    link: usize,
    from: usize,
    to: usize,
}

impl Door<'_> {
    fn log(&mut self, frame: &[u8], journey: Journey, ends: Option<Fate>) {
        if let Some(tap) = &mut self.gate.tap {
            tap.fate(self.link, now(), frame, journey, ends);
        }
    }
}

impl Exit for Door<'_> {
    fn deliver(&mut self, frame: &[u8], journey: Journey) {
        if self.gate.hand(self.to, frame) {
            let packets = segment::count(frame, self.gate.offset);
            self.gate.table.passed(self.link, packets);
            self.log(frame, journey, None);
        } else {
            self.log(frame, journey, Some(Fate::Dropped));
        }
    }

    fn answer(&mut self, frame: &[u8]) {
        self.gate.hand(self.from, frame);
    }

    fn stop(&mut self, frame: &[u8], journey: Journey, refused: bool) {
        self.gate.table.stopped(self.link, segment::count(frame, self.gate.offset));
        self.log(frame, journey, Some(if refused { Fate::Rejected } else { Fate::Dropped }));
    }

    fn discard(&mut self, frame: &[u8], journey: Journey) {
        self.log(frame, journey, Some(Fate::Dropped));
    }

    fn touch(&mut self) {
        self.gate.table.touched(self.link);
    }

    fn hold(&mut self, frame: &[u8]) {
        self.gate.table.stopped(self.link, segment::count(frame, self.gate.offset));
    }

    fn reserve(&mut self, bytes: usize) -> bool {
        let granted = self.gate.waiting + bytes <= MOST_WAITING;
        self.gate.waiting += if granted { bytes } else { 0 };
        granted
    }

    fn release(&mut self, bytes: usize) {
        self.gate.waiting -= bytes;
    }
}
