//! From super-packets to packets: what a network card would have made of them. Whatever is done
//! to a packet must be done after this. A super-packet, or a packet whose checksum is left to
//! the card, is trusted by the receiver: a flipped bit would arrive as if it had been sent.

use super::checksum;
use super::packet::{
    self, CWR, FIN, Layout, PSH, TCP, UDP, VNET_HEADER, long, put_long, put_word, word,
};

/// `struct virtio_net_hdr`: the checksum is left to us.
const NEEDS_CHECKSUM: u8 = 1;
/// What kinds of super-packets there are; the flag says that congestion was notified.
const GSO_NONE: u8 = 0;
const GSO_TCP4: u8 = 1;
const GSO_TCP6: u8 = 4;
const GSO_UDP: u8 = 5;
const GSO_ECN: u8 = 0x80;

/// The header in front of a packet.
#[derive(Clone, Copy)]
struct Vnet {
    flags: u8,
    kind: u8,
    /// Payload bytes of each packet of a super-packet.
    size: usize,
    /// Where the checksum begins, from behind this header.
    start: usize,
    /// Where it belongs, from its beginning.
    offset: usize,
}

impl Vnet {
    /// Numbers are in the machine's own order.
    fn of(frame: &[u8]) -> Vnet {
        let native = |at| usize::from(u16::from_ne_bytes([frame[at], frame[at + 1]]));
        Vnet {
            flags: frame[0],
            kind: frame[1] & !GSO_ECN,
            size: native(4),
            start: native(6),
            offset: native(8),
        }
    }

    /// How each packet is made, if this is a super-packet we can take apart.
    fn splits(self, layout: Layout) -> bool {
        match self.kind {
            GSO_TCP4 | GSO_TCP6 => self.size > 0 && layout.is_tcp(),
            GSO_UDP => self.size > 0 && layout.protocol == UDP && !layout.later_fragment,
            _ => false,
        }
    }
}

/// How many packets a frame stands for. The IP packet begins `offset` bytes into it.
pub(super) fn count(frame: &[u8], offset: usize) -> u64 {
    let vnet = Vnet::of(frame);
    if vnet.kind == GSO_NONE {
        return 1;
    }
    match Layout::of(&frame[offset..]) {
        Some(layout) if vnet.splits(layout) => layout.length().div_ceil(vnet.size).max(1) as u64,
        _ => 1,
    }
}

/// Calls `take` with each packet of the frame, headers in front as before, with full checksums.
/// `scratch` is where packets are made; what is in it before and after means nothing.
pub(super) fn each(
    frame: &[u8],
    offset: usize,
    scratch: &mut Vec<u8>,
    mut take: impl FnMut(&mut [u8]),
) {
    let vnet = Vnet::of(frame);
    match Layout::of(&frame[offset..]) {
        Some(layout) if vnet.splits(layout) => {
            split(frame, offset, vnet.size, layout, scratch, take);
        }
        _ => {
            scratch.clear();
            scratch.extend_from_slice(frame);
            complete(scratch, offset, vnet);
            take(scratch);
        }
    }
}

/// Fills in the checksum: the field holds the pseudo header's sum.
fn complete(frame: &mut [u8], offset: usize, vnet: Vnet) {
    frame[..VNET_HEADER].fill(0);
    if vnet.flags & NEEDS_CHECKSUM == 0 {
        return;
    }
    let start = VNET_HEADER + vnet.start;
    let field = start + vnet.offset;
    if field + 2 > frame.len() || start < offset {
        return;
    }
    let mut check = checksum::fold(checksum::sum(&frame[start..]));
    // Zero says that a UDP packet has none.
    if check == 0 && vnet.offset == 6 {
        check = 0xffff;
    }
    put_word(frame, field, check);
}

