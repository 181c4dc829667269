//! Flipped bits.

use danso_vocab::Rng;

use super::checksum;
use super::packet::{Layout, UDP, put_word, word};

/// Flips one bit behind the IP header; the receiver's checksum tells. Returns whether it did.
pub(super) fn flip(packet: &mut [u8], layout: Layout, rng: &mut Rng) -> bool {
    flip_within(packet, layout.transport, layout.end, rng).is_some()
}

/// Flips one bit of the payload and makes the checksum fit. Returns whether it did: not without a
/// payload, nor in a part of a packet that does not have the checksum.
pub(super) fn flip_believably(packet: &mut [u8], layout: Layout, rng: &mut Rng) -> bool {
    let Some(field) = layout.checksum() else { return false };
    // Pairs of bytes count from where the checksum begins to count.
    let pair = |packet: &[u8], at: usize| {
        let at = at - (at - layout.transport) % 2;
        let low = if at + 1 < layout.end { packet[at + 1] } else { 0 };
        u16::from_be_bytes([packet[at], low])
    };
    let before = packet.to_vec();
    let Some(at) = flip_within(packet, layout.payload, layout.end, rng) else { return false };
    let check = word(packet, field);
    // A UDP checksum of zero is none.
    if layout.protocol == UDP && check == 0 {
        return true;
    }
    let fits = match checksum::adjust(check, pair(&before, at), pair(packet, at)) {
        0 if layout.protocol == UDP => 0xffff,
        fits => fits,
    };
    put_word(packet, field, fits);
    true
}

fn flip_within(packet: &mut [u8], start: usize, end: usize, rng: &mut Rng) -> Option<usize> {
    if start >= end {
        return None;
    }
    let at = start + rng.below((end - start) as u64) as usize;
    packet[at] ^= 1 << rng.below(8);
    Some(at)
}

#[cfg(test)]
mod tests {
    use super::super::packet::ACK;
    use super::super::packet::tests::{tcp, transport_checksum, udp};
    use super::*;

    #[test]
    fn one_bit_and_the_checksum_as_wished() {
        let mut rng = Rng::new(3);
        for round in 0..400 {
            let payload: Vec<u8> = (0..=round % 37).map(|byte| byte as u8).collect();
            let version = if round % 2 == 0 { 4 } else { 6 };
            let whole = if round % 3 == 0 {
                tcp(version, 9, ACK, &payload)
            } else {
                udp(version, &payload)
            };
            let layout = Layout::of(&whole).unwrap();
            let differ =
                |a: &[u8]| a.iter().zip(&whole).map(|(a, b)| (a ^ b).count_ones()).sum::<u32>();
            let mut wrong = whole.clone();
            assert!(flip(&mut wrong, layout, &mut rng));
            assert_eq!(differ(&wrong), 1);
            assert_ne!(transport_checksum(&wrong, layout), 0);
            let mut right = whole.clone();
            assert!(flip_believably(&mut right, layout, &mut rng));
            let payload = right[layout.payload..].iter().zip(&whole[layout.payload..]);
            assert_eq!(payload.map(|(a, b)| (a ^ b).count_ones()).sum::<u32>(), 1);
            assert_eq!(transport_checksum(&right, layout), 0);
        }
        let mut empty = tcp(4, 9, ACK, b"");
        let layout = Layout::of(&empty).unwrap();
        assert!(!flip_believably(&mut empty, layout, &mut rng));
    }
}
