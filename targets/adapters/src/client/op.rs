//! What templates of operations may name, and the values behind it.

use danso_vocab::{Call, Process, Value};

use crate::mistake::near;
use crate::template::Template;

/// What there is.
const NAMES: &[(&str, &str)] = &[
    ("key", "the object"),
    ("value", "the argument"),
    ("value.NAME", "a part of the argument, as in {value.token}"),
    ("old", "the first of two arguments, as of a compare-and-set"),
    ("new", "the second"),
    ("process", "the process' number"),
    ("f", "the operation's name"),
];

/// Whether there is such a name.
pub(crate) fn knows(name: &str) -> bool {
    name.strip_prefix("value.").is_some_and(|part| !part.is_empty())
        || NAMES.iter().any(|(known, _)| *known == name)
}

/// A template of an operation; `more` are names beside the usual ones.
///
/// # Errors
/// If it has a name that there is not.
pub(crate) fn template(text: &str, more: &dyn Fn(&str) -> bool) -> Result<Template, String> {
    Template::new(text, &|name| {
        if more(name) || knows(name) {
            return Ok(());
        }
        let names: Vec<_> = NAMES.iter().map(|(name, _)| *name).collect();
        if let Some(near) = near(name, &names) {
            return Err(format!("there is no `{{{name}}}`; did you mean `{{{near}}}`?"));
        }
        let known: Vec<String> =
            NAMES.iter().map(|(name, about)| format!("{name} ({about})")).collect();
        Err(format!("there is no `{{{name}}}`; there are: {}", known.join(", ")))
    })
}

/// The value of a name in `call`.
///
/// # Errors
/// If the call has no such thing.
pub(crate) fn value(name: &str, call: &Call, process: Process) -> Result<Value, String> {
    let pair = |second: bool| match call.arg.pair() {
        Some((old, new)) => Ok(if second { new.clone() } else { old.clone() }),
        None => Err(format!("{}'s argument is {}, which has no {name}", call.f, call.arg)),
    };
    match name {
        "key" => Ok(call.key.clone().unwrap_or_default()),
        "value" => Ok(call.arg.clone()),
        "old" => pair(false),
        "new" => pair(true),
        "process" => Ok(Value::Int(process.0.into())),
        "f" => Ok(Value::Str(call.f.to_string())),
        _ => {
            let part = name.strip_prefix("value.").and_then(|part| call.arg.get(part));
            let none = || format!("{}'s argument is {}, which has no {name}", call.f, call.arg);
            part.cloned().ok_or_else(none)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_its_value() {
        let of = |name: &str, arg: Value| value(name, &Call::new("f", arg).on("k"), Process(3));
        let lease = Value::of([("owner", "w1".into()), ("ttl-ms", 500.into())]);
        for (name, arg, want) in [
            ("key", Value::Nil, "k".into()),
            ("value", 7.into(), 7.into()),
            ("value.ttl-ms", lease.clone(), 500.into()),
            ("old", [1, 2].into(), 1.into()),
            ("new", [1, 2].into(), 2.into()),
            ("process", Value::Nil, 3.into()),
            ("f", Value::Nil, "f".into()),
        ] {
            assert!(knows(name));
            assert_eq!(of(name, arg), Ok(want), "{name}");
        }
        for (name, arg) in [("value.ttl", lease), ("value.ttl", 7.into()), ("old", 7.into())] {
            assert!(of(name, arg.clone()).is_err(), "{name} of {arg}");
        }
        assert!(!knows("value.") && !knows("valeu"));
    }
}
