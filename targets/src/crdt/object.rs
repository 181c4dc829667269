//! What is kept under a key: a counter or a set.

use std::hash::{Hash, Hasher};

use danso_vocab::Value;
use serde::{Deserialize, Serialize};

use super::counter::Counter;
use super::set::Set;
use super::settings::Bug;

/// A replicated object. Its kind is the first part of its key: `counter/x`, `set/y`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Object {
    Counter(Counter),
    Set(Set),
}

impl Object {
    /// What a new key of this kind holds.
    pub(super) fn empty(key: &str) -> Object {
        match key.starts_with("set/") {
            true => Object::Set(Set::default()),
            false => Object::Counter(Counter::default()),
        }
    }

    /// What clients see.
    pub(super) fn value(&self) -> Value {
        match self {
            Object::Counter(counter) => counter.value(),
            Object::Set(set) => set.value(),
        }
    }

    /// The join of both states: commutative, associative, idempotent, so that it does not matter
    /// in which order and how often states arrive. Objects of two kinds never meet.
    pub(super) fn join(&mut self, other: &Object, bug: Option<Bug>) {
        match (self, other) {
            (Object::Counter(ours), Object::Counter(theirs)) => ours.join(theirs, bug),
            (Object::Set(ours), Object::Set(theirs)) => ours.join(theirs, bug),
            _ => {}
        }
    }

    /// A number for the updates this state is made of: equal for equal states.
    pub(super) fn digest(&self) -> u64 {
        let mut hasher = Fnv(0xcbf2_9ce4_8422_2325);
        self.hash(&mut hasher);
        hasher.finish()
    }
}

/// FNV-1a: the same in every process of a cluster, which is all that is asked for.
struct Fnv(u64);

impl Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

/// Maps with numbers for keys, as lists of pairs: JSON has only text for keys.
pub(super) mod pairs {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(in crate::crdt) fn serialize<S: Serializer>(
        map: &BTreeMap<u16, u64>,
        out: S,
    ) -> Result<S::Ok, S::Error> {
        map.iter().collect::<Vec<_>>().serialize(out)
    }

    pub(in crate::crdt) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<BTreeMap<u16, u64>, D::Error> {
        Vec::deserialize(from).map(|pairs: Vec<(u16, u64)>| pairs.into_iter().collect())
    }
}
