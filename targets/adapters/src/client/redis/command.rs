//! [`Command`]: what is sent for an operation, and what its replies mean.

use std::collections::{BTreeMap, BTreeSet};

use danso_vocab::{Outcome, Value};
use redis::Value as Reply;
use serde::Deserialize;

use crate::Mistake;
use crate::client::op;
use crate::client::steps::{self, Save, Saved};
use crate::reading::{Reading, Unread};
use crate::template::Template;

/// Errors by which a server says that it did not begin a command. It looks at all of this before
/// it runs one: who asks, what role it has itself, whether it may write, and whose the keys are.
///
/// Of a script only `fail` in the test file can say that: it may have had effects before it came
/// to a command that was refused.
const REFUSED: &[&str] = &[
    "ASK",
    "CLUSTERDOWN",
    "CROSSSLOT",
    "EXECABORT",
    "LOADING",
    "MASTERDOWN",
    "MISCONF",
    "MOVED",
    "NOAUTH",
    "NOPERM",
    "NOREPLICAS",
    "OOM",
    "READONLY",
    "TRYAGAIN",
];
/// Commands that run others.
const SCRIPTS: &[&str] = &["EVAL", "EVALSHA", "FCALL"];

/// A command's words: a text that is split at spaces before names are filled in, or a list.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "write a command, \"GET {key}\", or a list of its words")]
pub(super) enum Words {
    Text(String),
    List(Vec<String>),
}

impl Words {
    fn each(&self) -> Vec<&str> {
        match self {
            Words::Text(text) => text.split_whitespace().collect(),
            Words::List(words) => words.iter().map(String::as_str).collect(),
        }
    }

    /// A command without names, ready to be sent.
    ///
    /// # Errors
    /// If there is no word.
    pub(super) fn packed(&self) -> Result<Vec<u8>, String> {
        match self.each().as_slice() {
            [] => Err("a command has at least one word".to_owned()),
            words => Ok(pack(words)),
        }
    }
}

fn pack<S: AsRef<str>>(words: &[S]) -> Vec<u8> {
    let mut command = redis::Cmd::new();
    for word in words {
        command.arg(word.as_ref());
    }
    command.get_packed_command()
}

/// A step as a test file has it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CommandTable {
    send: Words,
    ok: String,
    #[serde(default)]
    fail: Vec<String>,
    #[serde(default)]
    save: BTreeMap<String, String>,
    /// Whether the operation may have happened once this was sent.
    #[serde(default = "yes")]
    effect: bool,
}

fn yes() -> bool {
    true
}

impl steps::StepTable for CommandTable {
    fn saves(&self) -> &BTreeMap<String, String> {
        &self.save
    }
}

/// A command and what its replies mean.
pub(super) struct Command {
    words: Vec<Template>,
    ok: Reading,
    fail: Vec<String>,
    save: Save,
    script: bool,
    pub(super) effect: bool,
}

impl Command {
    /// Reads a command. `fail` are errors of any command, `saved` what any step saves.
    pub(super) fn new(
        table: &CommandTable,
        fail: &[String],
        saved: &BTreeSet<String>,
    ) -> Result<Command, Mistake> {
        let words = table.send.each();
        let first = words.first().ok_or_else(|| {
            Mistake::new("a command has at least one word, as in \"GET {key}\"").at("send")
        })?;
        let upper = first.to_uppercase();
        let script = SCRIPTS.iter().any(|script| upper.starts_with(script));
        let template = |word: &&str| {
            let template = op::template(word, &|name| saved.contains(name));
            template.map_err(|why| Mistake::new(why).at("send"))
        };
        Ok(Command {
            words: words.iter().map(template).collect::<Result<_, _>>()?,
            ok: Reading::new(&table.ok).map_err(|why| Mistake::new(why).at("ok"))?,
            fail: fail.iter().chain(&table.fail).cloned().collect(),
            save: Save::new(&table.save)?,
            script,
            effect: table.effect,
        })
    }

    /// The command, ready to be sent, if every name has a value.
    pub(super) fn words(
        &self,
        value: &dyn Fn(&str) -> Result<Value, String>,
    ) -> Result<Vec<u8>, String> {
        let words: Result<Vec<_>, _> =
            self.words.iter().map(|word| word.fill(None, value)).collect();
        Ok(pack(&words?))
    }

    /// The result of a reply, or how the step ended without one.
    pub(super) fn read(&self, reply: Reply, saved: &mut Saved) -> Result<Value, Outcome> {
        if let Reply::ServerError(error) = &reply {
            let said = match error.details() {
                Some(details) => format!("{} {details}", error.code()),
                None => error.code().to_owned(),
            };
            let refused = !self.script && REFUSED.contains(&error.code());
            let failed = refused || self.fail.iter().any(|word| said.starts_with(word));
            return Err(if failed {
                Outcome::Fail(error.code().to_owned().into())
            } else {
                Outcome::Info(said.into())
            });
        }
        let value = value(reply).map_err(|why| Unread::Nonsense(why).outcome())?;
        let result = self.ok.of(value.clone()).map_err(Unread::outcome)?;
        self.save.of(&value, saved)?;
        Ok(result)
    }
}

/// A reply as a value.
///
/// # Errors
/// If it is none of ours, or an error among others: which.
fn value(reply: Reply) -> Result<Value, String> {
    Ok(match reply {
        Reply::Nil => Value::Nil,
        Reply::Int(int) => Value::Int(int),
        Reply::Okay => Value::from("OK"),
        Reply::SimpleString(text) => Value::Str(text),
        Reply::BulkString(bytes) => {
            Value::Str(String::from_utf8(bytes).map_err(|_| "a string is no UTF-8")?)
        }
        Reply::Array(replies) | Reply::Set(replies) => {
            Value::List(replies.into_iter().map(value).collect::<Result<_, _>>()?)
        }
        Reply::Boolean(truth) => Value::Bool(truth),
        Reply::ServerError(error) => return Err(format!("an error within: {}", error.code())),
        _ => return Err("a kind of reply danso does not read".to_owned()),
    })
}
