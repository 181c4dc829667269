//! The parameter `mix`: how often each operation of a workload is asked for.

use std::collections::BTreeMap;

use danso_vocab::{OpSpec, ParamError, Params, Value};

/// The weights of `ops`, in that order, from the parameter `mix`; an operation not named there
/// has none.
///
/// # Errors
/// If it is no map from names of these operations to integers, or all of them are 0.
pub(crate) fn weights(params: &Params, ops: &[OpSpec]) -> Result<Vec<u64>, ParamError> {
    let names: Vec<&str> = ops.iter().map(|op| op.f).collect();
    let bad = || {
        let want =
            format!("a map from {} to integers from 0, not all of them 0", names.join(" and "));
        bad(params, "mix", &want)
    };
    let given: &BTreeMap<String, Value> = params.get("mix").map().ok_or_else(bad)?;
    let weight = |name: &&str| match given.get(*name) {
        None => Some(0),
        Some(value) => value.int().and_then(|w| u32::try_from(w).ok()).map(u64::from),
    };
    let weights: Option<Vec<u64>> = names.iter().map(weight).collect();
    let known = given.keys().all(|f| names.contains(&f.as_str()));
    weights.filter(|w| known && w.iter().any(|w| *w > 0)).ok_or_else(bad)
}

/// The error that parameter `name` must be something else.
pub(crate) fn bad(params: &Params, name: &str, want: &str) -> ParamError {
    ParamError::Bad { name: name.to_owned(), got: params.get(name).clone(), want: want.to_owned() }
}
