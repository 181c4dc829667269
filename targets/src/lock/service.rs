//! The HTTP interface of `lock`.
//!
//! | request | response |
//! | --- | --- |
//! | `POST /lock/{name}` with `{"owner":o,"ttl-ms":n}` | 200 `{"token":t}` or 409 `held` |
//! | `DELETE /lock/{name}?token=t` | 200 `{}` or 409 `not-held` |
//! | `GET /lock/{name}` | 200 `{"owner":o,"token":t}` or 404 `absent` |
//! | `POST /guarded/{name}` with `{"token":t,"value":v}` | 200 `{}` or 409 `stale-token` |
//! | `GET /guarded/{name}` | 200 `{"token":t,"value":v}` or 404 `absent` |
//! | `POST /elections/{name}` with `{"candidate":c,"ttl-ms":n}` | 200 `{"term":n,"leader":c}` or 409 `led` |
//! | `DELETE /elections/{name}?candidate=c` | 200 `{}` or 409 `not-held` |
//! | `GET /elections/{name}` | 200 `{"term":n,"leader":c}` or 404 `absent` |
//!
//! Errors are those of [`crate::raft::answer`] besides.

use std::collections::BTreeMap;

use danso_vocab::Value;

use super::locks::{Command, Locks, Query, Reply};
use super::settings::{self, Bug};
use crate::kit::http::Method;
use crate::kit::{Request, Response};
use crate::raft::{Service, Settings, Wish};

/// The longest lease, in ms: a day.
const LONGEST: i64 = 86_400_000;

impl Service for Locks {
    const NAME: &'static str = "lock";

    fn settings(given: &BTreeMap<String, Value>) -> Result<(Settings, Option<Bug>), String> {
        settings::checked(given)
    }

    fn understand(request: &Request) -> Result<Wish<Command, Query>, Response> {
        let route = request.route();
        let wish = match (route.0, route.1.as_slice()) {
            (Method::Post, ["lock", lock]) => Wish::Command(Command::Acquire {
                lock: (*lock).to_owned(),
                owner: text(request.field("owner")?)?,
                ttl: ttl(request)?,
            }),
            (Method::Delete, ["lock", lock]) => {
                let token = request.number("token")?.and_then(|t| u64::try_from(t).ok());
                let token = token.ok_or_else(|| Response::bad("say ?token=7: the one you got"))?;
                Wish::Command(Command::Release { lock: (*lock).to_owned(), token })
            }
            (Method::Get, ["lock", lock]) => {
                Wish::Query(Query::Holder { lock: (*lock).to_owned() })
            }
            (Method::Post, ["guarded", resource]) => Wish::Command(Command::Write {
                resource: (*resource).to_owned(),
                token: number(request.field("token")?, "token", i64::MAX)?,
                value: request.field("value")?.clone(),
            }),
            (Method::Get, ["guarded", resource]) => {
                Wish::Query(Query::Resource { resource: (*resource).to_owned() })
            }
            (Method::Post, ["elections", election]) => Wish::Command(Command::Campaign {
                election: (*election).to_owned(),
                candidate: text(request.field("candidate")?)?,
                ttl: ttl(request)?,
            }),
            (Method::Delete, ["elections", election]) => {
                let candidate = request.query.get("candidate").cloned();
                let candidate =
                    candidate.ok_or_else(|| Response::bad("say ?candidate=me: who resigns"))?;
                Wish::Command(Command::Resign { election: (*election).to_owned(), candidate })
            }
            (Method::Get, ["elections", election]) => {
                Wish::Query(Query::Leader { election: (*election).to_owned() })
            }
            _ => return Err(Response::no_route()),
        };
        Ok(wish)
    }

    fn respond(reply: Reply) -> Response {
        let conflict = |error| Response::error(409, error, true);
        let int = |i: u64| Value::Int(i64::try_from(i).unwrap_or(i64::MAX));
        match reply {
            Reply::Done => Response::done(),
            Reply::Token(token) => Response::ok(Value::of([("token", int(token))])),
            Reply::Held => conflict("held"),
            Reply::NotHeld => conflict("not-held"),
            Reply::StaleToken => conflict("stale-token"),
            Reply::Led => conflict("led"),
            Reply::Holder { owner, token } => {
                Response::ok(Value::of([("owner", owner.into()), ("token", int(token))]))
            }
            Reply::Found { token, value } => {
                Response::ok(Value::of([("token", int(token)), ("value", value)]))
            }
            Reply::Leader { term, leader } => {
                Response::ok(Value::of([("term", int(term)), ("leader", leader.into())]))
            }
            Reply::Nothing => Response::error(404, "absent", true),
        }
    }
}

fn text(value: &Value) -> Result<String, Response> {
    value.str().map(str::to_owned).ok_or_else(|| Response::bad(format!("{value} is no name")))
}

fn number(value: &Value, name: &str, most: i64) -> Result<u64, Response> {
    let number = value.int().filter(|n| (0..=most).contains(n)).and_then(|n| u64::try_from(n).ok());
    number.ok_or_else(|| Response::bad(format!("{name} {value} is no number from 0 to {most}")))
}

fn ttl(request: &Request) -> Result<u64, Response> {
    Ok(number(request.field("ttl-ms")?, "ttl-ms", LONGEST)? * 1_000_000)
}
