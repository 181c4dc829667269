//! Numbers that are not plainly small integers.

use crate::history::token::Token;

/// Floats up to here are exact integers if they look like it.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Reads the text of a number, or a symbol that begins like one (`-`, `+x`).
pub(super) fn read(word: &str) -> Result<Token<'_>, String> {
    let unsigned = word.strip_prefix(['+', '-']).unwrap_or(word);
    if !unsigned.starts_with(|c: char| c.is_ascii_digit()) {
        return Ok(Token::Str(word));
    }
    let plain = word.strip_prefix('+').unwrap_or(word);
    let none = || format!("`{word}` is no number: if it is text, put it in quotes");
    if let Some((over, under)) = plain.split_once('/') {
        return match (over.parse::<i64>(), under.parse::<i64>()) {
            (Ok(over), Ok(under)) if under > 0 => match over.checked_rem(under) {
                Some(0) => Ok(Token::Int(over / under)),
                _ => Ok(Token::Str(plain)),
            },
            _ if digits(over.trim_start_matches('-')) && digits(under) => Ok(Token::Str(plain)),
            _ => Err(none()),
        };
    }
    let plain = plain.strip_suffix(['N', 'M']).unwrap_or(plain);
    let magnitude = plain.strip_prefix('-').unwrap_or(plain);
    if digits(magnitude) {
        if magnitude.len() > 1 && magnitude.starts_with('0') {
            return Err(format!("`{word}` has a leading zero: write it without, or in quotes"));
        }
        return Ok(plain.parse().map_or(Token::Str(plain), Token::Int));
    }
    let float =
        magnitude.bytes().all(|b| matches!(b, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-'));
    match plain.parse::<f64>() {
        Ok(number) if float => Ok(exact(number).map_or(Token::Str(plain), Token::Int)),
        _ => Err(none()),
    }
}

fn digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// The integer a float is, if it is one for certain.
pub(in crate::codec) fn exact(number: f64) -> Option<i64> {
    (number.fract() == 0.0 && number.abs() <= EXACT).then_some(number as i64)
}
