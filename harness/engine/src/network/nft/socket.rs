//! [`Socket`]: the way to the packet filter of the network namespace it was opened in. A table
//! that was made with its owner's flag disappears with it.

use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::sockopt::{SndBuf, SndBufForce};
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, setsockopt, socket,
};

use super::message::{Messages, answers};

/// The greatest batch: a new table for the most nodes.
const BATCH: usize = 16 << 20;

/// An open socket.
#[derive(Debug)]
pub(super) struct Socket {
    fd: OwnedFd,
}

impl Socket {
    /// Opens one.
    ///
    /// # Errors
    /// If this kernel has no packet filter.
    pub(super) fn open() -> Result<Socket, Errno> {
        let flags = SockFlag::SOCK_CLOEXEC;
        let protocol = SockProtocol::NetlinkNetFilter;
        let fd = socket(AddressFamily::Netlink, SockType::Raw, flags, protocol)?;
        // Without privilege outside a user namespace the buffer stays small, and tables too.
        if setsockopt(&fd, SndBufForce, &BATCH).is_err() {
            setsockopt(&fd, SndBuf, &BATCH)?;
        }
        Ok(Socket { fd })
    }

    /// Has a batch carried out, all of it or nothing.
    ///
    /// # Errors
    /// What the kernel says to the first order it refuses.
    pub(super) fn carry_out(&self, batch: &Messages) -> Result<(), Errno> {
        self.send(batch)?;
        // The kernel has answered when `send` returns: every order, or what was wrong.
        let mut refusal = None;
        let mut acknowledged = false;
        self.receive(|answer| match answer.error {
            Some(0) => acknowledged |= answer.about + 1 == batch.count(),
            Some(code) => refusal = refusal.or(Some(Errno::from_raw(code))),
            None => {}
        })?;
        match refusal {
            Some(refusal) => Err(refusal),
            None if acknowledged => Ok(()),
            None => Err(Errno::EBADMSG),
        }
    }

    /// Asks, and hands the attributes of the answer to `read`.
    ///
    /// # Errors
    /// What the kernel says.
    pub(super) fn ask<T>(
        &self,
        question: &Messages,
        read: impl Fn(&[u8]) -> Option<T>,
    ) -> Result<T, Errno> {
        self.send(question)?;
        let mut answered = Err(Errno::EBADMSG);
        self.receive(|answer| match answer.error {
            Some(0) => {}
            Some(code) => answered = Err(Errno::from_raw(code)),
            None => answered = read(answer.attributes).ok_or(Errno::EBADMSG),
        })?;
        answered
    }

    fn send(&self, messages: &Messages) -> Result<(), Errno> {
        loop {
            match send(self.fd.as_raw_fd(), messages.as_bytes(), MsgFlags::empty()) {
                Ok(_) => return Ok(()),
                Err(Errno::EINTR) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads all there is.
    fn receive(&self, mut hear: impl FnMut(super::message::Answer<'_>)) -> Result<(), Errno> {
        let mut buffer = vec![0_u8; 64 << 10];
        loop {
            match recv(self.fd.as_raw_fd(), &mut buffer, MsgFlags::MSG_DONTWAIT) {
                Ok(length) => answers(&buffer[..length]).for_each(&mut hear),
                Err(Errno::EAGAIN) => return Ok(()),
                Err(Errno::EINTR) => {}
                Err(error) => return Err(error),
            }
        }
    }
}
