//! [`Words`]: workloads, in messages.

use std::collections::BTreeMap;

use danso_vocab::{Call, Value};

use super::errors;
use crate::{Param, Spoken};

/// What requests and answers of a workload look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Words {
    Echo,
    UniqueIds,
    Broadcast,
    Set,
    Counter,
    Kv,
    Kafka,
    Txn,
}

/// Nodes have 10 s to agree, as they have there.
const SETTLE: &[Param] = &[("settle", || Value::Int(10_000))];

const KAFKA: &[Param] = &[("settle", || Value::Int(5_000))];

/// The workloads these nodes speak: as they are called there, and as danso calls them.
pub(crate) const SPOKEN: &[Spoken] = &[
    Spoken { name: "echo", workload: "echo", params: &[], usual: &[] },
    Spoken { name: "unique-ids", workload: "unique-ids", params: &[], usual: &[] },
    Spoken { name: "broadcast", workload: "broadcast", params: &[], usual: SETTLE },
    Spoken { name: "g-set", workload: "g-set", params: &[], usual: SETTLE },
    Spoken {
        name: "g-counter",
        workload: "crdt-counter",
        params: &[("keys", || Value::Int(1)), ("object", || "g-counter".into())],
        usual: SETTLE,
    },
    Spoken {
        name: "pn-counter",
        workload: "crdt-counter",
        params: &[("keys", || Value::Int(1)), ("object", || "pn-counter".into())],
        usual: SETTLE,
    },
    Spoken { name: "lin-kv", workload: "register", params: &[], usual: &[] },
    Spoken { name: "kafka", workload: "kafka", params: &[], usual: KAFKA },
    Spoken { name: "txn-list-append", workload: "txn-list-append", params: &[], usual: &[] },
];

/// The words of a workload.
///
/// # Errors
/// If there is none of this name.
pub(super) fn find(name: &str) -> Result<Words, String> {
    Ok(match name {
        "echo" => Words::Echo,
        "unique-ids" => Words::UniqueIds,
        "broadcast" => Words::Broadcast,
        "g-set" => Words::Set,
        "g-counter" | "pn-counter" => Words::Counter,
        "lin-kv" => Words::Kv,
        "kafka" => Words::Kafka,
        "txn-list-append" => Words::Txn,
        _ => {
            let known: Vec<_> = SPOKEN.iter().map(|spoken| spoken.name).collect();
            return Err(format!("there is no workload `{name}`; there are: {}", known.join(", ")));
        }
    })
}

/// The body of a request, without its number.
pub(super) type Body = BTreeMap<String, Value>;

impl Words {
    /// The request for a call.
    ///
    /// # Errors
    /// If it cannot be said.
    pub(super) fn request(self, call: &Call) -> Result<Body, String> {
        let arg = || call.arg.clone();
        let key = || call.key.clone().unwrap_or_default();
        let say = |kind: &str, fields: &[(&str, Value)]| {
            let mut body: Body =
                fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
            body.insert("type".to_owned(), kind.into());
            Ok(body)
        };
        match (self, &*call.f) {
            (Words::Echo, "echo") => say("echo", &[("echo", arg())]),
            (Words::UniqueIds, "generate") => say("generate", &[]),
            (Words::Broadcast, "broadcast") => say("broadcast", &[("message", arg())]),
            (Words::Set, "add") => say("add", &[("element", arg())]),
            (Words::Counter, "add") => say("add", &[("delta", arg())]),
            (Words::Broadcast | Words::Set | Words::Counter, "read") => say("read", &[]),
            (Words::Kv, "read") => say("read", &[("key", number(key()))]),
            (Words::Kv, "write") => say("write", &[("key", number(key())), ("value", arg())]),
            (Words::Kv, "cas") => match call.arg.pair() {
                // The protocol has no word for "if there is none".
                Some((Value::Nil, _)) | None => Err("unsupported: cas from nil".to_owned()),
                Some((from, to)) => {
                    let fields =
                        [("key", number(key())), ("from", from.clone()), ("to", to.clone())];
                    say("cas", &fields)
                }
            },
            (Words::Kafka, "send") => say("send", &[("key", key()), ("msg", arg())]),
            (Words::Kafka, "poll") => say("poll", &[("offsets", arg())]),
            (Words::Kafka, "commit-offsets") => say("commit_offsets", &[("offsets", arg())]),
            (Words::Kafka, "list-committed-offsets") => {
                say("list_committed_offsets", &[("keys", arg())])
            }
            (Words::Txn, "txn") => say("txn", &[("txn", arg())]),
            _ => Err(format!("unsupported: {}", call.f)),
        }
    }

    /// What an answer says, if it is not an error.
    ///
    /// # Errors
    /// If it is none of this call: what is wrong with it.
    pub(super) fn answer(self, call: &Call, body: &Value) -> Result<Value, String> {
        let field = |name: &str| body.get(name).cloned().ok_or_else(|| format!("no `{name}`"));
        let checked = |name: &str, fits: fn(&Value) -> bool| {
            field(name).and_then(|value| match fits(&value) {
                true => Ok(value),
                false => Err(format!("`{name}` is none: {}", brief(&value))),
            })
        };
        let is_list = |value: &Value| value.list().is_some();
        let is_int = |value: &Value| value.int().is_some();
        match (self, &*call.f) {
            (Words::Echo, _) => field("echo"),
            (Words::UniqueIds, _) => checked("id", |id| !id.is_nil()),
            (Words::Broadcast, "read") => checked("messages", is_list),
            (Words::Set, "read") => checked("value", is_list),
            (Words::Counter, "read") => checked("value", is_int),
            (Words::Kv, "read") => field("value"),
            (Words::Kafka, "send") => checked("offset", is_int),
            (Words::Kafka, "poll") => checked("msgs", is_polled),
            (Words::Kafka, "list-committed-offsets") => checked("offsets", |offsets| {
                offsets.map().is_some_and(|all| all.values().all(|offset| offset.int().is_some()))
            }),
            (Words::Txn, _) => checked("txn", is_list),
            _ => Ok(Value::Nil),
        }
    }

