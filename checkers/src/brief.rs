//! [`brief`]: words that fit where they are read.

use std::fmt::{Display, Write};

/// The longest that words of one operation, state or event get, in characters.
const LONGEST: usize = 400;

/// What it says, cut off where it gets too long: a value may be a megabyte.
pub(crate) fn brief(what: impl Display) -> String {
    let mut words = Cut { text: String::new(), left: LONGEST };
    // An error is only the end of the room.
    match write!(words, "{what}") {
        Ok(()) => words.text,
        Err(_) => words.text + "…",
    }
}

struct Cut {
    text: String,
    left: usize,
}

impl Write for Cut {
    fn write_str(&mut self, more: &str) -> std::fmt::Result {
        for letter in more.chars() {
            self.left = self.left.checked_sub(1).ok_or(std::fmt::Error)?;
            self.text.push(letter);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_words_are_cut_between_letters() {
        assert_eq!(brief("short"), "short");
        assert_eq!(brief("ü".repeat(LONGEST)), "ü".repeat(LONGEST));
        assert_eq!(brief("ü".repeat(1 << 20)), "ü".repeat(LONGEST) + "…");
    }
}
