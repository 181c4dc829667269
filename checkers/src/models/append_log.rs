//! A list that only grows.

use std::hash::{Hash, Hasher};

use danso_vocab::{Model, Ret, Value};
use rustc_hash::FxHasher;

use super::trie::Trie;

/// A log: `append v` answers the offset at which `v` now is, counted from 0 without gaps;
/// `read offset` answers the value there, nil if there is none yet; `read` without an offset
/// answers the whole list. An offset may also come as `{offset: 3}`; an append that answers
/// neither says nothing of where it went.
#[derive(Clone, Debug, Default)]
pub struct AppendLog;

/// The contents of an [`AppendLog`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    items: Trie<Value>,
    len: u64,
    /// Of all items in order.
    hash: u64,
}

impl Hash for Log {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl Log {
    fn pushed(&self, value: &Value) -> Log {
        let mut hasher = FxHasher::default();
        (self.hash, value).hash(&mut hasher);
        let items = self.items.with(self.len, value.clone());
        Log { items, len: self.len + 1, hash: hasher.finish() }
    }

    fn is(&self, list: &[Value]) -> bool {
        self.len == list.len() as u64
            && (0..).zip(list).all(|(offset, value)| self.items.get(offset) == Some(value))
    }
}

/// The offset an append answered, if it did.
pub(crate) fn offset(ret: &Value) -> Option<i64> {
    ret.int().or_else(|| ret.get("offset")?.int())
}

impl Model for AppendLog {
    type State = Log;

    fn name(&self) -> &'static str {
        "append-log"
    }

    fn init(&self) -> Log {
        Log { items: Trie::EMPTY, len: 0, hash: 0 }
    }

    fn step(&self, state: &Log, f: &str, arg: &Value, ret: Ret<'_>) -> Option<Log> {
        let Ret::Saw(ret) = ret else {
            return match f {
                "append" => Some(state.pushed(arg)),
                "read" if arg.is_nil() || arg.int().is_some() => Some(state.clone()),
                _ => None,
            };
        };
        let right = match (f, arg) {
            ("append", _) => offset(ret).is_none_or(|at| u64::try_from(at) == Ok(state.len)),
            ("read", Value::Nil) => state.is(if ret.is_nil() { &[] } else { ret.list()? }),
            ("read", Value::Int(at)) => {
                let there = u64::try_from(*at).ok().and_then(|at| state.items.get(at));
                there.unwrap_or(&Value::Nil) == ret
            }
            _ => false,
        };
        right.then(|| if f == "append" { state.pushed(arg) } else { state.clone() })
    }

    fn is_read(&self, f: &str) -> bool {
        f == "read"
    }

    fn describe(&self, state: &Log) -> String {
        let items = (0..state.len).filter_map(|at| state.items.get(at));
        Value::List(items.cloned().collect()).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_and_is_read() {
        let (model, nil) = (AppendLog, Value::Nil);
        let step = |log: &Log, f, arg: &Value, ret: &Value| model.step(log, f, arg, Ret::Saw(ret));
        let one = step(&model.init(), "append", &7.into(), &0.into()).unwrap();
        let two = step(&one, "append", &8.into(), &Value::of([("offset", 1.into())])).unwrap();
        assert_eq!(two, step(&one, "append", &8.into(), &nil).unwrap());
        assert_eq!(step(&one, "append", &8.into(), &2.into()), None);
        assert_eq!(model.describe(&two), "[7 8]");
        for (arg, ret, right) in [
            (Value::from(0), Value::from(7), true),
            (1.into(), 8.into(), true),
            (1.into(), 7.into(), false),
            (2.into(), nil.clone(), true),
            (1.into(), nil.clone(), false),
            (nil.clone(), [7, 8].into(), true),
            (nil.clone(), [7].into(), false),
            (nil.clone(), nil.clone(), false),
        ] {
            let after = step(&two, "read", &arg, &ret);
            assert_eq!(after, right.then(|| two.clone()), "{arg} {ret}");
        }
        assert_eq!(model.step(&one, "read", &"x".into(), Ret::Unknown), None);
        assert_eq!(model.step(&one, "push", &nil, Ret::Unknown), None);
    }
}