    /// What an error says that is an answer, too: who reads a key that does not exist knows it.
    pub(super) fn told_by(self, call: &Call, error: &Value) -> Option<Value> {
        let no_key = self == Words::Kv && call.f == "read";
        (no_key && errors::code(error) == Some(errors::NO_KEY)).then_some(Value::Nil)
    }
}

/// `{key: [[offset, message] …]}`.
fn is_polled(value: &Value) -> bool {
    let pair = |pair: &Value| pair.pair().is_some_and(|(offset, _)| offset.int().is_some());
    value.map().is_some_and(|keys| {
        keys.values().all(|all| all.list().is_some_and(|list| list.iter().all(pair)))
    })
}

/// A register's key as these nodes expect keys: a number.
fn number(key: Value) -> Value {
    let digits = key.str().and_then(|text| text.strip_prefix('k')).and_then(|n| n.parse().ok());
    digits.map_or(key, Value::Int)
}

fn brief(value: &Value) -> String {
    value.to_string().chars().take(60).collect()
}

#[cfg(test)]
mod tests {
    use danso_vocab::codec::json;

    use super::*;

    fn said(words: Words, call: Call) -> Result<String, String> {
        words.request(&call).map(|body| json::to_string(&Value::Map(body)))
    }

    #[test]
    fn requests_are_as_the_protocol_has_them() {
        let cases = [
            (Words::Echo, Call::new("echo", "hi"), r#"{"echo":"hi","type":"echo"}"#),
            (Words::UniqueIds, Call::new("generate", ()), r#"{"type":"generate"}"#),
            (Words::Broadcast, Call::new("broadcast", 3), r#"{"message":3,"type":"broadcast"}"#),
            (Words::Set, Call::new("add", 3), r#"{"element":3,"type":"add"}"#),
            (Words::Counter, Call::new("add", -3).on("counter-0"), r#"{"delta":-3,"type":"add"}"#),
            (Words::Counter, Call::new("read", ()).on("counter-0"), r#"{"type":"read"}"#),
            (Words::Kv, Call::new("read", ()).on("k3"), r#"{"key":3,"type":"read"}"#),
            (Words::Kv, Call::new("write", 7).on("k3"), r#"{"key":3,"type":"write","value":7}"#),
            (
                Words::Kv,
                Call::new("cas", [7, 8]).on("k3"),
                r#"{"from":7,"key":3,"to":8,"type":"cas"}"#,
            ),
            (Words::Kafka, Call::new("send", 9).on("k1"), r#"{"key":"k1","msg":9,"type":"send"}"#),
            (
                Words::Kafka,
                Call::new("poll", Value::of([("k1", 4.into())])),
                r#"{"offsets":{"k1":4},"type":"poll"}"#,
            ),
            (
                Words::Kafka,
                Call::new("commit-offsets", Value::of([("k1", 4.into())])),
                r#"{"offsets":{"k1":4},"type":"commit_offsets"}"#,
            ),
            (
                Words::Kafka,
                Call::new("list-committed-offsets", ["k1"]),
                r#"{"keys":["k1"],"type":"list_committed_offsets"}"#,
            ),
        ];
        for (words, call, want) in cases {
            assert_eq!(said(words, call).unwrap(), want);
        }
        let nothing = Value::List(vec![Value::Nil, 3.into()]);
        assert!(said(Words::Kv, Call::new("cas", nothing).on("k1")).is_err());
        assert!(said(Words::Echo, Call::new("read", ())).is_err());
    }

    #[test]
    fn answers_that_make_no_sense_are_none() {
        let of = |words: Words, f: &'static str, body: &str| {
            words.answer(&Call::new(f, ()), &json::from_str(body).unwrap())
        };
        assert_eq!(of(Words::Broadcast, "read", r#"{"messages":[1]}"#), Ok([1].into()));
        assert!(of(Words::Broadcast, "read", r#"{"value":[1]}"#).is_err());
        assert!(of(Words::Counter, "read", r#"{"value":"1"}"#).is_err());
        assert!(of(Words::UniqueIds, "generate", r#"{"id":null}"#).is_err());
        assert!(of(Words::Kafka, "poll", r#"{"msgs":{"k":[[0,5],[1,6]]}}"#).is_ok());
        assert!(of(Words::Kafka, "poll", r#"{"msgs":{"k":[[0,5],[1]]}}"#).is_err());
        assert!(of(Words::Kafka, "poll", r#"{"msgs":[]}"#).is_err());
        assert_eq!(of(Words::Kv, "read", r#"{"value":null}"#), Ok(Value::Nil));
    }

    #[test]
    fn a_key_that_is_not_there_is_an_answer_to_a_read_only() {
        let error = Value::of([("code", 20.into())]);
        let told = |f: &'static str| Words::Kv.told_by(&Call::new(f, ()).on("k1"), &error);
        assert_eq!((told("read"), told("cas")), (Some(Value::Nil), None));
        let other = Value::of([("code", 11.into())]);
        assert_eq!(Words::Kv.told_by(&Call::new("read", ()), &other), None);
    }

    #[test]
    fn every_workload_spoken_has_words() {
        assert!(SPOKEN.iter().all(|spoken| find(spoken.name).is_ok()));
        assert!(find("lin-vk").is_err());
    }
}
