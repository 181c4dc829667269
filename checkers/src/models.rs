//! The sequential specifications, by name.

mod bag;
mod fifo_queue;
pub(crate) mod lin_set;
mod priority_queue;
mod register;
mod stack;
pub(crate) mod words;

pub use bag::Bag;
pub use fifo_queue::{DrainedQueue, FifoQueue};
pub use lin_set::LinSet;
pub use priority_queue::PriorityQueue;
pub use register::{CasRegister, Register};
pub use stack::Stack;

use danso_vocab::{AnyOf, Checker, Value};

use crate::linearizable;

/// A model users can name on the command line.
pub struct ModelSpec {
    /// The name: the object the history is of.
    pub name: &'static str,
    /// Its operations, in one line.
    pub about: &'static str,
    /// A checker of histories of such an object that starts with this value.
    pub checker: fn(initial: Value) -> Box<dyn Checker>,
}

/// All of them.
pub const MODELS: &[ModelSpec] = &[
    ModelSpec {
        name: "register",
        about: "read -> value, write value",
        checker: |initial| linearizable(Register::new(initial)),
    },
    ModelSpec {
        name: "cas-register",
        about: "read -> value, write value, cas [old new], delete",
        checker: |initial| linearizable(CasRegister::new(initial)),
    },
    ModelSpec {
        name: "fifo-queue",
        about: "enqueue value, dequeue -> oldest or nil, peek -> oldest or nil",
        checker: |_| linearizable(FifoQueue),
    },
    ModelSpec {
        name: "drained-queue",
        about: "as fifo-queue, and drain -> list of the oldest",
        checker: |_| linearizable(AnyOf(DrainedQueue)),
    },
    ModelSpec {
        name: "stack",
        about: "push value, pop -> newest or nil, peek -> newest or nil",
        checker: |_| linearizable(Stack),
    },
    ModelSpec {
        name: "priority-queue",
        about: "insert value, poll -> least or nil, peek -> least or nil",
        checker: |_| linearizable(PriorityQueue::min()),
    },
    ModelSpec {
        name: "max-priority-queue",
        about: "as priority-queue, the greatest first",
        checker: |_| linearizable(PriorityQueue::max()),
    },
    ModelSpec {
        name: "lin-set",
        about: "add value -> was it new, remove value -> was it in, contains value, read -> list",
        checker: |_| linearizable(LinSet),
    },
    ModelSpec {
        name: "bag",
        about: "add value, remove -> any or nil",
        checker: |_| linearizable(AnyOf(Bag)),
    },
];

/// The model of this name.
pub fn find(name: &str) -> Option<&'static ModelSpec> {
    MODELS.iter().find(|model| model.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_kebab_case() {
        for (i, model) in MODELS.iter().enumerate() {
            let kebab = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            assert!(model.name.chars().all(kebab), "{}", model.name);
            assert!(MODELS[..i].iter().all(|m| m.name != model.name), "{}", model.name);
            assert_eq!(find(model.name).map(|m| m.about), Some(model.about));
            assert_eq!((model.checker)(Value::Nil).name(), "linearizable");
        }
        assert!(find("registre").is_none());
    }
}
