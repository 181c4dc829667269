//! Histories of JSON objects: one a line, in an array, or one after the other.

mod scan;

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};

use super::intake::Intake;
use super::row::{Field, Row};
use super::{Chunks, Trouble};
use crate::Value;
use crate::codec::ReadError;
use crate::codec::json::In;
use crate::history::token::Token;

/// Reads one object a line.
pub(super) struct Lines;

impl Chunks for Lines {
    fn chunk<'a>(
        &mut self,
        bytes: &'a [u8],
        last: bool,
        row: &mut Row<'a>,
        intake: &mut Intake,
    ) -> Result<usize, Trouble> {
        // Half a character at the end of a block is in a line that comes again.
        let text = std::str::from_utf8(bytes)
            .or_else(|error| std::str::from_utf8(&bytes[..error.valid_up_to()]));
        let text = text.ok();
        let mut at = 0;
        loop {
            let rest = &bytes[at..];
            let (line, next) = match memchr::memchr(b'\n', rest) {
                Some(end) => (&rest[..end], at + end + 1),
                None if !last => return Ok(at),
                None => (rest, bytes.len()),
            };
            let whole = next > at + line.len();
            if !line.trim_ascii().is_empty() {
                let torn = (!whole).then_some(at);
                one(line, text.and_then(|text| text.get(at..at + line.len())), at, row, intake)
                    .map_err(|trouble| Trouble { torn, ..trouble })?;
            }
            if !whole {
                return Ok(next);
            }
            at = next;
        }
    }
}

/// Reads objects in an array, or one after the other.
#[derive(Default)]
pub(super) struct Objects {
    array: bool,
    /// What must come next.
    next: Next,
}

#[derive(Clone, Copy, Default, PartialEq)]
enum Next {
    /// An object, or the array.
    #[default]
    Start,
    /// In an array, after an element.
    Comma,
    /// In an array, after a comma.
    Object,
}

impl Chunks for Objects {
    fn chunk<'a>(
        &mut self,
        bytes: &'a [u8],
        last: bool,
        row: &mut Row<'a>,
        intake: &mut Intake,
    ) -> Result<usize, Trouble> {
        let mut at = 0;
        let cut =
            |done, at, message: &str| Trouble { torn: Some(done), ..Trouble::at(at, message) };
        loop {
            let done = at;
            at += bytes[at..].iter().take_while(|b| b.is_ascii_whitespace()).count();
            let Some(byte) = bytes.get(at) else {
                if last && self.array {
                    return Err(cut(
                        done,
                        at,
                        "the input ends before `]`: it is cut off, or add it",
                    ));
                }
                return Ok(at);
            };
            match (byte, self.next) {
                (b'[', Next::Start) if !self.array => self.array = true,
                (b']', Next::Start | Next::Comma) if self.array => {
                    (self.array, self.next) = (false, Next::Start);
                }
                (b',', Next::Comma) => self.next = Next::Object,
                (b'{', Next::Start | Next::Object) => {
                    let Some(len) = extent(&bytes[at..]) else {
                        if last {
                            return Err(cut(done, at, "the input ends inside this: it is cut off"));
                        }
                        return Ok(at);
                    };
                    let object = &bytes[at..at + len];
                    one(object, std::str::from_utf8(object).ok(), at, row, intake)?;
                    self.next = if self.array { Next::Comma } else { Next::Start };
                    at += len;
                    continue;
                }
                (_, Next::Comma) => return Err(Trouble::at(at, "`,` or `]` was expected here")),
                _ => {
                    let message =
                        "an operation was expected here: {\"process\":0,\"type\":\"ok\",…}";
                    return Err(Trouble::at(at, message));
                }
            }
            at += 1;
        }
    }
}

/// How long the object that begins these bytes is; `None` if it does not end in them. Of what is
/// no JSON any length will do.
fn extent(bytes: &[u8]) -> Option<usize> {
    let (mut depth, mut at) = (0usize, 0);
    while let Some(byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return Some(at);
                }
            }
            b'"' => loop {
                at += memchr::memchr2(b'"', b'\\', &bytes[at..])? + 1;
                if bytes[at - 1] == b'"' {
                    break;
                }
                at += 1;
                if at > bytes.len() {
                    return None;
                }
            },
            _ => {}
        }
    }
    None
}

/// Reads one object, which stands at `at`; `text` if it is known to be text.
fn one<'a>(
    object: &'a [u8],
    text: Option<&'a str>,
    at: usize,
    row: &mut Row<'a>,
    intake: &mut Intake,
) -> Result<(), Trouble> {
    let fast = text.is_some_and(|text| scan::object(text, row));
    if !fast {
        *row = slow(object).map_err(|error| {
            // Where its line and column are, as an offset.
            let lines = object.split_inclusive(|b| *b == b'\n');
            let before: usize = lines.take(error.line - 1).map(<[u8]>::len).sum();
            let within = (before + error.column - 1).min(object.len());
            Trouble::at(at + within, error.message)
        })?;
    }
    intake.take(row, at).map_err(|r| r.within(at, object))
}

/// Reads one object with a whole JSON parser.
fn slow<'a>(object: &[u8]) -> Result<Row<'a>, ReadError> {
    let fields: Fields = serde_json::from_slice(object).map_err(|e| ReadError::json(&e))?;
    Ok(fields.0)
}

struct Fields(Row<'static>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an event: {\"process\":0,\"type\":\"invoke\",\"f\":\"read\"}")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Fields, A::Error> {
        let mut row = Row::default();
        while let Some(name) = entries.next_key::<Cow<'de, str>>()? {
            let Some(field) = Field::of(name.as_bytes()) else {
                entries.next_value::<IgnoredAny>()?;
                continue;
            };
            let start = row.tokens.len();
            row.tokens.push(match entries.next_value::<In>()?.0 {
                Value::Int(int) => Token::Int(int),
                other => Token::Owned(other),
            });
            if !row.set(field, start) {
                return Err(de::Error::custom(format!("`{name}` is here twice")));
            }
        }
        Ok(Fields(row))
    }
}

#[cfg(test)]
mod tests;
