//! [`Places`]: where in a test file a setting stands, to blame the right line.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A test file's text.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    pub(crate) file: String,
    pub(crate) text: String,
}

impl Places {
    /// `file:line:column` of a setting that this message is about, or of the nearest one around
    /// it that stands in the file, if need be of its beginning: of the name where that is unknown, else of the value.
    pub(crate) fn blame(&self, path: &[&str], message: &str) -> String {
        let unknown = message.strip_prefix("unknown field `").and_then(|m| m.split('`').next());
        let found = match unknown {
            Some(name) => {
                let inner: Vec<&str> = path.iter().copied().chain([name]).collect();
                let known = path.last() == Some(&name);
                let path = if known { path } else { &inner };
                find(&self.text, path).map(|found| found.key)
            }
            None => find(&self.text, path).map(|found| found.value),
        };
        self.at(found.map_or(0, |at| at.start))
    }

    /// `file:line:column` of a byte.
    pub(crate) fn at(&self, byte: usize) -> String {
        let (line, column) = place(&self.text, byte);
        format!("{}:{line}:{column}", self.file)
    }
}

/// Where a setting stands.
struct Found {
    key: Range<usize>,
    /// The place of its key, where the value is a table of many lines.
    value: Range<usize>,
}

impl Found {
    fn new(key: Range<usize>, value: &Spanned<DeValue<'_>>) -> Found {
        let at = match value.get_ref() {
            DeValue::Table(_) => key.clone(),
            _ => value.span(),
        };
        Found { key, value: at }
    }
}

/// Where a setting stands, or as much of its path as there is.
fn find(text: &str, path: &[&str]) -> Option<Found> {
    let table = DeTable::parse(text).ok()?.into_inner();
    let (first, rest) = path.split_first()?;
    let (key, mut value) = table.get_key_value(*first)?;
    let mut found = Found::new(key.span(), value);
    for name in rest {
        let (key, next) = match value.get_ref() {
            DeValue::Table(table) => match table.get_key_value(*name) {
                Some((key, value)) => (key.span(), value),
                None => break,
            },
            DeValue::Array(list) => match name.parse().ok().and_then(|i: usize| list.get(i)) {
                Some(value) => (value.span(), value),
                None => break,
            },
            _ => break,
        };
        found = Found::new(key, next);
        value = next;
    }
    Some(found)
}

/// Line and column, from 1, of a byte in a text.
pub(crate) fn place(text: &str, at: usize) -> (usize, usize) {
    let before = &text[..at.min(text.len())];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |l| l.chars().count()) + 1;
    (line, column)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_found_where_they_stand() {
        let text = "workload = \"x\"\n[client.ops]\nread = { send = \"GET\",\n  ok = 3 }\n\
                    [[fault]]\nkind = \"a\"\n[[fault]]\nkind = \"b\"\n";
        let places = Places { file: "t".into(), text: text.into() };
        assert_eq!(places.blame(&["workload"], ""), "t:1:12");
        assert_eq!(places.blame(&["client", "ops", "read", "ok"], ""), "t:4:8");
        assert_eq!(places.blame(&["client", "ops", "read", "fail"], ""), "t:3:1");
        assert_eq!(places.blame(&["fault", "1", "kind"], ""), "t:8:8");
        assert_eq!(places.blame(&["none"], ""), "t:1:1");
        assert_eq!(places.blame(&["client", "ops"], "unknown field `read`, …"), "t:3:1");
    }
}
