//! [`Dialogue`]: the HTTP/1 spoken over one connection, and what goes wrong with its responses.
//! Everything that is no HTTP, or that we do not understand, passes as it is.

mod framing;
mod head;
#[cfg(test)]
mod tests;

use std::time::Duration;

use self::framing::{Asked, Framing, Kind, Side};
use self::head::{Body, Head};
use crate::network::{Http, Mishap};

/// Both directions of a connection.
#[derive(Debug)]
pub(super) struct Dialogue {
    asked: Asked,
    requests: Framing,
    responses: Framing,
    /// What happens to the response whose head has passed.
    fate: Fate,
    /// The head of a response that may have to be another.
    withheld: Vec<u8>,
    withholding: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Passes,
    /// Something else was sent in its place.
    Vanishes,
    /// So many bytes of its body may still pass.
    Ends(u64),
}

/// Bytes to be passed on.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Piece {
    /// The bytes.
    pub(super) bytes: Vec<u8>,
    /// How much later than others.
    pub(super) late: Duration,
    /// The connection ends after them.
    pub(super) last: bool,
    /// Responses among them, or before their end, that came out wrong.
    pub(super) wrong: u64,
}

impl Dialogue {
    /// At the beginning of a connection.
    pub(super) fn new() -> Dialogue {
        Dialogue {
            asked: Asked::default(),
            requests: Framing::new(Side::Requests),
            responses: Framing::new(Side::Responses),
            fate: Fate::Passes,
            withheld: Vec::new(),
            withholding: false,
        }
    }

    /// Hears what the client says, before it is passed on.
    pub(super) fn requests(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.requests.is_foreign() {
            let step = self.requests.next(bytes, &mut self.asked);
            bytes = &bytes[step.length..];
        }
    }

    /// Turns what the node says into what is passed on. `strikes` is asked once for each response
    /// that begins while `http` is given.
    pub(super) fn responses(
        &mut self,
        mut bytes: &[u8],
        http: Option<Http>,
        mut strikes: impl FnMut(f64) -> bool,
    ) -> Vec<Piece> {
        let mut done = Vec::new();
        let mut piece = Piece::default();
        while !bytes.is_empty() {
            if self.responses.at_start() {
                self.withholding = http.is_some();
                self.fate = Fate::Passes;
            }
            let step = self.responses.next(bytes, &mut self.asked);
            let (part, rest) = bytes.split_at(step.length);
            bytes = rest;
            match step.kind {
                Kind::Head if self.withholding => self.withheld.extend_from_slice(part),
                Kind::Head => piece.bytes.extend_from_slice(part),
                Kind::Payload => {
                    if !self.payload(part, &mut piece) {
                        done.push(piece);
                        return done;
                    }
                }
                Kind::Wrapping if self.fate == Fate::Vanishes => {}
                Kind::Wrapping => piece.bytes.extend_from_slice(part),
                Kind::Foreign if self.fate == Fate::Vanishes => {
                    // Where the next response begins we shall never know.
                    piece.last = true;
                    break;
                }
                Kind::Foreign => {
                    piece.bytes.append(&mut self.withheld);
                    piece.bytes.extend_from_slice(part);
                }
            }
            if let Some(head) = step.head
                && self.withholding
            {
                let mishap = http.filter(|h| !head.interim && strikes(h.share)).map(|h| h.mishap);
                self.answer(head, mishap, &mut piece, &mut done);
                self.withholding = false;
            }
        }
        done.push(piece);
        done
    }

    /// What was withheld when the node closed the connection.
    pub(super) fn rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.withheld)
    }

    /// Decides what becomes of the response whose head is withheld.
    fn answer(
        &mut self,
        head: Head,
        mishap: Option<Mishap>,
        piece: &mut Piece,
        done: &mut Vec<Piece>,
    ) {
        match mishap {
            Some(Mishap::Status(status)) => {
                self.withheld.clear();
                self.fate = Fate::Vanishes;
                piece.bytes.extend_from_slice(&replacement(head, status));
                piece.wrong += 1;
                return;
            }
            Some(Mishap::Delay(late)) => {
                done.push(std::mem::take(piece));
                piece.late = late;
                piece.wrong = 1;
            }
            Some(Mishap::Truncate(most)) if head.body != Body::None => {
                self.fate = Fate::Ends(most.into());
            }
            Some(Mishap::Truncate(_)) | None => {}
        }
        piece.bytes.append(&mut self.withheld);
    }

    /// Passes on of a body what may pass; false if the connection ends here.
    fn payload(&mut self, part: &[u8], piece: &mut Piece) -> bool {
        match &mut self.fate {
            Fate::Passes => piece.bytes.extend_from_slice(part),
            Fate::Vanishes => {}
            Fate::Ends(left) => {
                let length = usize::try_from(*left).unwrap_or(usize::MAX).min(part.len());
                piece.bytes.extend_from_slice(&part[..length]);
                *left -= length as u64;
                // A body that is no longer than that is whole.
                if length < part.len() {
                    piece.last = true;
                    piece.wrong += 1;
                    return false;
                }
            }
        }
        true
    }
}

/// A response without a body in place of another.
fn replacement(head: Head, status: u16) -> Vec<u8> {
    let reason = match status {
        404 => "Not Found",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "",
    };
    let length = if matches!(status, 204 | 304) { "" } else { "content-length: 0\r\n" };
    let connection = match (head.closes, head.minor) {
        (true, _) => "connection: close\r\n",
        (false, 0) => "connection: keep-alive\r\n",
        (false, _) => "",
    };
    format!("HTTP/1.{} {status} {reason}\r\n{length}{connection}\r\n", head.minor).into_bytes()
}
