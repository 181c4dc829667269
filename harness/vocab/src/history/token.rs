//! [`Token`]: a value as it stands in a file, before it is interned. Nothing is copied for it.

use std::hash::{Hash, Hasher};

use indexmap::Equivalent;

use crate::Value;

/// One step of a value written in pre-order: a list is followed by its elements.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Token<'a> {
    Nil,
    Bool(bool),
    Int(i64),
    Str(&'a str),
    /// A list of `len` elements, which are the next `span` tokens.
    List {
        len: u32,
        span: u32,
    },
    /// What cannot be borrowed: text with escapes, maps, sets.
    Owned(Value),
}

/// A whole value as tokens; see [`Token`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tokens<'t, 'a>(pub(crate) &'t [Token<'a>]);

impl<'t, 'a> Tokens<'t, 'a> {
    pub(crate) const NIL: Tokens<'static, 'static> = Tokens(&[Token::Nil]);

    /// How many tokens the first value takes.
    fn first(self) -> usize {
        match self.0.first() {
            None => 0,
            Some(Token::List { span, .. }) => 1 + *span as usize,
            Some(_) => 1,
        }
    }

    /// The two elements of a list of two.
    pub(crate) fn pair(self) -> Option<(Datum<'t, 'a>, Datum<'t, 'a>)> {
        match self.0 {
            [Token::List { len: 2, .. }, rest @ ..] => {
                let (a, b) = rest.split_at(Tokens(rest).first());
                Some((Datum::Lent(Tokens(a)), Datum::Lent(Tokens(b))))
            }
            [Token::Owned(value)] => {
                let (a, b) = value.pair()?;
                Some((Datum::Given(a.clone()), Datum::Given(b.clone())))
            }
            _ => None,
        }
    }

    pub(crate) fn is_nil(self) -> bool {
        matches!(self.0, [] | [Token::Nil | Token::Owned(Value::Nil)])
    }

    pub(crate) fn int(self) -> Option<i64> {
        match self.0 {
            [Token::Int(int) | Token::Owned(Value::Int(int))] => Some(*int),
            _ => None,
        }
    }

    /// The text, as long as the tokens live.
    pub(crate) fn str(self) -> Option<&'t str> {
        match self.0 {
            [Token::Str(text)] => Some(text),
            [Token::Owned(Value::Str(text))] => Some(text),
            _ => None,
        }
    }

    /// The value, copied.
    pub(crate) fn value(self) -> Value {
        let mut rest = self.0.iter();
        take(&mut rest)
    }
}

/// The next value of a run of tokens; nil if there is none.
fn take<'t, 'a: 't>(rest: &mut impl Iterator<Item = &'t Token<'a>>) -> Value {
    match rest.next() {
        None | Some(Token::Nil) => Value::Nil,
        Some(Token::Bool(b)) => Value::Bool(*b),
        Some(Token::Int(i)) => Value::Int(*i),
        Some(Token::Str(s)) => Value::Str((*s).to_owned()),
        Some(Token::List { len, .. }) => Value::List((0..*len).map(|_| take(rest)).collect()),
        Some(Token::Owned(value)) => value.clone(),
    }
}

/// A value on its way into a history.
#[derive(Clone, Debug)]
pub(crate) enum Datum<'t, 'a> {
    Lent(Tokens<'t, 'a>),
    Given(Value),
}

impl Datum<'_, '_> {
    /// The value, copied.
    pub(crate) fn value(&self) -> Value {
        match self {
            Datum::Lent(tokens) => tokens.value(),
            Datum::Given(value) => value.clone(),
        }
    }

    pub(crate) fn is_nil(&self) -> bool {
        match self {
            Datum::Lent(tokens) => tokens.is_nil(),
            Datum::Given(value) => value.is_nil(),
        }
    }
}

/// An interned value: a [`Value`] whose hash is also that of its [`Tokens`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stored(pub(super) Value);

impl Hash for Stored {
    fn hash<H: Hasher>(&self, state: &mut H) {
        feed(&self.0, state);
    }
}

impl Hash for Tokens<'_, '_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for token in self.0 {
            match token {
                Token::Nil => state.write_u8(0),
                Token::Bool(b) => state.write_u8(1 + u8::from(*b)),
                Token::Int(i) => state.write_i64(*i),
                Token::Str(s) => state.write(s.as_bytes()),
                Token::List { len, .. } => state.write_u64(u64::from(*len) << 8 | 3),
                Token::Owned(value) => feed(value, state),
            }
        }
    }
}

