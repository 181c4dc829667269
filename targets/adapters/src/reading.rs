//! [`Reading`]: what an answer means, in steps: `json | at /kvs/0/value | base64 | int`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use danso_vocab::codec::json;
use danso_vocab::{Name, Outcome, Value};

use crate::mistake::near;

/// Steps from an answer to a result. Each gets what the one before made; nil stays nil, except
/// for `expect`, `require` and `or`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reading(Vec<Step>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Nil,
    Text,
    Int,
    Bool,
    Json,
    At(Vec<String>),
    Base64,
    Split(String),
    Each(Box<Step>),
    Expect(Value),
    Require(Vec<String>, Value),
    AtLeast(i64),
    Or(Value),
}

/// The steps there are, for people.
const STEPS: &str = "nil (no result), text, int, bool, json (parse it), at /POINTER (a part of \
                     it; nil if absent), base64 (decode it), split SEPARATOR (text to a list), \
                     each STEP (of a list), \
                     expect VALUE (else the operation failed), require /POINTER VALUE (the same \
                     of a part, and the whole goes on), at-least NUMBER (else it failed), or VALUE (instead of nil)";

const WORDS: &[&str] =
    &["nil", "text", "int", "bool", "json", "at", "base64", "split", "expect", "or"];

/// Why there is no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unread {
    /// `expect` says that nothing happened.
    Failed(Name),
    /// The answer makes no sense.
    Nonsense(String),
}

impl Unread {
    /// How the operation ended.
    pub(crate) fn outcome(self) -> Outcome {
        match self {
            Unread::Failed(why) => Outcome::Fail(why),
            Unread::Nonsense(why) => Outcome::Info(format!("bad-response: {why}").into()),
        }
    }
}

impl Reading {
    /// Reads the steps.
    ///
    /// # Errors
    /// If there is no such step: which there are.
    pub(crate) fn new(text: &str) -> Result<Reading, String> {
        text.split('|').map(|word| step(word.trim())).collect::<Result<_, _>>().map(Reading)
    }

    /// The result of an answer.
    ///
    /// # Errors
    /// See [`Unread`].
    pub(crate) fn of(&self, answer: Value) -> Result<Value, Unread> {
        self.0.iter().try_fold(answer, |value, step| step.take(value))
    }

    /// The outcome of an answer.
    pub(crate) fn outcome(&self, answer: Value) -> Outcome {
        self.of(answer).map_or_else(Unread::outcome, Outcome::Ok)
    }
}

fn step(text: &str) -> Result<Step, String> {
    let (word, arg) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let arg = arg.trim();
    let plain = |step| {
        if arg.is_empty() { Ok(step) } else { Err(format!("`{word}` takes nothing after it")) }
    };
    match word {
        "nil" => plain(Step::Nil),
        "text" => plain(Step::Text),
        "int" => plain(Step::Int),
        "bool" => plain(Step::Bool),
        "json" => plain(Step::Json),
        "base64" => plain(Step::Base64),
        "at" => pointer(arg).map(Step::At),
        "at-least" => match arg.parse() {
            Ok(least) => Ok(Step::AtLeast(least)),
            Err(_) => Err("`at-least` wants an integer".to_owned()),
        },
        "require" => {
            let both = arg.split_once(char::is_whitespace);
            let (path, wanted) = both.ok_or("`require` wants a pointer and a value")?;
            Ok(Step::Require(pointer(path)?, literal(wanted.trim())))
        }
        "split" if !arg.is_empty() => Ok(Step::Split(arg.to_owned())),
        "split" => Ok(Step::Split(" ".to_owned())),
        "each" => Ok(Step::Each(Box::new(step(arg)?))),
        "expect" => Ok(Step::Expect(literal(arg))),
        "or" => Ok(Step::Or(literal(arg))),
        _ => Err(match near(word, WORDS) {
            Some(near) => format!("there is no step `{word}`; did you mean `{near}`?"),
            None => format!("there is no step `{word}`; there are: {STEPS}"),
        }),
    }
}

/// The names in `/kvs/0/value`.
fn pointer(text: &str) -> Result<Vec<String>, String> {
    let unescape = |s: &str| s.replace("~1", "/").replace("~0", "~");
    match text.strip_prefix('/') {
        Some(path) => Ok(path.split('/').map(unescape).collect()),
        None => Err(format!("`{text}`: a pointer begins with a slash, as in at /kvs/0/value")),
    }
}

/// JSON, or else text.
fn literal(text: &str) -> Value {
    json::from_str(text).unwrap_or_else(|_| text.into())
}

