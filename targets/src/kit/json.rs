//! [`Value`] inside derived JSON: `#[serde(with = "json")]`.

use danso_vocab::Value;
use danso_vocab::codec::json::{In, Out};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub(crate) fn serialize<S: Serializer>(value: &Value, out: S) -> Result<S::Ok, S::Error> {
    Out(value).serialize(out)
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Value, D::Error> {
    In::deserialize(from).map(|v| v.0)
}
