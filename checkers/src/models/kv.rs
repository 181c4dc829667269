//! A key-value store: one key as an object, or all keys as one.

use std::collections::BTreeMap;

use danso_vocab::{Access, Model, Parts, Ret, Value};

const NIL: &Value = &Value::Nil;
const EMPTY: &Value = &Value::Str(String::new());

/// One key of a key-value store: `get` answers its value, `put` replaces it, `append` adds text at
/// its end, `delete` removes it, `cas [old new]` replaces it if it is `old`; also `read` and
/// `write`. A refused compare-and-set is as with [`CasRegister`](super::CasRegister).
#[derive(Clone, Debug, Default)]
pub struct Kv {
    missing: Value,
}

impl Kv {
    /// A key that does not exist at first, and then reads as `missing`.
    pub fn new(missing: Value) -> Self {
        Kv { missing }
    }

    /// What `f(arg)` does if it does not depend on the value before beyond comparing it.
    fn touch<'a>(&self, f: &str, arg: &'a Value, ret: Ret<'a>) -> Option<Access<'a>> {
        match (f, ret) {
            ("get" | "read", Ret::Saw(value)) => Some(Access::Reads(value)),
            ("put" | "write", _) => Some(Access::Writes(arg)),
            ("delete", _) if self.missing == *NIL => Some(Access::Writes(NIL)),
            ("delete", _) if self.missing == *EMPTY => Some(Access::Writes(EMPTY)),
            ("cas", Ret::Saw(no)) if refused(no) => Some(Access::Misses(arg.pair()?.0)),
            ("cas", _) => arg.pair().map(|(old, new)| Access::Swaps { old, new }),
            _ => None,
        }
    }
}

/// Whether the result of a compare-and-set says that it was refused.
fn refused(ret: &Value) -> bool {
    *ret == Value::Bool(false) || ret.str() == Some("mismatch")
}

impl Model for Kv {
    type State = Value;

    fn name(&self) -> &'static str {
        "kv"
    }

    fn init(&self) -> Value {
        self.missing.clone()
    }

    fn step(&self, state: &Value, f: &str, arg: &Value, ret: Ret<'_>) -> Option<Value> {
        match (f, ret) {
            ("get" | "read", Ret::Saw(value)) => (state == value).then(|| state.clone()),
            ("get" | "read", Ret::Unknown) => Some(state.clone()),
            ("put" | "write", _) => Some(arg.clone()),
            ("delete", _) => Some(self.missing.clone()),
            ("append", _) => match (state, arg) {
                (Value::Nil, Value::Str(_)) => Some(arg.clone()),
                (Value::Str(text), Value::Str(more)) => Some([text.as_str(), more].concat().into()),
                _ => None,
            },
            ("cas", ret) => {
                let (old, new) = arg.pair()?;
                match ret {
                    Ret::Saw(no) if refused(no) => (state != old).then(|| state.clone()),
                    Ret::Saw(_) => (state == old).then(|| new.clone()),
                    Ret::Unknown => Some(if state == old { new } else { state }.clone()),
                }
            }
            _ => None,
        }
    }

    fn is_read(&self, f: &str) -> bool {
        matches!(f, "get" | "read")
    }

    // With `append` present a state is more than the last value written, so `overwrites` has
    // nothing to say; the checker uses `access` only if every operation has one.
    fn access<'a>(&self, f: &str, arg: &'a Value, ret: Ret<'a>) -> Option<Access<'a>> {
        self.touch(f, arg, ret)
    }

    fn describe(&self, state: &Value) -> String {
        state.to_string()
    }
}

/// All keys of a key-value store as one object, for histories whose operations name their key in
/// the argument: `get k`, `put [k value]`, `append [k text]`, `delete k`, `cas [k old new]` or
/// `cas [k [old new]]`; also `read` and `write`. An answer `[k value]` to `get` is understood too.
/// Each key behaves as a [`Kv`].
#[derive(Clone, Debug, Default)]
pub struct KvMap {
    one: Kv,
}

impl KvMap {
    /// A store without keys; a key that is missing reads as `missing`.
    pub fn new(missing: Value) -> Self {
        KvMap { one: Kv::new(missing) }
    }
}

/// The key and the rest of the argument.
fn keyed<'a>(f: &str, arg: &'a Value) -> Option<(&'a Value, Value)> {
    match (f, arg) {
        ("get" | "read" | "delete", Value::List(pair)) => match pair.as_slice() {
            [key, Value::Nil] => Some((key, Value::Nil)),
            _ => Some((arg, Value::Nil)),
        },
        ("get" | "read" | "delete", _) => Some((arg, Value::Nil)),
        (_, Value::List(all)) => match all.as_slice() {
            [key, value] => Some((key, value.clone())),
            [key, old, new] if f == "cas" => {
                Some((key, Value::List(vec![old.clone(), new.clone()])))
            }
            _ => None,
        },
        _ => None,
    }
}

