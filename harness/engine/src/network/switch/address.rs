//! The addresses of the parties: the same last byte in an IPv4 and an IPv6 subnet.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::network::roster::Roster;
use crate::network::{Ip, Party};

/// Private to the namespaces: two networks with the same addresses never meet.
const SUBNET4: [u8; 3] = [10, 77, 0];
/// A unique local prefix, and no interface identifier but the last byte.
const SUBNET6: [u8; 15] = [0xfd, 0x77, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
/// Length of the IPv4 prefix.
pub(super) const PREFIX4: u8 = 24;
/// Length of the IPv6 prefix.
pub(super) const PREFIX6: u8 = 64;

/// Both addresses of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Addresses {
    pub(super) v4: Ipv4Addr,
    pub(super) v6: Ipv6Addr,
}

/// The addresses of a party.
pub(super) fn of(party: Party) -> Addresses {
    let host = Roster::host(party);
    let [a, b, c] = SUBNET4;
    let mut v6 = [0; 16];
    v6[..15].copy_from_slice(&SUBNET6);
    v6[15] = host;
    Addresses { v4: Ipv4Addr::new(a, b, c, host), v6: v6.into() }
}

impl Addresses {
    /// The one of this version.
    pub(super) fn ip(self, ip: Ip) -> IpAddr {
        match ip {
            Ip::V4 => self.v4.into(),
            Ip::V6 => self.v6.into(),
        }
    }
}

/// The byte that names the party an IP packet is for, if it is for one.
pub(super) fn host(packet: &[u8]) -> Option<u8> {
    match packet.first()? >> 4 {
        4 => {
            let to = packet.get(16..20)?;
            (to[..3] == SUBNET4).then_some(to[3])
        }
        6 => {
            let to = packet.get(24..40)?;
            (to[..15] == SUBNET6).then_some(to[15])
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use danso_vocab::NodeId;

    use super::*;

    #[test]
    fn both_addresses_lead_to_the_party() {
        let addresses = of(Party::Node(NodeId(3)));
        assert_eq!(addresses.ip(Ip::V4).to_string(), "10.77.0.3");
        assert_eq!(addresses.ip(Ip::V6).to_string(), "fd77::3");
        let mut packet = vec![0; 20];
        packet[0] = 0x45;
        packet[16..].copy_from_slice(&addresses.v4.octets());
        assert_eq!(host(&packet), Some(3));
        assert_eq!(host(&packet[..19]), None);
        packet[18] = 1;
        assert_eq!(host(&packet), None);
        let mut packet = vec![0; 40];
        packet[0] = 0x60;
        packet[24..].copy_from_slice(&addresses.v6.octets());
        assert_eq!(host(&packet), Some(3));
        // ff02::16, say.
        packet[24] = 0xff;
        assert_eq!(host(&packet), None);
        assert_eq!(host(&[]), None);
    }
}