/// Hashes a value as its tokens would be.
fn feed<H: Hasher>(value: &Value, state: &mut H) {
    match value {
        Value::Nil => state.write_u8(0),
        Value::Bool(b) => state.write_u8(1 + u8::from(*b)),
        Value::Int(i) => state.write_i64(*i),
        Value::Str(s) => state.write(s.as_bytes()),
        Value::List(list) => {
            state.write_u64((list.len() as u64) << 8 | 3);
            list.iter().for_each(|v| feed(v, state));
        }
        Value::Map(map) => {
            state.write_u64((map.len() as u64) << 8 | 4);
            for (k, v) in map {
                state.write(k.as_bytes());
                feed(v, state);
            }
        }
    }
}

impl Equivalent<Stored> for Tokens<'_, '_> {
    fn equivalent(&self, stored: &Stored) -> bool {
        let mut rest = self.0.iter();
        same(&mut rest, &stored.0) && rest.next().is_none()
    }
}

/// Whether the next value of a run of tokens is `value`.
fn same<'t, 'a: 't>(rest: &mut impl Iterator<Item = &'t Token<'a>>, value: &Value) -> bool {
    match (rest.next(), value) {
        (Some(Token::Nil), Value::Nil) => true,
        (Some(Token::Bool(a)), Value::Bool(b)) => a == b,
        (Some(Token::Int(a)), Value::Int(b)) => a == b,
        (Some(Token::Str(a)), Value::Str(b)) => a == b,
        (Some(Token::List { len, .. }), Value::List(list)) => {
            *len as usize == list.len() && list.iter().all(|v| same(rest, v))
        }
        (Some(Token::Owned(a)), b) => a == b,
        _ => false,
    }
}

/// The same empty buffer for tokens of another life: its memory is used again.
pub(crate) fn recycle<'b>(mut tokens: Vec<Token<'_>>) -> Vec<Token<'b>> {
    tokens.clear();
    // Nothing is left to map; collecting in place keeps the allocation.
    tokens.into_iter().map(|_| Token::Nil).collect()
}

#[cfg(test)]
pub(crate) use tests::values;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rustc_hash::FxBuildHasher;
    use std::hash::BuildHasher;

    use super::*;

    /// Any value, not very deep.
    pub(crate) fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Nil),
            any::<bool>().prop_map(Value::Bool),
            (-3i64..9).prop_map(Value::Int),
            any::<i64>().prop_map(Value::Int),
            "\\PC{0,4}".prop_map(Value::Str),
            "[a-z\"\\\\\n\t ]{0,4}".prop_map(Value::Str),
        ];
        leaf.prop_recursive(3, 12, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::List),
                proptest::collection::btree_map("[a-z]{1,2}", inner, 0..3).prop_map(Value::Map),
            ]
        })
    }

    fn tokens<'a>(value: &'a Value, out: &mut Vec<Token<'a>>) {
        match value {
            Value::Nil => out.push(Token::Nil),
            Value::Bool(b) => out.push(Token::Bool(*b)),
            Value::Int(i) => out.push(Token::Int(*i)),
            Value::Str(s) => out.push(Token::Str(s)),
            Value::List(list) => {
                let at = out.len();
                out.push(Token::Nil);
                list.iter().for_each(|v| tokens(v, out));
                let span = (out.len() - at - 1) as u32;
                out[at] = Token::List { len: list.len() as u32, span };
            }
            Value::Map(_) => out.push(Token::Owned(value.clone())),
        }
    }

    proptest! {
        #[test]
        fn tokens_mean_their_value(a in values(), b in values()) {
            let mut written = Vec::new();
            tokens(&a, &mut written);
            let lent = Tokens(&written);
            let (stored, other) = (Stored(a.clone()), Stored(b.clone()));
            prop_assert_eq!(lent.value(), a.clone());
            prop_assert!(lent.equivalent(&stored));
            prop_assert_eq!(FxBuildHasher.hash_one(lent), FxBuildHasher.hash_one(&stored));
            prop_assert_eq!(lent.equivalent(&other), a == b);
            prop_assert_eq!(lent.pair().is_some(), a.pair().is_some());
        }
    }
}
