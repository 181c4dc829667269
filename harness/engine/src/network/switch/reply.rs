//! What a router or a peer would answer to a packet that is refused: resets and "unreachable".

use super::packet::{
    ACK, FIN, ICMP, ICMP6, Layout, RST, SYN, TCP, UDP, VNET_HEADER, long, put_long, put_word,
};
use super::segment::{seal, seal_header};

const TTL: u8 = 64;
/// The most of a packet an error may quote: what fits the smallest packet that must pass.
const QUOTE4: usize = 576 - 20 - 8;
const QUOTE6: usize = 1280 - 40 - 8;

/// The refusal its sender gets for the packet in `frame`: a reset for TCP, else "unreachable".
/// Nothing where a refusal would be answered by another.
pub(super) fn refusal(frame: &[u8], offset: usize) -> Option<Vec<u8>> {
    let layout = Layout::of(&frame[offset..])?;
    if layout.is_tcp() { reset(frame, offset, layout) } else { unreachable(frame, offset, layout) }
}

/// A reset for the sender of a TCP segment, as if its peer had answered it.
pub(super) fn reset(frame: &[u8], offset: usize, layout: Layout) -> Option<Vec<u8>> {
    let packet = &frame[offset..];
    let flags = layout.flags(packet);
    if !layout.is_tcp() || flags & RST != 0 {
        return None;
    }
    // RFC 9293, section 3.10.7.1.
    let (mut sequence, mut acknowledged, mut answer) = (0, 0, RST);
    if flags & ACK != 0 {
        sequence = long(packet, layout.transport + 8);
    } else {
        let ends = u32::from(flags & SYN != 0) + u32::from(flags & FIN != 0);
        acknowledged = long(packet, layout.transport + 4)
            .wrapping_add(layout.length() as u32)
            .wrapping_add(ends);
        answer |= ACK;
    }
    let mut segment = [0; 20];
    segment[..2].copy_from_slice(&packet[layout.transport + 2..layout.transport + 4]);
    segment[2..4].copy_from_slice(&packet[layout.transport..layout.transport + 2]);
    put_long(&mut segment, 4, sequence);
    put_long(&mut segment, 8, acknowledged);
    (segment[12], segment[13]) = (5 << 4, answer);
    Some(back(frame, offset, layout, TCP, &segment))
}

/// A reset for the receiver of a TCP segment, in place of the segment.
pub(super) fn abort(frame: &[u8], offset: usize, layout: Layout) -> Vec<u8> {
    let packet = &frame[offset..];
    let mut segment = [0; 20];
    segment[..12].copy_from_slice(&packet[layout.transport..layout.transport + 12]);
    (segment[12], segment[13]) = (5 << 4, RST | layout.flags(packet) & ACK);
    let mut addresses = [0; 32];
    let width = layout.addresses(packet).len();
    addresses[..width].copy_from_slice(layout.addresses(packet));
    build(frame, offset, layout.version, TCP, &addresses[..width], &segment)
}

fn unreachable(frame: &[u8], offset: usize, layout: Layout) -> Option<Vec<u8>> {
    let packet = &frame[offset..offset + layout.end];
    let kind = packet.get(layout.transport).copied();
    let is_error = match layout.protocol {
        ICMP => kind.is_none_or(|kind| matches!(kind, 3 | 4 | 5 | 11 | 12)),
        ICMP6 => kind.is_none_or(|kind| kind < 128),
        _ => false,
    };
    if layout.later_fragment || is_error {
        return None;
    }
    // A port where there are ports: a sender with a connected socket is told so. Else
    // "administratively prohibited".
    let (protocol, kind, code, quote) = match (layout.version, layout.protocol) {
        (4, UDP) => (ICMP, 3, 3, QUOTE4),
        (4, _) => (ICMP, 3, 13, QUOTE4),
        (_, UDP) => (ICMP6, 1, 4, QUOTE6),
        _ => (ICMP6, 1, 1, QUOTE6),
    };
    let mut error = vec![kind, code, 0, 0, 0, 0, 0, 0];
    error.extend_from_slice(&packet[..packet.len().min(quote)]);
    Some(back(frame, offset, layout, protocol, &error))
}