impl Step {
    fn take(&self, value: Value) -> Result<Value, Unread> {
        match self {
            Step::Nil => return Ok(Value::Nil),
            Step::Or(other) if value.is_nil() => return Ok(other.clone()),
            Step::Or(_) => return Ok(value),
            Step::Expect(wanted) if value == *wanted => return Ok(value),
            Step::Require(path, wanted) if at(&value, path) == Some(wanted) => return Ok(value),
            Step::Expect(_) | Step::Require(..) => {
                return Err(Unread::Failed("mismatch".into()));
            }
            _ if value.is_nil() => return Ok(value),
            _ => {}
        }
        let nonsense = |what: &str| Unread::Nonsense(format!("{} is no {what}", short(&value)));
        let text = || value.str().ok_or_else(|| nonsense("text"));
        Ok(match self {
            Step::Text => Value::Str(crate::template::plain(&value)),
            Step::Int => match &value {
                Value::Int(_) => value,
                Value::Str(s) => Value::Int(s.trim().parse().map_err(|_| nonsense("integer"))?),
                _ => return Err(nonsense("integer")),
            },
            Step::Bool => match &value {
                Value::Bool(_) => value,
                Value::Str(s) if s.trim() == "true" => Value::Bool(true),
                Value::Str(s) if s.trim() == "false" => Value::Bool(false),
                _ => return Err(nonsense("truth value")),
            },
            Step::Json => json::from_str(text()?).map_err(|_| nonsense("JSON danso reads"))?,
            Step::At(path) => at(&value, path).cloned().unwrap_or_default(),
            Step::Base64 => {
                let bytes = STANDARD.decode(text()?.trim()).map_err(|_| nonsense("base64"))?;
                Value::Str(String::from_utf8(bytes).map_err(|_| nonsense("base64 of UTF-8"))?)
            }
            Step::Split(by) => match text()? {
                "" => Value::List(Vec::new()),
                text => Value::List(text.split(by.as_str()).map(literal).collect()),
            },
            Step::Each(step) => {
                let list = value.list().ok_or_else(|| nonsense("list"))?;
                let each = list.iter().map(|item| step.take(item.clone()));
                Value::List(each.collect::<Result<_, _>>()?)
            }
            Step::AtLeast(least) => match value.int() {
                Some(int) if int >= *least => value,
                Some(_) => return Err(Unread::Failed("mismatch".into())),
                None => return Err(nonsense("integer")),
            },
            Step::Nil | Step::Or(_) | Step::Expect(_) | Step::Require(..) => value,
        })
    }
}

fn at<'a>(value: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, name| match value {
        Value::Map(map) => map.get(name),
        Value::List(list) => list.get(name.parse::<usize>().ok()?),
        _ => None,
    })
}

/// The beginning of a value that a stranger sent.
fn short(value: &Value) -> String {
    let text = crate::template::plain(value);
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("`{}…`", &text[..end]),
        None => format!("`{text}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(steps: &str, answer: &str) -> Result<Value, Unread> {
        Reading::new(steps).unwrap().of(answer.into())
    }

    #[test]
    fn steps_lead_to_a_result() {
        assert_eq!(read("int", " 3\n"), Ok(3.into()));
        assert_eq!(read("nil", "whatever"), Ok(Value::Nil));
        let etcd = "json | at /kvs/0/value | base64 | int";
        assert_eq!(read(etcd, r#"{"kvs":[{"value":"NDI="}]}"#), Ok(42.into()));
        assert_eq!(read(etcd, r#"{"header":{}}"#), Ok(Value::Nil));
        let cas = "json | at /succeeded | expect true | nil";
        assert_eq!(read(cas, r#"{"succeeded":true}"#), Ok(Value::Nil));
        assert_eq!(read(cas, "{}"), Err(Unread::Failed("mismatch".into())));
        let got = "json | require /succeeded true | at /header/revision | int";
        let answer = r#"{"header":{"revision":"7"},"succeeded":true}"#;
        assert_eq!(read(got, answer), Ok(7.into()));
        let answer = r#"{"header":{"revision":"7"}}"#;
        assert_eq!(read(got, answer), Err(Unread::Failed("mismatch".into())));
        assert_eq!(read("split ,", "1,2,x"), Ok(vec![1.into(), 2.into(), Value::from("x")].into()));
        assert_eq!(read("split , | each int", "1,2"), Ok(vec![1, 2].into()));
        assert!(matches!(read("split , | each int", "1,x"), Err(Unread::Nonsense(_))));
        assert_eq!(read("int | at-least 2", "2"), Ok(2.into()));
        assert_eq!(read("int | at-least 2", "1"), Err(Unread::Failed("mismatch".into())));
        assert!(matches!(read("at-least 2", "2"), Err(Unread::Nonsense(_))));
        assert!(matches!(read("each int", "1"), Err(Unread::Nonsense(_))));
        assert_eq!(read("json | at /n | or 0", "{}"), Ok(0.into()));
        assert!(matches!(read("int", "NaN"), Err(Unread::Nonsense(_))));
        assert!(matches!(read("json", "{"), Err(Unread::Nonsense(_))));
    }

    #[test]
    fn unknown_steps_are_answered_with_known_ones() {
        assert!(Reading::new("jsn").unwrap_err().contains("did you mean `json`?"));
        assert!(Reading::new("reverse").unwrap_err().contains("json (parse it)"));
        assert!(Reading::new("at kvs").unwrap_err().contains("slash"));
        assert!(Reading::new("int 3").is_err());
    }
}
