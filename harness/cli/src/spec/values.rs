//! TOML as [`Value`]s.

use std::collections::BTreeMap;

use danso_adapters::Mistake;
use danso_vocab::Value;

/// All of a table.
///
/// # Errors
/// If something has no place among values: which, and why.
pub(super) fn values(table: &toml::Table) -> Result<BTreeMap<String, Value>, Mistake> {
    let value = |(name, value): (&String, _)| {
        Ok((name.clone(), value_of(value).map_err(|mistake| mistake.at(name))?))
    };
    table.iter().map(value).collect()
}

/// A single one.
///
/// # Errors
/// As [`values`].
pub(super) fn value_of(value: &toml::Value) -> Result<Value, Mistake> {
    Ok(match value {
        toml::Value::String(s) => Value::Str(s.clone()),
        toml::Value::Integer(i) => Value::Int(*i),
        toml::Value::Boolean(b) => Value::Bool(*b),
        toml::Value::Array(list) => {
            let value = |(i, value): (usize, _)| value_of(value).map_err(|m| m.at(&i.to_string()));
            Value::List(list.iter().enumerate().map(value).collect::<Result<_, _>>()?)
        }
        toml::Value::Table(table) => Value::Map(values(table)?),
        toml::Value::Float(f) => {
            return Err(Mistake::new(format!("{f} is no integer; fractions have no place here")));
        }
        toml::Value::Datetime(d) => return Err(Mistake::new(format!("{d}: write dates as text"))),
    })
}
