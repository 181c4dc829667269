//! Strings and characters.

use super::{Edn, Fault, Read, delimits};
use crate::Value;
use crate::history::token::Token;

impl<'a> Edn<'a> {
    /// Reads a string, from its quote on.
    pub(super) fn string(&mut self) -> Read<Token<'a>> {
        let start = self.at + 1;
        let rest = &self.bytes[start..];
        match memchr::memchr2(b'"', b'\\', rest) {
            None => Err(Fault::Incomplete),
            Some(end) if rest[end] == b'"' => {
                self.at = start + end + 1;
                Ok(Token::Str(self.slice(start, start + end)))
            }
            Some(_) => self.escaped(start),
        }
    }

    fn escaped(&mut self, start: usize) -> Read<Token<'a>> {
        let mut text = String::new();
        let mut at = start;
        loop {
            let rest = &self.bytes[at..];
            let Some(end) = memchr::memchr2(b'"', b'\\', rest) else {
                return Err(Fault::Incomplete);
            };
            text.push_str(self.slice(at, at + end));
            at += end + 1;
            if rest[end] == b'"' {
                break;
            }
            let Some(escape) = self.bytes.get(at) else { return Err(Fault::Incomplete) };
            at += 1;
            let plain = match escape {
                b'n' => '\n',
                b't' => '\t',
                b'r' => '\r',
                b'b' => '\u{8}',
                b'f' => '\u{c}',
                b'"' | b'\\' | b'/' | b'\'' => char::from(*escape),
                b'u' => {
                    let (c, len) = self.unicode(at)?;
                    at += len;
                    c
                }
                b'0'..=b'7' => {
                    at -= 1;
                    let octal = self.bytes[at..].iter().take(3);
                    let octal = octal.take_while(|b| matches!(b, b'0'..=b'7'));
                    let (mut code, mut len) = (0u32, 0);
                    for digit in octal {
                        code = code * 8 + u32::from(digit - b'0');
                        len += 1;
                    }
                    at += len;
                    char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
                }
                other => {
                    let other = char::from(*other);
                    return self.wrong(at - 2, format!("`\\{other}` is no escape: write `\\\\`"));
                }
            };
            text.push(plain);
        }
        self.at = at;
        Ok(Token::Owned(Value::Str(text)))
    }

    /// The character of four hexadecimal digits at `at`, or of eight in two halves; and how many
    /// bytes that took.
    fn unicode(&self, at: usize) -> Read<(char, usize)> {
        let unit = |at: usize| {
            let digits = self.bytes.get(at..at + 4).ok_or(Fault::Incomplete)?;
            let digits = std::str::from_utf8(digits).ok();
            match digits.and_then(|d| u16::from_str_radix(d, 16).ok()) {
                Some(unit) => Ok(unit),
                None => self.wrong(at, "`\\u` needs four hexadecimal digits after it"),
            }
        };
        let first = unit(at)?;
        if let Some(c) = char::from_u32(u32::from(first)) {
            return Ok((c, 4));
        }
        if self
            .bytes
            .get(at + 4..)
            .is_some_and(|rest| b"\\u".starts_with(&rest[..rest.len().min(2)]))
        {
            let second = unit(at + 6)?;
            if let Some(Ok(c)) = char::decode_utf16([first, second]).next() {
                return Ok((c, 10));
            }
        }
        // Half a character: no text has that.
        Ok((char::REPLACEMENT_CHARACTER, 4))
    }

    /// Reads a character, from its backslash on: `\a`, `\newline`, `\u0041`.
    pub(super) fn character(&mut self) -> Read<Token<'a>> {
        let start = self.at + 1;
        // The first one may be a delimiter: `\(`.
        let Some(first) = self.bytes.get(start) else { return Err(Fault::Incomplete) };
        let rest = &self.bytes[start + 1..];
        let end = match rest.iter().position(|b| delimits(*b)) {
            _ if delimits(*first) => 0,
            Some(end) => end,
            None if self.last => rest.len(),
            None => return Err(Fault::Incomplete),
        };
        let name = self.slice(start, start + end + 1);
        let text = match name {
            "newline" => "\n",
            "space" => " ",
            "tab" => "\t",
            "return" => "\r",
            "backspace" => "\u{8}",
            "formfeed" => "\u{c}",
            one if one.chars().count() == 1 => one,
            code => {
                let digits = code.strip_prefix('u').filter(|digits| digits.len() == 4);
                let c = digits.and_then(|d| u32::from_str_radix(d, 16).ok());
                let Some(c) = c.and_then(char::from_u32) else {
                    return self.wrong(start - 1, format!("`\\{code}` is no character"));
                };
                self.at = start + end + 1;
                return Ok(Token::Owned(Value::Str(c.to_string())));
            }
        };
        self.at = start + end + 1;
        Ok(Token::Str(text))
    }
}
