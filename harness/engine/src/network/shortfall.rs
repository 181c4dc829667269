//! [`Shortfall`]: what a network has not carried or not written, without any policy saying so.

use std::fmt;

use super::Party;

/// What a network has not carried, or not written where it should be. All zero on a machine
/// that keeps up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shortfall {
    /// Packets a party's kernel dropped before the network saw them, because too many waited.
    pub unread: Vec<(Party, u64)>,
    /// Packets a receiver's kernel did not take, and those that could not be read.
    pub lost: u64,
    /// Packets to nobody who takes part: broadcasts, other networks.
    pub strays: u64,
    /// Packets that are missing in captures: the file is full or the disk too slow.
    pub uncaptured: u64,
    /// Packets and messages that are missing in the traffic log, for the same reasons.
    pub unlogged: u64,
}

impl Shortfall {
    /// Whether packets vanished that no policy made vanish.
    pub fn is_loss(&self) -> bool {
        self.lost > 0 || self.unread.iter().any(|(_, count)| *count > 0)
    }
}

impl fmt::Display for Shortfall {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words: Vec<String> = self
            .unread
            .iter()
            .filter(|(_, count)| *count > 0)
            .map(|(party, count)| format!("{count} packets of {party} dropped before the switch"))
            .collect();
        for (count, what) in [
            (self.lost, "packets lost by the kernel"),
            (self.strays, "packets to nobody"),
            (self.uncaptured, "packets not captured"),
            (self.unlogged, "messages not in the traffic log"),
        ] {
            if count > 0 {
                words.push(format!("{count} {what}"));
            }
        }
        if words.is_empty() {
            words.push("nothing".to_owned());
        }
        out.write_str(&words.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use danso_vocab::NodeId;

    use super::*;

    #[test]
    fn only_what_is_missing_is_said() {
        let n1 = Party::Node(NodeId(1));
        assert_eq!(Shortfall::default().to_string(), "nothing");
        let some = Shortfall {
            unread: vec![(n1, 7), (Party::Clients, 0)],
            strays: 2,
            ..Shortfall::default()
        };
        assert_eq!(
            some.to_string(),
            "7 packets of n1 dropped before the switch, 2 packets to nobody"
        );
        assert!(some.is_loss() && !Shortfall { strays: 9, ..Shortfall::default() }.is_loss());
    }
}
