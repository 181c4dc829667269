//! The sequential specifications, by name.

pub(crate) mod append_log;
mod bag;
mod bank;
pub(crate) mod counter;
pub(crate) mod fetch_and_increment;
mod fifo_queue;
mod kv;
pub(crate) mod lin_set;
mod multi_register;
mod mutex;
mod priority_queue;
pub(crate) mod register;
mod rw_lock;
mod semaphore;
mod stack;
mod trie;
mod unique_ids;
pub(crate) mod words;

pub use append_log::{AppendLog, Log};
pub use bag::Bag;
pub use bank::Bank;
pub use counter::Counter;
pub use fetch_and_increment::FetchAndIncrement;
pub use fifo_queue::{DrainedQueue, FifoQueue};
pub use kv::{Kv, KvMap};
pub use lin_set::LinSet;
pub use multi_register::MultiRegister;
pub use mutex::{FencedMutex, Mutex, OwnedMutex, ReentrantMutex};
pub use priority_queue::PriorityQueue;
pub use register::{CasRegister, Register};
pub use rw_lock::RwLock;
pub use semaphore::Semaphore;
pub use stack::Stack;
pub use unique_ids::{Given, UniqueIds};

use danso_vocab::{AnyOf, Model, Value};

use crate::linearizable;
use crate::linearizable::polynomial::{
    self, Counting, Distinct, KnownOrder, Lock, Offsets, Polynomial, RegisterZones, Tickets,
};
use crate::linearizable::{Linearizability, Linearizable};

/// A model users can name on the command line.
pub struct ModelSpec {
    /// The name: the object the history is of.
    pub name: &'static str,
    /// Its operations, in one line.
    pub about: &'static str,
    /// A checker of histories of such an object that starts with this value.
    pub checker: fn(initial: Value) -> Box<dyn Linearizability>,
}

