//! [`Numbering`]: dense numbers for the values of one object, alone or inside others.

use std::borrow::Cow;

use danso_vocab::{History, Value};
use rustc_hash::FxHashMap;

/// Value ids from here on are integers: the id less this.
const INTEGERS: u32 = 1 << 31;

const NONE: u32 = u32::MAX;

/// The integer called `id`, if it is one.
pub(crate) fn integer(history: &History, id: u32) -> Option<i64> {
    match id.checked_sub(INTEGERS) {
        Some(int) => Some(i64::from(int)),
        None => history.value(id).int(),
    }
}

/// Numbers values from 0 in order of first sight. Small integers, and the first values of a
/// history, cost an array access; all others a hash of four bytes.
pub(crate) struct Numbering<'v> {
    integers: Sparse,
    others: Sparse,
    /// What is not a small integer, because it can also occur inside another value.
    values: FxHashMap<&'v Value, u32>,
    len: u32,
}

impl<'v> Numbering<'v> {
    /// One for about this many operations.
    pub(crate) fn new(ops: usize) -> Numbering<'v> {
        let near = ops.saturating_mul(2).saturating_add(64);
        Numbering {
            integers: Sparse::new(near),
            others: Sparse::new(near),
            values: FxHashMap::default(),
            len: 0,
        }
    }

    /// How many values have a number.
    pub(crate) fn len(&self) -> usize {
        self.len as usize
    }

    /// The number of the value called `id`.
    pub(crate) fn id(&mut self, history: &'v History, id: u32) -> u32 {
        if let Some(int) = id.checked_sub(INTEGERS) {
            return self.integer(int);
        }
        let known = *self.others.at(id);
        if known != NONE {
            return known;
        }
        let number = match history.value(id) {
            Cow::Borrowed(value) => self.value(value),
            // Never so: only small integers are not stored.
            Cow::Owned(_) => self.fresh(),
        };
        *self.others.at(id) = number;
        number
    }

    /// The number of a value that may be part of another.
    pub(crate) fn value(&mut self, value: &'v Value) -> u32 {
        let small = value.int().and_then(|int| u32::try_from(int).ok());
        if let Some(int) = small.filter(|int| *int < INTEGERS - 1) {
            return self.integer(int);
        }
        match self.values.get(value) {
            Some(number) => *number,
            None => {
                let number = self.fresh();
                self.values.insert(value, number);
                number
            }
        }
    }

    fn integer(&mut self, int: u32) -> u32 {
        let next = self.len;
        let slot = self.integers.at(int);
        if *slot == NONE {
            *slot = next;
            self.len += 1;
            return next;
        }
        *slot
    }

    fn fresh(&mut self) -> u32 {
        self.len += 1;
        self.len - 1
    }
}

/// A map from integers that is an array where they are small.
struct Sparse {
    near: Vec<u32>,
    limit: usize,
    far: FxHashMap<u32, u32>,
}

impl Sparse {
    fn new(limit: usize) -> Sparse {
        Sparse { near: Vec::new(), limit, far: FxHashMap::default() }
    }

    fn at(&mut self, key: u32) -> &mut u32 {
        let place = key as usize;
        if place >= self.limit {
            return self.far.entry(key).or_insert(NONE);
        }
        if place >= self.near.len() {
            let len = (place + 1).max(self.near.len() * 2).min(self.limit);
            self.near.resize(len, NONE);
        }
        &mut self.near[place]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use danso_vocab::{Call, Event, Outcome, Process, Time};

    #[test]
    fn a_value_has_one_number_wherever_it_is() {
        let things: Vec<Value> = vec![
            7.into(),
            70_000.into(),
            i64::from(INTEGERS - 1).into(),
            (-1).into(),
            Value::Nil,
            "a".into(),
            [1, 2].into(),
        ];
        let nested = Value::List(things.clone());
        let events = things.iter().chain([&nested]).flat_map(|value| {
            let call = Call::new("write", value.clone());
            let end = Event::Complete { process: Process(0), outcome: Outcome::Ok(Value::Nil) };
            [Event::Invoke { process: Process(0), node: None, call }, end]
        });
        let history = History::of((1..).map(Time).zip(events)).unwrap();
        let mut numbering = Numbering::new(3);
        for (i, op) in history.ops().take(things.len()).enumerate() {
            assert_eq!(numbering.id(&history, op.arg_id()), i as u32);
            assert_eq!(numbering.id(&history, op.arg_id()), i as u32);
        }
        for (i, value) in nested.list().unwrap().iter().enumerate() {
            assert_eq!(numbering.value(value), i as u32);
        }
        assert_eq!(numbering.len(), things.len());
    }
}
