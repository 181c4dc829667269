//! Elements that are in or out.

use std::collections::BTreeSet;

use danso_vocab::{Model, Parts, Ret, Unit, Value};

/// A set that is empty at first.
///
/// | operation | answer |
/// | --- | --- |
/// | `add v` (`insert`) | `true` if it was not in, `false` if it was; anything else leaves that open |
/// | `remove v` (`delete`) | `true` if it was in, `false` if it was not; anything else leaves that open |
/// | `contains v` (`member`) | whether it is in |
/// | `read` | the list of all elements, in any order; `nil` for none |
///
/// Elements are anything but `nil`, and may come back after they were removed.
#[derive(Clone, Copy, Debug, Default)]
pub struct LinSet;

/// What an operation of a set does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SetWord {
    /// Puts the element in.
    Add,
    /// Takes it out.
    Remove,
    /// Tells whether it is in.
    Contains,
    /// Tells all that are in.
    Read,
}

impl LinSet {
    /// What an operation does.
    pub(crate) fn word(f: &str) -> Option<SetWord> {
        match f {
            "add" | "insert" => Some(SetWord::Add),
            "remove" | "delete" => Some(SetWord::Remove),
            "contains" | "member" => Some(SetWord::Contains),
            "read" => Some(SetWord::Read),
            _ => None,
        }
    }
}

impl Model for LinSet {
    type State = BTreeSet<Value>;

    fn name(&self) -> &'static str {
        "lin-set"
    }

    fn init(&self) -> BTreeSet<Value> {
        BTreeSet::new()
    }

    fn step(
        &self,
        state: &BTreeSet<Value>,
        f: &str,
        arg: &Value,
        ret: Ret<'_>,
    ) -> Option<BTreeSet<Value>> {
        let word = LinSet::word(f)?;
        let saw = match ret {
            Ret::Saw(ret) => ret.bool(),
            Ret::Unknown => None,
        };
        let is_in = state.contains(arg);
        let mut next = state.clone();
        let fits = match (word, ret) {
            (SetWord::Read, _) if !arg.is_nil() => false,
            (SetWord::Read, Ret::Saw(ret)) if ret.is_nil() => state.is_empty(),
            (SetWord::Read, Ret::Saw(ret)) => {
                ret.list()?.iter().collect::<BTreeSet<_>>() == state.iter().collect()
            }
            (SetWord::Read, Ret::Unknown) => true,
            _ if arg.is_nil() => false,
            (SetWord::Contains, Ret::Saw(_)) => saw == Some(is_in),
            (SetWord::Contains, Ret::Unknown) => true,
            (SetWord::Add, _) => next.insert(arg.clone()) || saw != Some(true),
            (SetWord::Remove, _) => next.remove(arg) || saw != Some(true),
        };
        let refused = match word {
            SetWord::Add => saw == Some(false) && !is_in,
            SetWord::Remove => saw == Some(false) && is_in,
            SetWord::Contains | SetWord::Read => false,
        };
        (fits && !refused).then_some(next)
    }

    fn is_read(&self, f: &str) -> bool {
        matches!(LinSet::word(f), Some(SetWord::Contains | SetWord::Read))
    }

    fn parts<'a>(&self, f: &str, arg: &'a Value, _: Ret<'a>) -> Parts<'a> {
        match LinSet::word(f) {
            Some(SetWord::Read) | None => Parts::All,
            Some(_) => Parts::Of(vec![arg]),
        }
    }

    fn unit<'a>(&self, f: &str, _: &'a Value, ret: Ret<'a>) -> Unit<'a> {
        match (LinSet::word(f), ret) {
            (Some(SetWord::Contains | SetWord::Read), _) => Unit::Observer,
            // It changed nothing. What did may be told by a read of all.
            (Some(_), Ret::Saw(Value::Bool(false))) => Unit::Observer,
            _ => Unit::Fixed,
        }
    }

    fn describe(&self, state: &BTreeSet<Value>) -> String {
        Value::List(state.iter().cloned().collect()).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_tell_what_was_in() {
        let out = BTreeSet::new();
        let one = BTreeSet::from([Value::Int(1)]);
        let step = |state: &BTreeSet<Value>, f, ret: Value| {
            LinSet.step(state, f, &1.into(), Ret::Saw(&ret))
        };
        assert_eq!(step(&out, "add", true.into()), Some(one.clone()));
        assert_eq!(step(&out, "add", Value::Nil), Some(one.clone()));
        assert_eq!(step(&out, "add", false.into()), None);
        assert_eq!(step(&one, "add", false.into()), Some(one.clone()));
        assert_eq!(step(&one, "add", true.into()), None);
        assert_eq!(step(&one, "add", "ok".into()), Some(one.clone()));
        assert_eq!(step(&one, "remove", true.into()), Some(out.clone()));
        assert_eq!(step(&out, "remove", true.into()), None);
        assert_eq!(step(&one, "remove", false.into()), None);
        assert_eq!(step(&out, "delete", false.into()), Some(out.clone()));
        assert_eq!(step(&one, "contains", true.into()), Some(one.clone()));
        assert_eq!(step(&one, "contains", false.into()), None);
        assert_eq!(step(&one, "contains", Value::Nil), None);
        for f in ["add", "remove", "contains"] {
            assert!(LinSet.step(&one, f, &1.into(), Ret::Unknown).is_some());
        }
    }

    #[test]
    fn reads_tell_all() {
        let two = BTreeSet::from([Value::Int(1), Value::Int(2)]);
        let read = |state: &BTreeSet<Value>, ret: Value| {
            LinSet.step(state, "read", &Value::Nil, Ret::Saw(&ret)).is_some()
        };
        assert!(read(&two, [2, 1].into()));
        assert!(!read(&two, [2].into()));
        assert!(!read(&two, [1, 2, 3].into()));
        assert!(read(&BTreeSet::new(), Value::Nil));
        assert!(LinSet.step(&two, "read", &Value::Nil, Ret::Unknown).is_some());
    }
}
