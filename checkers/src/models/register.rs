//! One value that is read, overwritten and compared and set.

use danso_vocab::{Access, Model, Ret, Value};

const NIL: &Value = &Value::Nil;

/// Keys under which a result may carry the version of the object, the first of them counting:
/// an integer that grows with every change.
pub(crate) const VERSIONS: [&str; 6] = ["version", "revision", "offset", "token", "zxid", "lsn"];

/// The version in a result.
pub(crate) fn version(ret: &Value) -> Option<i64> {
    let map = ret.map()?;
    VERSIONS.iter().find_map(|key| map.get(*key)?.int())
}

/// A value without its version: 3 of `{value: 3, version: 7}`. Only a map of just these two is
/// taken for a versioned value; that is why a register cannot *hold* one (it could not be told
/// from what it means).
pub(crate) fn plain(value: &Value) -> &Value {
    versioned(value).unwrap_or(value)
}

/// The value of a versioned value.
pub(crate) fn versioned(value: &Value) -> Option<&Value> {
    let map = value.map().filter(|map| map.len() == 2)?;
    version(value)?;
    map.get("value")
}

/// A register: `read` answers the value, `write` replaces it. An absent value is
/// [`Value::Nil`], and reading it is an observation like any other. (Knossos lets a read of
/// `nil` answer anything; a read whose result is unknown belongs recorded as `info`.)
///
/// Results may carry a version, for whoever knows what to do with it: `{version: 7}` from a
/// write, `{value: 3, version: 7}` from a read. What a write answers is otherwise ignored.
#[derive(Clone, Debug, Default)]
pub struct Register {
    initial: Value,
}

impl Register {
    /// A register that holds `initial` before the first operation.
    pub fn new(initial: Value) -> Self {
        Register { initial }
    }
}

impl Model for Register {
    type State = Value;

    fn name(&self) -> &'static str {
        "register"
    }

    fn init(&self) -> Value {
        self.initial.clone()
    }

    fn step(&self, state: &Value, f: &str, arg: &Value, ret: Ret<'_>) -> Option<Value> {
        match (f, ret) {
            ("read", Ret::Saw(value)) => (state == plain(value)).then(|| state.clone()),
            ("read", Ret::Unknown) => Some(state.clone()),
            ("write", _) => versioned(arg).is_none().then(|| arg.clone()),
            _ => None,
        }
    }

    fn is_read(&self, f: &str) -> bool {
        f == "read"
    }

    fn overwrites<'a>(&self, f: &str, arg: &'a Value) -> Option<&'a Value> {
        (f == "write" && versioned(arg).is_none()).then_some(arg)
    }

    fn access<'a>(&self, f: &str, arg: &'a Value, ret: Ret<'a>) -> Option<Access<'a>> {
        match (f, ret) {
            ("read", Ret::Saw(value)) => Some(Access::Reads(plain(value))),
            _ => self.overwrites(f, arg).map(Access::Writes),
        }
    }

    fn describe(&self, state: &Value) -> String {
        state.to_string()
    }
}

/// A register that can also `cas [old new]`: replace the value if it is `old`; and `delete`:
/// make it [`Value::Nil`]. A compare-and-set that was refused normally counts as `fail` and
/// constrains nothing. Where the target vouches for it, it may be recorded as `ok` with result
/// `mismatch` (or `false`): then it observed that the value was not `old`.
#[derive(Clone, Debug, Default)]
pub struct CasRegister {
    initial: Value,
}

impl CasRegister {
    /// A register that holds `initial` before the first operation.
    pub fn new(initial: Value) -> Self {
        CasRegister { initial }
    }
}

/// Whether the result of a compare-and-set says that it was refused.
pub(crate) fn refused(ret: &Value) -> bool {
    let ret = plain(ret);
    *ret == Value::Bool(false) || ret.str() == Some("mismatch")
}

/// What a compare-and-set needs and what it leaves.
pub(crate) fn swap(arg: &Value) -> Option<(&Value, &Value)> {
    arg.pair().filter(|(old, new)| versioned(old).is_none() && versioned(new).is_none())
}

impl Model for CasRegister {
    type State = Value;

