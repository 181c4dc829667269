//! The sequential specifications, by name.

mod bank;
mod kv;
mod multi_register;
mod mutex;
mod register;
mod rw_lock;
mod semaphore;

pub use bank::Bank;
pub use kv::{Kv, KvMap};
pub use multi_register::MultiRegister;
pub use mutex::{FencedMutex, Mutex, OwnedMutex, ReentrantMutex};
pub use register::{CasRegister, Register};
pub use rw_lock::RwLock;
pub use semaphore::Semaphore;

use danso_vocab::{Checker, Value};

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
        name: "mutex",
        about: "acquire, release (lock, unlock, try-acquire -> false if held); other operations are ignored",
        checker: |_| linearizable(Mutex),
    },
    ModelSpec {
        name: "fenced-mutex",
        about: "a mutex whose acquire -> token, greater than all before",
        checker: |_| linearizable(FencedMutex),
    },
    ModelSpec {
        name: "owner-aware-mutex",
        about: "a mutex that only its owner can release",
        checker: |_| linearizable(OwnedMutex),
    },
    ModelSpec {
        name: "reentrant-mutex",
        about: "a mutex that its owner may acquire again",
        checker: |_| linearizable(ReentrantMutex),
    },
    ModelSpec {
        name: "rw-lock",
        about: "acquire-read, release-read, acquire-write, release-write",
        checker: |_| linearizable(RwLock),
    },
    ModelSpec {
        name: "semaphore",
        about: "acquire n, release n; starts with the initial value's permits, or 1",
        checker: |initial| linearizable(Semaphore::of(&initial)),
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
        name: "bank",
        about: "transfer {from, to, amount}, read -> {account: balance}",
        checker: |initial| linearizable(Bank::new(&initial)),
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
