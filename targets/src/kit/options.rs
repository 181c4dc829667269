//! Checked options: the same for the target and on a node's command line.

use std::collections::BTreeMap;
use std::time::Duration;

use danso_vocab::{ParamSpec, Params, Value};

use crate::{BugSpec, names};

/// Options that are complete; a name nobody knows is refused.
#[derive(Clone, Debug)]
pub(crate) struct Options(Params);

impl Options {
    /// The given options, completed by defaults; the error is one line.
    pub(crate) fn new(
        specs: &[ParamSpec],
        given: &BTreeMap<String, Value>,
    ) -> Result<Options, String> {
        if let Some(name) = given.keys().find(|g| specs.iter().all(|o| o.name != *g)) {
            let known: Vec<&str> = specs.iter().map(|o| o.name).collect();
            return Err(names::unknown("option", name, &known));
        }
        Params::complete(specs, given).map(Options).map_err(|e| e.to_string())
    }

    /// All of them, to be handed on to the nodes.
    pub(crate) fn all(&self) -> &BTreeMap<String, Value> {
        self.0.all()
    }

    /// An integer in a range.
    pub(crate) fn int(&self, name: &str, low: u64, high: u64) -> Result<u64, String> {
        let range = low as i64..=high as i64;
        self.0.int(name, range).map(|i| i as u64).map_err(|e| e.to_string())
    }

    /// Milliseconds, as ns.
    pub(crate) fn ms(&self, name: &str, low: u64, high: u64) -> Result<u64, String> {
        Ok(Duration::from_millis(self.int(name, low, high)?).as_nanos() as u64)
    }

    /// True or false.
    pub(crate) fn flag(&self, name: &str) -> Result<bool, String> {
        let got = self.0.get(name);
        got.bool().ok_or_else(|| format!("option `{name}` is {got}, but must be true or false"))
    }

    /// One of these words, as what stands beside it.
    pub(crate) fn word<T: Copy>(&self, name: &str, words: &[(&str, T)]) -> Result<T, String> {
        let got = self.0.get(name);
        let found = words.iter().find(|(word, _)| got.str() == Some(word));
        found.map(|(_, meant)| *meant).ok_or_else(|| {
            let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            format!("option `{name}` is {got}, but must be one of {}", known.join(", "))
        })
    }

    /// The option `bug`: one of these mistakes, as what stands beside it; `None` if it is nil.
    pub(crate) fn bug<T: Copy>(&self, bugs: &[(BugSpec, T)]) -> Result<Option<T>, String> {
        match self.0.get("bug") {
            Value::Nil => Ok(None),
            Value::Str(name) => {
                let found = bugs.iter().find(|(spec, _)| spec.name == name);
                found.map(|(_, bug)| Some(*bug)).ok_or_else(|| {
                    let known: Vec<&str> = bugs.iter().map(|(spec, _)| spec.name).collect();
                    names::unknown("bug", name, &known)
                })
            }
            other => Err(format!("option `bug` is {other}, but must be a name or nil")),
        }
    }
}

/// The option every target with bugs has.
pub(crate) const BUG: ParamSpec =
    ParamSpec { name: "bug", about: "a mistake to make; nil for none", default: || Value::Nil };

/// The option every target with a disk has.
pub(crate) const FSYNC: ParamSpec = ParamSpec {
    name: "fsync",
    about: "wait for the disk; without it only a power failure loses data, not a kill",
    default: || true.into(),
};

/// `NAME=VALUE` from a command line.
pub(crate) fn parse(text: &str) -> Result<(String, Value), String> {
    let (name, value) =
        text.split_once('=').ok_or_else(|| format!("`{text}` is no option: write NAME=VALUE"))?;
    let value = match value {
        "nil" | "null" | "" => Value::Nil,
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        other => other.parse().map_or_else(|_| Value::from(other), Value::Int),
    };
    Ok((name.to_owned(), value))
}
