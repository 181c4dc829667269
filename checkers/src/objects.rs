//! The objects of a history.

use std::collections::BTreeMap;

use danso_vocab::{History, Status, Time, Value};
use rustc_hash::FxHashMap;

/// Rows between two looks at the stop flag.
pub(crate) const SPELL: usize = 1 << 16;

/// One object: its key, if it has one, and the rows of its operations, by invocation.
pub(crate) struct Object {
    pub(crate) key: Option<u32>,
    pub(crate) rows: Vec<u32>,
}

impl Object {
    /// The key itself.
    pub(crate) fn named(&self, history: &History) -> Option<Value> {
        self.key.map(|id| history.value(id).into_owned())
    }

    /// ` of k3`, or nothing if there is only one object.
    pub(crate) fn of(&self, history: &History) -> String {
        self.named(history).map_or_else(String::new, |key| format!(" of {key}"))
    }
}

/// The objects of a history, by first appearance, and what was left out of them.
pub(crate) struct Objects {
    pub(crate) all: Vec<Object>,
    left_out: BTreeMap<String, u64>,
}

impl Objects {
    /// Collects the operations named in `alphabet`. 4 bytes an operation.
    ///
    /// # Errors
    /// If only some of them have a key.
    pub(crate) fn of(history: &History, alphabet: &[&str]) -> Result<Objects, String> {
        let known: Vec<bool> = history.fs().map(|f| alphabet.contains(&f)).collect();
        let mut objects = Objects { all: Vec::new(), left_out: BTreeMap::new() };
        let mut places = FxHashMap::<Option<u32>, usize>::default();
        let (mut keyed, mut bare) = (None, None);
        for op in history.ops() {
            if !known[usize::from(op.f_id())] {
                *objects.left_out.entry(op.f().to_owned()).or_default() += 1;
                continue;
            }
            if op.status() != Status::Fail {
                let which = if op.key_id().is_some() { &mut keyed } else { &mut bare };
                which.get_or_insert(op);
            }
            let place = *places.entry(op.key_id()).or_insert_with(|| {
                objects.all.push(Object { key: op.key_id(), rows: Vec::new() });
                objects.all.len() - 1
            });
            objects.all[place].rows.push(op.row() as u32);
        }
        match (keyed, bare) {
            (Some(keyed), Some(bare)) => Err(format!(
                "operation {bare} names no key although {keyed} does, so nobody can say which object it touches"
            )),
            _ => Ok(objects),
        }
    }

    /// What was left out, as the end of a sentence.
    pub(crate) fn left_out(&self) -> String {
        if self.left_out.is_empty() {
            return String::new();
        }
        let what: Vec<String> = self.left_out.iter().map(|(f, n)| format!("{n} {f}")).collect();
        format!("; left out, being none of its operations: {}", what.join(", "))
    }
}

/// ` at 1.204 s`, with another word if wanted; nothing where the history has no times.
pub(crate) fn when(history: &History, word: &str, time: Time) -> String {
    if history.end() == Time::ZERO { String::new() } else { format!(" {word} {time}") }
}

/// Values as people list them: integers as ranges, and not more than fit a line.
pub(crate) fn listed(values: &mut [&Value]) -> String {
    const SHOWN: usize = 12;
    values.sort();
    let mut words = Vec::new();
    let mut rest = &values[..];
    while let [first, ..] = rest {
        if words.len() == SHOWN {
            return format!("{} and {} more", words.join(" "), rest.len());
        }
        let follows = |(i, v): &(usize, &&Value)| match (first.int(), v.int()) {
            (Some(a), Some(b)) => a.checked_add(*i as i64) == Some(b),
            _ => *i == 0,
        };
        let run = rest.iter().enumerate().take_while(follows).count();
        words.push(match run {
            1 => first.to_string(),
            2 => format!("{first} {}", rest[1]),
            _ => format!("{first}..{}", rest[run - 1]),
        });
        rest = &rest[run..];
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_listed_as_ranges() {
        let values: Vec<Value> = [5, 1, 2, 3, 9, 8].map(Value::Int).into();
        let show = |values: &[Value]| listed(&mut values.iter().collect::<Vec<_>>());
        assert_eq!(show(&values), "1..3 5 8 9");
        assert_eq!(
            show(&["b".into(), Value::Int(i64::MAX), "a".into()]),
            format!("{} a b", i64::MAX)
        );
        let many: Vec<Value> = (0..40).map(|n| Value::Int(2 * n)).collect();
        assert_eq!(show(&many), "0 2 4 6 8 10 12 14 16 18 20 22 and 28 more");
        assert_eq!(show(&[]), "");
    }
}
