//! [`Framing`]: finds heads, bodies and ends of HTTP/1 messages in a stream, in whatever pieces
//! it comes. What it does not understand it calls foreign, and so all that follows.

use std::collections::VecDeque;

use httparse::Status;

use super::head::{self, Body, Head, Method};

/// The longest head, and the longest trailers, in bytes.
const HEAD: usize = 64 << 10;
/// The longest line that gives a chunk's size.
const SIZE_LINE: usize = 4096;
/// Within so many bytes it shows that something is no HTTP.
const EARLY: usize = 64;
/// Requests that wait for their responses.
const WAITING: usize = 1024;

/// What the next bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Of a message's head.
    Head,
    /// Of its body.
    Payload,
    /// Around the pieces of its body.
    Wrapping,
    /// Of something else.
    Foreign,
}

/// The next bytes that are of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// How many.
    pub(super) length: usize,
    /// Of which kind.
    pub(super) kind: Kind,
    /// The head that ends with them.
    pub(super) head: Option<Head>,
    /// The message ends with them.
    pub(super) end: bool,
}

/// The requests that have no response yet.
#[derive(Debug, Default)]
pub(super) struct Asked {
    waiting: VecDeque<Method>,
    /// There have been others, of which we know nothing.
    lost: bool,
}

/// Which messages a stream consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// Requests.
    Requests,
    /// Responses.
    Responses,
}

/// One direction of an HTTP connection.
#[derive(Debug)]
pub(super) struct Framing {
    side: Side,
    state: State,
    /// What has come of the head or line that is not complete.
    partial: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Head,
    Counted(u64),
    ChunkSize,
    ChunkData(u64),
    ChunkEnd,
    Trailers,
    UntilClose,
    Foreign,
}

impl Framing {
    /// At the beginning of a connection.
    pub(super) fn new(side: Side) -> Framing {
        Framing { side, state: State::Head, partial: Vec::new() }
    }

    /// Whether the next byte begins a message.
    pub(super) fn at_start(&self) -> bool {
        self.state == State::Head && self.partial.is_empty()
    }

    /// Whether all that follows is something else.
    pub(super) fn is_foreign(&self) -> bool {
        self.state == State::Foreign
    }

    /// Takes bytes of one kind off the beginning of `bytes`, which is not empty.
    pub(super) fn next(&mut self, bytes: &[u8], asked: &mut Asked) -> Step {
        let all = bytes.len();
        match self.state {
            State::Head => self.head(bytes, asked),
            State::Counted(left) => self.counted(left, bytes),
            State::ChunkData(left) => self.chunk_data(left, bytes),
            State::ChunkSize => self.line(bytes, SIZE_LINE, Framing::chunk_size),
            State::ChunkEnd => self.line(bytes, SIZE_LINE, Framing::chunk_end),
            State::Trailers => self.line(bytes, HEAD, Framing::trailer),
            State::UntilClose => Step::of(all, Kind::Payload),
            State::Foreign => Step::of(all, Kind::Foreign),
        }
    }

    fn head(&mut self, bytes: &[u8], asked: &mut Asked) -> Step {
        let mut taken = 0;
        while taken < bytes.len() {
            let (line, ended) = first_line(&bytes[taken..]);
            let early = self.partial.len() < EARLY;
            self.partial.extend_from_slice(line);
            taken += line.len();
            if self.partial.len() > HEAD || (early && !self.may_be_head()) {
                return self.foreign(taken, asked);
            }
            let text = self.partial.trim_ascii_start();
            if ended && !text.is_empty() && ends_with_blank_line(text) {
                return self.head_complete(taken, asked);
            }
        }
        Step::of(taken, Kind::Head)
    }

    fn may_be_head(&self) -> bool {
        let beginning = &self.partial[..self.partial.len().min(EARLY)];
        match self.side {
            Side::Requests => head::may_be_request(beginning),
            Side::Responses => head::may_be_response(beginning),
        }
    }

    fn head_complete(&mut self, taken: usize, asked: &mut Asked) -> Step {
        let read = match self.side {
            Side::Requests => head::request(&self.partial).filter(|(_, method)| asked.ask(*method)),
            Side::Responses => asked.next().and_then(|method| {
                let head = head::response(&self.partial, method)?;
                Some((head, method))
            }),
        };
        let Some((head, _)) = read else { return self.foreign(taken, asked) };
        if self.side == Side::Responses && (!head.interim || head.body == Body::Foreign) {
            asked.waiting.pop_front();
        }
        self.partial.clear();
        self.state = match head.body {
            Body::None => State::Head,
            Body::Counted(length) => State::Counted(length),
            Body::Chunked => State::ChunkSize,
            Body::UntilClose => State::UntilClose,
            Body::Foreign => State::Foreign,
        };
        let end = head.body == Body::None;
        Step { length: taken, kind: Kind::Head, head: Some(head), end }
    }