/// A packet from the destination of `frame` to its source.
fn back(frame: &[u8], offset: usize, layout: Layout, protocol: u8, inner: &[u8]) -> Vec<u8> {
    let addresses = layout.addresses(&frame[offset..]);
    let (source, destination) = addresses.split_at(addresses.len() / 2);
    let turned = [destination, source].concat();
    build(frame, offset, layout.version, protocol, &turned, inner)
}

/// A packet with the headers of `frame` in front of it: hardware addresses are all alike.
fn build(
    frame: &[u8],
    offset: usize,
    version: u8,
    protocol: u8,
    addresses: &[u8],
    inner: &[u8],
) -> Vec<u8> {
    let header = if version == 4 { 20 } else { 40 };
    let mut answer = frame[..offset].to_vec();
    answer[..VNET_HEADER].fill(0);
    answer.resize(offset + header, 0);
    answer.extend_from_slice(inner);
    let packet = &mut answer[offset..];
    let end = packet.len();
    if version == 4 {
        packet[0] = 0x45;
        put_word(packet, 2, end as u16);
        // Never to be taken apart.
        put_word(packet, 6, 0x4000);
        (packet[8], packet[9]) = (TTL, protocol);
        packet[12..20].copy_from_slice(addresses);
        seal_header(packet, 20);
    } else {
        packet[0] = 0x60;
        put_word(packet, 4, inner.len() as u16);
        (packet[6], packet[7]) = (protocol, TTL);
        packet[8..40].copy_from_slice(addresses);
    }
    if let Some(layout) = Layout::of(packet) {
        seal(packet, layout);
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::super::packet::tests::{tcp, transport_checksum, udp};
    use super::super::packet::{PSH, word};
    use super::*;

    fn framed(packet: &[u8]) -> Vec<u8> {
        [&[0; VNET_HEADER], packet].concat()
    }

    #[test]
    fn a_reset_fits_the_segment() {
        for version in [4, 6] {
            let segment = tcp(version, 77, PSH | ACK, b"abc");
            let answer = refusal(&framed(&segment), VNET_HEADER).unwrap();
            let packet = &answer[VNET_HEADER..];
            let layout = Layout::of(packet).unwrap();
            assert_eq!(transport_checksum(packet, layout), 0);
            assert_eq!((layout.flags(packet), layout.ports(packet)), (RST, (7411, 4000)));
            assert_eq!(long(packet, layout.transport + 4), 0x0102_0304);
            assert_eq!(refusal(&answer, VNET_HEADER), None, "a reset is not answered");

            let opening = tcp(version, 77, SYN, b"");
            let answer = refusal(&framed(&opening), VNET_HEADER).unwrap();
            let packet = &answer[VNET_HEADER..];
            assert_eq!(layout.flags(packet), RST | ACK);
            assert_eq!(long(packet, layout.transport + 8), 78);

            let there = abort(&framed(&segment), VNET_HEADER, Layout::of(&segment).unwrap());
            let packet = &there[VNET_HEADER..];
            let layout = Layout::of(packet).unwrap();
            assert_eq!(transport_checksum(packet, layout), 0);
            assert_eq!((layout.flags(packet), layout.ports(packet)), (RST | ACK, (4000, 7411)));
            assert_eq!(long(packet, layout.transport + 4), 77);
        }
    }

    #[test]
    fn unreachable_quotes_the_packet() {
        for (version, kind, code) in [(4, 3, 3), (6, 1, 4)] {
            let datagram = udp(version, &[9; 1400]);
            let answer = refusal(&framed(&datagram), VNET_HEADER).unwrap();
            let packet = &answer[VNET_HEADER..];
            let layout = Layout::of(packet).unwrap();
            let at = layout.transport;
            assert_eq!((packet[at], packet[at + 1]), (kind, code));
            assert!(packet.len() <= if version == 4 { 576 } else { 1280 });
            assert_eq!(&packet[at + 8..at + 48], &datagram[..40]);
            if version == 6 {
                assert_eq!(transport_checksum(packet, layout), 0);
            } else {
                let check = super::super::checksum::sum(&packet[at..]);
                assert_eq!(super::super::checksum::fold(check), 0);
                assert_eq!(word(packet, 2), packet.len() as u16);
            }
            assert_eq!(refusal(&answer, VNET_HEADER), None, "an error is not answered");
        }
    }
}
