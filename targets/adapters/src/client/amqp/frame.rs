//! AMQP 0-9-1's encoding: frames, the arguments of methods, tables.

use std::collections::BTreeMap;
use std::io;

use danso_vocab::Value;

use super::super::wire::{Wire, nonsense};

/// What a frame is.
pub(super) const METHOD: u8 = 1;
/// A message's length and properties.
pub(super) const HEADER: u8 = 2;
/// A piece of a message.
pub(super) const BODY: u8 = 3;
/// What every frame ends with.
const END: u8 = 0xce;

/// A class and a method's number in it.
pub(super) type Method = (u16, u16);

/// Frames being written, to be sent at once.
#[derive(Default)]
pub(super) struct Writer {
    bytes: Vec<u8>,
    /// Where the payload of the open frame begins.
    from: usize,
}

impl Writer {
    /// Begins a frame.
    pub(super) fn frame(self, kind: u8, channel: u16) -> Self {
        let mut begun = self.byte(kind).short(channel).long(0);
        begun.from = begun.bytes.len();
        begun
    }

    /// Begins the frame of a method.
    pub(super) fn method(self, channel: u16, (class, method): Method) -> Self {
        self.frame(METHOD, channel).short(class).short(method)
    }

    /// Ends a frame.
    pub(super) fn end(mut self) -> Self {
        let length = (self.bytes.len() - self.from) as u32;
        self.bytes[self.from - 4..self.from].copy_from_slice(&length.to_be_bytes());
        self.byte(END)
    }

    /// 8 bits.
    pub(super) fn byte(mut self, byte: u8) -> Self {
        self.bytes.push(byte);
        self
    }

    /// 16 bits.
    pub(super) fn short(mut self, number: u16) -> Self {
        self.bytes.extend_from_slice(&number.to_be_bytes());
        self
    }

    /// 32 bits.
    pub(super) fn long(mut self, number: u32) -> Self {
        self.bytes.extend_from_slice(&number.to_be_bytes());
        self
    }

    /// 64 bits.
    pub(super) fn longlong(mut self, number: u64) -> Self {
        self.bytes.extend_from_slice(&number.to_be_bytes());
        self
    }

    /// Bytes as they are.
    pub(super) fn raw(mut self, bytes: &[u8]) -> Self {
        self.bytes.extend_from_slice(bytes);
        self
    }

    /// A name of up to 255 bytes; what is longer is cut.
    pub(super) fn name(self, text: &str) -> Self {
        let text = &text.as_bytes()[..text.len().min(255)];
        self.byte(text.len() as u8).raw(text)
    }

    /// Text of any length.
    pub(super) fn text(self, text: &str) -> Self {
        self.long(text.len() as u32).raw(text.as_bytes())
    }

    /// A table of texts, numbers and truth values; others are left out.
    pub(super) fn table(self, table: &BTreeMap<String, Value>) -> Self {
        let mut fields = Writer::default();
        for (name, value) in table {
            fields = match value {
                Value::Str(text) => fields.name(name).byte(b'S').text(text),
                Value::Int(number) => fields.name(name).byte(b'l').longlong(number.cast_unsigned()),
                Value::Bool(truth) => fields.name(name).byte(b't').byte(u8::from(*truth)),
                _ => fields,
            };
        }
        self.long(fields.bytes.len() as u32).raw(&fields.bytes)
    }

    /// Sends all of it.
    pub(super) async fn send(self, wire: &mut Wire) -> io::Result<()> {
        wire.send(&self.bytes).await
    }
}

/// A frame that came.
pub(super) struct Frame {
    /// What it is.
    pub(super) kind: u8,
    payload: Vec<u8>,
    at: usize,
}

impl Frame {
    /// The next frame.
    pub(super) async fn receive(wire: &mut Wire) -> io::Result<Frame> {
        let head = Frame { kind: 0, payload: wire.take(7).await?, at: 0 };
        let mut head = head;
        let (kind, _channel, length) = (head.byte()?, head.short()?, head.long()?);
        let mut payload = wire.take(length as usize + 1).await?;
        if payload.pop() != Some(END) {
            return Err(nonsense("a frame without its end"));
        }
        Ok(Frame { kind, payload, at: 0 })
    }

    fn some<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let bytes = self.payload.get(self.at..self.at + N).and_then(|b| b.try_into().ok());
        self.at += N;
        bytes.ok_or_else(|| nonsense("a short frame"))
    }

    /// The class and number of a method.
    pub(super) fn method(&mut self) -> io::Result<Method> {
        Ok((self.short()?, self.short()?))
    }

    /// 8 bits.
    pub(super) fn byte(&mut self) -> io::Result<u8> {
        self.some().map(u8::from_be_bytes)
    }

    /// 16 bits.
    pub(super) fn short(&mut self) -> io::Result<u16> {
        self.some().map(u16::from_be_bytes)
    }

    /// 32 bits.
    pub(super) fn long(&mut self) -> io::Result<u32> {
        self.some().map(u32::from_be_bytes)
    }

    /// 64 bits.
    pub(super) fn longlong(&mut self) -> io::Result<u64> {
        self.some().map(u64::from_be_bytes)
    }

    /// A name.
    pub(super) fn name(&mut self) -> io::Result<String> {
        let (length, from) = (usize::from(self.byte()?), self.at);
        self.at += length;
        let bytes = self.payload.get(from..self.at).ok_or_else(|| nonsense("a short frame"))?;
        Ok(String::from_utf8_lossy(bytes).into_owned())
    }

    /// All of it.
    pub(super) fn payload(self) -> Vec<u8> {
        self.payload
    }
}
