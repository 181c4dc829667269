//! Last in, first out.

use danso_vocab::{Model, Ret, Unit, Value};

use super::words::{Word, inserted, listed, nothing, unit};

/// A stack that is empty at first.
///
/// | operation | answer |
/// | --- | --- |
/// | `push v` | anything but `false` |
/// | `pop` | the newest element; `nil` or `empty` if there is none |
/// | `peek` (`top`) | the same, and it stays |
///
/// Elements are anything but `nil` and `empty`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stack;

impl Stack {
    /// What an operation does.
    pub(crate) fn word(f: &str) -> Option<Word> {
        match f {
            "push" => Some(Word::Insert),
            "pop" => Some(Word::Remove),
            "peek" | "top" => Some(Word::Peek),
            _ => None,
        }
    }
}

impl Model for Stack {
    type State = Vec<Value>;

    fn name(&self) -> &'static str {
        "stack"
    }

    fn init(&self) -> Vec<Value> {
        Vec::new()
    }

    fn step(&self, state: &Vec<Value>, f: &str, arg: &Value, ret: Ret<'_>) -> Option<Vec<Value>> {
        let word = Stack::word(f)?;
        if word == Word::Insert {
            let fits = !nothing(arg) && inserted(ret);
            return fits.then(|| [state, std::slice::from_ref(arg)].concat());
        }
        let fits = match (state.last(), ret) {
            (_, Ret::Unknown) => true,
            (None, Ret::Saw(ret)) => nothing(ret),
            (Some(top), Ret::Saw(ret)) => top == ret,
        };
        let left = state.len().saturating_sub(usize::from(word == Word::Remove));
        (fits && arg.is_nil()).then(|| state[..left].to_vec())
    }

    fn is_read(&self, f: &str) -> bool {
        Stack::word(f) == Some(Word::Peek)
    }

    fn unit<'a>(&self, f: &str, arg: &'a Value, ret: Ret<'a>) -> Unit<'a> {
        unit(Stack::word(f), arg, ret)
    }

    fn describe(&self, state: &Vec<Value>) -> String {
        listed(state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_leaves_first() {
        let step = |state: &Vec<Value>, f, arg: Value, ret: Value| {
            Stack.step(state, f, &arg, Ret::Saw(&ret))
        };
        let two: Vec<Value> = vec![1.into(), 2.into()];
        assert_eq!(step(&vec![1.into()], "push", 2.into(), Value::Nil), Some(two.clone()));
        assert_eq!(step(&two, "pop", ().into(), 2.into()), Some(vec![1.into()]));
        assert_eq!(step(&two, "top", ().into(), 2.into()), Some(two.clone()));
        assert_eq!(step(&two, "pop", ().into(), 1.into()), None);
        assert_eq!(step(&two, "pop", ().into(), Value::Nil), None);
        assert_eq!(step(&vec![], "pop", ().into(), "empty".into()), Some(vec![]));
        assert_eq!(Stack.step(&two, "pop", &Value::Nil, Ret::Unknown), Some(vec![1.into()]));
        assert_eq!(Stack.step(&vec![], "pop", &Value::Nil, Ret::Unknown), Some(vec![]));
    }
}
