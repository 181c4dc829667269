//! Operations of several steps, `[[client.ops.NAME.steps]]`, and how the whole of one ends.
//!
//! It ends with the first step that is not `ok`, or else with the result of the last. A step with
//! `effect = false` is the user's claim that the operation has not happened by it, whatever came
//! of it. So:
//!
//! | it ends with | before it, a step with an effect | outcome of the operation |
//! | --- | --- | --- |
//! | `fail` | none | `fail` |
//! | `fail` | some | `info`: part of it happened |
//! | `info`, but it has no effect | none | `fail` |
//! | `info` otherwise | any | `info` |

use std::collections::{BTreeMap, BTreeSet};

use danso_vocab::{Call, Outcome, Process, Value};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::op;
use crate::Mistake;
use crate::mistake::read;
use crate::reading::{Reading, Unread};

/// A step as a test file has it.
pub(super) trait StepTable: DeserializeOwned {
    /// What of the answer later steps and operations may name, and how to read it.
    fn saves(&self) -> &BTreeMap<String, String>;
}

/// An operation of several steps.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Several<T> {
    steps: Vec<T>,
}

/// Reads `ops` in the settings of a client: each is one step, or several. `make` makes a step of
/// its table and the names that any step saves.
///
/// # Errors
/// If something is wrong with a step: what, and which.
pub(super) fn ops<T: StepTable, S>(
    settings: &Value,
    make: impl Fn(&T, &BTreeSet<String>) -> Result<S, Mistake>,
) -> Result<BTreeMap<String, Vec<S>>, Mistake> {
    let mut tables = BTreeMap::new();
    for (f, op) in settings.get("ops").and_then(Value::map).into_iter().flatten() {
        let several = op.get("steps").is_some();
        let steps: Result<Vec<T>, Mistake> = match several {
            true => read::<Several<T>>(op).map(|several| several.steps),
            false => read(op).map(|step| vec![step]),
        };
        tables.insert(f, (several, steps.map_err(|m| m.at(f).at("ops"))?));
    }
    let steps = tables.values().flat_map(|(_, steps)| steps);
    let saved = steps.flat_map(|step| step.saves().keys().cloned()).collect();
    let mut ops = BTreeMap::new();
    for (f, (several, tables)) in tables {
        let mut steps = Vec::new();
        for (i, table) in tables.iter().enumerate() {
            let wrong = |mistake: Mistake| match several {
                true => mistake.at(&i.to_string()).at("steps").at(f).at("ops"),
                false => mistake.at(f).at("ops"),
            };
            steps.push(make(table, &saved).map_err(wrong)?);
        }
        if steps.is_empty() {
            return Err(Mistake::new("there is no step").at("steps").at(f).at("ops"));
        }
        ops.insert(f.clone(), steps);
    }
    Ok(ops)
}

/// How an operation ended by how a step of it did: `begun` if one before it had an effect,
/// `effect` if it has one itself.
pub(super) fn whole(step: Outcome, begun: bool, effect: bool) -> Outcome {
    match step {
        Outcome::Fail(why) if begun => Outcome::Info(why),
        Outcome::Info(why) if !begun && !effect => Outcome::Fail(why),
        outcome => outcome,
    }
}

/// What a step saves of its answer.
pub(super) struct Save(Vec<(String, Reading)>);

impl Save {
    /// Reads `save`.
    ///
    /// # Errors
    /// If a name is taken or its steps make no sense.
    pub(super) fn new(table: &BTreeMap<String, String>) -> Result<Save, Mistake> {
        let mut save = Vec::new();
        for (name, steps) in table {
            let wrong = |why: String| Mistake::new(why).at(name).at("save");
            if op::knows(name) {
                return Err(wrong(format!("{{{name}}} is taken: save it by another name")));
            }
            save.push((name.clone(), Reading::new(steps).map_err(wrong)?));
        }
        Ok(Save(save))
    }

    /// Saves what there is in an answer.
    ///
    /// # Errors
    /// If something is not there: how the step ended.
    pub(super) fn of(&self, answer: &Value, saved: &mut Saved) -> Result<(), Outcome> {
        for (name, steps) in &self.0 {
            let value = steps.of(answer.clone()).map_err(Unread::outcome)?;
            if value.is_nil() {
                return Err(Unread::Nonsense(format!("it has no {name} to save")).outcome());
            }
            saved.0.insert(name.clone(), value);
        }
        Ok(())
    }
}

/// What steps saved, for as long as their process lives.
#[derive(Default)]
pub(super) struct Saved(BTreeMap<String, Value>);

impl Saved {
    /// The value of a name in a template.
    ///
    /// # Errors
    /// If it has none: why.
    pub(super) fn value(&self, name: &str, call: &Call, process: Process) -> Result<Value, String> {
        match self.0.get(name) {
            Some(value) => Ok(value.clone()),
            None => op::value(name, call, process),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_begun_is_no_failure_and_what_has_no_effect_did_not_happen() {
        let (fail, info) = (Outcome::Fail("x".into()), Outcome::Info("x".into()));
        for (step, begun, effect, expected) in [
            (&fail, false, true, &fail),
            (&fail, true, true, &info),
            (&fail, true, false, &info),
            (&info, false, true, &info),
            (&info, false, false, &fail),
            (&info, true, false, &info),
        ] {
            assert_eq!(whole(step.clone(), begun, effect), *expected, "{begun} {effect}");
        }
    }

    #[test]
    fn what_is_not_in_the_answer_is_not_saved_as_nothing() {
        let save = |steps: &str| Save::new(&[("x".to_owned(), steps.to_owned())].into()).unwrap();
        let (mut saved, call) = (Saved::default(), Call::new("read", ()));
        let x = |saved: &Saved| saved.value("x", &call, Process(1));
        let answer = Value::of([("ID", 7.into())]);
        assert!(x(&saved).is_err());
        save("at /ID").of(&answer, &mut saved).unwrap();
        assert_eq!(x(&saved), Ok(7.into()));
        assert!(matches!(save("at /id").of(&answer, &mut saved), Err(Outcome::Info(_))));
        assert!(matches!(save("expect 3").of(&answer, &mut saved), Err(Outcome::Fail(_))));
        let taken = Save::new(&[("key".to_owned(), "nil".to_owned())].into());
        assert!(taken.is_err_and(|mistake| mistake.at == ["save", "key"]));
    }
}
