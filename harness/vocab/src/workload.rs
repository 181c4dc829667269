//! [`Workload`]: an alphabet, who calls what, and how the result is judged. A workload is data.

use std::collections::BTreeMap;

use crate::{Checker, Generator, Seat, Value};

/// One operation of a workload's alphabet.
#[derive(Clone, Copy, Debug)]
pub struct OpSpec {
    /// Its name.
    pub f: &'static str,
    /// What it does, in a few words.
    pub about: &'static str,
    /// It has no effect: an indeterminate one may be recorded as `fail`.
    pub reads: bool,
}

/// One parameter of a workload or target.
#[derive(Clone, Copy, Debug)]
pub struct ParamSpec {
    /// Its name in `params = { … }` and `--set params.name=…`.
    pub name: &'static str,
    /// What it does, in a few words.
    pub about: &'static str,
    /// Its value if not given.
    pub default: fn() -> Value,
}

/// Parameters by name, complete: every parameter of the specification has a value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Params(BTreeMap<String, Value>);

/// Why parameters do not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParamError {
    /// There is no such parameter.
    #[error("there is no parameter `{name}`; there are: {known}")]
    NoSuch {
        /// What was given.
        name: String,
        /// What there is.
        known: String,
    },
    /// A value makes no sense.
    #[error("parameter `{name}` is {got}, but must be {want}")]
    Bad {
        /// The parameter.
        name: String,
        /// Its value.
        got: Value,
        /// What it may be.
        want: String,
    },
}

impl Params {
    /// The `given` parameters, completed by defaults.
    ///
    /// # Errors
    /// [`ParamError::NoSuch`] for a name that is not in `specs`.
    pub fn complete(
        specs: &[ParamSpec],
        given: &BTreeMap<String, Value>,
    ) -> Result<Params, ParamError> {
        if let Some(name) = given.keys().find(|g| specs.iter().all(|s| s.name != *g)) {
            let known: Vec<_> = specs.iter().map(|s| s.name).collect();
            return Err(ParamError::NoSuch { name: name.clone(), known: known.join(", ") });
        }
        let value = |s: &ParamSpec| given.get(s.name).cloned().unwrap_or_else(s.default);
        Ok(Params(specs.iter().map(|s| (s.name.to_owned(), value(s))).collect()))
    }

    /// Parameters read back from a plan, taken as they are.
    pub fn stored(values: BTreeMap<String, Value>) -> Params {
        Params(values)
    }

    /// All of them.
    pub fn all(&self) -> &BTreeMap<String, Value> {
        &self.0
    }

    /// One of them; [`Value::Nil`] if there is none of that name.
    pub fn get(&self, name: &str) -> &Value {
        const NIL: &Value = &Value::Nil;
        self.0.get(name).unwrap_or(NIL)
    }

    /// An integer in `range`.
    ///
    /// # Errors
    /// [`ParamError::Bad`] if it is none.
    pub fn int(&self, name: &str, range: std::ops::RangeInclusive<i64>) -> Result<i64, ParamError> {
        let got = self.get(name);
        got.int().filter(|i| range.contains(i)).ok_or_else(|| ParamError::Bad {
            name: name.to_owned(),
            got: got.clone(),
            want: format!("an integer from {} to {}", range.start(), range.end()),
        })
    }
}

/// Makes the generator of one worker.
pub type MakeGenerator = fn(&Params, Seat) -> Result<Box<dyn Generator>, ParamError>;

/// A workload: what clients do and how the history is judged. The functions get complete
/// parameters; they refuse values that make no sense.
pub struct Workload {
    /// Its name: the object it exercises.
    pub name: &'static str,
    /// Which mistakes it finds, in one line.
    pub about: &'static str,
    /// Its alphabet.
    pub ops: &'static [OpSpec],
    /// Its parameters.
    pub params: &'static [ParamSpec],
    /// What a worker does during the load.
    pub generator: MakeGenerator,
    /// What a worker does after everything has healed, until done.
    pub closing: MakeGenerator,
    /// Who judges.
    pub checkers: fn(&Params) -> Vec<Box<dyn Checker>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPECS: &[ParamSpec] =
        &[ParamSpec { name: "keys", about: "objects", default: || 8.into() }];

    #[test]
    fn defaults_fill_in_and_typos_are_refused() {
        let params = Params::complete(SPECS, &BTreeMap::new()).unwrap();
        assert_eq!(params.int("keys", 1..=100), Ok(8));
        let zero = Params::stored([("keys".to_owned(), Value::from(0))].into());
        assert!(matches!(zero.int("keys", 1..=100), Err(ParamError::Bad { .. })));
        let typo = [("kesy".to_owned(), Value::from(1))].into();
        let error = Params::complete(SPECS, &typo).unwrap_err();
        assert_eq!(error.to_string(), "there is no parameter `kesy`; there are: keys");
    }
}
