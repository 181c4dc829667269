//! [`Places`]: where in a test file a setting stands, to blame the right line.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A test file's text.
#[derive(Clone, Debug)]
pub(super) struct Places {
    pub(super) file: String,
    pub(super) text: String,
}

impl Places {
    /// `file:line:column` of a setting, or of the nearest one around it that stands in the file.
    pub(super) fn of(&self, path: &[&str]) -> String {
        match find(&self.text, path) {
            Some(at) => self.at(at.start),
            None => self.file.clone(),
        }
    }

    /// `file:line:column` of a byte.
    pub(super) fn at(&self, byte: usize) -> String {
        let (line, column) = place(&self.text, byte);
        format!("{}:{line}:{column}", self.file)
    }
}

/// Where a setting stands, or as much of its path as there is.
fn find(text: &str, path: &[&str]) -> Option<Range<usize>> {
    let table = DeTable::parse(text).ok()?.into_inner();
    let (first, rest) = path.split_first()?;
    let (key, mut value) = table.get_key_value(*first)?;
    let mut found = span(key.span(), value);
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
        found = span(key, next);
        value = next;
    }
    Some(found)
}

/// The place of a value, or of its key where the value is a table of many lines.
fn span(key: Range<usize>, value: &Spanned<DeValue<'_>>) -> Range<usize> {
    match value.get_ref() {
        DeValue::Table(_) => key,
        _ => value.span(),
    }
}

/// Line and column, from 1, of a byte in a text.
pub(super) fn place(text: &str, at: usize) -> (usize, usize) {
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
        assert_eq!(places.of(&["workload"]), "t:1:12");
        assert_eq!(places.of(&["client", "ops", "read", "ok"]), "t:4:8");
        assert_eq!(places.of(&["client", "ops", "read", "fail"]), "t:3:1");
        assert_eq!(places.of(&["fault", "1", "kind"]), "t:8:8");
        assert_eq!(places.of(&["none"]), "t");
    }
}
