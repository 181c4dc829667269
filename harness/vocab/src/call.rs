//! [`Call`]: one request to the system under test.

use std::borrow::Cow;
use std::fmt;

use crate::Value;

/// A short kebab-case word: an operation's `f`, an anomaly, a fault kind.
pub type Name = Cow<'static, str>;

/// What a client is asked to do: `f` on the object `key` with `arg`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Call {
    /// The operation: `read`, `write`, `cas`…
    pub f: Name,
    /// The object, if the workload has several independent ones.
    pub key: Option<Value>,
    /// The argument; [`Value::Nil`] if there is none.
    pub arg: Value,
}

impl Call {
    /// A call on the workload's only object.
    pub fn new(f: impl Into<Name>, arg: impl Into<Value>) -> Self {
        Call { f: f.into(), key: None, arg: arg.into() }
    }

    /// The same call on the object `key`.
    #[must_use]
    pub fn on(mut self, key: impl Into<Value>) -> Self {
        self.key = Some(key.into());
        self
    }
}

impl fmt::Display for Call {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.f)?;
        if let Some(key) = &self.key {
            write!(out, " {key}")?;
        }
        if !self.arg.is_nil() {
            write!(out, " {}", self.arg)?;
        }
        Ok(())
    }
}
