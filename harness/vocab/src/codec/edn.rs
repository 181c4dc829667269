//! EDN, the notation of Clojure, read form by form without copying.
//!
//! What has no counterpart in [`Value`] reads as what it says: keywords, symbols and characters
//! are text (`:ns/x` is `ns/x`), a set is the sorted list of its elements, a tagged literal is
//! what it tags, keys of maps are text. A ratio, a decimal or a float is an integer where it is
//! exactly one (`1.0E7`, `4/2`, `3N`) and its own text where it is not.

mod number;
mod text;

pub(super) use number::exact;

use std::collections::BTreeMap;

use crate::Value;
use crate::history::token::{Token, Tokens};

/// How deep forms may be nested.
const DEPTH: u32 = 128;

/// Why there is no form.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The bytes end inside it.
    Incomplete,
    /// It is none.
    Wrong {
        /// Where.
        at: usize,
        /// What is wrong and the mend.
        message: String,
    },
}

type Read<T> = Result<T, Fault>;

/// A cursor over EDN.
pub(super) struct Edn<'a> {
    text: &'a str,
    bytes: &'a [u8],
    pub(super) at: usize,
    /// Whether nothing comes after this text.
    last: bool,
    depth: u32,
}

impl<'a> Edn<'a> {
    pub(super) fn new(text: &'a str, last: bool) -> Self {
        Edn { text, bytes: text.as_bytes(), at: 0, last, depth: 0 }
    }

    pub(super) fn wrong<T>(&self, at: usize, message: impl Into<String>) -> Read<T> {
        Err(Fault::Wrong { at, message: message.into() })
    }

    /// Skips what means nothing: white space, commas, comments, discarded forms. The byte that
    /// comes then, or `None` at the end.
    pub(super) fn blank(&mut self) -> Read<Option<u8>> {
        loop {
            let Some(byte) = self.bytes.get(self.at) else {
                return if self.last { Ok(None) } else { Err(Fault::Incomplete) };
            };
            match CLASSES[*byte as usize] {
                BLANK => self.at += 1,
                _ if *byte == b';' => match memchr::memchr(b'\n', &self.bytes[self.at..]) {
                    Some(end) => self.at += end + 1,
                    None if self.last => self.at = self.bytes.len(),
                    None => return Err(Fault::Incomplete),
                },
                _ if *byte == b'#' => match self.bytes.get(self.at + 1) {
                    Some(b'_') => {
                        self.at += 2;
                        self.form(&mut Vec::new())?;
                    }
                    None if !self.last => return Err(Fault::Incomplete),
                    _ => return Ok(Some(*byte)),
                },
                _ => return Ok(Some(*byte)),
            }
        }
    }

    /// Reads one form.
    pub(super) fn form(&mut self, out: &mut Vec<Token<'a>>) -> Read<()> {
        // Discarded forms nest too, so every form counts.
        if self.depth == DEPTH {
            return self.wrong(self.at, format!("forms are nested deeper than {DEPTH}"));
        }
        self.depth += 1;
        let Some(byte) = self.blank()? else { return Err(Fault::Incomplete) };
        match byte {
            b'0'..=b'9' | b'+' | b'-' => out.push(self.number()?),
            b':' => {
                let word = self.word()?;
                out.push(Token::Str(word.trim_start_matches(':')));
            }
            b'"' => out.push(self.string()?),
            b'[' => self.list(b']', out)?,
            b'(' => self.list(b')', out)?,
            b'{' => out.push(Token::Owned(self.map()?)),
            b'\\' => out.push(self.character()?),
            b'#' => self.tagged(out)?,
            b'^' => {
                self.at += 1;
                self.form(&mut Vec::new())?;
                self.form(out)?;
            }
            b']' | b')' | b'}' => {
                return self.wrong(
                    self.at,
                    format!("`{}` closes nothing: a value is missing before it", byte as char),
                );
            }
            _ => out.push(match self.word()? {
                "nil" => Token::Nil,
                "true" => Token::Bool(true),
                "false" => Token::Bool(false),
                symbol => Token::Str(symbol),
            }),
        }
        self.depth -= 1;
        Ok(())
    }