fn split(
    frame: &[u8],
    offset: usize,
    size: usize,
    layout: Layout,
    scratch: &mut Vec<u8>,
    mut take: impl FnMut(&mut [u8]),
) {
    let headers = offset + layout.payload;
    let payload = &frame[headers..offset + layout.end];
    let whole = &frame[offset..];
    let tcp = layout.protocol == TCP;
    let sequence = if tcp { long(whole, layout.transport + 4) } else { 0 };
    let id = if layout.version == 4 { word(whole, 4) } else { 0 };
    let last = payload.len().div_ceil(size).max(1) - 1;
    for number in 0..=last {
        let start = number * size;
        let piece = &payload[start..payload.len().min(start + size)];
        scratch.clear();
        scratch.extend_from_slice(&frame[..headers]);
        scratch.extend_from_slice(piece);
        scratch[..VNET_HEADER].fill(0);
        let packet = &mut scratch[offset..];
        let end = packet.len();
        if layout.version == 4 {
            put_word(packet, 2, end as u16);
            put_word(packet, 4, id.wrapping_add(number as u16));
            seal_header(packet, layout.transport);
        } else {
            put_word(packet, 4, (end - 40) as u16);
        }
        if tcp {
            put_long(packet, layout.transport + 4, sequence.wrapping_add(start as u32));
            let flags = &mut packet[layout.transport + 13];
            if number < last {
                *flags &= !(FIN | PSH);
            }
            if number > 0 {
                *flags &= !CWR;
            }
        } else {
            put_word(packet, layout.transport + 4, (end - layout.transport) as u16);
        }
        seal(packet, Layout { end, ..layout });
        take(scratch);
    }
}

/// Fills in the checksum of an IPv4 header.
pub(super) fn seal_header(packet: &mut [u8], length: usize) {
    put_word(packet, 10, 0);
    let check = checksum::fold(checksum::sum(&packet[..length]));
    put_word(packet, 10, check);
}

