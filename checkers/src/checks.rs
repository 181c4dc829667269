//! Checkers that account for operations instead of ordering them, by name.
//!
//! What a model is for linearizability, a row here is for everything else `--model` can name:
//! sets with final reads, queues with losses and duplicates, snapshots of banks.

use danso_vocab::{Checker, Value};

use crate::accounting::{Bank, LongFork, Set, SetFull};
use crate::delivery::{Guarantee, delivery};
use crate::eventual::{Object, eventual};
use crate::kafka::Kafka;
use crate::locks::{Leader, LeaseLock};
use crate::saga::{Definition, sagas};

/// A check users can name on the command line.
pub struct CheckSpec {
    /// The name: what the history is of.
    pub name: &'static str,
    /// Its operations and what must hold of them, in one line.
    pub about: &'static str,
    /// A checker of histories that start with this value.
    pub checker: fn(initial: Value) -> Box<dyn Checker>,
}

/// How long a saga may stay open once somebody has begun to read the final journals.
const RECOVERY: std::time::Duration = std::time::Duration::from_secs(5);

/// All of them.
pub const CHECKS: &[CheckSpec] = &[
    CheckSpec {
        name: "set",
        about: "add value, read -> [value …]: every final read has all that was acknowledged",
        checker: |_| Box::new(Set),
    },
    CheckSpec {
        name: "set-full",
        about: "as set, and every read counts: what was there stays there, and nothing is there twice",
        checker: |_| Box::new(SetFull::new()),
    },
    CheckSpec {
        name: "total-queue",
        about: "enqueue value, dequeue -> any or nil, drain -> list: what goes in comes out, in any order",
        checker: |_| Box::new(delivery(Guarantee::AtLeastOnce)),
    },
    CheckSpec {
        name: "kafka",
        about: "send, poll, commit-offsets, list-committed-offsets: logs with offsets",
        checker: |_| Box::new(Kafka::default()),
    },
    CheckSpec {
        name: "bank",
        about: "transfer {from, to, amount}, read -> {account: balance}: totals stay the same",
        checker: |initial| Box::new(Bank::starting(&initial)),
    },
    CheckSpec {
        name: "long-fork",
        about: "write [[w k v]] once a key, read [[r k nil] …]: reads see writes in one order",
        checker: |_| Box::new(LongFork),
    },
    CheckSpec {
        name: "saga-orders",
        about: "order, journal, state: every order is done as a whole or undone as a whole",
        checker: |_| sagas(Definition::orders(RECOVERY)),
    },
    CheckSpec {
        name: "eventual-register",
        about: "read, write, cas at several replicas, which must come to agree on a written value",
        checker: |initial| Box::new(eventual(Object::Register, initial)),
    },
    CheckSpec {
        name: "last-write-register",
        about: "the same where they must agree on the last acknowledged write in real time",
        checker: |initial| Box::new(eventual(Object::LastWriteRegister, initial)),
    },
    CheckSpec {
        name: "g-counter",
        about: "add, read at several replicas, which must come to agree on the sum; only growing",
        checker: |initial| Box::new(eventual(Object::GCounter, initial)),
    },
    CheckSpec {
        name: "pn-counter",
        about: "add, read at several replicas, which must come to agree on the sum; up and down",
        checker: |initial| Box::new(eventual(Object::PnCounter, initial)),
    },
    CheckSpec {
        name: "g-set",
        about: "add, read at several replicas, which must come to agree on all that was added",
        checker: |initial| Box::new(eventual(Object::GSet, initial)),
    },
    CheckSpec {
        name: "or-set",
        about: "add, remove, read at several replicas, which must come to agree; additions win",
        checker: |initial| Box::new(eventual(Object::OrSet, initial)),
    },
    CheckSpec {
        name: "lock",
        about: "acquire -> {token}, release token, write and read {token, value}; --initial is the lease in ns",
        checker: |initial| Box::new(LeaseLock::new(initial.int().unwrap_or(0).unsigned_abs())),
    },
    CheckSpec {
        name: "leader",
        about: "campaign -> {term, leader}, leader -> {term, leader}: one leader a term",
        checker: |_| Box::new(Leader::new()),
    },
];

/// The check of this name.
pub fn find(name: &str) -> Option<&'static CheckSpec> {
    CHECKS.iter().find(|check| check.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models;

    #[test]
    fn names_are_unique_and_kebab_case() {
        for (i, check) in CHECKS.iter().enumerate() {
            let kebab = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            assert!(check.name.chars().all(kebab), "{}", check.name);
            assert!(CHECKS[..i].iter().all(|c| c.name != check.name), "{}", check.name);
            assert!(models::find(check.name).is_none(), "{} is a model too", check.name);
            assert_eq!(find(check.name).map(|c| c.about), Some(check.about));
        }
    }
}
