//! Where a packet goes. Knows the headers in front of it, not what is inside.

use std::net::Ipv4Addr;

/// `struct virtio_net_hdr`: says whether the packet is a super-packet or lacks its checksum.
/// Forwarded as it is, because what leaves one kernel enters the same kernel again.
pub(super) const VNET_HEADER: usize = 10;
/// An Ethernet header.
pub(super) const ETHERNET_HEADER: usize = 14;
/// No packet is longer, headers and all.
pub(super) const LONGEST: usize = VNET_HEADER + ETHERNET_HEADER + 65_536;

/// The destination of the IPv4 packet that starts `offset` bytes into `frame`.
pub(super) fn destination(frame: &[u8], offset: usize) -> Option<Ipv4Addr> {
    let header = frame.get(offset..offset + 20)?;
    if header[0] >> 4 != 4 {
        return None;
    }
    Some(Ipv4Addr::new(header[16], header[17], header[18], header[19]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_destination_is_found_behind_the_headers() {
        let mut frame = vec![0; VNET_HEADER + 20];
        frame[VNET_HEADER] = 0x45;
        frame[VNET_HEADER + 16..].copy_from_slice(&[10, 77, 0, 3]);
        assert_eq!(destination(&frame, VNET_HEADER), Some(Ipv4Addr::new(10, 77, 0, 3)));
        assert_eq!(destination(&frame[..VNET_HEADER + 19], VNET_HEADER), None);
        frame[VNET_HEADER] = 0x60;
        assert_eq!(destination(&frame, VNET_HEADER), None);
        assert_eq!(destination(&[], VNET_HEADER), None);
    }
}
