//! A number that is counted up and down.

use danso_vocab::{Model, Ret, Value};

/// A counter: `add n`, `inc` or `increment` (by one, or by `n`), `dec` or `decrement` likewise,
/// and `read`, which answers the number. What the others answer is ignored: where an increment
/// answers the number before it, the object is a [`FetchAndIncrement`](super::FetchAndIncrement).
#[derive(Clone, Debug, Default)]
pub struct Counter {
    initial: i64,
}

impl Counter {
    /// A counter that stands at `initial` before the first operation.
    pub fn new(initial: i64) -> Self {
        Counter { initial }
    }
}

/// What `f(arg)` adds; `None` if it is no such operation.
pub(crate) fn added(f: &str, arg: &Value) -> Option<i64> {
    let by = || if arg.is_nil() { Some(1) } else { arg.int() };
    match f {
        "add" => arg.int(),
        "inc" | "increment" => by(),
        "dec" | "decrement" => by()?.checked_neg(),
        _ => None,
    }
}

impl Model for Counter {
    type State = i64;

    fn name(&self) -> &'static str {
        "counter"
    }

    fn init(&self) -> i64 {
        self.initial
    }

    fn step(&self, state: &i64, f: &str, arg: &Value, ret: Ret<'_>) -> Option<i64> {
        match (f, ret) {
            ("read", Ret::Saw(value)) => (value.int() == Some(*state)).then_some(*state),
            ("read", Ret::Unknown) => Some(*state),
            _ => Some(state.wrapping_add(added(f, arg)?)),
        }
    }

    fn is_read(&self, f: &str) -> bool {
        f == "read"
    }

    fn describe(&self, state: &i64) -> String {
        state.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts() {
        let model = Counter::new(5);
        let step = |f, arg: &Value| model.step(&5, f, arg, Ret::Unknown);
        assert_eq!(model.init(), 5);
        for (f, by, to) in [("add", 3, 8), ("inc", 3, 8), ("decrement", 3, 2), ("add", -3, 2)] {
            assert_eq!(step(f, &by.into()), Some(to), "{f} {by}");
        }
        for (f, to) in [("inc", Some(6)), ("increment", Some(6)), ("dec", Some(4)), ("add", None)] {
            assert_eq!(step(f, &Value::Nil), to, "{f}");
        }
        let read = |ret: &Value| model.step(&5, "read", &Value::Nil, Ret::Saw(ret));
        assert_eq!((read(&5.into()), read(&4.into()), read(&Value::Nil)), (Some(5), None, None));
        assert_eq!(step("enqueue", &1.into()), None);
        assert_eq!(step("dec", &i64::MIN.into()), None);
    }
}
