//! The state machine: registers by key, and their HTTP interface.
//!
//! | request | response |
//! | --- | --- |
//! | `GET /kv/{key}` | 200 `{"value":v}` or 404 `absent` |
//! | `PUT /kv/{key}` with `{"value":v}` | 200 `{}` |
//! | `POST /kv/{key}/cas` with `{"old":x,"new":y}` | 200 `{}` or 409 `mismatch` |
//! | `DELETE /kv/{key}` | 200 `{}` |
//!
//! Values are JSON without fractions. An absent key and a key holding `null` are the same thing:
//! a compare-and-set from `null` creates, a write of `null` deletes. Errors are those of
//! [`crate::raft::answer`] besides.

use std::collections::BTreeMap;

use danso_vocab::Value;
use serde::{Deserialize, Serialize};

use super::settings;
use crate::kit::http::Method;
use crate::kit::{Request, Response, json};
use crate::raft::{Machine, Moment, Service, Settings, Wish};

/// A change of one key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Command {
    pub(crate) key: String,
    pub(crate) action: Action,
}

/// What is done to a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Action {
    /// Sets the value.
    Put {
        #[serde(with = "json")]
        value: Value,
    },
    /// Sets the value to `new` if it is `old`.
    Cas {
        #[serde(with = "json")]
        old: Value,
        #[serde(with = "json")]
        new: Value,
    },
    /// Removes the key.
    Delete,
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Reply {
    /// What a key holds.
    Value {
        #[serde(with = "json")]
        value: Value,
    },
    /// The key was changed.
    Done,
    /// A compare-and-set found another value and changed nothing.
    Mismatch,
}

/// The state machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Kv {
    values: BTreeMap<String, Held>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
struct Held(#[serde(with = "json")] Value);

impl Kv {
    /// The value of `key`; nil if it is absent.
    pub(crate) fn get(&self, key: &str) -> Value {
        self.values.get(key).map_or(Value::Nil, |held| held.0.clone())
    }
}

impl Machine for Kv {
    type Rules = ();
    type Command = Command;
    type Query = String;
    type Reply = Reply;

    fn apply(&mut self, (): &(), _: Moment, command: &Command) -> Reply {
        let new = match &command.action {
            Action::Put { value } => value.clone(),
            Action::Cas { old, new } => {
                if self.values.get(&command.key).map_or(&Value::Nil, |held| &held.0) != old {
                    return Reply::Mismatch;
                }
                new.clone()
            }
            Action::Delete => Value::Nil,
        };
        if new.is_nil() {
            self.values.remove(&command.key);
        } else {
            self.values.insert(command.key.clone(), Held(new));
        }
        Reply::Done
    }

    fn query(&self, (): &(), _: u64, key: &String) -> Reply {
        Reply::Value { value: self.get(key) }
    }
}

impl Service for Kv {
    const NAME: &'static str = "raft-kv";

    fn settings(given: &BTreeMap<String, Value>) -> Result<(Settings, ()), String> {
        Ok((settings::checked(given)?.1, ()))
    }

    fn understand(request: &Request) -> Result<Wish<Command, String>, Response> {
        let only = |fields: &[&str]| {
            let unknown = request.body.map().into_iter().flatten();
            match unknown.map(|(name, _)| name).find(|name| !fields.contains(&name.as_str())) {
                Some(name) => Err(Response::bad(format!("the body has no use for `{name}`"))),
                None => Ok(()),
            }
        };
        let (key, action) = match (request.method, request.route().1.as_slice()) {
            (Method::Get, ["kv", key]) => return Ok(Wish::Query((*key).to_owned())),
            (Method::Put, ["kv", key]) => {
                only(&["value"])?;
                (*key, Action::Put { value: request.field("value")?.clone() })
            }
            (Method::Post, ["kv", key, "cas"]) => {
                only(&["old", "new"])?;
                let (old, new) = (request.field("old")?.clone(), request.field("new")?.clone());
                (*key, Action::Cas { old, new })
            }
            (Method::Delete, ["kv", key]) => (*key, Action::Delete),
            _ => return Err(Response::no_route()),
        };
        Ok(Wish::Command(Command { key: key.to_owned(), action }))
    }

    fn respond(reply: Reply) -> Response {
        match reply {
            Reply::Value { value: Value::Nil } => Response::error(404, "absent", true),
            Reply::Value { value } => Response::ok(Value::of([("value", value)])),
            Reply::Done => Response::done(),
            Reply::Mismatch => Response::error(409, "mismatch", true),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apply(kv: &mut Kv, action: Action) -> Reply {
        kv.apply(&(), Moment::default(), &Command { key: "k".into(), action })
    }

    fn cas(old: impl Into<Value>, new: impl Into<Value>) -> Action {
        Action::Cas { old: old.into(), new: new.into() }
    }

    #[test]
    fn absent_and_null_are_the_same() {
        let mut kv = Kv::default();
        assert_eq!(apply(&mut kv, cas((), 1)), Reply::Done);
        assert_eq!(apply(&mut kv, cas((), 2)), Reply::Mismatch);
        assert_eq!(apply(&mut kv, cas(1, ())), Reply::Done);
        assert_eq!(kv, Kv::default());
    }

    #[test]
    fn snapshots_round_trip() {
        let mut kv = Kv::default();
        apply(&mut kv, Action::Put { value: 7.into() });
        apply(&mut kv, cas(7, Value::from("x")));
        let json = serde_json::to_string(&kv).unwrap();
        assert_eq!(serde_json::from_str::<Kv>(&json).unwrap(), kv);
    }
}
