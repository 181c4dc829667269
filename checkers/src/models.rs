//! The sequential specifications, by name.

pub(crate) mod append_log;
pub(crate) mod counter;
pub(crate) mod fetch_and_increment;
pub(crate) mod register;
mod trie;
mod unique_ids;

pub use append_log::{AppendLog, Log};
pub use counter::Counter;
pub use fetch_and_increment::FetchAndIncrement;
pub use register::{CasRegister, Register};
pub use unique_ids::{Given, UniqueIds};

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
        name: "counter",
        about: "read -> number, add n, inc [n], dec [n]",
        checker: |initial| linearizable(Counter::new(initial.int().unwrap_or(0))),
    },
    ModelSpec {
        name: "fetch-and-increment",
        about: "fetch-and-increment (fai, inc, next, generate) -> the number before",
        checker: |initial| linearizable(FetchAndIncrement::new(initial.int().unwrap_or(0))),
    },
    ModelSpec {
        name: "append-log",
        about: "append value -> offset, read offset -> value, read -> list",
        checker: |_| linearizable(AppendLog),
    },
    ModelSpec {
        name: "unique-ids",
        about: "generate -> an id never given out before",
        checker: |_| linearizable(UniqueIds),
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
