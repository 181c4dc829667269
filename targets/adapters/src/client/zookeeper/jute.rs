//! Jute, ZooKeeper's encoding: big-endian numbers, buffers with their length before them, and
//! each message with its own.

use std::io;

use super::super::wire::{Wire, nonsense};

/// A message being written.
pub(super) struct Writer(Vec<u8>);

impl Writer {
    /// An empty message.
    pub(super) fn new() -> Writer {
        Writer(vec![0; 4])
    }

    /// 32 bits.
    pub(super) fn int(mut self, number: i32) -> Self {
        self.0.extend_from_slice(&number.to_be_bytes());
        self
    }

    /// 64 bits.
    pub(super) fn long(mut self, number: i64) -> Self {
        self.0.extend_from_slice(&number.to_be_bytes());
        self
    }

    /// A byte that is 0 or 1.
    pub(super) fn bool(mut self, truth: bool) -> Self {
        self.0.push(u8::from(truth));
        self
    }

    /// Bytes or text.
    pub(super) fn buffer(self, bytes: impl AsRef<[u8]>) -> Self {
        let bytes = bytes.as_ref();
        let mut writer = self.int(i32::try_from(bytes.len()).unwrap_or(i32::MAX));
        writer.0.extend_from_slice(bytes);
        writer
    }

    /// Sends it.
    pub(super) async fn send(mut self, wire: &mut Wire) -> io::Result<()> {
        let length = i32::try_from(self.0.len() - 4).map_err(|_| nonsense("a long message"))?;
        self.0[..4].copy_from_slice(&length.to_be_bytes());
        wire.send(&self.0).await
    }
}

/// A message being read.
pub(super) struct Reader {
    bytes: Vec<u8>,
    at: usize,
}

impl Reader {
    /// The next message.
    pub(super) async fn receive(wire: &mut Wire) -> io::Result<Reader> {
        let length = Reader { bytes: wire.take(4).await?, at: 0 }.int()?;
        let length = usize::try_from(length).map_err(|_| nonsense("a negative length"))?;
        Ok(Reader { bytes: wire.take(length).await?, at: 0 })
    }

    fn some<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let bytes = self.bytes.get(self.at..self.at + N).and_then(|b| b.try_into().ok());
        self.at += N;
        bytes.ok_or_else(|| nonsense("a short message"))
    }

    /// 32 bits.
    pub(super) fn int(&mut self) -> io::Result<i32> {
        self.some().map(i32::from_be_bytes)
    }

    /// 64 bits.
    pub(super) fn long(&mut self) -> io::Result<i64> {
        self.some().map(i64::from_be_bytes)
    }

    /// Bytes; none if there is no buffer at all.
    pub(super) fn buffer(&mut self) -> io::Result<&[u8]> {
        let length = self.int()?.max(0) as usize;
        let from = self.at;
        self.at += length;
        self.bytes.get(from..self.at).ok_or_else(|| nonsense("a short message"))
    }
}