    /// Gives up on the stream.
    fn foreign(&mut self, taken: usize, asked: &mut Asked) -> Step {
        if self.side == Side::Requests {
            asked.lost = true;
        }
        self.give_up();
        Step::of(taken, Kind::Foreign)
    }

    fn give_up(&mut self) {
        self.state = State::Foreign;
        self.partial = Vec::new();
    }

    fn counted(&mut self, left: u64, bytes: &[u8]) -> Step {
        let length = at_most(left, bytes);
        let left = left - length as u64;
        self.state = if left == 0 { State::Head } else { State::Counted(left) };
        Step { end: left == 0, ..Step::of(length, Kind::Payload) }
    }

    fn chunk_data(&mut self, left: u64, bytes: &[u8]) -> Step {
        let length = at_most(left, bytes);
        let left = left - length as u64;
        self.state = if left == 0 { State::ChunkEnd } else { State::ChunkData(left) };
        Step::of(length, Kind::Payload)
    }

    /// Collects a line and lets `then` judge it: whether it ends the message, or is none of ours.
    fn line(
        &mut self,
        bytes: &[u8],
        most: usize,
        then: impl FnOnce(&mut Framing) -> Option<bool>,
    ) -> Step {
        let (line, ended) = first_line(bytes);
        self.partial.extend_from_slice(line);
        let step = Step::of(line.len(), Kind::Wrapping);
        if self.partial.len() > most {
            self.give_up();
            return Step { kind: Kind::Foreign, ..step };
        }
        if !ended {
            return step;
        }
        match then(self) {
            Some(end) => Step { end, ..step },
            None => {
                self.give_up();
                Step { kind: Kind::Foreign, ..step }
            }
        }
    }

    fn chunk_size(&mut self) -> Option<bool> {
        // The parser wants CRLF; some write LF only.
        let mut line = std::mem::take(&mut self.partial);
        let text = line.trim_ascii_end().len();
        line.truncate(text);
        line.extend_from_slice(b"\r\n");
        let Ok(Status::Complete((_, size))) = httparse::parse_chunk_size(&line) else {
            return None;
        };
        self.state = if size == 0 { State::Trailers } else { State::ChunkData(size) };
        Some(false)
    }

    fn chunk_end(&mut self) -> Option<bool> {
        let blank = self.partial.trim_ascii().is_empty();
        self.partial.clear();
        self.state = State::ChunkSize;
        blank.then_some(false)
    }

    fn trailer(&mut self) -> Option<bool> {
        // All trailers are kept until the last, so that together they have a limit.
        let end = self.partial == b"\r\n" || self.partial == b"\n";
        let end = end || ends_with_blank_line(&self.partial);
        if end {
            self.partial.clear();
            self.state = State::Head;
        }
        Some(end)
    }
}

impl Step {
    fn of(length: usize, kind: Kind) -> Step {
        Step { length, kind, head: None, end: false }
    }
}

impl Asked {
    /// Notes a request; not if too many wait.
    fn ask(&mut self, method: Method) -> bool {
        let room = self.waiting.len() < WAITING;
        if room {
            self.waiting.push_back(method);
        }
        room
    }

    /// What the next response answers; `None` if we cannot know.
    fn next(&self) -> Option<Method> {
        match self.waiting.front() {
            Some(method) => Some(*method),
            // Unasked for: a server that is overloaded, or tired of waiting.
            None => (!self.lost).then_some(Method::Other),
        }
    }
}

/// The beginning of `bytes` up to and with the first line feed, and whether there is one.
fn first_line(bytes: &[u8]) -> (&[u8], bool) {
    match bytes.iter().position(|byte| *byte == b'\n') {
        Some(at) => (&bytes[..=at], true),
        None => (bytes, false),
    }
}

fn ends_with_blank_line(text: &[u8]) -> bool {
    text.ends_with(b"\n\r\n") || text.ends_with(b"\n\n")
}

fn at_most(left: u64, bytes: &[u8]) -> usize {
    usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len())
}
