//! A number that is read and counted up at once.

use danso_vocab::{Model, Ret, Value};

/// A ticket counter: `fetch-and-increment` (also `fai`, `inc`, `next`, `generate`) answers the
/// number and makes it one more. Some systems answer the new number: they start one higher.
#[derive(Clone, Debug, Default)]
pub struct FetchAndIncrement {
    initial: i64,
}

impl FetchAndIncrement {
    /// One whose first answer is `initial`.
    pub fn new(initial: i64) -> Self {
        FetchAndIncrement { initial }
    }
}

/// Whether this is the name of its operation.
pub(crate) fn fetches(f: &str) -> bool {
    matches!(f, "fetch-and-increment" | "fai" | "inc" | "next" | "generate")
}

impl Model for FetchAndIncrement {
    type State = i64;

    fn name(&self) -> &'static str {
        "fetch-and-increment"
    }

    fn init(&self) -> i64 {
        self.initial
    }

    fn step(&self, state: &i64, f: &str, arg: &Value, ret: Ret<'_>) -> Option<i64> {
        let known = fetches(f) && arg.is_nil();
        let right = match ret {
            Ret::Saw(ret) => ret.int() == Some(*state),
            Ret::Unknown => true,
        };
        (known && right).then(|| state.wrapping_add(1))
    }

    fn describe(&self, state: &i64) -> String {
        state.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_the_old_number() {
        let (model, nil) = (FetchAndIncrement::new(3), Value::Nil);
        for f in ["fetch-and-increment", "fai", "inc", "next", "generate"] {
            assert_eq!(model.step(&3, f, &nil, Ret::Saw(&3.into())), Some(4));
            assert_eq!(model.step(&3, f, &nil, Ret::Saw(&4.into())), None);
            assert_eq!(model.step(&3, f, &nil, Ret::Unknown), Some(4));
            assert_eq!(model.step(&3, f, &2.into(), Ret::Unknown), None);
        }
        assert_eq!(model.step(&3, "read", &nil, Ret::Unknown), None);
    }
}
