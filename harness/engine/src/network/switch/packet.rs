//! What is where in an IP packet, and what is in front of it.

/// `struct virtio_net_hdr`: says whether the packet is a super-packet or lacks its checksum.
/// Forwarded as it is where nothing is done to the packet, because what leaves one kernel enters
/// the same kernel again.
pub(super) const VNET_HEADER: usize = 10;
/// An Ethernet header.
pub(super) const ETHERNET_HEADER: usize = 14;
/// No packet is longer, headers and all: an IPv6 header does not count its own length.
pub(super) const LONGEST: usize = VNET_HEADER + ETHERNET_HEADER + 40 + 65_536;

/// Protocol numbers.
pub(super) const ICMP: u8 = 1;
pub(super) const TCP: u8 = 6;
pub(super) const UDP: u8 = 17;
pub(super) const ICMP6: u8 = 58;

/// TCP flags.
pub(super) const FIN: u8 = 0x01;
pub(super) const SYN: u8 = 0x02;
pub(super) const RST: u8 = 0x04;
pub(super) const PSH: u8 = 0x08;
pub(super) const ACK: u8 = 0x10;
pub(super) const CWR: u8 = 0x80;

/// Where the parts of an IP packet begin. All indices count from the IP header and are within
/// the packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    /// 4 or 6.
    pub(super) version: u8,
    /// What the IP header carries.
    pub(super) protocol: u8,
    /// Where the IP header and its extensions end.
    pub(super) transport: usize,
    /// Where the transport's header ends; `transport` if there is none we know.
    pub(super) payload: usize,
    /// Where the packet ends.
    pub(super) end: usize,
    /// A part of a packet, but not the first: it has no transport header.
    pub(super) later_fragment: bool,
    /// A part of a packet: the checksum covers more than this.
    pub(super) fragment: bool,
}

impl Layout {
    /// Of this packet, if it is one.
    pub(super) fn of(packet: &[u8]) -> Option<Layout> {
        let mut layout = match packet.first()? >> 4 {
            4 => Layout::v4(packet)?,
            6 => Layout::v6(packet)?,
            _ => return None,
        };
        if layout.later_fragment {
            return Some(layout);
        }
        let length = match layout.protocol {
            TCP => usize::from(packet.get(layout.transport + 12)? >> 4) * 4,
            UDP | ICMP | ICMP6 => 8,
            _ => 0,
        };
        let shortest = if layout.protocol == TCP { 20 } else { 0 };
        layout.payload = layout.transport + length;
        (length >= shortest && layout.payload <= layout.end).then_some(layout)
    }

    fn v4(packet: &[u8]) -> Option<Layout> {
        let header = packet.get(..20)?;
        let transport = usize::from(header[0] & 15) * 4;
        let end = usize::from(word(header, 2));
        let place = word(header, 6);
        let sound = (20..=end).contains(&transport) && end <= packet.len();
        sound.then_some(Layout {
            version: 4,
            protocol: header[9],
            transport,
            payload: transport,
            end,
            later_fragment: place & 0x1fff != 0,
            fragment: place & 0x3fff != 0,
        })
    }

    fn v6(packet: &[u8]) -> Option<Layout> {
        let header = packet.get(..40)?;
        let end = 40 + usize::from(word(header, 4));
        let mut layout = Layout {
            version: 6,
            protocol: header[6],
            transport: 40,
            payload: 40,
            end,
            later_fragment: false,
            fragment: false,
        };
        // Extension headers: options, routing, fragment. Each is at least eight bytes long, so
        // this ends.
        while matches!(layout.protocol, 0 | 43 | 44 | 60) && !layout.later_fragment {
            let extension = packet.get(layout.transport..layout.transport + 8)?;
            let length = match layout.protocol {
                44 => {
                    layout.fragment = word(extension, 2) & 0xfff9 != 0;
                    layout.later_fragment = word(extension, 2) & 0xfff8 != 0;
                    8
                }
                _ => (usize::from(extension[1]) + 1) * 8,
            };
            layout.protocol = extension[0];
            layout.transport += length;
        }
        layout.payload = layout.transport;
        (layout.transport <= end && end <= packet.len()).then_some(layout)
    }

    /// Source and destination address, side by side as the pseudo header has them.
    pub(super) fn addresses(self, packet: &[u8]) -> &[u8] {
        if self.version == 4 { &packet[12..20] } else { &packet[8..40] }
    }

    /// Whether there is a TCP header.
    pub(super) fn is_tcp(self) -> bool {
        self.protocol == TCP && !self.later_fragment
    }

    /// The TCP flags; none if it is not TCP.
    pub(super) fn flags(self, packet: &[u8]) -> u8 {
        if self.is_tcp() { packet[self.transport + 13] } else { 0 }
    }

    /// Source and destination port, where the protocol has them.
    pub(super) fn ports(self, packet: &[u8]) -> (u16, u16) {
        if matches!(self.protocol, TCP | UDP) && !self.later_fragment {
            (word(packet, self.transport), word(packet, self.transport + 2))
        } else {
            (0, 0)
        }
    }

    /// Where the transport's checksum is, if this packet has it.
    pub(super) fn checksum(self) -> Option<usize> {
        let offset = match self.protocol {
            TCP => 16,
            UDP => 6,
            ICMP | ICMP6 => 2,
            _ => return None,
        };
        (!self.later_fragment).then_some(self.transport + offset)
    }

    /// Bytes behind the transport header.
    pub(super) fn length(self) -> usize {
        self.end - self.payload
    }
}

