//! [`Values`]: each distinct value under a `u32`, small integers without being stored at all.

use std::borrow::Cow;

use indexmap::Equivalent;

use super::Interner;
use super::token::{Datum, Stored, Token, Tokens};
use crate::Value;

/// Ids from here on *are* integers: the id less this.
const INLINE: u32 = 1 << 31;

/// The values of a history. Integers from 0 to 2³¹−2 cost nothing but their id, so that a history
/// of unique numbers needs no table; everything else is interned.
#[derive(Clone, Debug, Default)]
pub(super) struct Values {
    others: Interner<Stored>,
}

impl Values {
    /// The id of a value; `None` once there are 2³¹ that are not small integers.
    pub(super) fn intern(&mut self, datum: Datum<'_, '_>) -> Option<u32> {
        match datum {
            Datum::Lent(tokens) => self.lent(tokens),
            Datum::Given(value) => match value.int().and_then(inline) {
                Some(id) => Some(id),
                None => self.others.intern(Stored(value)).filter(|id| *id < INLINE),
            },
        }
    }

    fn lent(&mut self, tokens: Tokens<'_, '_>) -> Option<u32> {
        if let [Token::Int(int)] = tokens.0
            && let Some(id) = inline(*int)
        {
            return Some(id);
        }
        match tokens.0 {
            [Token::Owned(value)] => self.intern(Datum::Given(value.clone())),
            _ => self
                .others
                .intern_with(&tokens, || Stored(tokens.value()))
                .filter(|id| *id < INLINE),
        }
    }

    /// The value called `id`.
    ///
    /// # Panics
    /// If `id` was not given out here.
    pub(super) fn get(&self, id: u32) -> Cow<'_, Value> {
        match id.checked_sub(INLINE) {
            Some(int) => Cow::Owned(Value::Int(i64::from(int))),
            None => Cow::Borrowed(&self.others.get(id).0),
        }
    }

    /// The id of this value, if it was seen.
    pub(super) fn find(&self, value: &Value) -> Option<u32> {
        let inline = value.int().and_then(inline);
        inline.or_else(|| self.others.find(&Stored(value.clone())))
    }

    /// Whether `id` is that of this value. No id of "no value" is that of any.
    pub(super) fn is(&self, id: u32, datum: &Datum<'_, '_>) -> bool {
        match (datum, id.checked_sub(INLINE)) {
            (_, Some(_)) if id == u32::MAX => false,
            (Datum::Lent(tokens), Some(int)) => tokens.int() == Some(i64::from(int)),
            (Datum::Given(value), Some(int)) => value.int() == Some(i64::from(int)),
            (Datum::Lent(tokens), None) => tokens.equivalent(self.others.get(id)),
            (Datum::Given(value), None) => *value == self.others.get(id).0,
        }
    }

    /// Gives back what growth left over.
    pub(super) fn shrink(&mut self) {
        self.others.shrink();
    }

    /// Bytes of memory, with everything the values own.
    pub(super) fn bytes(&self) -> usize {
        self.others.bytes() + self.others.iter().map(|v| heap(&v.0)).sum::<usize>()
    }
}

/// Bytes a value owns beside itself.
pub(super) fn heap(value: &Value) -> usize {
    match value {
        Value::Nil | Value::Bool(_) | Value::Int(_) => 0,
        Value::Str(s) => s.capacity(),
        Value::List(l) => l.capacity() * size_of::<Value>() + l.iter().map(heap).sum::<usize>(),
        // A tree's nodes are at least half full.
        Value::Map(m) => {
            m.iter().map(|(k, v)| 2 * size_of::<(String, Value)>() + k.capacity() + heap(v)).sum()
        }
    }
}

/// The id of a small integer.
fn inline(int: i64) -> Option<u32> {
    let int = u32::try_from(int).ok()?;
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
        let mut id = |v: &Value| values.intern(Datum::Given(v.clone())).unwrap();
        let ids: Vec<u32> = things.iter().map(&mut id).collect();
        for (i, thing) in things.iter().enumerate() {
            assert_eq!(values.get(ids[i]).as_ref(), thing);
            assert_eq!(values.intern(Datum::Given(thing.clone())), Some(ids[i]));
            assert_eq!(values.find(thing), Some(ids[i]));
            assert!(values.is(ids[i], &Datum::Given(thing.clone())), "{thing}");
            assert!(!values.is(u32::MAX, &Datum::Given(thing.clone())), "{thing}");
            assert!(things[..i].iter().all(|t| !values.is(ids[i], &Datum::Given(t.clone()))));
            assert!(ids[..i].iter().all(|id| *id != ids[i] && *id != u32::MAX), "{thing}");
        }
        let lent = [Token::List { len: 2, span: 2 }, Token::Int(1), Token::Int(2)];
        assert_eq!(values.intern(Datum::Lent(Tokens(&lent))), ids.last().copied());
        assert_eq!(values.intern(Datum::Lent(Tokens(&[Token::Int(-1)]))), Some(ids[5]));
        assert_eq!(values.intern(Datum::Lent(Tokens(&[Token::Int(1)]))), Some(ids[1]));
    }
}
