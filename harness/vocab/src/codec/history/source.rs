//! [`Source`]: bytes in blocks, unpacked, with places in them.

use std::io::{self, BufReader, Cursor, Read};

use flate2::bufread::MultiGzDecoder;

use crate::codec::ReadError;

/// Bytes read at a time. Tests read little at a time, so that blocks end everywhere.
const BLOCK: usize = if cfg!(test) { 64 } else { 256 << 10 };
/// Bytes that tell a format.
const ENOUGH: usize = 64 << 10;
/// A single event longer than this is refused.
const LONGEST: usize = 256 << 20;

/// A window on the input that moves forward. It holds what a reader has not consumed yet.
pub(super) struct Source<'r> {
    input: Box<dyn Read + 'r>,
    packed: Option<&'static str>,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    ended: bool,
    /// The place of `start`, counted from 0.
    line: usize,
    column: usize,
}

impl<'r> Source<'r> {
    /// Opens the input and reads its first block. gzip and zstd are known by their first bytes.
    pub(super) fn open(mut input: impl Read + 'r) -> Result<Self, ReadError> {
        let mut magic = Vec::new();
        let failed = |e: io::Error| ReadError::whole(format!("the input cannot be read: {e}"));
        input.by_ref().take(4).read_to_end(&mut magic).map_err(failed)?;
        let gzip = magic.starts_with(&[0x1f, 0x8b]);
        let zstd = magic == [0x28, 0xb5, 0x2f, 0xfd];
        let whole = Cursor::new(magic).chain(input);
        let (input, packed): (Box<dyn Read + 'r>, _) = if gzip {
            (Box::new(MultiGzDecoder::new(BufReader::with_capacity(BLOCK, whole))), Some("gzip"))
        } else if zstd {
            (Box::new(zstd::Decoder::new(whole).map_err(failed)?), Some("zstd"))
        } else {
            (Box::new(whole), None)
        };
        let buffer = Vec::new();
        let mut source =
            Source { input, packed, buffer, start: 0, end: 0, ended: false, line: 0, column: 0 };
        source.fill_to(3)?;
        // Byte-order mark: says nothing in UTF-8.
        if source.rest().starts_with(b"\xef\xbb\xbf") {
            source.start = 3;
        }
        Ok(source)
    }

    /// Reads enough to tell the format.
    pub(super) fn peek(&mut self) -> Result<&[u8], ReadError> {
        self.fill_to(ENOUGH)?;
        Ok(self.rest())
    }

    /// Reads until this many bytes are there, or the input ends.
    pub(super) fn fill_to(&mut self, bytes: usize) -> Result<(), ReadError> {
        while !self.ended && self.rest().len() < bytes {
            self.fill()?;
        }
        Ok(())
    }

    /// What has been read and not been consumed.
    pub(super) fn rest(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Whether nothing comes after [`Source::rest`].
    pub(super) fn ended(&self) -> bool {
        self.ended
    }

    pub(super) fn consume(&mut self, bytes: usize) {
        (self.line, self.column) = self.place(bytes);
        self.start += bytes;
    }

    /// Reads on, until there is more or the input ends.
    fn fill(&mut self) -> Result<(), ReadError> {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.end == self.buffer.len() {
            if self.end >= LONGEST {
                return Err(self.error(0, format!("this event is longer than {LONGEST} bytes")));
            }
            self.buffer.resize((self.end * 2).max(BLOCK), 0);
        }
        let read = loop {
            match self.input.read(&mut self.buffer[self.end..]) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        match (read, self.packed) {
            (Ok(read), _) => {
                self.end += read;
                self.ended = read == 0;
                Ok(())
            }
            (Err(e), None) => Err(self.error(self.end, format!("the input cannot be read: {e}"))),
            (Err(e), Some(packed)) => Err(self.error(
                self.end,
                format!("the {packed} data is damaged or cut off ({e}): get the whole file"),
            )),
        }
    }

    /// Line and column of the byte at `at` of [`Source::rest`], counted from 0.
    fn place(&self, at: usize) -> (usize, usize) {
        let before = &self.rest()[..at];
        let characters = |bytes: &[u8]| bytes.iter().filter(|b| **b & 0xc0 != 0x80).count();
        match memchr::memrchr(b'\n', before) {
            None => (self.line, self.column + characters(before)),
            Some(last) => {
                let lines = memchr::memchr_iter(b'\n', before).count();
                (self.line + lines, characters(&before[last + 1..]))
            }
        }
    }

    /// The line, from 1, of the byte at `at` of [`Source::rest`].
    pub(super) fn line(&self, at: usize) -> usize {
        self.place(at).0 + 1
    }

    /// An error at the byte at `at` of [`Source::rest`].
    pub(super) fn error(&self, at: usize, message: String) -> ReadError {
        let (line, column) = self.place(at.min(self.rest().len()));
        ReadError { line: line + 1, column: column + 1, message }
    }
}