    /// The bytes up to the next delimiter.
    pub(super) fn word(&mut self) -> Read<&'a str> {
        let rest = &self.bytes[self.at..];
        let end = match rest.iter().position(|b| delimits(*b)) {
            Some(end) => end,
            None if self.last => rest.len(),
            None => return Err(Fault::Incomplete),
        };
        let word = self.slice(self.at, self.at + end);
        if word.is_empty() {
            return self.wrong(self.at, "a value was expected here");
        }
        self.at += end;
        Ok(word)
    }

    /// The text between two places next to ASCII.
    fn slice(&self, from: usize, to: usize) -> &'a str {
        self.text.get(from..to).unwrap_or_default()
    }

    fn number(&mut self) -> Read<Token<'a>> {
        // Almost all numbers are small integers.
        let rest = &self.bytes[self.at..];
        let digits = usize::from(rest[0] == b'-');
        let mut int = 0i64;
        for (i, byte) in rest.iter().enumerate().skip(digits).take(18) {
            match byte {
                b'0'..=b'9' => int = int * 10 + i64::from(byte - b'0'),
                _ if delimits(*byte) && i > digits && (rest[digits] != b'0' || i == digits + 1) => {
                    self.at += i;
                    return Ok(Token::Int(if digits == 1 { -int } else { int }));
                }
                _ => break,
            }
        }
        let at = self.at;
        let word = self.word()?;
        number::read(word).map_err(|message| Fault::Wrong { at, message })
    }

    fn list(&mut self, close: u8, out: &mut Vec<Token<'a>>) -> Read<()> {
        let head = out.len();
        let mut len = 0u32;
        out.push(Token::Nil);
        self.until(close, |edn| {
            len += 1;
            edn.form(out)
        })?;
        let span = (out.len() - head - 1) as u32;
        out[head] = Token::List { len, span };
        Ok(())
    }

    /// Reads with `each` until `close`, from the opening bracket on.
    fn until(&mut self, close: u8, mut each: impl FnMut(&mut Self) -> Read<()>) -> Read<()> {
        self.at += 1;
        loop {
            match self.blank()? {
                None => return Err(Fault::Incomplete),
                Some(byte) if byte == close => {
                    self.at += 1;
                    return Ok(());
                }
                Some(byte @ (b']' | b')' | b'}')) => {
                    return self.wrong(
                        self.at,
                        format!("`{}` stands where `{}` must", byte as char, close as char),
                    );
                }
                Some(_) => each(self)?,
            }
        }
    }

    fn map(&mut self) -> Read<Value> {
        let mut map = BTreeMap::new();
        let mut form = Vec::new();
        self.until(b'}', |edn| {
            let at = edn.at;
            form.clear();
            edn.form(&mut form)?;
            let key = match Tokens(&form).value() {
                Value::Str(text) => text,
                other => other.to_string(),
            };
            form.clear();
            edn.form(&mut form)?;
            if map.contains_key(&key) {
                return edn
                    .wrong(at, format!("the key `{key}` is here twice: keys are read as text"));
            }
            map.insert(key, Tokens(&form).value());
            Ok(())
        })?;
        Ok(Value::Map(map))
    }

    /// What follows `#`.
    fn tagged(&mut self, out: &mut Vec<Token<'a>>) -> Read<()> {
        match self.bytes.get(self.at + 1) {
            None => Err(Fault::Incomplete),
            Some(b'{') => {
                self.at += 1;
                let mut elements = Vec::new();
                let mut form = Vec::new();
                self.until(b'}', |edn| {
                    form.clear();
                    edn.form(&mut form)?;
                    elements.push(Tokens(&form).value());
                    Ok(())
                })?;
                // Equal sets are equal lists, however they were printed.
                elements.sort();
                elements.dedup();
                out.push(Token::Owned(Value::List(elements)));
                Ok(())
            }
            Some(b'"') => {
                self.at += 1;
                out.push(self.string()?);
                Ok(())
            }
            // Infinity and the like.
            Some(b'#') => {
                out.push(Token::Str(self.word()?));
                Ok(())
            }
            Some(_) => {
                self.tag()?;
                self.form(out)
            }
        }
    }

    /// Skips a tag: `#inst`.
    pub(super) fn tag(&mut self) -> Read<()> {
        let at = self.at;
        self.at += 1;
        match self.word() {
            Err(Fault::Wrong { .. }) => self.wrong(at, "`#` needs a tag after it"),
            other => other.map(drop),
        }
    }
}

/// Part of a word.
const WORD: u8 = 0;
/// White space, or a comma.
const BLANK: u8 = 1;
/// Ends a word and means something.
const MARK: u8 = 2;

const CLASSES: [u8; 256] = {
    let mut classes = [WORD; 256];
    let (blanks, marks) = (b"\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f ,", b"\";()[]{}");
    let mut i = 0;
    while i < blanks.len() {
        classes[blanks[i] as usize] = BLANK;
        i += 1;
    }
    i = 0;
    while i < marks.len() {
        classes[marks[i] as usize] = MARK;
        i += 1;
    }
    classes
};

/// Whether a byte ends a word.
#[inline]
fn delimits(byte: u8) -> bool {
    CLASSES[byte as usize] != WORD
}

#[cfg(test)]
pub(crate) use tests::print;

#[cfg(test)]
mod tests;
