//! [`Value`] as JSON: nil is `null`, everything else is itself.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

use crate::Value;

/// A value to be written.
pub struct Out<'a>(pub &'a Value);

impl Serialize for Out<'_> {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Nil => out.serialize_unit(),
            Value::Bool(b) => out.serialize_bool(*b),
            Value::Int(i) => out.serialize_i64(*i),
            Value::Str(s) => out.serialize_str(s),
            Value::List(l) => {
                let mut seq = out.serialize_seq(Some(l.len()))?;
                for v in l {
                    seq.serialize_element(&Out(v))?;
                }
                seq.end()
            }
            Value::Map(m) => {
                let mut map = out.serialize_map(Some(m.len()))?;
                for (k, v) in m {
                    map.serialize_entry(k, &Out(v))?;
                }
                map.end()
            }
        }
    }
}

/// A value that was read.
#[derive(Debug, Default)]
pub struct In(pub Value);

impl<'de> Deserialize<'de> for In {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(InVisitor)
    }
}

struct InVisitor;

impl<'de> Visitor<'de> for InVisitor {
    type Value = In;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("null, a boolean, an integer, text, a list or a map")
    }

    fn visit_unit<E>(self) -> Result<In, E> {
        Ok(In(Value::Nil))
    }

    fn visit_none<E>(self) -> Result<In, E> {
        Ok(In(Value::Nil))
    }

    fn visit_bool<E>(self, b: bool) -> Result<In, E> {
        Ok(In(Value::Bool(b)))
    }

    fn visit_i64<E>(self, i: i64) -> Result<In, E> {
        Ok(In(Value::Int(i)))
    }

    fn visit_u64<E: de::Error>(self, u: u64) -> Result<In, E> {
        let int = i64::try_from(u)
            .map_err(|_| E::custom(format!("{u} does not fit 64 signed bits: write it as text")))?;
        Ok(In(Value::Int(int)))
    }

    fn visit_f64<E: de::Error>(self, f: f64) -> Result<In, E> {
        if let Some(int) = super::edn::exact(f) {
            return Ok(In(Value::Int(int)));
        }
        Err(E::custom(format!(
            "{f} is no integer: write fractions as text, since values are compared exactly"
        )))
    }

    fn visit_str<E>(self, s: &str) -> Result<In, E> {
        Ok(In(Value::Str(s.to_owned())))
    }

    fn visit_string<E>(self, s: String) -> Result<In, E> {
        Ok(In(Value::Str(s)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<In, A::Error> {
        let mut list = Vec::with_capacity(seq.size_hint().unwrap_or(0).min(64));
        while let Some(In(v)) = seq.next_element()? {
            list.push(v);
        }
        Ok(In(Value::List(list)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<In, A::Error> {
        let mut map = BTreeMap::new();
        while let Some((k, In(v))) = entries.next_entry::<Cow<'de, str>, In>()? {
            map.insert(k.into_owned(), v);
        }
        Ok(In(Value::Map(map)))
    }
}

/// Writes a map of values.
pub(super) fn out_map(map: &BTreeMap<String, Value>) -> BTreeMap<&str, Out<'_>> {
    map.iter().map(|(k, v)| (k.as_str(), Out(v))).collect()
}

/// Reads a map of values.
pub(super) fn in_map(map: BTreeMap<String, In>) -> BTreeMap<String, Value> {
    map.into_iter().map(|(k, v)| (k, v.0)).collect()
}

/// A value as JSON text.
pub fn to_string(value: &Value) -> String {
    serde_json::to_string(&Out(value)).unwrap_or_default()
}

/// A value from JSON text.
///
/// # Errors
/// If it is no JSON, or has a number that is no 64-bit integer.
pub fn from_str(text: &str) -> Result<Value, serde_json::Error> {
    serde_json::from_str::<In>(text).map(|v| v.0)
}
