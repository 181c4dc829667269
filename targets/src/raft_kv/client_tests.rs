//! The client against scripted servers: what it makes of every kind of answer.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::{Response, StatusCode};
use danso_engine::target::Client;
use danso_vocab::{Call, Outcome, Value};
use tokio::net::TcpListener;

use super::KvSpeech;
use crate::kit::client::Nodes;
use crate::raft::client::RaftClient;

type KvClient = RaftClient<KvSpeech>;

const PATIENCE: Duration = Duration::from_millis(60);

/// What a server saw: method, path, sequence number.
type Seen = Arc<Mutex<Vec<(String, String, String)>>>;

/// A server that gives these answers, the last one again and again. `0` is no answer at all.
async fn server(answers: &'static [(u16, &'static str)]) -> (SocketAddr, Seen) {
    let seen = Seen::default();
    let log = seen.clone();
    let app = Router::new().fallback(async move |request: Request| {
        let query = request.uri().query().unwrap_or_default();
        let seq = query.split_once("&seq=").map_or("", |(_, seq)| seq).to_owned();
        let (status, body) = {
            let mut log = log.lock().unwrap();
            log.push((request.method().to_string(), request.uri().path().to_owned(), seq));
            answers[(log.len() - 1).min(answers.len() - 1)]
        };
        if status == 0 {
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
        Response::builder()
            .status(StatusCode::from_u16(status).unwrap())
            .body(body.to_owned())
            .unwrap()
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async { axum::serve(listener, app).await });
    (address, seen)
}

/// An address nobody listens on.
async fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

fn client(addresses: Vec<SocketAddr>) -> KvClient {
    RaftClient::new(KvSpeech, Nodes::new(addresses, 0), "p1".to_owned(), PATIENCE)
}

/// The outcome, or `None` if the client is still trying after a second.
async fn outcome(client: &mut KvClient, call: &Call) -> Option<Outcome> {
    tokio::time::timeout(Duration::from_secs(1), client.invoke(call)).await.ok()
}

async fn one(answers: &'static [(u16, &'static str)], call: &Call) -> Option<Outcome> {
    let (address, _) = server(answers).await;
    outcome(&mut client(vec![address]), call).await
}

fn fail(why: &'static str) -> Option<Outcome> {
    Some(Outcome::Fail(why.into()))
}

const DEFINITE: (u16, &str) = (503, r#"{"error":"no-leader","definite":true,"leader":null}"#);
const INDEFINITE: (u16, &str) = (503, r#"{"error":"lost-leadership","definite":false}"#);
const MISMATCH: (u16, &str) = (409, r#"{"error":"mismatch","definite":true}"#);
const BAD: (u16, &str) = (400, r#"{"error":"bad-request","definite":true}"#);
const ABSENT: (u16, &str) = (404, r#"{"error":"absent","definite":true}"#);

#[tokio::test]
async fn results_are_understood() {
    let (read, write) = (Call::new("read", ()).on("k"), Call::new("write", 3).on("k"));
    let cas = Call::new("cas", [1, 2]).on("k");
    let ok = |v: Value| Some(Outcome::Ok(v));
    assert_eq!(
        one(&[(200, r#"{"value":[1,"x"]}"#)], &read).await,
        ok(Value::List(vec![1.into(), "x".into()]))
    );
    assert_eq!(one(&[ABSENT], &read).await, ok(Value::Nil));
    assert_eq!(one(&[(200, "{}")], &write).await, ok(Value::Nil));
    assert_eq!(one(&[(200, "{}")], &cas).await, ok(Value::Nil));
    assert_eq!(one(&[MISMATCH], &cas).await, fail("mismatch"));
    assert_eq!(one(&[BAD], &write).await, fail("bad-request"));
    assert_eq!(one(&[BAD], &Call::new("enqueue", 1)).await, fail("unsupported"));
    assert_eq!(one(&[BAD], &Call::new("cas", 1)).await, fail("bad-value"));
}

#[tokio::test]
async fn a_write_fails_only_if_no_attempt_can_have_had_an_effect() {
    let write = Call::new("write", 3).on("k");
    assert_eq!(one(&[DEFINITE], &write).await, fail("no-leader"));
    assert_eq!(one(&[INDEFINITE, DEFINITE], &write).await, None);
    assert_eq!(one(&[INDEFINITE, BAD], &write).await, None);
    assert_eq!(one(&[DEFINITE, INDEFINITE, DEFINITE], &write).await, None);
    assert_eq!(one(&[(0, ""), DEFINITE], &write).await, None);
    assert_eq!(one(&[(500, "what?")], &write).await, None);
    assert_eq!(one(&[(404, "not here")], &write).await, None);
    assert_eq!(one(&[INDEFINITE, MISMATCH], &write).await, fail("mismatch"));
    let refused = outcome(&mut client(vec![nobody().await]), &write).await;
    assert_eq!(refused, fail("no-connection"));
}

#[tokio::test]
async fn a_read_may_always_fail_but_never_answers_nonsense() {
    let read = Call::new("read", ()).on("k");
    assert_eq!(one(&[INDEFINITE], &read).await, fail("lost-leadership"));
    assert_eq!(one(&[(0, "")], &read).await, fail("no-response"));
    assert_eq!(one(&[(200, r#"{"value":0.5}"#)], &read).await, fail("bad-response"));
    assert_eq!(one(&[(200, "{}")], &read).await, fail("bad-response"));
    assert_eq!(one(&[(404, "no such route")], &read).await, fail("bad-response"));
}

#[tokio::test]
async fn retries_repeat_the_number_and_the_next_call_has_the_next() {
    let (address, seen) = server(&[INDEFINITE, DEFINITE, (200, "{}")]).await;
    let mut client = client(vec![address]);
    let write = Call::new("write", 3).on("a/b c");
    assert_eq!(outcome(&mut client, &write).await, Some(Outcome::Ok(Value::Nil)));
    outcome(&mut client, &Call::new("read", ()).on("k")).await;
    outcome(&mut client, &Call::new("delete", ()).on(7)).await;
    let seen = seen.lock().unwrap().clone();
    let (first, rest) = seen.split_at(3);
    let put = ("PUT".to_owned(), "/kv/%22a%2Fb%20c%22".to_owned(), "1".to_owned());
    assert!(first.iter().all(|s| *s == put), "{first:?}");
    assert!(rest.iter().any(|s| s.0 == "GET" && s.2.is_empty()), "{rest:?}");
    let last = rest.last().unwrap();
    assert_eq!((last.0.as_str(), last.1.as_str(), last.2.as_str()), ("DELETE", "/kv/7", "2"));
}

#[tokio::test]
async fn another_node_is_asked_and_the_leader_if_it_is_known() {
    let (good, seen) = server(&[(200, "{}")]).await;
    let (lost, unasked) = server(&[INDEFINITE]).await;
    let hint = (503, r#"{"error":"not-leader","definite":true,"leader":"n3"}"#);
    let (home, asked) = server(Box::leak(Box::new([hint]))).await;
    let mut client = client(vec![home, lost, good]);
    let write = Call::new("write", 3);
    for _ in 0..2 {
        assert_eq!(outcome(&mut client, &write).await, Some(Outcome::Ok(Value::Nil)));
    }
    // The second call goes straight to the node that answered the first.
    assert_eq!(asked.lock().unwrap().len(), 1);
    assert!(unasked.lock().unwrap().is_empty());
    let seqs: Vec<_> = seen.lock().unwrap().iter().map(|s| s.2.clone()).collect();
    assert_eq!(seqs, ["1", "2"]);
}
