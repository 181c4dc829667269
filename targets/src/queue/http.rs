//! The broker's HTTP interface: what requests mean, and how replies look. The routes are those
//! of [the target](super).

use std::collections::BTreeMap;

use danso_vocab::Value;

use super::broker::{Action, Broker, Command, Query, Reply};
use super::partition::{Message, Verdict};
use super::settings::{self, Rules};
use crate::kit::http::Method;
use crate::kit::{Request, Response};
use crate::raft::{Service, Settings, Wish};

impl Service for Broker {
    const NAME: &'static str = "queue";

    fn settings(given: &BTreeMap<String, Value>) -> Result<(Settings, Rules), String> {
        let (_, settings, rules) = settings::checked(given)?;
        Ok((settings, rules))
    }

    fn understand(request: &Request) -> Result<Wish<Command, Query>, Response> {
        let (method, path) = request.route();
        let (topic, partition, action) = match (method, path.as_slice()) {
            (Method::Get, ["topics", topic]) => {
                return Ok(Wish::Query(Query::Topic { topic: (*topic).to_owned() }));
            }
            (Method::Get, ["groups", group, topic, partition, "dead"]) => {
                let [group, topic, partition] = [*group, *topic, *partition].map(str::to_owned);
                return Ok(Wish::Query(Query::Dead { group, topic, partition }));
            }
            (Method::Post, ["topics", topic, partition]) => {
                only(request, &["value"])?;
                let value = request.field("value")?.clone();
                if value.is_nil() {
                    return Err(Response::bad("null is no message"));
                }
                (topic, partition, Action::Send { value })
            }
            (Method::Post, ["groups", group, topic, partition, what]) => {
                (topic, partition, consumer(request, (*group).to_owned(), what)?)
            }
            _ => return Err(Response::no_route()),
        };
        let [topic, partition] = [*topic, *partition].map(str::to_owned);
        Ok(Wish::Command(Command { topic, partition, action }))
    }

    fn respond(reply: Reply) -> Response {
        match reply {
            Reply::Sent { offset } => Response::ok(Value::of([("offset", int(offset))])),
            Reply::Full => Response::error(429, "full", true),
            Reply::Delivered { message, delivery } => {
                let response = Response::ok(listed(message));
                match delivery {
                    Some(delivery) => response.with("delivery", int(delivery)),
                    None => response,
                }
            }
            Reply::Empty => Response { status: 204, body: Value::Nil },
            Reply::Settled => Response::done(),
            Reply::Expired => Response::error(409, "expired", true),
            Reply::Drained { values, left } => {
                Response::ok(Value::of([("values", list(values)), ("left", list(left))]))
            }
            Reply::Listed { values } => Response::ok(Value::of([("values", list(values))])),
            Reply::Described { topic } => Response::ok(topic),
        }
    }
}

/// What a consumer of `group` asks for.
fn consumer(request: &Request, group: String, what: &str) -> Result<Action, Response> {
    let delivery = || {
        only(request, &["delivery"])?;
        let given = request.field("delivery")?;
        let number = given.int().and_then(|d| u64::try_from(d).ok());
        number.ok_or_else(|| Response::bad(format!("delivery {given} is no number")))
    };
    match what {
        "receive" => {
            only(request, &["ack"])?;
            let auto = match request.body.get("ack") {
                None => false,
                Some(word) if word.str() == Some("auto") => true,
                Some(other) => {
                    return Err(Response::bad(format!("ack is `auto` or left out, not {other}")));
                }
            };
            Ok(Action::Receive { group, auto })
        }
        "ack" => Ok(Action::Settle { group, delivery: delivery()?, verdict: Verdict::Ack }),
        "nack" => Ok(Action::Settle { group, delivery: delivery()?, verdict: Verdict::Nack }),
        "drain" => {
            only(request, &[])?;
            Ok(Action::Drain { group })
        }
        _ => Err(Response::no_route()),
    }
}

