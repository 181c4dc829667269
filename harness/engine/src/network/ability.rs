//! [`Ability`]: what a backend can do to a link. A table, so that a fault can be refused when
//! planning, before anything is opened.

use std::fmt;

use super::Backend;

/// Something that can be done to a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ability {
    /// Nothing passes, nobody is told.
    Cut,
    /// One direction is cut, the other is not; acknowledgements count as traffic.
    OneWay,
    /// Nothing passes, and the sender is told.
    Reject,
    /// Traffic waits and passes later.
    Hold,
    /// Connections are reset.
    Reset,
    /// The end of a connection arrives late.
    Linger,
    /// Traffic arrives late.
    Delay,
    /// Only so much passes per second.
    Bandwidth,
    /// Packets vanish.
    Loss,
    /// Packets arrive twice.
    Duplicate,
    /// Packets overtake one another.
    Reorder,
    /// Bits flip.
    Corrupt,
    /// Long packets vanish.
    Longest,
    /// HTTP responses come out wrong.
    Http,
    /// All of this holds for UDP too, not for TCP only.
    Udp,
    /// Nodes may have IPv6 addresses.
    Ipv6,
    /// Traffic can be written to a file.
    Capture,
}

impl Ability {
    /// All, in the order tables show them.
    pub const ALL: [Ability; 17] = [
        Ability::Cut,
        Ability::OneWay,
        Ability::Reject,
        Ability::Hold,
        Ability::Reset,
        Ability::Linger,
        Ability::Delay,
        Ability::Bandwidth,
        Ability::Loss,
        Ability::Duplicate,
        Ability::Reorder,
        Ability::Corrupt,
        Ability::Longest,
        Ability::Http,
        Ability::Udp,
        Ability::Ipv6,
        Ability::Capture,
    ];

    /// The word in tables and errors.
    pub fn word(self) -> &'static str {
        match self {
            Ability::Cut => "cut",
            Ability::OneWay => "one-way cut",
            Ability::Reject => "reject",
            Ability::Hold => "hold and release",
            Ability::Reset => "reset",
            Ability::Linger => "slow close",
            Ability::Delay => "delay",
            Ability::Bandwidth => "bandwidth",
            Ability::Loss => "loss",
            Ability::Duplicate => "duplicate",
            Ability::Reorder => "reorder",
            Ability::Corrupt => "corrupt",
            Ability::Longest => "blackhole of long packets",
            Ability::Http => "HTTP faults",
            Ability::Udp => "UDP",
            Ability::Ipv6 => "IPv6",
            Ability::Capture => "capture",
        }
    }
}

impl fmt::Display for Ability {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.word())
    }
}

impl Backend {
    /// All that `--network` can choose, best first.
    pub const ALL: [Backend; 4] = [Backend::Switch, Backend::Nft, Backend::Proxy, Backend::None];

    /// Whether links of this backend can have that done to them.
    pub fn can(self, ability: Ability) -> bool {
        match self {
            // What an HTTP response is, a packet does not know.
            Backend::Switch => !matches!(ability, Ability::Http),
            // Rules of the kernel let packets pass or not, and know no later.
            Backend::Nft => matches!(
                ability,
                Ability::Cut
                    | Ability::OneWay
                    | Ability::Reject
                    | Ability::Bandwidth
                    | Ability::Loss
                    | Ability::Longest
                    | Ability::Udp
            ),
            // A relay sees bytes of connections, never the packets and acknowledgements that
            // carry them.
            Backend::Proxy => matches!(
                ability,
                Ability::Cut
                    | Ability::Reject
                    | Ability::Hold
                    | Ability::Reset
                    | Ability::Linger
                    | Ability::Delay
                    | Ability::Bandwidth
                    | Ability::Http
            ),
            Backend::None => matches!(ability, Ability::Udp),
            // As `nft`; but a real interface merges packets before the filter sees how long they
            // were.
            Backend::Hosts => matches!(
                ability,
                Ability::Cut
                    | Ability::OneWay
                    | Ability::Reject
                    | Ability::Bandwidth
                    | Ability::Loss
                    | Ability::Udp
            ),
        }
    }

    /// The backends that can, for error messages: `switch or proxy`.
    pub fn who_can(ability: Ability) -> String {
        let can = Backend::ALL.into_iter().filter(|b| b.can(ability));
        can.map(Backend::word).collect::<Vec<_>>().join(" or ")
    }
}

/// What each backend can do to links: a row for each ability, and in it whether the backends can,
/// in the order of [`Backend::ALL`].
pub fn table() -> [(Ability, [bool; Backend::ALL.len()]); Ability::ALL.len()] {
    Ability::ALL.map(|ability| (ability, Backend::ALL.map(|backend| backend.can(ability))))
}

/// The same for people, in columns of even width.
pub fn table_text() -> String {
    let first = Ability::ALL.map(|ability| ability.word().len()).into_iter().max().unwrap_or(0);
    let mut text = format!("{:first$}", "");
    for backend in Backend::ALL {
        text += &format!("  {:>6}", backend.word());
    }
    for (ability, can) in table() {
        text += &format!("\n{:first$}", ability.word());
        for can in can {
            text += &format!("  {:>6}", if can { "yes" } else { "-" });
        }
    }
    text + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_says_what_the_backends_say() {
        for (ability, can) in table() {
            for (backend, can) in Backend::ALL.into_iter().zip(can) {
                assert_eq!(can, backend.can(ability), "{backend:?} {ability:?}");
            }
        }
        let text = table_text();
        assert_eq!(text.lines().count(), Ability::ALL.len() + 1);
        let widths: Vec<_> = text.lines().map(|line| line.trim_end().len()).collect();
        assert!(widths.iter().all(|width| *width == widths[0]), "{text}");
        let row = text.lines().find(|line| line.starts_with("HTTP")).unwrap();
        assert_eq!(row.split_whitespace().collect::<Vec<_>>()[2..], ["-", "-", "yes", "-"]);
    }

    #[test]
    fn what_cannot_be_done_to_streams_is_refused_there() {
        assert!(!Backend::Proxy.can(Ability::OneWay));
        assert_eq!(Backend::who_can(Ability::OneWay), "switch or nft");
        assert_eq!(Backend::who_can(Ability::Http), "proxy");
    }
}
