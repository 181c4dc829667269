//! Elements without an order.

use danso_vocab::{Nondeterministic, Ret, Value};

use super::words::{Word, inserted, listed, nothing};

/// A bag (multiset, pool) that is empty at first.
///
/// | operation | answer |
/// | --- | --- |
/// | `add v` (`insert`, `put`, `enqueue`) | anything but `false` |
/// | `remove` (`take`, `poll`, `dequeue`) | some element, which leaves; `nil` or `empty` if there is none |
///
/// Elements are anything but `nil` and `empty`. Wrap it in [`AnyOf`](danso_vocab::AnyOf) to have
/// a model: a removal of unknown result may have taken any element.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bag;

impl Bag {
    /// What an operation does.
    pub(crate) fn word(f: &str) -> Option<Word> {
        match f {
            "add" | "insert" | "put" | "enqueue" => Some(Word::Insert),
            "remove" | "take" | "poll" | "dequeue" => Some(Word::Remove),
            _ => None,
        }
    }
}

impl Nondeterministic for Bag {
    /// In ascending order.
    type State = Vec<Value>;

    fn name(&self) -> &'static str {
        "bag"
    }

    fn init(&self) -> Vec<Vec<Value>> {
        vec![Vec::new()]
    }

    fn steps(&self, state: &Vec<Value>, f: &str, arg: &Value, ret: Ret<'_>) -> Vec<Vec<Value>> {
        let without = |at: usize| [&state[..at], &state[at + 1..]].concat();
        match (Bag::word(f), ret) {
            (Some(Word::Insert), ret) if inserted(ret) && !nothing(arg) => {
                let (less, more) = state.split_at(state.partition_point(|v| v < arg));
                vec![[less, std::slice::from_ref(arg), more].concat()]
            }
            (Some(Word::Remove), Ret::Unknown) if arg.is_nil() && state.is_empty() => {
                vec![Vec::new()]
            }
            (Some(Word::Remove), Ret::Unknown) if arg.is_nil() => {
                (0..state.len()).map(without).collect()
            }
            (Some(Word::Remove), Ret::Saw(ret)) if arg.is_nil() && nothing(ret) => {
                if state.is_empty() { vec![Vec::new()] } else { Vec::new() }
            }
            (Some(Word::Remove), Ret::Saw(ret)) if arg.is_nil() => {
                state.binary_search(ret).map(without).into_iter().collect()
            }
            _ => Vec::new(),
        }
    }

    fn describe(&self, state: &Vec<Value>) -> String {
        listed(state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_element_may_leave() {
        let state: Vec<Value> = vec![1.into(), 1.into(), 2.into()];
        let saw = |ret: Value| Bag.steps(&state, "remove", &Value::Nil, Ret::Saw(&ret));
        assert_eq!(saw(1.into()), [vec![Value::Int(1), Value::Int(2)]]);
        assert_eq!(saw(2.into()), [vec![Value::Int(1), Value::Int(1)]]);
        assert!(saw(3.into()).is_empty());
        assert!(saw(Value::Nil).is_empty());
        assert_eq!(Bag.steps(&state, "remove", &Value::Nil, Ret::Unknown).len(), 3);
        assert_eq!(Bag.steps(&vec![], "take", &Value::Nil, Ret::Saw(&Value::Nil)), [vec![]]);
        let add = Bag.steps(&vec![2.into()], "add", &1.into(), Ret::Unknown);
        assert_eq!(add, [vec![Value::Int(1), Value::Int(2)]]);
    }
}