/// All of them.
pub const MODELS: &[ModelSpec] = &[
    ModelSpec {
        name: "register",
        about: "read -> value, write value; a history with cas or delete is taken for what it is",
        checker: cas_register,
    },
    ModelSpec {
        name: "cas-register",
        about: "read -> value, write value, cas [old new], delete",
        checker: cas_register,
    },
    ModelSpec {
        name: "mutex",
        about: "acquire, release (lock, unlock, try-acquire -> false if held); other operations are ignored",
        checker: |_| with(Mutex, Lock::mutex()),
    },
    ModelSpec {
        name: "fenced-mutex",
        about: "a mutex whose acquire -> token, greater than all before",
        checker: |_| with(FencedMutex, Lock::fenced()),
    },
    ModelSpec {
        name: "owner-aware-mutex",
        about: "a mutex that only its owner can release",
        checker: |_| with(OwnedMutex, Lock::owned()),
    },
    ModelSpec {
        name: "reentrant-mutex",
        about: "a mutex that its owner may acquire again",
        checker: |_| with(ReentrantMutex, Lock::reentrant()),
    },
    ModelSpec {
        name: "rw-lock",
        about: "acquire-read, release-read, acquire-write, release-write",
        checker: |_| with(RwLock, Lock::read_write()),
    },
    ModelSpec {
        name: "semaphore",
        about: "acquire n, release n; starts with the initial value's permits, or 1",
        checker: |initial| {
            let semaphore = Semaphore::of(&initial);
            let procedure = Lock::semaphore(semaphore.permits());
            with(semaphore, procedure)
        },
    },
    ModelSpec {
        name: "multi-register",
        about: "txn [[read x nil] [write y 2]], read {x nil} -> {x 1}, write {x 1}",
        checker: |initial| linearizable(MultiRegister::new(initial)),
    },
    ModelSpec {
        name: "kv",
        about: "one key: get -> value, put value, append text, delete, cas [old new]",
        checker: |initial| linearizable(Kv::new(initial)),
    },
    ModelSpec {
        name: "kv-map",
        about: "all keys: get k -> value, put [k value], append [k text], delete k, cas [k old new]",
        checker: |initial| linearizable(KvMap::new(initial)),
    },
    ModelSpec {
        name: "lin-bank",
        about: "transfer {from, to, amount}, read -> {account: balance}",
        checker: |initial| linearizable(Bank::new(&initial)),
    },
    ModelSpec {
        name: "counter",
        about: "read -> number, add n, inc [n], dec [n]",
        checker: |initial| {
            let initial = initial.int().unwrap_or(0);
            with(Counter::new(initial), Counting::new(initial))
        },
    },
    ModelSpec {
        name: "fetch-and-increment",
        about: "fetch-and-increment (fai, inc, next, generate) -> the number before",
        checker: |initial| {
            let initial = initial.int().unwrap_or(0);
            with(FetchAndIncrement::new(initial), Tickets::new(initial))
        },
    },
    ModelSpec {
        name: "fifo-queue",
        about: "enqueue value, dequeue -> oldest or nil, peek -> oldest or nil",
        checker: |_| with(FifoQueue, polynomial::FifoQueue),
    },
    ModelSpec {
        name: "drained-queue",
        about: "as fifo-queue, and drain -> list of the oldest",
        checker: |_| linearizable(AnyOf(DrainedQueue)),
    },
    ModelSpec {
        name: "stack",
        about: "push value, pop -> newest or nil, peek -> newest or nil",
        checker: |_| with(Stack, polynomial::Stack),
    },
    ModelSpec {
        name: "priority-queue",
        about: "insert value, poll -> least or nil, peek -> least or nil",
        checker: |_| {
            with(PriorityQueue::min(), polynomial::PriorityQueue::new(PriorityQueue::min()))
        },
    },
    ModelSpec {
        name: "max-priority-queue",
        about: "as priority-queue, the greatest first",
        checker: |_| {
            with(PriorityQueue::max(), polynomial::PriorityQueue::new(PriorityQueue::max()))
        },
    },
    ModelSpec {
        name: "lin-set",
        about: "add value -> was it new, remove value -> was it in, contains value, read -> list",
        checker: |_| with(LinSet, polynomial::LinSet),
    },
    ModelSpec {
        name: "bag",
        about: "add value, remove -> any or nil",
        checker: |_| with(AnyOf(Bag), polynomial::Bag),
    },
    ModelSpec {
        name: "append-log",
        about: "append value -> offset, read offset -> value, read -> list",
        checker: |_| with(AppendLog, Offsets),
    },
    ModelSpec {
        name: "unique-ids",
        about: "generate -> an id never given out before",
        checker: |_| with(UniqueIds, Distinct),
    },
];

/// A checker that asks `procedure` before it searches.
fn with<M: Model + 'static>(
    model: M,
    procedure: impl Polynomial + 'static,
) -> Box<dyn Linearizability> {
    Box::new(Linearizable::new(model).procedure(procedure))
}

/// A checker of registers that hold `initial` at first.
pub fn register(initial: Value) -> Box<dyn Linearizability> {
    let zones = RegisterZones::register(initial.clone());
    let known = KnownOrder::register(initial.clone());
    Box::new(Linearizable::new(Register::new(initial)).procedure(zones).procedure(known))
}

/// A checker of registers with compare-and-set that hold `initial` at first.
pub fn cas_register(initial: Value) -> Box<dyn Linearizability> {
    let zones = RegisterZones::cas_register(initial.clone());
    let known = KnownOrder::cas_register(initial.clone());
    Box::new(Linearizable::new(CasRegister::new(initial)).procedure(zones).procedure(known))
}

/// Other names users of Jepsen, Knossos and Porcupine may expect, and what they mean here.
const ALIASES: &[(&str, &str)] = &[("queue", "fifo-queue")];

/// The model of this name.
pub fn find(name: &str) -> Option<&'static ModelSpec> {
    let name = ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, name)| name);
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
