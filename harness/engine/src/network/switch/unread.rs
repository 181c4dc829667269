//! Packets a party sent and the switch never read: the queue between them was full.

use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd};

use nix::errno::Errno;

use super::INTERFACE;
use super::failure::{Failure, Step};
use super::namespace::Namespace;

/// What the party's own interface has dropped of what it was to send, since it was made.
pub(super) fn by_interface(namespace: &Namespace) -> Result<u64, Failure> {
    // The thread's own view of the network, not the process's.
    let text = namespace.run(|| {
        fs::read_to_string("/proc/thread-self/net/dev").map_err(|e| Step::Interface.failed_io(&e))
    })?;
    let strange = Step::Interface.failed_io(&io::ErrorKind::InvalidData.into());
    dropped(&text).ok_or(strange)
}

/// The column of dropped outgoing packets.
fn dropped(text: &str) -> Option<u64> {
    let ours = |line: &&str| line.trim_start().starts_with(INTERFACE);
    let (_, counts) = text.lines().find(ours)?.split_once(':')?;
    counts.split_whitespace().nth(11)?.parse().ok()
}

/// What a packet socket has dropped of what it was to read, since last asked.
pub(super) fn by_socket(socket: &impl AsFd) -> Result<u64, Errno> {
    let mut stats = libc::tpacket_stats { tp_packets: 0, tp_drops: 0 };
    let mut length = size_of_val(&stats) as libc::socklen_t;
    // SAFETY: the descriptor is open, and pointer and length describe `stats`, which outlives the
    // call.
    let done = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_PACKET,
            libc::PACKET_STATISTICS,
            (&raw mut stats).cast(),
            &raw mut length,
        )
    };
    Errno::result(done).map(|_| u64::from(stats.tp_drops))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_column_is_found() {
        let text = "Inter-|   Receive |  Transmit\n face |bytes packets errs drop\n    \
                    lo: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n  \
                    eth0: 10 20 30 40 50 60 70 80 90 100 110 120 130 140 150 160\n";
        assert_eq!(dropped(text), Some(120));
        assert_eq!(dropped("  lo: 1 2\n"), None);
    }
}
