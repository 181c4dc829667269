//! [`Pcap`]: a file that packet analysers read.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use nix::time::{ClockId, clock_gettime};

/// Nanosecond timestamps, numbers in little-endian order.
const MAGIC: u32 = 0xa1b2_3c4d;
/// Packets begin with an IP header.
const LINKTYPE_RAW: u32 = 101;
/// No packet is longer.
const SNAP: u32 = 262_144;

/// A capture of one interface.
pub(super) struct Pcap {
    out: BufWriter<File>,
    path: PathBuf,
    left: u64,
    /// What to add to a monotonic time to have the time of day, nanoseconds.
    epoch: u64,
}

impl Pcap {
    /// Begins a file of at most so many bytes. `now` on the monotonic clock is now.
    pub(super) fn create(path: &Path, now: u64, most: u64) -> io::Result<Pcap> {
        // An analyser shows the time of day, beside which a node's own log can be laid.
        let day = clock_gettime(ClockId::CLOCK_REALTIME)?;
        let day = day.tv_sec() as u64 * 1_000_000_000 + day.tv_nsec() as u64;
        let mut out = BufWriter::with_capacity(1 << 16, File::create(path)?);
        // Version 2.4, no time zone, no accuracy.
        for word in [MAGIC, 0x0004_0002, 0, 0, SNAP, LINKTYPE_RAW] {
            out.write_all(&word.to_le_bytes())?;
        }
        Ok(Pcap { out, path: path.to_owned(), left: most, epoch: day.saturating_sub(now) })
    }

    /// Appends a packet; whether there was room.
    pub(super) fn packet(&mut self, at: u64, packet: &[u8]) -> io::Result<bool> {
        let cost = 16 + packet.len() as u64;
        if cost > self.left {
            // Nothing shorter either: a capture with holes misleads.
            if self.left > 0 {
                tracing::warn!(path = %self.path.display(), "a capture is full, and ends here");
            }
            self.left = 0;
            return Ok(false);
        }
        self.left -= cost;
        let time = self.epoch + at;
        let length = packet.len() as u32;
        for word in [(time / 1_000_000_000) as u32, (time % 1_000_000_000) as u32, length, length] {
            self.out.write_all(&word.to_le_bytes())?;
        }
        self.out.write_all(packet)?;
        Ok(true)
    }

    /// Whether it takes no more.
    pub(super) fn is_full(&self) -> bool {
        self.left == 0
    }

    /// Hands on what has been written so far.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_file_takes_no_more_and_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("n1.pcap");
        let mut pcap = Pcap::create(&path, 5, 2 * (16 + 40) + 30).unwrap();
        assert!(pcap.packet(1_000_000_006, &[0x45; 40]).unwrap());
        assert!(pcap.packet(7, &[0x45; 40]).unwrap());
        assert!(!pcap.packet(8, &[0x45; 40]).unwrap());
        assert!(!pcap.packet(9, &[0x45; 1]).unwrap(), "no holes");
        pcap.flush().unwrap();
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(bytes.len(), 24 + 2 * (16 + 40));
        let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        assert_eq!((word(0), word(20), word(32), word(36)), (0xa1b2_3c4d, 101, 40, 40));
        // A second and a nanosecond before the other.
        assert!(word(24) > word(80) && word(28) < 1_000_000_000);
    }
}
