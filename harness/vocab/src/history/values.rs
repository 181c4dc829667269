//! [`Values`]: each distinct value under a `u32`, small integers without being stored at all.

use std::borrow::Cow;

use super::Interner;
use crate::Value;

/// Ids from here on *are* integers: the id less this.
const INLINE: u32 = 1 << 31;

/// The values of a history. Integers from 0 to 2³¹−2 cost nothing but their id, so that a history
/// of unique numbers needs no table; everything else is interned.
#[derive(Clone, Debug, Default)]
pub(super) struct Values {
    others: Interner<Value>,
}

impl Values {
    /// The id of `value`; `None` once there are 2³¹ that are not small integers.
    pub(super) fn intern(&mut self, value: Value) -> Option<u32> {
        match inline(&value) {
            Some(id) => Some(id),
            None => self.others.intern(value).filter(|id| *id < INLINE),
        }
    }

    /// The value called `id`.
    ///
    /// # Panics
    /// If `id` was not given out here.
    pub(super) fn get(&self, id: u32) -> Cow<'_, Value> {
        match id.checked_sub(INLINE) {
            Some(int) => Cow::Owned(Value::Int(i64::from(int))),
            None => Cow::Borrowed(self.others.get(id)),
        }
    }
}

/// The id of a small integer.
fn inline(value: &Value) -> Option<u32> {
    let int = u32::try_from(value.int()?).ok()?;
    // The greatest id means "no value" elsewhere.
    int.checked_add(INLINE).filter(|id| *id != u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_equal_exactly_if_values_are() {
        let mut values = Values::default();
        let small = i64::from(u32::MAX - INLINE);
        let things: Vec<Value> = [0, 1, small - 1, small, small + 1, -1, i64::MIN, i64::MAX]
            .into_iter()
            .map(Value::Int)
            .chain([Value::Nil, true.into(), "1".into(), [1, 2].into()])
            .collect();
        let ids: Vec<u32> = things.iter().map(|v| values.intern(v.clone()).unwrap()).collect();
        for (i, thing) in things.iter().enumerate() {
            assert_eq!(values.get(ids[i]).as_ref(), thing);
            assert_eq!(values.intern(thing.clone()), Some(ids[i]));
            assert!(ids[..i].iter().all(|id| *id != ids[i] && *id != u32::MAX), "{thing}");
        }
    }
}
