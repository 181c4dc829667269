//! [`Template`]: text with names in braces, which are filled in later.
//!
//! `{key}` is a name, `{key|base64|json}` one with filters. A brace begins a name only where a
//! letter follows it and no `$` stands before it, so JSON and `${shell}` are left alone.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use danso_vocab::Value;
use danso_vocab::codec::json;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::mistake::no_such;

/// Text with names to be filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template {
    /// Its pieces, in order.
    pub(crate) parts: Vec<Part>,
}

/// A piece of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Text as it is.
    Text(String),
    /// A name, and what is done to its value.
    Name(String, Vec<Filter>),
}

/// What is done to a value before it is filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Filter {
    /// Base64 of the text.
    Base64,
    /// JSON: text in quotes.
    Json,
    /// Percent-encoded, for URLs.
    Url,
    /// As text, even where names are encoded by default.
    Raw,
}

const FILTERS: &[(&str, Filter)] = &[
    ("base64", Filter::Base64),
    ("json", Filter::Json),
    ("url", Filter::Url),
    ("raw", Filter::Raw),
];

/// What stays as it is in a URL.
const URL: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

impl Template {
    /// Reads a template whose names are all known: `known` says so.
    ///
    /// # Errors
    /// If a name or a filter is not known: which there are.
    pub(crate) fn new(
        text: &str,
        known: &dyn Fn(&str) -> Result<(), String>,
    ) -> Result<Template, String> {
        let (mut parts, mut plain) = (Vec::new(), String::new());
        let mut rest = text;
        while let Some(at) = rest.find('{') {
            let (before, from) = rest.split_at(at);
            plain += before;
            match name(from).filter(|_| !plain.ends_with('$')) {
                None => {
                    plain.push('{');
                    rest = &from[1..];
                }
                Some(inner) => {
                    let mut words = inner.split('|');
                    let name = words.next().unwrap_or_default();
                    known(name)?;
                    let filters = words.map(filter).collect::<Result<_, _>>()?;
                    if !plain.is_empty() {
                        parts.push(Part::Text(std::mem::take(&mut plain)));
                    }
                    parts.push(Part::Name(name.to_owned(), filters));
                    rest = &from[inner.len() + 2..];
                }
            }
        }
        plain += rest;
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        Ok(Template { parts })
    }

    /// Filled in. `usual` is done to values that have no filter.
    ///
    /// # Errors
    /// What `value` says.
    pub(crate) fn fill(
        &self,
        usual: Option<Filter>,
        value: &dyn Fn(&str) -> Result<Value, String>,
    ) -> Result<String, String> {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Text(plain) => text += plain,
                Part::Name(name, filters) => {
                    let value = value(name)?;
                    text += &match filters.as_slice() {
                        [] => apply(value, usual.as_slice()),
                        filters => apply(value, filters),
                    };
                }
            }
        }
        Ok(text)
    }
}

/// What stands in the braces at the beginning of this text, if it is a name.
fn name(text: &str) -> Option<&str> {
    let inner = text[1..].split_once('}')?.0;
    let fits = |c: char| c.is_ascii_alphanumeric() || "_-.:|".contains(c);
    (inner.starts_with(|c: char| c.is_ascii_lowercase()) && inner.chars().all(fits))
        .then_some(inner)
}

fn filter(word: &str) -> Result<Filter, String> {
    FILTERS.iter().find(|(name, _)| *name == word).map(|(_, filter)| *filter).ok_or_else(|| {
        let known: Vec<_> = FILTERS.iter().map(|(name, _)| *name).collect();
        no_such("filter", word, &known)
    })
}

fn apply(value: Value, filters: &[Filter]) -> String {
    let text = filters.iter().fold(value, |value, filter| {
        Value::Str(match filter {
            Filter::Json => json::to_string(&value),
            Filter::Base64 => STANDARD.encode(plain(&value)),
            Filter::Url => utf8_percent_encode(&plain(&value), URL).to_string(),
            Filter::Raw => plain(&value),
        })
    });
    plain(&text)
}

/// A value as text: text as it is, nothing for nil, everything else as JSON.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::Nil => String::new(),
        Value::Str(text) => text.clone(),
        value => json::to_string(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(text: &str) -> Result<String, String> {
        let known = |name: &str| match name {
            "key" | "value" | "node:1.ip" => Ok(()),
            _ => Err(format!("no {name}")),
        };
        Template::new(text, &known)?.fill(None, &|name| {
            Ok(match name {
                "key" => "k 1".into(),
                "value" => Value::from([1, 2]),
                _ => "10.0.0.1".into(),
            })
        })
    }

    #[test]
    fn names_are_filled_in_and_nothing_else() {
        assert_eq!(filled("{key}={value}").unwrap(), "k 1=[1,2]");
        assert_eq!(
            filled(r#"{"k":"{key|base64}","v":{value}}"#).unwrap(),
            r#"{"k":"ayAx","v":[1,2]}"#
        );
        assert_eq!(filled("{key|json} {key|url} {{key}").unwrap(), "\"k 1\" k%201 {k 1");
        assert_eq!(filled("${key} {} { key} {K}").unwrap(), "${key} {} { key} {K}");
        assert_eq!(filled("{node:1.ip}").unwrap(), "10.0.0.1");
        assert_eq!(filled("{kye}").unwrap_err(), "no kye");
        assert!(filled("{key|bse64}").unwrap_err().contains("base64"));
    }
}