impl Model for KvMap {
    /// The keys that are not missing.
    type State = BTreeMap<Value, Value>;

    fn name(&self) -> &'static str {
        "kv-map"
    }

    fn init(&self) -> Self::State {
        BTreeMap::new()
    }

    fn step(&self, state: &Self::State, f: &str, arg: &Value, ret: Ret<'_>) -> Option<Self::State> {
        let (key, rest) = keyed(f, arg)?;
        let now = state.get(key).unwrap_or(&self.one.missing);
        let ret = match ret {
            Ret::Saw(Value::List(pair)) if self.is_read(f) => match pair.as_slice() {
                [of, value] if of == key && arg.pair().is_some() => Ret::Saw(value),
                _ => ret,
            },
            _ => ret,
        };
        let value = self.one.step(now, f, &rest, ret)?;
        let mut next = state.clone();
        if value == self.one.missing {
            next.remove(key);
        } else {
            next.insert(key.clone(), value);
        }
        Some(next)
    }

    fn is_read(&self, f: &str) -> bool {
        self.one.is_read(f)
    }

    fn parts<'a>(&self, f: &str, arg: &'a Value, _: Ret<'a>) -> Parts<'a> {
        keyed(f, arg).map_or(Parts::All, |(key, _)| Parts::Of(vec![key]))
    }

    fn describe(&self, state: &Self::State) -> String {
        let entry = |(key, value): (&Value, &Value)| format!("{key}: {value}");
        let entries: Vec<String> = state.iter().map(entry).collect();
        format!("{{{}}}", entries.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers() -> Vec<Option<Value>> {
        vec![None, Some(Value::Nil), Some(false.into()), Some("mismatch".into()), Some("a".into())]
    }

    #[test]
    fn access_agrees_with_step() {
        let values: Vec<Value> = vec![Value::Nil, "".into(), "a".into(), 1.into()];
        for missing in [Value::Nil, "".into(), 1.into()] {
            let model = Kv::new(missing.clone());
            for f in ["get", "put", "delete", "cas", "append", "read", "write"] {
                for (a, b) in values.iter().flat_map(|a| values.iter().map(move |b| (a, b))) {
                    let arg = if f == "cas" { [a.clone(), b.clone()].into() } else { a.clone() };
                    for ret in answers() {
                        let ret = ret.as_ref().map_or(Ret::Unknown, Ret::Saw);
                        let Some(access) = model.access(f, &arg, ret) else { continue };
                        for state in &values {
                            let says = match access {
                                Access::Reads(v) => (state == v).then(|| state.clone()),
                                Access::Misses(v) => (state != v).then(|| state.clone()),
                                Access::Writes(v) => Some(v.clone()),
                                Access::Swaps { old, new } if state == old => Some(new.clone()),
                                Access::Swaps { .. } if ret == Ret::Unknown => Some(state.clone()),
                                Access::Swaps { .. } => None,
                            };
                            assert_eq!(model.step(state, f, &arg, ret), says, "{state} {f} {arg}");
                        }
                    }
                }
            }
            let delete = model.access("delete", NIL, Ret::Unknown);
            assert_eq!(delete.is_none(), missing == 1.into());
            assert_eq!(model.access("append", EMPTY, Ret::Unknown), None);
        }
    }

    #[test]
    fn text_is_appended() {
        let step =
            |state: Value, arg: Value| Kv::default().step(&state, "append", &arg, Ret::Unknown);
        assert_eq!(step(Value::Nil, "a".into()), Some("a".into()));
        assert_eq!(step("a".into(), "b".into()), Some("ab".into()));
        assert_eq!(step(1.into(), "b".into()), None);
    }

    #[test]
    fn a_map_is_its_keys() {
        let model = KvMap::new("".into());
        let done = Ret::Saw(NIL);
        let put = |key: &str, value: &str| Value::from([key, value]);
        let one = model.step(&model.init(), "put", &put("k", "v"), done).unwrap();
        let two = model.step(&one, "append", &put("k", "w"), done).unwrap();
        let get = |state, key: Value, saw: Value| {
            model.step(state, "get", &key, Ret::Saw(&saw)).is_some()
        };
        assert!(get(&two, "k".into(), "vw".into()) && get(&two, "l".into(), "".into()));
        assert!(!get(&one, "k".into(), "vw".into()));
        let asks = Value::List(vec!["k".into(), Value::Nil]);
        assert!(get(&one, asks.clone(), put("k", "v")) && get(&one, asks, "v".into()));
        let cas = model.step(&one, "cas", &Value::from(["k", "v", "x"]), done).unwrap();
        assert!(get(&cas, "k".into(), "x".into()));
        assert_eq!(model.step(&one, "delete", &"k".into(), done), Some(model.init()));
        let arg = put("k", "v");
        assert_eq!(model.parts("put", &arg, done), Parts::Of(vec![&"k".into()]));
    }
}
