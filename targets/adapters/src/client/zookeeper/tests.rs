//! A server that answers as it is told.

use super::super::wire::script::{Line, nobody, server};
use super::*;

/// A message with its length.
fn message(bytes: &[&[u8]]) -> Vec<u8> {
    let bytes = bytes.concat();
    [&(bytes.len() as u32).to_be_bytes()[..], &bytes].concat()
}

/// The welcome to a session that lasts so many milliseconds.
fn welcome(lasts: i32) -> Line {
    let parts: [&[u8]; 5] =
        [&0i32.to_be_bytes(), &lasts.to_be_bytes(), &7i64.to_be_bytes(), &[0; 20], &[0]];
    (vec![0; 16], message(&parts))
}

/// The answer to the request of this number and kind.
fn answer(number: i32, kind: i32, error: i32, body: &[u8]) -> Line {
    let asked = [number.to_be_bytes(), kind.to_be_bytes()].concat();
    let head: [&[u8]; 4] = [&number.to_be_bytes(), &9i64.to_be_bytes(), &error.to_be_bytes(), body];
    (asked, message(&head))
}

/// A node's data and its version.
fn node(data: &str, version: i32) -> Vec<u8> {
    let length = data.len() as i32;
    let stat: [&[u8]; 4] = [&[0; 32], &version.to_be_bytes(), &[0; 16], &[0; 16]];
    [&length.to_be_bytes()[..], data.as_bytes(), &stat.concat()].concat()
}

async fn outcome(call: Call, reads: &str, lines: Vec<Line>) -> Outcome {
    let table = Value::of([("reads", reads.into())]);
    let dialect = ZooKeeper::new(&table, &Settings::new()).unwrap();
    dialect.client(server(lines).await).invoke(&call.on("k1")).await
}

fn fail(why: &'static str) -> Outcome {
    Outcome::Fail(why.into())
}

#[tokio::test]
async fn reads() {
    let read = || Call::new("read", ());
    let get = |number, error, body: &[u8]| answer(number, GET_DATA, error, body);
    let lines = vec![welcome(9_000), get(1, 0, &node("42", 3))];
    assert_eq!(outcome(read(), "local", lines).await, Outcome::Ok(42.into()));
    let lines = vec![welcome(9_000), get(1, NO_NODE, &[])];
    assert_eq!(outcome(read(), "local", lines).await, Outcome::Ok(Value::Nil));
    let lines = vec![welcome(9_000), answer(1, SYNC, 0, &[]), get(2, 0, &node("42", 3))];
    assert_eq!(outcome(read(), "sync", lines).await, Outcome::Ok(42.into()));
    let lines = vec![welcome(9_000), answer(1, SYNC, -4, &[])];
    assert_eq!(outcome(read(), "sync", lines).await, Outcome::Info("zookeeper-4".into()));
    let lines = vec![welcome(9_000), answer(1, SET_DATA, 0, &[]), get(2, 0, &node("42", 3))];
    assert_eq!(outcome(read(), "write", lines).await, Outcome::Ok(42.into()));
}

#[tokio::test]
async fn writes() {
    let write = || Call::new("write", 5);
    let lines = vec![welcome(9_000), answer(1, SET_DATA, 0, &[])];
    assert_eq!(outcome(write(), "local", lines).await, Outcome::Ok(Value::Nil));
    // Not there, made meanwhile, there.
    let lines = vec![
        welcome(9_000),
        answer(1, SET_DATA, NO_NODE, &[]),
        answer(2, CREATE, NODE_EXISTS, &[]),
        answer(3, SET_DATA, 0, &[]),
    ];
    assert_eq!(outcome(write(), "local", lines).await, Outcome::Ok(Value::Nil));
    let lines = vec![welcome(9_000), answer(1, SET_DATA, -112, &[])];
    assert_eq!(outcome(write(), "local", lines).await, Outcome::Info("zookeeper-112".into()));
    let (asked, _) = answer(1, SET_DATA, 0, &[]);
    let lines = vec![welcome(9_000), (asked, Vec::new())];
    assert_eq!(outcome(write(), "local", lines).await, Outcome::Info("no-response".into()));
}

#[tokio::test]
async fn what_was_not_sent_has_failed() {
    let write = || Call::new("write", 5);
    let refused = outcome(write(), "local", vec![welcome(0)]).await;
    assert_eq!(refused, fail("no-connection: the session was refused"));
    let hung_up = outcome(write(), "local", vec![(vec![0; 16], Vec::new())]).await;
    assert_eq!(hung_up, fail("no-connection"));
    let dialect = ZooKeeper::new(&Value::of([("port", Value::Nil)]), &Settings::new()).unwrap();
    let mut client = dialect.client(nobody().await);
    assert_eq!(client.invoke(&write().on("k1")).await, fail("no-connection"));
}

#[tokio::test]
async fn a_compare_and_set_fails_if_anything_changed() {
    let cas = |old: Value| Call::new("cas", Value::List(vec![old, 6.into()]));
    let get = |data| answer(1, GET_DATA, 0, &node(data, 3));
    let set = |error| answer(2, SET_DATA, error, &[]);
    let lines = vec![welcome(9_000), get("5"), set(0)];
    assert_eq!(outcome(cas(5.into()), "local", lines).await, Outcome::Ok(Value::Nil));
    let lines = vec![welcome(9_000), get("4")];
    assert_eq!(outcome(cas(5.into()), "local", lines).await, fail("mismatch"));
    let lines = vec![welcome(9_000), get("5"), set(BAD_VERSION)];
    assert_eq!(outcome(cas(5.into()), "local", lines).await, fail("mismatch"));
    let lines = vec![welcome(9_000), get("5"), set(-4)];
    assert_eq!(outcome(cas(5.into()), "local", lines).await, Outcome::Info("zookeeper-4".into()));
    let lines = vec![welcome(9_000), answer(1, GET_DATA, NO_NODE, &[]), answer(2, CREATE, 0, &[])];
    assert_eq!(outcome(cas(Value::Nil), "local", lines).await, Outcome::Ok(Value::Nil));
}

#[test]
fn nonsense_is_refused() {
    let new = |name, value: Value| ZooKeeper::new(&Value::of([(name, value)]), &Settings::new());
    assert!(new("reads", "stale".into()).is_err());
    assert!(new("path", "k".into()).is_err());
    assert!(new("path", "/{kee}".into()).is_err());
    assert!(new("path", "/x/{key}".into()).is_ok());
}
