//! [`Op`]: the SQL of an operation, and what its answers mean.

use std::collections::{BTreeMap, BTreeSet};

use danso_vocab::{Call, Process, Value};
use serde::Deserialize;

use crate::Mistake;
use crate::client::op;
use crate::reading::{Reading, Unread};
use crate::template::{Part, Template, plain};

/// One operation, as `[client.ops]` has it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct OpTable {
    send: Option<Send>,
    #[serde(default)]
    steps: Vec<StepTable>,
    ok: String,
}

/// One statement, or those of a transaction.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "send wants a statement, or a list of them: a transaction")]
enum Send {
    One(String),
    Several(Vec<String>),
}

/// A step of a transaction.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct StepTable {
    send: String,
    ok: Option<String>,
    #[serde(default)]
    save: BTreeMap<String, String>,
}

/// What is said for an operation.
#[derive(Debug)]
pub(super) struct Op {
    /// Its statements.
    pub(super) steps: Vec<Step>,
    /// Whether they are a transaction, or one that commits by itself.
    pub(super) transaction: bool,
    /// What the answer to the last one means.
    pub(super) ok: Take,
}

/// A statement of an operation.
#[derive(Debug)]
pub(super) struct Step {
    /// The text, with parameters.
    pub(super) sql: String,
    /// The parameters' values, each a template of one name.
    parameters: Vec<Template>,
    /// What must be so for the transaction to go on.
    pub(super) ok: Option<Take>,
    /// What later steps can name.
    pub(super) save: Vec<(String, Take)>,
}

/// What a server answered to a statement.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::client) struct Answer {
    /// Its rows.
    pub(in crate::client) rows: Vec<Vec<Value>>,
    /// How many rows it found, inserted, changed or deleted.
    pub(in crate::client) affected: u64,
}

/// What to take from an answer, and the steps from there.
#[derive(Clone, Debug)]
pub(super) struct Take(What, Reading);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Value,
    Rows,
    Map,
    Affected,
}

/// What there is to take. Without one of these words it is the value.
const WHAT: &[(&str, What)] = &[
    // The first column of the first row; nil if there is no row.
    ("value", What::Value),
    // A list of all rows: of their values if they have one column, else of lists.
    ("rows", What::Rows),
    // Of rows of two columns: the second by the first.
    ("map", What::Map),
    // How many rows.
    ("affected", What::Affected),
];

impl Take {
    fn new(text: &str) -> Result<Take, String> {
        let (first, rest) = text.split_once('|').map_or((text, None), |(f, r)| (f, Some(r)));
        let found = WHAT.iter().find(|(word, _)| *word == first.trim());
        let (what, steps) = match found {
            Some((_, what)) => (*what, rest),
            None => (What::Value, Some(text)),
        };
        let reading = steps.map(Reading::new).transpose();
        let reading = reading.map_err(|e| {
            format!("{e}; before them may stand value (the usual one), rows, map or affected")
        })?;
        Ok(Take(what, reading.unwrap_or_default()))
    }

    /// What the answer means.
    ///
    /// # Errors
    /// If it makes no sense, or an `expect` says so.
    pub(super) fn of(&self, answer: &Answer) -> Result<Value, Unread> {
        let rows = &answer.rows;
        let value = match self.0 {
            What::Value => rows.first().and_then(|row| row.first()).cloned().unwrap_or_default(),
            What::Affected => Value::Int(i64::try_from(answer.affected).unwrap_or(i64::MAX)),
            What::Rows => Value::List(
                rows.iter()
                    .map(|row| match row.as_slice() {
                        [value] => value.clone(),
                        row => Value::List(row.to_vec()),
                    })
                    .collect(),
            ),
            What::Map => {
                let mut map = BTreeMap::new();
                for row in rows {
                    let [name, value] = row.as_slice() else {
                        let why = format!("a map wants rows of two columns, not of {}", row.len());
                        return Err(Unread::Nonsense(why));
                    };
                    map.insert(plain(name), value.clone());
                }
                Value::Map(map)
            }
        };
        self.1.of(value)
    }
}

