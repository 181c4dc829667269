//! First in, first out.

use danso_vocab::{Model, Nondeterministic, Ret, Unit, Value};

use super::words::{Word, inserted, listed, nothing, unit};

/// A queue that is empty at first.
///
/// | operation | answer |
/// | --- | --- |
/// | `enqueue v` (`enq`) | anything but `false` |
/// | `dequeue` (`deq`) | the oldest element; `nil` or `empty` if there is none |
/// | `peek` (`front`) | the same, and it stays |
///
/// Elements are anything but `nil` and `empty`. For histories with `drain`, see [`DrainedQueue`].
#[derive(Clone, Copy, Debug, Default)]
pub struct FifoQueue;

impl FifoQueue {
    /// What an operation does.
    pub(crate) fn word(f: &str) -> Option<Word> {
        match f {
            "enqueue" | "enq" => Some(Word::Insert),
            "dequeue" | "deq" => Some(Word::Remove),
            "peek" | "front" => Some(Word::Peek),
            _ => None,
        }
    }
}

impl Model for FifoQueue {
    type State = Vec<Value>;

    fn name(&self) -> &'static str {
        "fifo-queue"
    }

    fn init(&self) -> Vec<Value> {
        Vec::new()
    }

    fn step(&self, state: &Vec<Value>, f: &str, arg: &Value, ret: Ret<'_>) -> Option<Vec<Value>> {
        let word = FifoQueue::word(f)?;
        if word == Word::Insert {
            let fits = !nothing(arg) && inserted(ret);
            return fits.then(|| [state, std::slice::from_ref(arg)].concat());
        }
        let fits = match (state.first(), ret) {
            (_, Ret::Unknown) => true,
            (None, Ret::Saw(ret)) => nothing(ret),
            (Some(first), Ret::Saw(ret)) => first == ret,
        };
        let left = &state[usize::from(word == Word::Remove).min(state.len())..];
        (fits && arg.is_nil()).then(|| left.to_vec())
    }

    fn is_read(&self, f: &str) -> bool {
        FifoQueue::word(f) == Some(Word::Peek)
    }

    fn unit<'a>(&self, f: &str, arg: &'a Value, ret: Ret<'a>) -> Unit<'a> {
        unit(FifoQueue::word(f), arg, ret)
    }

    fn describe(&self, state: &Vec<Value>) -> String {
        listed(state)
    }
}

/// A [`FifoQueue`] with one more operation, `drain`: it takes some of the oldest elements and
/// answers them as a list, oldest first. One of unknown result may have taken any number.
///
/// Here a drain is one atomic step. If the client really dequeues in a loop while others do too,
/// record the dequeues. Wrap it in [`AnyOf`](danso_vocab::AnyOf) to have a model.
#[derive(Clone, Copy, Debug, Default)]
pub struct DrainedQueue;

impl Nondeterministic for DrainedQueue {
    type State = Vec<Value>;

    fn name(&self) -> &'static str {
        "drained-queue"
    }

    fn init(&self) -> Vec<Vec<Value>> {
        vec![Vec::new()]
    }

    fn steps(&self, state: &Vec<Value>, f: &str, arg: &Value, ret: Ret<'_>) -> Vec<Vec<Value>> {
        match (f, ret) {
            ("drain", _) if !arg.is_nil() => Vec::new(),
            ("drain", Ret::Unknown) => {
                (0..=state.len()).map(|taken| state[taken..].to_vec()).collect()
            }
            ("drain", Ret::Saw(ret)) => {
                let left = ret.list().and_then(|taken| state.strip_prefix(taken));
                left.map(<[Value]>::to_vec).into_iter().collect()
            }
            _ => FifoQueue.step(state, f, arg, ret).into_iter().collect(),
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
    fn elements_leave_in_order() {
        let step = |state: &Vec<Value>, f, arg: Value, ret: Value| {
            FifoQueue.step(state, f, &arg, Ret::Saw(&ret))
        };
        let one = step(&vec![], "enqueue", 1.into(), Value::Nil).unwrap();
        let two = step(&one, "enq", 2.into(), true.into()).unwrap();
        assert_eq!(two, [1.into(), 2.into()]);
        assert_eq!(step(&two, "dequeue", ().into(), 1.into()), Some(vec![2.into()]));
        assert_eq!(step(&two, "front", ().into(), 1.into()), Some(two.clone()));
        assert_eq!(step(&two, "dequeue", ().into(), 2.into()), None);
        assert_eq!(step(&two, "dequeue", ().into(), "empty".into()), None);
        assert_eq!(step(&vec![], "deq", ().into(), "empty".into()), Some(vec![]));
        assert_eq!(step(&vec![], "peek", ().into(), Value::Nil), Some(vec![]));
        assert_eq!(step(&vec![], "enqueue", 1.into(), false.into()), None);
        assert_eq!(step(&vec![], "enqueue", Value::Nil, Value::Nil), None);
    }

    #[test]
    fn unknown_results_are_possible_everywhere() {
        let unknown = |state: &Vec<Value>, f| FifoQueue.step(state, f, &Value::Nil, Ret::Unknown);
        assert_eq!(unknown(&vec![], "dequeue"), Some(vec![]));
        assert_eq!(unknown(&vec![1.into()], "dequeue"), Some(vec![]));
        assert_eq!(unknown(&vec![1.into()], "peek"), Some(vec![1.into()]));
        assert_eq!(unknown(&vec![], "pop"), None);
    }

    #[test]
    fn a_drain_takes_the_oldest() {
        let state: Vec<Value> = vec![1.into(), 2.into()];
        let drain = |ret: Ret<'_>| DrainedQueue.steps(&state, "drain", &Value::Nil, ret);
        let saw = |ret: Vec<i64>| drain(Ret::Saw(&ret.into()));
        assert_eq!(saw(vec![1]), [vec![Value::Int(2)]]);
        assert_eq!(saw(vec![]), std::slice::from_ref(&state));
        assert!(saw(vec![2]).is_empty());
        assert_eq!(drain(Ret::Unknown).len(), 3);
    }
}
