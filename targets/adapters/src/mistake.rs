//! [`Mistake`]: what is wrong with a setting, and which.

use std::fmt;

use danso_vocab::Value;
use danso_vocab::codec::json;
use serde::de::DeserializeOwned;

/// What is wrong with a test file's description of a system: one line, with the mend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The setting: `["client", "ops", "read", "send"]`.
    pub at: Vec<String>,
    /// What is wrong.
    pub why: String,
}

impl Mistake {
    /// This is wrong somewhere.
    pub fn new(why: impl Into<String>) -> Mistake {
        Mistake { at: Vec::new(), why: why.into() }
    }

    /// … in the setting of this name.
    #[must_use]
    pub fn at(mut self, name: &str) -> Mistake {
        self.at.insert(0, name.to_owned());
        self
    }

    /// … in `[target]`, unless it is about the client.
    pub(crate) fn in_target(self) -> Mistake {
        if self.at.first().is_some_and(|name| name == "client") { self } else { self.at("target") }
    }
}

impl From<String> for Mistake {
    fn from(why: String) -> Mistake {
        Mistake::new(why)
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at.as_slice() {
            [] => out.write_str(&self.why),
            at => write!(out, "{}: {}", at.join("."), self.why),
        }
    }
}

/// Reads typed settings.
///
/// # Errors
/// If something is missing, unknown or of another type: which, and what is nearest to it.
pub(crate) fn read<T: DeserializeOwned>(settings: &Value) -> Result<T, Mistake> {
    let text = json::to_string(settings);
    let mut reader = serde_json::Deserializer::from_str(&text);
    serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let at: Vec<String> = error
            .path()
            .iter()
            .filter_map(|segment| match segment {
                serde_path_to_error::Segment::Map { key } => Some(key.clone()),
                serde_path_to_error::Segment::Seq { index } => Some(index.to_string()),
                _ => None,
            })
            .collect();
        let why = error.inner().to_string();
        // Where in a text nobody has seen it stands is of no use.
        let why = why.rsplit_once(" at line ").map_or(why.as_str(), |(why, _)| why);
        Mistake { at, why: nearest(why) }
    })
}

/// A name that is not there, with the nearest that is.
pub fn no_such(what: &str, name: &str, known: &[&str]) -> String {
    match near(name, known) {
        Some(near) => format!("there is no {what} `{name}`; did you mean `{near}`?"),
        None => format!("there is no {what} `{name}`; there are: {}", known.join(", ")),
    }
}

/// The name that was meant, if one is near enough.
pub(crate) fn near<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let near = known.iter().map(|k| (strsim::damerau_levenshtein(name, k), *k)).min();
    near.filter(|(distance, _)| *distance <= 1 + name.len() / 3).map(|(_, near)| near)
}

/// serde's words for types, and a person's.
const TYPES: &[(&str, &str)] = &[
    ("a sequence", "a list"),
    ("a map", "a table"),
    ("sequence", "a list"),
    ("map", "a table"),
    ("u16", "a number from 0 to 65535"),
    ("u32", "a number from 0 to 4294967295"),
    ("u64", "a number from 0"),
];

/// What was expected, in a person's words.
fn plainly(why: &str) -> String {
    let Some((got, expected)) = why.rsplit_once(", expected ") else { return why.to_owned() };
    let plain = TYPES.iter().find(|(word, _)| *word == expected);
    format!("{got}, expected {}", plain.map_or(expected, |(_, plain)| plain))
}

/// serde's words as a person's, and about an unknown name which known one is meant.
pub fn nearest(why: &str) -> String {
    let why = &*plainly(why);
    let names: Vec<&str> = why.split('`').skip(1).step_by(2).collect();
    let unknown = why.starts_with("unknown field") || why.starts_with("unknown variant");
    let Some((name, known)) = names.split_first().filter(|_| unknown) else {
        return why.to_owned();
    };
    match near(name, known) {
        Some(near) => format!("{why}; did you mean `{near}`?"),
        None => why.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        #[allow(dead_code, reason = "only read")]
        ops: std::collections::BTreeMap<String, Inner>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        #[allow(dead_code, reason = "only read")]
        send: String,
    }

    #[test]
    fn the_setting_and_the_nearest_name_are_told() {
        let of =
            |f: &str, v: Value| Value::of([("ops", Value::of([("read", Value::of([(f, v)]))]))]);
        let wrong = read::<Outer>(&of("sned", "x".into())).unwrap_err();
        assert_eq!(wrong.at[..2], ["ops", "read"]);
        assert!(wrong.why.contains("did you mean `send`?"), "{wrong}");
        let wrong = read::<Outer>(&of("send", 3.into())).unwrap_err();
        assert_eq!(
            wrong.to_string(),
            "ops.read.send: invalid type: integer `3`, expected a string"
        );
        assert!(read::<Outer>(&of("send", "x".into())).is_ok());
    }
}
