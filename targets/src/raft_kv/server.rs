//! The HTTP interface of a node.
//!
//! | request | response |
//! | --- | --- |
//! | `GET /kv/{key}` | 200 `{"value":v}` or 404 |
//! | `PUT /kv/{key}` with `{"value":v}` | 200 `{}` |
//! | `POST /kv/{key}/cas` with `{"old":x,"new":y}` | 200 `{}` or 409 |
//! | `DELETE /kv/{key}` | 200 `{}` |
//! | `GET /health` | 200 if a request would find a leader, else 503 |
//! | `GET /status` | role, term, leader, indices |
//! | `POST /raft` | for peers |
//!
//! Every error is `{"error":name,"definite":bool,"leader":"n2"|null}`; [`super::answer`] has the
//! table. Any node takes any request: who does not lead forwards it. Values are JSON without
//! fractions; `null` is the same as absent. Changes may name the client and count its commands,
//! in headers `x-client` and `x-seq` or as `?client=…&seq=…`: a retry with the same pair takes
//! effect once.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Path, RawQuery, State};
use axum::http::{HeaderMap, Response, header};
use axum::routing::{get, post};
use danso_vocab::codec::json::Out;
use danso_vocab::{NodeId, Value};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::{mpsc, oneshot};

use super::answer::{Answer, Error};
use super::driver::Inbound;
use super::json;
use super::kv::{Action, Command, Effect, Session};
use super::node::{Parcel, Request, Status};
use super::peers::Delivery;

/// The largest body taken: a snapshot comes in one piece.
const MAX_BODY: usize = 256 << 20;

type Driver = mpsc::Sender<Inbound>;

/// The routes, in front of the driver that listens at `inbound`.
pub(crate) fn router(inbound: Driver) -> Router {
    Router::new()
        .route("/kv/{key}", get(read).put(write).delete(delete))
        .route("/kv/{key}/cas", post(cas))
        .route("/raft", post(deliver))
        .route("/health", get(health))
        .route("/status", get(status))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(inbound)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PutBody {
    #[serde(with = "json")]
    value: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CasBody {
    #[serde(with = "json")]
    old: Value,
    #[serde(with = "json")]
    new: Value,
}

async fn read(State(driver): State<Driver>, Path(key): Path<String>) -> Response<Body> {
    ask(&driver, Request::Read { key }).await
}

async fn write(
    State(driver): State<Driver>,
    Path(key): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let action = serde_json::from_slice(&body).map(|PutBody { value }| Action::Put { value });
    change(&driver, key, action, query, &headers).await
}

async fn cas(
    State(driver): State<Driver>,
    Path(key): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let action = serde_json::from_slice(&body).map(|CasBody { old, new }| Action::Cas { old, new });
    change(&driver, key, action, query, &headers).await
}

async fn delete(
    State(driver): State<Driver>,
    Path(key): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response<Body> {
    change(&driver, key, Ok(Action::Delete), query, &headers).await
}

async fn change(
    driver: &Driver,
    key: String,
    action: serde_json::Result<Action>,
    query: Option<String>,
    headers: &HeaderMap,
) -> Response<Body> {
    let action = match action {
        Ok(action) => action,
        Err(e) => return bad_request(&e.to_string()),
    };
    match session(headers, query.as_deref()) {
        Ok(session) => ask(driver, Request::Apply(Command { key, action, session })).await,
        Err(e) => bad_request(&e),
    }
}

/// Client and sequence number, if they are given.
fn session(headers: &HeaderMap, query: Option<&str>) -> Result<Option<Session>, String> {
    let given = |name: &str| {
        let header = headers.get(format!("x-{name}")).and_then(|v| v.to_str().ok());
        let pairs = query.unwrap_or_default().split('&').filter_map(|p| p.split_once('='));
        header.or_else(|| pairs.into_iter().find(|(n, _)| *n == name).map(|(_, v)| v))
    };
    match (given("client"), given("seq")) {
        (None, None) => Ok(None),
        (Some(client), Some(seq)) if !client.is_empty() => {
            let seq = seq.parse().map_err(|_| format!("seq `{seq}` is no number"))?;
            Ok(Some(Session { client: client.to_owned(), seq }))
        }
        _ => Err("client and seq belong together: give both or neither".to_owned()),
    }
}

/// Hands a request to the driver and waits for the answer.
async fn ask(driver: &Driver, request: Request) -> Response<Body> {
    let writes = matches!(request, Request::Apply(_));
    let (reply, answer) = oneshot::channel();
    if driver.try_send(Inbound::Request { request, reply }).is_err() {
        return respond(&Error::Overloaded.of(writes, None));
    }
    // The driver is gone only if the disk failed: nobody knows what became of the request.
    let answer = answer.await.unwrap_or_else(|_| Error::LostLeadership.of(writes, None));
    respond(&answer)
}

fn respond(answer: &Answer) -> Response<Body> {
    let error = |status, error: &str, definite: bool, leader: Option<u16>| {
        let leader = leader.map(|l| NodeId(l).to_string());
        let body = json!({ "error": error, "definite": definite, "leader": leader });
        response(status, body.to_string())
    };
    match answer {
        Answer::Value { value: Value::Nil } => error(404, "absent", true, None),
        Answer::Value { value } => {
            #[derive(serde::Serialize)]
            struct Found<'a> {
                value: Out<'a>,
            }
            let body = serde_json::to_string(&Found { value: Out(value) });
            response(200, body.unwrap_or_default())
        }
        Answer::Effect(Effect::Done) => response(200, "{}".to_owned()),
        Answer::Effect(Effect::Mismatch) => error(409, "mismatch", true, None),
        Answer::Effect(Effect::Superseded) => error(410, "superseded", false, None),
        Answer::Refused(r) => error(r.error.status(), r.error.name(), r.definite, r.leader),
    }
}

fn bad_request(what: &str) -> Response<Body> {
    let body = json!({ "error": "bad-request", "definite": true, "leader": null, "what": what });
    response(400, body.to_string())
}

fn response(status: u16, body: String) -> Response<Body> {
    let built = Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(body));
    built.unwrap_or_default()
}

async fn deliver(State(driver): State<Driver>, body: Bytes) -> Response<Body> {
    let Delivery { from, parcels } = match serde_json::from_slice(&body) {
        Ok(delivery) => delivery,
        Err(e) => return bad_request(&e.to_string()),
    };
    let (reply, answers) = oneshot::channel();
    let inbound = Inbound::Parcels { from: NodeId(from), parcels, reply: Some(reply) };
    if driver.try_send(inbound).is_err() {
        return response(429, String::new());
    }
    let answers: Vec<Parcel> = answers.await.unwrap_or_default();
    if answers.is_empty() {
        return response(200, String::new());
    }
    response(200, serde_json::to_string(&answers).unwrap_or_default())
}

async fn current(driver: &Driver) -> Option<Status> {
    let (reply, status) = oneshot::channel();
    driver.send(Inbound::Status(reply)).await.ok()?;
    status.await.ok()
}

async fn health(State(driver): State<Driver>) -> Response<Body> {
    match current(&driver).await {
        Some(s) if s.serving => {
            response(200, json!({ "ok": true, "leader": s.leader }).to_string())
        }
        _ => response(503, json!({ "ok": false, "error": "no-leader" }).to_string()),
    }
}

async fn status(State(driver): State<Driver>) -> Response<Body> {
    match current(&driver).await {
        Some(s) => response(200, serde_json::to_string(&s).unwrap_or_default()),
        None => response(503, json!({ "error": "stopping" }).to_string()),
    }
}