/// Refuses fields that mean nothing.
fn only(request: &Request, fields: &[&str]) -> Result<(), Response> {
    let mut given = request.body.map().into_iter().flatten().map(|(name, _)| name);
    match given.find(|name| !fields.contains(&name.as_str())) {
        Some(name) => Err(Response::bad(format!("the body has no use for `{name}`"))),
        None => Ok(()),
    }
}

fn int(number: u64) -> Value {
    Value::Int(i64::try_from(number).unwrap_or(i64::MAX))
}

fn listed(message: Message) -> Value {
    Value::of([
        ("value", message.value),
        ("offset", int(message.offset)),
        ("attempt", Value::Int(message.attempt.into())),
    ])
}

fn list(messages: Vec<Message>) -> Value {
    Value::List(messages.into_iter().map(listed).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raft::{Machine, Moment};

    /// What a broker of one request after the other answers.
    fn answers(requests: &[(Method, &str, Value)]) -> Vec<(u16, String)> {
        let (_, _, rules) = settings::checked(&BTreeMap::new()).unwrap();
        let mut broker = Broker::default();
        let mut answer = |(method, path, body): &(Method, &str, Value)| {
            let response = match Broker::understand(&Request::new(*method, path, body.clone())) {
                Ok(Wish::Command(command)) => {
                    Broker::respond(broker.apply(&rules, Moment::default(), &command))
                }
                Ok(Wish::Query(query)) => Broker::respond(broker.query(&rules, 0, &query)),
                Err(response) => response,
            };
            (response.status, response.body.to_string())
        };
        requests.iter().map(&mut answer).collect()
    }

    #[test]
    fn a_message_passes_through() {
        let one = |name: &str, value: Value| Value::of([(name, value)]);
        let got = answers(&[
            (Method::Post, "/topics/t/0", one("value", 7.into())),
            (Method::Post, "/topics/t/0", one("value", 8.into())),
            (Method::Post, "/groups/g/t/0/receive", Value::Nil),
            (Method::Post, "/groups/g/t/0/ack", one("delivery", 1.into())),
            (Method::Post, "/groups/g/t/0/ack", one("delivery", 1.into())),
            (Method::Post, "/groups/g/t/0/receive", one("ack", "auto".into())),
            (Method::Post, "/groups/g/t/0/receive", Value::Nil),
            (Method::Post, "/groups/g/t/0/drain", Value::Nil),
            (Method::Get, "/groups/g/t/0/dead", Value::Nil),
            (Method::Get, "/topics/t", Value::Nil),
        ]);
        let want = [
            (200, "{offset: 0}"),
            (200, "{offset: 1}"),
            (200, "{attempt: 1, delivery: 1, offset: 0, value: 7}"),
            (200, "{}"),
            (409, "{definite: true, error: expired}"),
            (200, "{attempt: 1, offset: 1, value: 8}"),
            (204, "nil"),
            (200, "{left: [], values: []}"),
            (200, "{values: []}"),
            (
                200,
                "{partitions: {0: {end: 2, first: 2, groups: {g: {dead: 0, deliveries: 1, leased: 0, ready: 0}}}}}",
            ),
        ];
        assert_eq!(got, want.map(|(status, body)| (status, body.to_owned())));
    }

    #[test]
    fn nonsense_is_refused() {
        let one = |name: &str, value: Value| Value::of([(name, value)]);
        let got = answers(&[
            (Method::Post, "/topics/t/0", Value::Nil),
            (Method::Post, "/topics/t/0", one("value", Value::Nil)),
            (Method::Post, "/topics/t/0", one("vlaue", 1.into())),
            (Method::Post, "/groups/g/t/0/receive", one("ack", "never".into())),
            (Method::Post, "/groups/g/t/0/ack", one("delivery", "x".into())),
            (Method::Post, "/groups/g/t/0/ack", Value::Nil),
            (Method::Post, "/groups/g/t/0/leave", Value::Nil),
            (Method::Get, "/kv/x", Value::Nil),
        ]);
        let statuses: Vec<u16> = got.iter().map(|(status, _)| *status).collect();
        assert_eq!(statuses, [400, 400, 400, 400, 400, 400, 404, 404]);
    }
}