/// The big-endian word at `at`.
pub(super) fn word(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

/// Writes a big-endian word.
pub(super) fn put_word(bytes: &mut [u8], at: usize, word: u16) {
    bytes[at..at + 2].copy_from_slice(&word.to_be_bytes());
}

/// The big-endian double word at `at`.
pub(super) fn long(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// Writes a big-endian double word.
pub(super) fn put_long(bytes: &mut [u8], at: usize, long: u32) {
    bytes[at..at + 4].copy_from_slice(&long.to_be_bytes());
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::network::switch::checksum;

    /// A TCP packet from host 1 to host 2 with a right checksum.
    pub(in crate::network::switch) fn tcp(
        version: u8,
        seq: u32,
        flags: u8,
        payload: &[u8],
    ) -> Vec<u8> {
        let mut segment = vec![0; 20 + payload.len()];
        put_word(&mut segment, 0, 4000);
        put_word(&mut segment, 2, 7411);
        put_long(&mut segment, 4, seq);
        put_long(&mut segment, 8, 0x0102_0304);
        segment[12] = 5 << 4;
        segment[13] = flags;
        put_word(&mut segment, 14, 0x7fff);
        segment[20..].copy_from_slice(payload);
        ip(version, TCP, &segment)
    }

    /// A UDP packet.
    pub(in crate::network::switch) fn udp(version: u8, payload: &[u8]) -> Vec<u8> {
        let mut datagram = vec![0; 8 + payload.len()];
        put_word(&mut datagram, 0, 4000);
        put_word(&mut datagram, 2, 7411);
        put_word(&mut datagram, 4, (8 + payload.len()) as u16);
        datagram[8..].copy_from_slice(payload);
        ip(version, UDP, &datagram)
    }

    fn ip(version: u8, protocol: u8, inner: &[u8]) -> Vec<u8> {
        let header = if version == 4 { 20 } else { 40 };
        let mut packet = vec![0; header];
        packet.extend_from_slice(inner);
        let length = packet.len();
        if version == 4 {
            packet[0] = 0x45;
            put_word(&mut packet, 2, length as u16);
            put_word(&mut packet, 4, 0xfffe);
            packet[8] = 64;
            packet[9] = protocol;
            packet[12..16].copy_from_slice(&[10, 77, 0, 1]);
            packet[16..20].copy_from_slice(&[10, 77, 0, 2]);
            let check = checksum::fold(checksum::sum(&packet[..20]));
            put_word(&mut packet, 10, check);
        } else {
            packet[0] = 0x60;
            put_word(&mut packet, 4, inner.len() as u16);
            packet[6] = protocol;
            packet[7] = 64;
            (packet[8], packet[9], packet[23]) = (0xfd, 0x77, 1);
            (packet[24], packet[25], packet[39]) = (0xfd, 0x77, 2);
        }
        let layout = Layout::of(&packet).unwrap();
        let check = transport_checksum(&packet, layout);
        put_word(&mut packet, layout.checksum().unwrap(), check);
        packet
    }

    /// What the transport's checksum field should say if it were zero; 0 if it is right.
    pub(in crate::network::switch) fn transport_checksum(packet: &[u8], layout: Layout) -> u16 {
        let inner = &packet[layout.transport..layout.end];
        let pseudo = checksum::pseudo(layout.addresses(packet), layout.protocol, inner.len());
        checksum::fold(pseudo + checksum::sum(inner))
    }

    #[test]
    fn parts_are_found() {
        for (version, transport) in [(4, 20), (6, 40)] {
            let packet = tcp(version, 1, PSH | ACK, b"hello");
            let layout = Layout::of(&packet).unwrap();
            assert_eq!((layout.transport, layout.payload), (transport, transport + 20));
            assert_eq!((layout.length(), layout.ports(&packet)), (5, (4000, 7411)));
            assert_eq!(layout.flags(&packet), PSH | ACK);
            let packet = udp(version, b"hello!");
            let layout = Layout::of(&packet).unwrap();
            assert_eq!((layout.length(), layout.flags(&packet)), (6, 0));
        }
    }

    #[test]
    fn extensions_and_fragments_are_known() {
        let mut packet = udp(6, &[7; 32]);
        // The datagram becomes a fragment header and what it carries.
        packet[6] = 44;
        packet[40..48].copy_from_slice(&[UDP, 0, 0, 1, 0, 0, 0, 9]);
        let first = Layout::of(&packet).unwrap();
        assert_eq!((first.protocol, first.transport), (UDP, 48));
        assert!(first.fragment && !first.later_fragment);
        packet[43] = 8;
        let later = Layout::of(&packet).unwrap();
        assert!(later.later_fragment && later.checksum().is_none());
        let mut packet = udp(4, &[7; 32]);
        put_word(&mut packet, 6, 0x2000);
        assert!(Layout::of(&packet).unwrap().fragment);
        put_word(&mut packet, 6, 0x0003);
        assert!(Layout::of(&packet).unwrap().later_fragment);
    }

    proptest! {
        /// Nodes may send anything.
        #[test]
        fn no_packet_is_too_strange(
            mut packet in prop::collection::vec(any::<u8>(), 0..120), six in any::<bool>(),
            sane in any::<bool>(),
        ) {
            if let Some(first) = packet.first_mut() {
                *first = if six { 0x60 } else { 0x45 };
            }
            if sane && packet.len() > 40 {
                let length = packet.len() as u16;
                if six { put_word(&mut packet, 4, length - 40) }
                else { put_word(&mut packet, 2, length) }
            }
            if let Some(layout) = Layout::of(&packet) {
                prop_assert!(layout.transport <= layout.payload && layout.payload <= layout.end);
                prop_assert!(layout.end <= packet.len());
                let _ = (layout.flags(&packet), layout.ports(&packet), layout.addresses(&packet));
                if let Some(at) = layout.checksum() {
                    prop_assert!(at + 2 <= layout.payload);
                }
            }
        }
    }
}
