//! [`Message`]: who sent how much to whom over the network, when, and what became of it. The
//! lines of a space-time diagram.

use std::fmt;

/// Packets that one end of a connection sent to the other in one go, with one fate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// When the first of its packets was sent, ns since the network was opened.
    pub sent: u64,
    /// When the first of its packets arrived; `None` if none did.
    pub arrived: Option<u64>,
    /// Who sent it: a node, `clients`, `control`.
    pub from: String,
    /// Who was to get it.
    pub to: String,
    /// `tcp`, `udp`, `icmp`, or a number.
    pub protocol: String,
    /// Source and destination port; 0 where there are none.
    pub ports: (u16, u16),
    /// What it carries, without any header, bytes.
    pub bytes: u64,
    /// Its packets.
    pub packets: u64,
    /// TCP flags that were set in any of them, out of `S` (it opens), `F` (it closes), `R` (it
    /// resets); empty if none was.
    pub flags: String,
    /// What became of it.
    pub fate: Fate,
}

/// What became of a packet. Where several things did, the last in this list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fate {
    /// It arrived as it was sent.
    Passed,
    /// It arrived late.
    Delayed,
    /// It waited for its link to open.
    Held,
    /// It arrived after one that was sent later, or before one that was sent earlier.
    Reordered,
    /// It arrived twice.
    Doubled,
    /// It arrived with a wrong bit.
    Corrupted,
    /// It was answered by a reset to both ends.
    Reset,
    /// It was refused, and its sender told.
    Rejected,
    /// It vanished.
    Dropped,
}

impl Fate {
    /// All of them.
    pub const ALL: [Fate; 9] = [
        Fate::Passed,
        Fate::Delayed,
        Fate::Held,
        Fate::Reordered,
        Fate::Doubled,
        Fate::Corrupted,
        Fate::Reset,
        Fate::Rejected,
        Fate::Dropped,
    ];

    /// The word in files and reports.
    pub fn word(self) -> &'static str {
        match self {
            Fate::Passed => "passed",
            Fate::Delayed => "delayed",
            Fate::Held => "held",
            Fate::Reordered => "reordered",
            Fate::Doubled => "doubled",
            Fate::Corrupted => "corrupted",
            Fate::Reset => "reset",
            Fate::Rejected => "rejected",
            Fate::Dropped => "dropped",
        }
    }
}

impl fmt::Display for Fate {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.word())
    }
}
