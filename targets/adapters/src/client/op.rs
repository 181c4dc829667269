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
            part.cloned().ok_or_else(|| {
                format!("{}'s argument is {}, which has no {name}", call.f, call.arg)
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_that_is_known_has_a_value() {
        let transfer = Call::new("transfer", Value::of([("from", 3.into())])).on("k");
        let cas = Call::new("cas", Value::from([1, 2])).on("k");
        for (name, call, expected) in [
            ("key", &cas, "k".into()),
            ("value", &cas, Value::from([1, 2])),
            ("old", &cas, 1.into()),
            ("new", &cas, 2.into()),
            ("value.from", &transfer, 3.into()),
            ("process", &cas, 7.into()),
            ("f", &cas, "cas".into()),
        ] {
            assert!(knows(name), "{name}");
            assert_eq!(value(name, call, Process(7)), Ok(expected), "{name}");
        }
        assert!(value("value.to", &transfer, Process(7)).is_err());
        assert!(value("old", &transfer, Process(7)).is_err());
        assert!(!knows("value.") && !knows("from"));
    }
}
