//! JSON within a page: nothing in it ends the element, and nothing in it acts on whoever reads
//! the page's source.

use std::fmt::Write as _;

use crate::inert;

/// The same JSON, with everything spelt out that markup or a terminal would take for its own.
/// Such characters stand within strings only, where `\u` may stand for them.
pub(super) fn harmless(json: &str) -> String {
    let mut out = String::with_capacity(json.len() + json.len() / 64);
    for c in json.chars() {
        if matches!(c, '<' | '>' | '&') || inert::is_hidden(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_the_element_and_all_comes_back() {
        let hostile =
            "</script><!--\u{0}\u{7f}\u{85}\u{202e}\u{2028}\u{feff}\u{e0001}&amp;]]>数\"\\";
        let json = serde_json::to_string(hostile).unwrap();
        let safe = harmless(&json);
        assert!(!safe.contains(['<', '>', '&', '\u{202e}', '\u{7f}']), "{safe}");
        assert!(safe.contains('数'));
        assert_eq!(serde_json::from_str::<String>(&safe).unwrap(), hostile);
    }
}
