//! The foremost leaves first.

use danso_vocab::{Model, Ret, Unit, Value};

use super::words::{Word, inserted, listed, nothing, unit};

/// A priority queue that is empty at first. Elements are their own priority: numbers as numbers,
/// text as text, lists by their first element, then the next (so `[priority payload]` will do if
/// no two elements have the same priority).
///
/// | operation | answer |
/// | --- | --- |
/// | `insert v` (`add`, `enqueue`, `push`) | anything but `false` |
/// | `poll` (`dequeue`, `pop`, `delete-min` or `delete-max`) | the foremost element; `nil` or `empty` if there is none |
/// | `peek` (`peek-min` or `peek-max`) | the same, and it stays |
///
/// Elements are anything but `nil` and `empty`.
#[derive(Clone, Copy, Debug)]
pub struct PriorityQueue {
    max: bool,
}

impl Default for PriorityQueue {
    fn default() -> Self {
        PriorityQueue::min()
    }
}

impl PriorityQueue {
    /// The least element leaves first.
    pub fn min() -> Self {
        PriorityQueue { max: false }
    }

    /// The greatest element leaves first.
    pub fn max() -> Self {
        PriorityQueue { max: true }
    }

    /// Whether the greatest element leaves first.
    pub(crate) fn is_max(self) -> bool {
        self.max
    }

    /// What an operation does.
    pub(crate) fn word(self, f: &str) -> Option<Word> {
        match f {
            "insert" | "add" | "enqueue" | "push" => Some(Word::Insert),
            "poll" | "dequeue" | "pop" => Some(Word::Remove),
            "peek" => Some(Word::Peek),
            "delete-min" if !self.max => Some(Word::Remove),
            "delete-max" if self.max => Some(Word::Remove),
            "peek-min" if !self.max => Some(Word::Peek),
            "peek-max" if self.max => Some(Word::Peek),
            _ => None,
        }
    }
}

impl Model for PriorityQueue {
    /// In ascending order.
    type State = Vec<Value>;

    fn name(&self) -> &'static str {
        "priority-queue"
    }

    fn init(&self) -> Vec<Value> {
        Vec::new()
    }

    fn step(&self, state: &Vec<Value>, f: &str, arg: &Value, ret: Ret<'_>) -> Option<Vec<Value>> {
        let word = self.word(f)?;
        if word == Word::Insert {
            let mut next = state.clone();
            next.insert(state.partition_point(|v| v < arg), arg.clone());
            return (!nothing(arg) && inserted(ret)).then_some(next);
        }
        let foremost = if self.max { state.last() } else { state.first() };
        let fits = match (foremost, ret) {
            (_, Ret::Unknown) => true,
            (None, Ret::Saw(ret)) => nothing(ret),
            (Some(foremost), Ret::Saw(ret)) => foremost == ret,
        };
        let mut next = state.clone();
        if word == Word::Remove && !next.is_empty() {
            next.remove(if self.max { next.len() - 1 } else { 0 });
        }
        (fits && arg.is_nil()).then_some(next)
    }

    fn is_read(&self, f: &str) -> bool {
        self.word(f) == Some(Word::Peek)
    }

    fn unit<'a>(&self, f: &str, arg: &'a Value, ret: Ret<'a>) -> Unit<'a> {
        unit(self.word(f), arg, ret)
    }

    fn describe(&self, state: &Vec<Value>) -> String {
        listed(state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_foremost_leaves_first() {
        let (min, max) = (PriorityQueue::min(), PriorityQueue::max());
        let state: Vec<Value> = vec![2.into(), 5.into()];
        let saw = |model: PriorityQueue, f, ret: Value| {
            model.step(&state, f, &Value::Nil, Ret::Saw(&ret))
        };
        let insert = min.step(&state, "insert", &3.into(), Ret::Unknown);
        assert_eq!(insert, Some(vec![2.into(), 3.into(), 5.into()]));
        assert_eq!(saw(min, "poll", 2.into()), Some(vec![5.into()]));
        assert_eq!(saw(min, "delete-min", 5.into()), None);
        assert_eq!(saw(min, "delete-max", 5.into()), None);
        assert_eq!(saw(max, "delete-max", 5.into()), Some(vec![2.into()]));
        assert_eq!(saw(max, "peek-max", 5.into()), Some(state.clone()));
        assert_eq!(saw(min, "poll", Value::Nil), None);
        assert_eq!(min.step(&state, "poll", &Value::Nil, Ret::Unknown), Some(vec![5.into()]));
        assert_eq!(max.step(&vec![], "pop", &Value::Nil, Ret::Unknown), Some(vec![]));
    }
}