impl Op {
    /// Reads what is said for an operation; `parameter` writes a parameter of a number.
    pub(super) fn new(table: &OpTable, parameter: fn(usize) -> String) -> Result<Op, Mistake> {
        let ok = Take::new(&table.ok).map_err(|e| Mistake::new(e).at("ok"))?;
        let known = BTreeSet::new();
        let plain = |sql: &str| Step::new(sql, parameter, &known).map_err(|m| m.at("send"));
        let (steps, transaction) = match &table.send {
            Some(_) if !table.steps.is_empty() => {
                return Err(Mistake::new("send as well as steps: give one of them").at("send"));
            }
            Some(Send::One(sql)) => (vec![plain(sql)?], false),
            Some(Send::Several(list)) => {
                (list.iter().map(|sql| plain(sql)).collect::<Result<Vec<_>, _>>()?, true)
            }
            None => (stepped(&table.steps, parameter)?, true),
        };
        if steps.is_empty() {
            return Err(Mistake::new("no statement: say what to send").at("send"));
        }
        Ok(Op { steps, transaction, ok })
    }
}

/// The steps of a transaction, each of which can name what those before it saved.
fn stepped(tables: &[StepTable], parameter: fn(usize) -> String) -> Result<Vec<Step>, Mistake> {
    let (mut saved, mut steps) = (BTreeSet::new(), Vec::new());
    for (i, table) in tables.iter().enumerate() {
        let here = |mistake: Mistake| mistake.at(&i.to_string()).at("steps");
        let mut step = Step::new(&table.send, parameter, &saved).map_err(|m| here(m.at("send")))?;
        let take = |text: &str, at: &str| Take::new(text).map_err(|e| here(Mistake::new(e).at(at)));
        step.ok = table.ok.as_ref().map(|text| take(text, "ok")).transpose()?;
        for (name, text) in &table.save {
            step.save.push((name.clone(), take(text, "save")?));
            saved.insert(name.clone());
        }
        steps.push(step);
    }
    Ok(steps)
}

impl Step {
    fn new(
        text: &str,
        parameter: fn(usize) -> String,
        saved: &BTreeSet<String>,
    ) -> Result<Step, Mistake> {
        let first = text.split_whitespace().next().unwrap_or_default().trim_end_matches(';');
        let ends = ["begin", "start", "commit", "end", "rollback", "abort"];
        if ends.contains(&first.to_ascii_lowercase().as_str()) {
            let why = "danso begins and ends transactions: write a list of statements for one";
            return Err(Mistake::new(why));
        }
        let template = op::template(text, &|name| saved.contains(name)).map_err(Mistake::new)?;
        let mut step =
            Step { sql: String::new(), parameters: Vec::new(), ok: None, save: Vec::new() };
        for part in template.parts {
            if let Part::Text(text) = &part {
                step.sql += text;
                continue;
            }
            // The same name twice is one parameter each time: `?` knows no numbers.
            step.parameters.push(Template { parts: vec![part] });
            step.sql += &parameter(step.parameters.len());
        }
        Ok(step)
    }

