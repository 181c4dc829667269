//! Text from elsewhere, made harmless to look at.
//!
//! Escaping markup is the template's work. This is about the rest: control characters act on
//! terminals, invisible and direction-turning characters make a line read as another. They are
//! replaced by visible stand-ins, so a reader sees that they were there.

use std::fmt::{Display, Write as _};

/// One line: line breaks and tabs are spelt out too, so that text cannot forge a line of ours.
pub(crate) fn line(text: impl Display) -> String {
    clip(text, usize::MAX)
}

/// One line of at most `max` characters, saying how many it left out.
pub(crate) fn clip(text: impl Display, max: usize) -> String {
    let (shown, left_out) = cut(&text.to_string(), max);
    match left_out {
        0 => shown,
        n => format!("{shown}… ({n} more characters)"),
    }
}

/// One line of at most `max` characters, ending in an ellipsis if it was longer.
pub(crate) fn brief(text: impl Display, max: usize) -> String {
    let (shown, left_out) = cut(&text.to_string(), max);
    if left_out == 0 { shown } else { format!("{shown}…") }
}

/// The last `max` bytes of a text of several lines, without its colours; says how much came
/// before.
pub(crate) fn block(text: &str, max: usize) -> String {
    let mut from = text.len().saturating_sub(max);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    let mut out = String::new();
    if from > 0 {
        let _ = writeln!(out, "… ({from} bytes before this are left out)");
    }
    let mut rest = text[from..].chars();
    while let Some(c) = rest.next() {
        match c {
            '\n' | '\t' => out.push(c),
            '\r' if rest.as_str().starts_with('\n') => {}
            '\u{1b}' => match colour(rest.as_str()) {
                Some(length) => rest = rest.as_str()[length..].chars(),
                None => push(&mut out, c),
            },
            c => push(&mut out, c),
        }
    }
    out
}

/// The length of the rest of an escape sequence that sets a colour.
fn colour(rest: &str) -> Option<usize> {
    let body = rest.strip_prefix('[')?;
    let end = body.find(|c: char| !c.is_ascii_digit() && c != ';')?;
    body[end..].starts_with('m').then_some(end + 2)
}

fn cut(text: &str, max: usize) -> (String, usize) {
    let mut out = String::new();
    let mut chars = text.chars();
    for c in chars.by_ref().take(max) {
        push(&mut out, c);
    }
    (out, chars.count())
}

fn push(out: &mut String, c: char) {
    match u32::from(c) {
        code @ 0..=0x1f => out.extend(char::from_u32(0x2400 + code)),
        0x7f => out.push('\u{2421}'),
        code if is_hidden(c) => {
            let _ = write!(out, "⟨U+{code:04X}⟩");
        }
        _ => out.push(c),
    }
}

/// Whether a character shows nothing, moves its neighbours, or is none.
pub(crate) fn is_hidden(c: char) -> bool {
    c.is_control()
        || u32::from(c) & 0xfffe == 0xfffe
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{3164}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{fdd0}'..='\u{fdef}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_acts_on_a_terminal() {
        assert_eq!(line("a\u{1b}[2Jb\n\r\t\0\u{7f}"), "a␛[2Jb␊␍␉␀␡");
        assert_eq!(line("\u{202e}evil\u{85}\u{fffe}"), "⟨U+202E⟩evil⟨U+0085⟩⟨U+FFFE⟩");
        assert_eq!(line("naïve 数 🦀"), "naïve 数 🦀");
    }

    #[test]
    fn clipping_says_so() {
        assert_eq!(clip("abcdef", 4), "abcd… (2 more characters)");
        assert_eq!(clip("abcd", 4), "abcd");
        assert_eq!(brief("ééééé", 3), "ééé…");
    }

    #[test]
    fn blocks_keep_lines_and_drop_colours() {
        assert_eq!(block("a\r\n\tb", 99), "a\n\tb");
        assert_eq!(block("\u{1b}[1;31mred\u{1b}[0m\u{1b}[", 99), "red␛[");
        assert_eq!(
            block("héllo", 4),
            "… (2 bytes before this are left out)\nllo".replace("(2", "(3")
        );
    }
}
