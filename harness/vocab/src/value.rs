//! [`Value`]: arguments, results, keys and parameters, open enough for any tool's history.

use std::collections::BTreeMap;
use std::fmt;

/// A datum a client sent or received. No floats, so that it is `Eq` and `Hash`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Value {
    /// Nothing: an absent key, an unread register, an empty result.
    #[default]
    Nil,
    /// A truth value.
    Bool(bool),
    /// A signed 64-bit integer.
    Int(i64),
    /// Text.
    Str(String),
    /// A sequence.
    List(Vec<Value>),
    /// A mapping with text keys, in key order.
    Map(BTreeMap<String, Value>),
}

impl Value {
    /// The integer, if this is one.
    pub fn int(&self) -> Option<i64> {
        if let Value::Int(i) = self { Some(*i) } else { None }
    }

    /// The text, if this is text.
    pub fn str(&self) -> Option<&str> {
        if let Value::Str(s) = self { Some(s) } else { None }
    }

    /// The truth value, if this is one.
    pub fn bool(&self) -> Option<bool> {
        if let Value::Bool(b) = self { Some(*b) } else { None }
    }

    /// The elements, if this is a list.
    pub fn list(&self) -> Option<&[Value]> {
        if let Value::List(l) = self { Some(l) } else { None }
    }

    /// The entries, if this is a map.
    pub fn map(&self) -> Option<&BTreeMap<String, Value>> {
        if let Value::Map(m) = self { Some(m) } else { None }
    }

    /// The two elements, if this is a list of exactly two: a compare-and-set's `[old new]`.
    pub fn pair(&self) -> Option<(&Value, &Value)> {
        if let Value::List(l) = self
            && let [a, b] = l.as_slice()
        {
            Some((a, b))
        } else {
            None
        }
    }

    /// The entry under `key`, if this is a map that has it.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.map()?.get(key)
    }

    /// Whether this is [`Value::Nil`].
    pub fn is_nil(&self) -> bool {
        matches!(self, Value::Nil)
    }

    /// A map from entries: `Value::of([("a", 1.into())])`.
    pub fn of<const N: usize>(entries: [(&str, Value); N]) -> Value {
        Value::Map(entries.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())
    }
}

impl From<()> for Value {
    fn from((): ()) -> Self {
        Value::Nil
    }
}

impl From<bool> for Value {
    fn from(b: bool) -> Self {
        Value::Bool(b)
    }
}

impl From<i64> for Value {
    fn from(i: i64) -> Self {
        Value::Int(i)
    }
}

impl From<&str> for Value {
    fn from(s: &str) -> Self {
        Value::Str(s.to_owned())
    }
}

impl From<String> for Value {
    fn from(s: String) -> Self {
        Value::Str(s)
    }
}

impl<T: Into<Value>> From<Vec<T>> for Value {
    fn from(l: Vec<T>) -> Self {
        Value::List(l.into_iter().map(Into::into).collect())
    }
}

impl<T: Into<Value>, const N: usize> From<[T; N]> for Value {
    fn from(l: [T; N]) -> Self {
        Value::List(l.into_iter().map(Into::into).collect())
    }
}

/// Prints as people write it: `nil`, `3`, `[1 2]`, `{a: 1}`; text bare where that is unambiguous.
impl fmt::Display for Value {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Nil => out.write_str("nil"),
            Value::Bool(b) => write!(out, "{b}"),
            Value::Int(i) => write!(out, "{i}"),
            Value::Str(s) if is_bare(s) => out.write_str(s),
            Value::Str(s) => write!(out, "{s:?}"),
            Value::List(l) => {
                out.write_str("[")?;
                for (i, v) in l.iter().enumerate() {
                    if i > 0 {
                        out.write_str(" ")?;
                    }
                    write!(out, "{v}")?;
                }
                out.write_str("]")
            }
            Value::Map(m) => {
                out.write_str("{")?;
                for (i, (k, v)) in m.iter().enumerate() {
                    if i > 0 {
                        out.write_str(", ")?;
                    }
                    write!(out, "{k}: {v}")?;
                }
                out.write_str("}")
            }
        }
    }
}

/// Whether text can be printed without quotes and still not be taken for another value.
fn is_bare(s: &str) -> bool {
    s.starts_with(|c: char| c.is_alphabetic())
        && s.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '/'))
        && !matches!(s, "nil" | "true" | "false")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_unambiguously() {
        let v = Value::of([
            ("a", Value::from([1, 2])),
            ("b", "x y".into()),
            ("c", "nil".into()),
            ("d", ().into()),
        ]);
        assert_eq!(v.to_string(), r#"{a: [1 2], b: "x y", c: "nil", d: nil}"#);
        assert_eq!(Value::from("k1").to_string(), "k1");
        assert_eq!(Value::from("17").to_string(), "\"17\"");
    }

    #[test]
    fn pair_wants_exactly_two() {
        assert!(Value::from([1, 2]).pair().is_some());
        assert!(Value::from([1, 2, 3]).pair().is_none());
        assert!(Value::from(1).pair().is_none());
    }
}
