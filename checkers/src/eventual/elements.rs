//! [`Elements`]: the values of one key and the sets made of them, as small numbers.

use danso_vocab::Value;
use danso_vocab::history::Interner;
use rustc_hash::FxHashMap;

/// Numbers for values, dense from 0, and for sets of them.
#[derive(Default)]
pub(super) struct Elements {
    ints: FxHashMap<i64, u32>,
    others: FxHashMap<Value, u32>,
    sets: Interner<Box<[u32]>>,
    /// Numbers for what reads say they have heard of.
    heard: FxHashMap<Value, u32>,
    /// What was made of the answer of this id.
    answers: FxHashMap<u32, (i64, Option<u32>)>,
}

impl Elements {
    /// How many values have a number.
    pub(super) fn len(&self) -> usize {
        self.ints.len() + self.others.len()
    }

    /// The number of a value, new or known.
    pub(super) fn id(&mut self, value: &Value) -> u32 {
        let next = self.len() as u32;
        match value {
            Value::Int(int) => *self.ints.entry(*int).or_insert(next),
            other => match self.others.get(other) {
                Some(id) => *id,
                None => *self.others.entry(other.clone()).or_insert(next),
            },
        }
    }

    /// The value with this number. Slow: for explanations.
    pub(super) fn value(&self, id: u32) -> Value {
        let int =
            self.ints.iter().find(|(_, known)| **known == id).map(|(int, _)| Value::Int(*int));
        let other = || self.others.iter().find(|(_, known)| **known == id).map(|(v, _)| v.clone());
        int.or_else(other).unwrap_or_default()
    }

    /// The number of the set of these elements, and whether the list has one of them twice.
    pub(super) fn set(&mut self, list: &[Value]) -> (i64, bool) {
        let mut set: Vec<u32> = list.iter().map(|value| self.id(value)).collect();
        set.sort_unstable();
        set.dedup();
        let doubled = set.len() < list.len();
        let known = self.sets.find(&set[..]).or_else(|| self.sets.intern(set.into()));
        (known.map_or(-1, i64::from), doubled)
    }

    /// The elements of the set with this number, in order of their numbers.
    pub(super) fn members(&self, set: i64) -> &[u32] {
        match u32::try_from(set) {
            Ok(set) if (set as usize) < self.sets.len() => self.sets.get(set),
            _ => &[],
        }
    }

    /// A number for what a read says it has heard of.
    pub(super) fn heard(&mut self, seen: &Value) -> u32 {
        let next = self.heard.len() as u32;
        match self.heard.get(seen) {
            Some(number) => *number,
            None => *self.heard.entry(seen.clone()).or_insert(next),
        }
    }

    /// How many sets have a number.
    pub(super) fn sets(&self) -> usize {
        self.sets.len()
    }

    /// What was made of an answer before.
    pub(super) fn answer(&self, id: u32) -> Option<(i64, Option<u32>)> {
        self.answers.get(&id).copied()
    }

    /// Keeps what was made of an answer.
    pub(super) fn remember(&mut self, id: u32, made: (i64, Option<u32>)) {
        self.answers.insert(id, made);
    }
}