/// Fills in the checksum of a whole TCP, UDP, ICMP or ICMPv6 packet.
pub(super) fn seal(packet: &mut [u8], layout: Layout) {
    let Some(field) = layout.checksum() else { return };
    put_word(packet, field, 0);
    let inner = &packet[layout.transport..layout.end];
    let mut total = checksum::sum(inner);
    if layout.protocol != packet::ICMP {
        total += checksum::pseudo(layout.addresses(packet), layout.protocol, inner.len());
    }
    let mut check = checksum::fold(total);
    if check == 0 && layout.protocol == UDP {
        check = 0xffff;
    }
    put_word(packet, field, check);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::packet::tests::{tcp, transport_checksum, udp};
    use super::super::packet::{ACK, ETHERNET_HEADER};
    use super::*;

    fn is_plain(frame: &[u8]) -> bool {
        let vnet = Vnet::of(frame);
        vnet.kind == GSO_NONE && vnet.flags & NEEDS_CHECKSUM == 0
    }

    /// As the kernel gives it out: header in front, the checksum field holding the pseudo
    /// header's sum only.
    fn frame(packet: &[u8], kind: u8, size: usize, ethernet: bool) -> (Vec<u8>, usize) {
        let front = if ethernet { ETHERNET_HEADER } else { 0 };
        let offset = VNET_HEADER + front;
        let layout = Layout::of(packet).unwrap();
        let field = layout.checksum().unwrap();
        let mut frame = vec![0; offset];
        frame.extend_from_slice(packet);
        let pseudo = checksum::pseudo(
            layout.addresses(packet),
            layout.protocol,
            layout.end - layout.transport,
        );
        put_word(&mut frame, offset + field, !checksum::fold(pseudo));
        (frame[0], frame[1]) = (NEEDS_CHECKSUM, kind);
        frame[4..6].copy_from_slice(&(size as u16).to_ne_bytes());
        let start = (front + layout.transport) as u16;
        frame[6..8].copy_from_slice(&start.to_ne_bytes());
        frame[8..10].copy_from_slice(&((field - layout.transport) as u16).to_ne_bytes());
        (frame, offset)
    }

    fn packets(frame: &[u8], offset: usize) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        each(frame, offset, &mut Vec::new(), |packet| {
            assert!(is_plain(packet));
            all.push(packet[offset..].to_vec());
        });
        assert_eq!(all.len() as u64, count(frame, offset));
        all
    }

    proptest! {
        #[test]
        fn segments_are_the_stream_in_order(
            payload in prop::collection::vec(any::<u8>(), 0..20_000), size in 1..1449usize,
            six in any::<bool>(), ethernet in any::<bool>(), seq in any::<u32>(),
            flags in any::<u8>(),
        ) {
            // SYNs carry no super-packets.
            let flags = flags & !(packet::SYN | packet::RST) | ACK;
            let version = if six { 6 } else { 4 };
            let kind = if six { GSO_TCP6 } else { GSO_TCP4 } | GSO_ECN;
            let original = tcp(version, seq, flags, &payload);
            let (frame, offset) = frame(&original, kind, size, ethernet);
            let all = packets(&frame, offset);
            let mut stream = Vec::new();
            for (number, packet) in all.iter().enumerate() {
                let layout = Layout::of(packet).unwrap();
                prop_assert_eq!(layout.end, packet.len());
                prop_assert_eq!(transport_checksum(packet, layout), 0);
                prop_assert!(layout.length() <= size);
                let at = layout.transport;
                prop_assert_eq!(long(packet, at + 4), seq.wrapping_add(stream.len() as u32));
                let last = number + 1 == all.len();
                let mut expected = flags;
                if !last { expected &= !(FIN | PSH); }
                if number > 0 { expected &= !CWR; }
                prop_assert_eq!(packet[at + 13], expected);
                if !six {
                    prop_assert_eq!(checksum::fold(checksum::sum(&packet[..20])), 0);
                    prop_assert_eq!(word(packet, 4), 0xfffeu16.wrapping_add(number as u16));
                }
                // Whatever else the headers say, they all say.
                prop_assert_eq!(&packet[at..at + 4], &original[at..at + 4]);
                prop_assert_eq!(&packet[at + 8..at + 13], &original[at + 8..at + 13]);
                prop_assert_eq!(layout.addresses(packet), layout.addresses(&original));
                stream.extend_from_slice(&packet[layout.payload..layout.end]);
            }
            prop_assert_eq!(stream, payload);
        }

        #[test]
        fn datagrams_are_the_pieces_in_order(
            payload in prop::collection::vec(any::<u8>(), 1..20_000), size in 1..1400usize,
            six in any::<bool>(),
        ) {
            let (frame, offset) =
                frame(&udp(if six { 6 } else { 4 }, &payload), GSO_UDP, size, false);
            let mut pieces = payload.chunks(size);
            for packet in packets(&frame, offset) {
                let layout = Layout::of(&packet).unwrap();
                prop_assert_eq!(transport_checksum(&packet, layout), 0);
                prop_assert_eq!(usize::from(word(&packet, layout.transport + 4)),
                    layout.end - layout.transport);
                prop_assert_eq!(Some(&packet[layout.payload..layout.end]), pieces.next());
            }
            prop_assert_eq!(pieces.next(), None);
        }

        #[test]
        fn a_checksum_left_to_us_is_filled_in(
            payload in prop::collection::vec(any::<u8>(), 0..1400), six in any::<bool>(),
            of_tcp in any::<bool>(), ethernet in any::<bool>(),
        ) {
            let version = if six { 6 } else { 4 };
            let whole = if of_tcp { tcp(version, 5, ACK, &payload) } else { udp(version, &payload) };
            let (frame, offset) = frame(&whole, GSO_NONE, 0, ethernet);
            prop_assert!(!is_plain(&frame));
            let all = packets(&frame, offset);
            prop_assert_eq!(all.len(), 1);
            let layout = Layout::of(&all[0]).unwrap();
            prop_assert_eq!(transport_checksum(&all[0], layout), 0);
            // To UDP a checksum of 0 means none; to TCP it is one like any other.
            prop_assert!(of_tcp || word(&all[0], layout.checksum().unwrap()) != 0);
        }

        #[test]
        fn no_frame_is_too_strange(frame in prop::collection::vec(any::<u8>(), 24..200)) {
            for offset in [VNET_HEADER, VNET_HEADER + ETHERNET_HEADER] {
                let mut seen = 0;
                each(&frame, offset, &mut Vec::new(), |_| seen += 1);
                prop_assert_eq!(seen, count(&frame, offset));
            }
        }
    }
}
