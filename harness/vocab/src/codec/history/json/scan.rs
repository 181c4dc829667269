//! The fast way through one JSON object. It understands what almost all events are made of and
//! says so; what it does not understand goes the slow way.

use crate::codec::history::row::{Field, Row};
use crate::history::token::Token;

/// Lists nested deeper go the slow way.
const DEPTH: u32 = 16;

/// Reads an event. False if it is none that this understands; then `row` is anything.
pub(super) fn object<'a>(text: &'a str, row: &mut Row<'a>) -> bool {
    row.clear();
    Scan { text, bytes: text.as_bytes(), at: 0 }.object(row).is_some()
}

struct Scan<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Scan<'a> {
    fn object(&mut self, row: &mut Row<'a>) -> Option<()> {
        self.expect(b'{')?;
        for place in 0.. {
            let field = self.field(row, place)?;
            let start = row.tokens.len();
            self.value(&mut row.tokens, 0)?;
            match field {
                Some(field) if !row.set(field, start) => return None,
                Some(_) => {}
                None => row.tokens.truncate(start),
            }
            match self.next()? {
                b',' => {}
                b'}' => break,
                _ => return None,
            }
        }
        self.bytes[self.at..]
            .iter()
            .all(|b| matches!(b, b' ' | b'\t' | b'\n' | b'\r'))
            .then_some(())
    }

    /// The name of the field at this place, and its colon.
    #[inline]
    fn field(&mut self, row: &mut Row<'a>, place: usize) -> Option<Option<Field>> {
        if self.bytes.get(self.at) == Some(&b' ') {
            self.at += 1;
        }
        if let Some(&Some(likely)) = row.habit.get(place) {
            let quoted = likely.quoted().as_bytes();
            if self.bytes[self.at..].starts_with(quoted) {
                self.at += quoted.len();
                return Some(Some(likely));
            }
        }
        self.expect(b'"')?;
        let field = Field::of(self.string()?.as_bytes());
        self.expect(b':')?;
        if let Some(habit) = row.habit.get_mut(place) {
            *habit = field;
        }
        Some(field)
    }

    /// The next byte that is no blank, consumed.
    #[inline]
    fn next(&mut self) -> Option<u8> {
        loop {
            let byte = *self.bytes.get(self.at)?;
            self.at += 1;
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return Some(byte);
            }
        }
    }

    #[inline]
    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.next()? == byte).then_some(())
    }

    /// Text without escapes, after its opening quote.
    #[inline]
    fn string(&mut self) -> Option<&'a str> {
        let rest = &self.bytes[self.at..];
        let end = rest.iter().position(|b| matches!(b, b'"' | b'\\' | 0..0x20))?;
        let text = self.text.get(self.at..self.at + end)?;
        self.at += end + 1;
        (rest[end] == b'"').then_some(text)
    }

    #[inline]
    fn value(&mut self, out: &mut Vec<Token<'a>>, depth: u32) -> Option<()> {
        match self.next()? {
            b'"' => out.push(Token::Str(self.string()?)),
            b'-' => {
                let int = self.digits()?;
                // Minus zero is a float.
                (int != 0).then(|| out.push(Token::Int(-int)))?;
            }
            b'0'..=b'9' => {
                self.at -= 1;
                let int = self.digits()?;
                out.push(Token::Int(int));
            }
            b'n' => out.push(self.literal(b"ull", Token::Nil)?),
            b't' => out.push(self.literal(b"rue", Token::Bool(true))?),
            b'f' => out.push(self.literal(b"alse", Token::Bool(false))?),
            b'[' if depth < DEPTH => return self.list(out, depth),
            _ => return None,
        }
        Some(())
    }

    fn list(&mut self, out: &mut Vec<Token<'a>>, depth: u32) -> Option<()> {
        let head = out.len();
        out.push(Token::Nil);
        let mut len = 0;
        if self.next()? != b']' {
            self.at -= 1;
            loop {
                self.value(out, depth + 1)?;
                len += 1;
                match self.next()? {
                    b',' => {}
                    b']' => break,
                    _ => return None,
                }
            }
        }
        let span = (out.len() - head - 1) as u32;
        out[head] = Token::List { len, span };
        Some(())
    }

    #[inline]
    fn literal(&mut self, rest: &[u8], token: Token<'a>) -> Option<Token<'a>> {
        self.bytes[self.at..].starts_with(rest).then(|| {
            self.at += rest.len();
            token
        })
    }

    /// A number of up to 18 digits, with no leading zero, sign, fraction or exponent.
    #[inline]
    fn digits(&mut self) -> Option<i64> {
        let rest = &self.bytes[self.at..];
        let mut int = 0i64;
        let mut len = 0;
        while let Some(digit @ b'0'..=b'9') = rest.get(len) {
            int = int.wrapping_mul(10).wrapping_add(i64::from(digit - b'0'));
            len += 1;
        }
        let plain = !matches!(rest.get(len), Some(b'.' | b'e' | b'E'));
        if len == 0 || len > 18 || (rest[0] == b'0' && len > 1) || !plain {
            return None;
        }
        self.at += len;
        Some(int)
    }
}
