//! The end of a connection, parted from the data before it.

use super::packet::{FIN, Layout, PSH, RST, long, put_long, put_word};
use super::segment::{seal, seal_header};

/// A segment that ends a connection, as two frames.
pub(super) struct Parted {
    /// What it carries, if it carries anything, without the end.
    pub(super) data: Option<Vec<u8>>,
    /// The end, without anything.
    pub(super) end: Vec<u8>,
}

/// Parts the segment in `frame`, if it ends a connection. The IP packet begins at `offset`.
pub(super) fn part(frame: &[u8], offset: usize, layout: Layout) -> Option<Parted> {
    if layout.flags(&frame[offset..]) & (FIN | RST) == 0 {
        return None;
    }
    if layout.length() == 0 {
        return Some(Parted { data: None, end: frame.to_vec() });
    }
    let mut data = frame.to_vec();
    let packet = &mut data[offset..];
    packet[layout.transport + 13] &= !(FIN | RST);
    seal(packet, layout);
    let mut end = frame[..offset + layout.payload].to_vec();
    let packet = &mut end[offset..];
    let sequence = long(packet, layout.transport + 4);
    put_long(packet, layout.transport + 4, sequence.wrapping_add(layout.length() as u32));
    packet[layout.transport + 13] &= !PSH;
    if layout.version == 4 {
        put_word(packet, 2, layout.payload as u16);
        seal_header(packet, layout.transport);
    } else {
        put_word(packet, 4, (layout.payload - 40) as u16);
    }
    seal(packet, Layout { end: layout.payload, ..layout });
    Some(Parted { data: Some(data), end })
}