    fn name(&self) -> &'static str {
        "cas-register"
    }

    fn init(&self) -> Value {
        self.initial.clone()
    }

    fn step(&self, state: &Value, f: &str, arg: &Value, ret: Ret<'_>) -> Option<Value> {
        match (f, ret) {
            ("read", Ret::Saw(value)) => (state == plain(value)).then(|| state.clone()),
            ("read", Ret::Unknown) => Some(state.clone()),
            ("write", _) => versioned(arg).is_none().then(|| arg.clone()),
            ("delete", _) => Some(Value::Nil),
            ("cas", ret) => {
                let (old, new) = swap(arg)?;
                match ret {
                    Ret::Saw(ret) if refused(ret) => (state != old).then(|| state.clone()),
                    Ret::Saw(_) => (state == old).then(|| new.clone()),
                    Ret::Unknown => Some(if state == old { new } else { state }.clone()),
                }
            }
            _ => None,
        }
    }

    fn is_read(&self, f: &str) -> bool {
        f == "read"
    }

    fn overwrites<'a>(&self, f: &str, arg: &'a Value) -> Option<&'a Value> {
        match f {
            "write" => Some(arg).filter(|arg| versioned(arg).is_none()),
            "delete" => Some(NIL),
            _ => None,
        }
    }

    fn access<'a>(&self, f: &str, arg: &'a Value, ret: Ret<'a>) -> Option<Access<'a>> {
        match (f, ret) {
            ("read", Ret::Saw(value)) => Some(Access::Reads(plain(value))),
            ("cas", ret) => {
                let (old, new) = swap(arg)?;
                match ret {
                    Ret::Saw(ret) if refused(ret) => Some(Access::Misses(old)),
                    _ => Some(Access::Swaps { old, new }),
                }
            }
            _ => self.overwrites(f, arg).map(Access::Writes),
        }
    }

    fn describe(&self, state: &Value) -> String {
        state.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values() -> Vec<Value> {
        vec![Value::Nil, 1.into(), 2.into(), "mismatch".into()]
    }

    fn with_version(value: &Value) -> Value {
        Value::of([("value", value.clone()), ("version", 7.into())])
    }

    /// Every call and result over a few values.
    fn calls() -> Vec<(&'static str, Value, Option<Value>)> {
        let mut calls =
            vec![("delete", Value::Nil, Some(Value::Nil)), ("delete", Value::Nil, None)];
        for a in values() {
            calls.push(("read", Value::Nil, Some(a.clone())));
            calls.push(("read", Value::Nil, Some(with_version(&a))));
            calls.push(("write", a.clone(), Some(Value::Nil)));
            calls.push(("write", a.clone(), None));
            for b in values() {
                let arg = Value::from([a.clone(), b]);
                for ret in [
                    None,
                    Some(Value::Nil),
                    Some(true.into()),
                    Some("mismatch".into()),
                    Some(with_version(&false.into())),
                ] {
                    calls.push(("cas", arg.clone(), ret));
                }
            }
        }
        calls
    }

    fn agrees<M: Model<State = Value>>(model: &M, fs: &[&str]) {
        for (f, arg, ret) in calls().iter().filter(|(f, ..)| fs.contains(f)) {
            let ret = ret.as_ref().map_or(Ret::Unknown, Ret::Saw);
            let access = model.access(f, arg, ret).unwrap();
            for state in values() {
                let says = match access {
                    Access::Reads(v) => (state == *v).then(|| state.clone()),
                    Access::Misses(v) => (state != *v).then(|| state.clone()),
                    Access::Writes(v) => Some(v.clone()),
                    Access::Swaps { old, new } if state == *old => Some(new.clone()),
                    Access::Swaps { .. } if ret == Ret::Unknown => Some(state.clone()),
                    Access::Swaps { .. } => None,
                };
                assert_eq!(model.step(&state, f, arg, ret), says, "{state} {f} {arg} {ret:?}");
            }
        }
    }

    #[test]
    fn access_agrees_with_step() {
        agrees(&CasRegister::default(), &["read", "write", "cas", "delete"]);
        agrees(&Register::default(), &["read", "write"]);
    }

    #[test]
    fn versions_are_not_part_of_the_value() {
        let (model, state) = (CasRegister::new(3.into()), Value::from(3));
        let saw = |ret: &Value| model.step(&state, "read", &Value::Nil, Ret::Saw(ret));
        assert_eq!(saw(&with_version(&3.into())), Some(3.into()));
        assert_eq!(saw(&with_version(&4.into())), None);
        // Only this very shape: a map with more in it is a value like any other.
        let other = Value::of([("value", 3.into()), ("version", 7.into()), ("by", 1.into())]);
        assert_eq!(saw(&other), None);
        assert_eq!(model.step(&state, "write", &other, Ret::Unknown), Some(other));
        let held = with_version(&3.into());
        assert_eq!(model.step(&state, "write", &held, Ret::Unknown), None);
        assert_eq!(version(&Value::of([("zxid", 4.into())])), Some(4));
        assert_eq!(version(&7.into()), None);
    }

    #[test]
    fn foreign_operations_are_refused() {
        let (nil, model) = (Value::Nil, CasRegister::default());
        assert_eq!(model.step(&nil, "enqueue", &1.into(), Ret::Unknown), None);
        assert_eq!(model.step(&nil, "cas", &1.into(), Ret::Unknown), None);
        assert_eq!(Register::default().step(&nil, "cas", &[1, 2].into(), Ret::Unknown), None);
    }
}
