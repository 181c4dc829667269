//! The internet checksum (RFC 1071), and its change when one word of the data changes (RFC 1624).

/// The sum of `bytes` as big-endian 16-bit words, an odd last byte padded with zero, not yet
/// folded. Sums of pieces add up if all pieces but the last have an even length.
pub(super) fn sum(bytes: &[u8]) -> u64 {
    let mut eights = bytes.chunks_exact(8);
    let mut total = 0u64;
    for eight in &mut eights {
        let word = u64::from_be_bytes([
            eight[0], eight[1], eight[2], eight[3], eight[4], eight[5], eight[6], eight[7],
        ]);
        // 2^32 is 1 in this arithmetic, so halves may be added.
        total += (word >> 32) + (word & 0xffff_ffff);
    }
    let mut twos = eights.remainder().chunks_exact(2);
    for two in &mut twos {
        total += u64::from(u16::from_be_bytes([two[0], two[1]]));
    }
    if let [last] = twos.remainder() {
        total += u64::from(*last) << 8;
    }
    total
}

/// The checksum of data with this sum.
pub(super) fn fold(mut sum: u64) -> u16 {
    while sum >> 16 != 0 {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// The sum of the pseudo header TCP, UDP and ICMPv6 checksums begin with. `addresses` are the
/// source's and the destination's, as they stand in the IP header.
pub(super) fn pseudo(addresses: &[u8], protocol: u8, length: usize) -> u64 {
    sum(addresses) + u64::from(protocol) + length as u64
}

/// The checksum after one word of the data has changed.
pub(super) fn adjust(checksum: u16, old: u16, new: u16) -> u16 {
    fold(u64::from(!checksum) + u64::from(!old) + u64::from(new))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// RFC 1071, section 4.1, word for word.
    fn naive(bytes: &[u8]) -> u16 {
        let mut sum = 0u32;
        let mut rest = bytes;
        while rest.len() > 1 {
            sum += u32::from(rest[0]) << 8 | u32::from(rest[1]);
            rest = &rest[2..];
        }
        if let [last] = rest {
            sum += u32::from(*last) << 8;
        }
        while sum >> 16 != 0 {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        !(sum as u16)
    }

    #[test]
    fn the_example_of_the_standard() {
        assert_eq!(fold(sum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7])), !0xddf2);
    }

    proptest! {
        #[test]
        fn as_the_naive_sum(bytes in prop::collection::vec(any::<u8>(), 0..4000)) {
            prop_assert_eq!(fold(sum(&bytes)), naive(&bytes));
        }

        #[test]
        fn all_ones_do_not_overflow(length in 60_000..65_536usize) {
            let bytes = vec![0xff; length];
            prop_assert_eq!(fold(sum(&bytes)), naive(&bytes));
        }

        #[test]
        fn adjusted_as_summed_anew(
            mut bytes in prop::collection::vec(any::<u8>(), 2..200), at in any::<usize>(),
            flip in 1u8..,
        ) {
            // Data with its checksum sums to all ones, before and after. Only data of nothing but
            // zeros has two checksums, and no packet is that.
            bytes[0] = 0x45;
            let check = fold(sum(&bytes));
            let at = 1 + at % (bytes.len() - 1);
            let word = |b: &[u8]| {
                let even = at & !1;
                u16::from_be_bytes([b[even], b.get(even + 1).copied().unwrap_or(0)])
            };
            let old = word(&bytes);
            bytes[at] ^= flip;
            let adjusted = adjust(check, old, word(&bytes));
            prop_assert_eq!(fold(sum(&bytes) + u64::from(adjusted)), 0);
        }
    }
}
