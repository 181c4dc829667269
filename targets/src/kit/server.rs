//! HTTP in front of a node: `/health`, `/status`, `/peer` and whatever the node answers.

use std::collections::BTreeMap;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, Method as HttpMethod, Response as HttpResponse, Uri, header};
use axum::routing::{get, post};
use danso_vocab::codec::json;
use danso_vocab::{NodeId, Value};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::{mpsc, oneshot};

use super::driver::Inbound;
use super::http::{self, Method, Request, Response};
use super::peers::Delivery;

/// The largest body taken.
const MAX_BODY: usize = 64 << 20;

/// The routes, in front of the driver that listens at `inbound`.
pub(super) fn router<M: Serialize + DeserializeOwned + Send + 'static>(
    inbound: mpsc::Sender<Inbound<M>>,
) -> Router {
    Router::new()
        .route("/health", get(health::<M>))
        .route("/status", get(status::<M>))
        .route("/peer", post(deliver::<M>))
        .fallback(ask::<M>)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(inbound)
}

/// Hands a request to the driver and waits for the answer.
async fn ask<M>(
    State(driver): State<mpsc::Sender<Inbound<M>>>,
    method: HttpMethod,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> HttpResponse<Body> {
    let request = match understand(&method, &uri, &headers, &body) {
        Ok(request) => request,
        Err(refused) => return respond(&refused),
    };
    let (reply, answer) = oneshot::channel();
    if driver.try_send(Inbound::Request { request, reply }).is_err() {
        return respond(&Response::error(429, "overloaded", true));
    }
    // The driver is gone only if the disk failed: nobody knows what became of the request.
    respond(&answer.await.unwrap_or_else(|_| Response::error(503, "stopping", false)))
}

fn understand(
    method: &HttpMethod,
    uri: &Uri,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Request, Response> {
    let method = match method.as_str() {
        "GET" => Method::Get,
        "PUT" => Method::Put,
        "POST" => Method::Post,
        "DELETE" => Method::Delete,
        other => return Err(Response::bad(format!("{other} means nothing here"))),
    };
    let path = http::parts(uri.path()).ok_or_else(|| Response::bad("the path is no text"))?;
    let mut query = BTreeMap::new();
    for (name, value) in headers {
        if let (Some(name), Ok(value)) = (name.as_str().strip_prefix("x-"), value.to_str()) {
            query.insert(name.to_owned(), value.to_owned());
        }
    }
    query.extend(http::pairs(uri.query().unwrap_or_default()));
    let body = match body {
        [] => Value::Nil,
        bytes => {
            let read: Result<json::In, _> = serde_json::from_slice(bytes);
            read.map_err(|e| Response::bad(format!("the body is no JSON: {e}")))?.0
        }
    };
    Ok(Request { method, path, query, body })
}

fn respond(response: &Response) -> HttpResponse<Body> {
    let built = HttpResponse::builder()
        .status(response.status)
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(json::to_string(&response.body)));
    built.unwrap_or_default()
}

async fn deliver<M: Serialize + DeserializeOwned>(
    State(driver): State<mpsc::Sender<Inbound<M>>>,
    body: Bytes,
) -> HttpResponse<Body> {
    let Delivery { from, messages } = match serde_json::from_slice(&body) {
        Ok(delivery) => delivery,
        Err(e) => return respond(&Response::bad(e.to_string())),
    };
    let (reply, answers) = oneshot::channel();
    let inbound = Inbound::Messages { from: NodeId(from), messages, reply: Some(reply) };
    if driver.try_send(inbound).is_err() {
        return respond(&Response::error(429, "overloaded", true));
    }
    let answers: Vec<M> = answers.await.unwrap_or_default();
    let body = match answers.is_empty() {
        true => Ok(Vec::new()),
        false => serde_json::to_vec(&answers),
    };
    HttpResponse::new(Body::from(body.unwrap_or_default()))
}

async fn health<M>(State(driver): State<mpsc::Sender<Inbound<M>>>) -> HttpResponse<Body> {
    let (reply, told) = oneshot::channel();
    let sent = driver.send(Inbound::Health(reply)).await;
    respond(&match (sent, told.await) {
        (Ok(()), Ok(Ok(()))) => Response::ok(Value::of([("ok", true.into())])),
        (Ok(()), Ok(Err(why))) => {
            Response::error(503, "not-serving", true).with("what", why.as_str())
        }
        _ => Response::error(503, "stopping", true),
    })
}

async fn status<M>(State(driver): State<mpsc::Sender<Inbound<M>>>) -> HttpResponse<Body> {
    let (reply, told) = oneshot::channel();
    let sent = driver.send(Inbound::Status(reply)).await;
    respond(&match (sent, told.await) {
        (Ok(()), Ok(status)) => Response::ok(status),
        _ => Response::error(503, "stopping", true),
    })
}