    /// The parameters' values.
    ///
    /// # Errors
    /// If the call lacks one.
    pub(super) fn args(
        &self,
        call: &Call,
        process: Process,
        saved: &BTreeMap<String, Value>,
    ) -> Result<Vec<Value>, String> {
        let value = |name: &str| match saved.get(name) {
            Some(value) => Ok(value.clone()),
            None => op::value(name, call, process),
        };
        self.parameters
            .iter()
            .map(|template| match template.parts.as_slice() {
                // A number stays one, and nil is NULL.
                [Part::Name(name, filters)] if filters.is_empty() => value(name),
                _ => template.fill(None, &value).map(Value::Str),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dollar(number: usize) -> String {
        format!("${number}")
    }

    fn op(text: &str) -> Result<Op, Mistake> {
        let table: OpTable = serde_json::from_str(text).unwrap();
        Op::new(&table, dollar)
    }

    #[test]
    fn names_become_parameters() {
        let op = op(r#"{"send":"UPDATE t SET v={new|json} WHERE k={key} AND v={old}","ok":"nil"}"#);
        let op = op.unwrap();
        assert!(!op.transaction);
        assert_eq!(op.steps[0].sql, "UPDATE t SET v=$1 WHERE k=$2 AND v=$3");
        let call = Call::new("cas", Value::from([Value::Int(1), "x".into()])).on("'; DROP");
        let args = op.steps[0].args(&call, Process(1), &BTreeMap::new()).unwrap();
        assert_eq!(args, ["\"x\"".into(), "'; DROP".into(), Value::Int(1)]);
        let write = Call::new("write", 3).on("k");
        assert!(op.steps[0].args(&write, Process(1), &BTreeMap::new()).is_err());
    }

    #[test]
    fn steps_name_what_was_saved_before() {
        let two = |second: &str| {
            op(&format!(
                r#"{{"steps":[{{"send":"SELECT 1","save":{{"a":"int"}}}},{{"send":"{second}"}}],"ok":"nil"}}"#
            ))
        };
        let saved = BTreeMap::from([("a".to_owned(), Value::Int(7))]);
        let good = two("UPDATE t SET v={a}+{value}").unwrap();
        assert!(good.transaction);
        let args = good.steps[1].args(&Call::new("f", 2), Process(1), &saved).unwrap();
        assert_eq!(args, [7.into(), 2.into()]);
        let wrong = two("UPDATE t SET v={b}").unwrap_err();
        assert_eq!(wrong.at, ["steps", "1", "send"]);
    }

    #[test]
    fn mistakes_are_refused() {
        for (text, why) in [
            (r#"{"send":"COMMIT","ok":"nil"}"#, "danso begins"),
            (r#"{"send":["begin;","SELECT 1"],"ok":"nil"}"#, "danso begins"),
            (r#"{"send":[],"ok":"nil"}"#, "no statement"),
            (r#"{"ok":"nil"}"#, "no statement"),
            (r#"{"send":"SELECT 1","ok":"affcted"}"#, "rows, map or affected"),
            (r#"{"send":"SELECT 1","steps":[{"send":"SELECT 1"}],"ok":"nil"}"#, "one of them"),
        ] {
            let wrong = op(text).unwrap_err();
            assert!(wrong.why.contains(why), "{text}: {wrong}");
        }
    }

    #[test]
    fn answers_are_taken_apart() {
        let answer = Answer {
            rows: vec![vec![0.into(), "7".into()], vec![1.into(), Value::Nil]],
            affected: 2,
        };
        let taken = |text: &str| Take::new(text).unwrap().of(&answer);
        assert_eq!(taken("int"), Ok(0.into()));
        assert_eq!(taken("value"), Ok(0.into()));
        assert_eq!(taken("affected | expect 2 | nil"), Ok(Value::Nil));
        assert_eq!(taken("affected | expect 1"), Err(Unread::Failed("mismatch".into())));
        assert_eq!(taken("map"), Ok(Value::of([("0", "7".into()), ("1", Value::Nil)])));
        let rows: Value = vec![vec![0.into(), Value::from("7")], vec![1.into(), Value::Nil]].into();
        assert_eq!(taken("rows"), Ok(rows));
        let one = Answer { rows: vec![vec![3.into()], vec![4.into()]], affected: 2 };
        assert_eq!(Take::new("rows").unwrap().of(&one), Ok(vec![3, 4].into()));
        assert!(matches!(Take::new("map").unwrap().of(&one), Err(Unread::Nonsense(_))));
        assert_eq!(Take::new("or 5").unwrap().of(&Answer::default()), Ok(5.into()));
    }
}
