//! [`Gate`]: where packets leave the switch, and where they are counted.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use nix::errno::Errno;
use nix::unistd::write;

use super::lane::{Exit, Journey};
use super::segment;
use super::table::Table;

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
}

impl Gate {
    /// The exit of one link.
    pub(super) fn door(&mut self, from: usize, to: usize) -> Door<'_> {
        Door { link: from * self.ports.len() + to, from, to, gate: self }
    }

    /// Hands a frame to a party; whether its kernel took it.
    fn hand(&self, to: usize, frame: &[u8]) -> bool {
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

impl Exit for Door<'_> {
    fn deliver(&mut self, frame: &[u8], _journey: Journey) {
        if self.gate.hand(self.to, frame) {
            let packets = segment::count(frame, self.gate.offset);
            self.gate.table.passed(self.link, packets);
        }
    }

    fn answer(&mut self, frame: &[u8]) {
        self.gate.hand(self.from, frame);
    }

    fn stop(&mut self, frame: &[u8], _journey: Journey, _refused: bool) {
        self.gate.table.stopped(self.link, segment::count(frame, self.gate.offset));
    }

    fn touch(&mut self) {
        self.gate.table.touched(self.link);
    }

    fn hold(&mut self, frame: &[u8], _journey: Journey) {
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
