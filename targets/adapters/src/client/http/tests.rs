//! A server that answers what it is told to, one request a connection.

use std::sync::Mutex;

use danso_vocab::{NodeId, Process};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::place::Host;

const LOCK: &str = r#"{"ops": {
    "acquire": {"steps": [
        {"send": "POST /grant {}", "ok": {"200": "nil"}, "save": {"lease": "json | at /ID"},
         "effect": false},
        {"send": "POST /txn {lease} {value.owner}", "ok": {"200": "json | require /won true | at /rev"},
         "fail": [409]},
        {"send": "POST /tell {lease}", "ok": {"200": "json | at /rev"}, "fail": [409]}
    ]}
}}"#;

fn dialect(text: &str) -> Result<Http, Mistake> {
    Http::new(&danso_vocab::codec::json::from_str(text).unwrap(), &Settings::new())
}

/// The outcome of one `acquire` whose requests get these answers, and the requests' bodies.
async fn acquire(answers: &'static [(u16, &'static str)]) -> (Outcome, Vec<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let bodies = heard.clone();
    tokio::spawn(async move {
        for (status, body) in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            // The body is the last line.
            while !request.windows(4).any(|w| w == b"\r\n\r\n") || request.ends_with(b"\r\n\r\n") {
                assert!(stream.read_buf(&mut request).await.unwrap() > 0);
            }
            let request = String::from_utf8(request).unwrap();
            let body_of = request.rsplit("\r\n").next().unwrap().to_owned();
            bodies.lock().unwrap().push(body_of);
            let length = body.len();
            let head = format!("HTTP/1.1 {status} X\r\nconnection: close\r\n");
            let answer = format!("{head}content-length: {length}\r\n\r\n{body}");
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    let hosts = vec![Host::theirs(NodeId(1), "127.0.0.1", port)];
    let place = Place { hosts, home: 0, process: Process(0) };
    let mut client = dialect(LOCK).unwrap().client(place);
    let call = Call::new("acquire", Value::of([("owner", "w1".into())])).on("l0");
    let outcome = client.invoke(&call).await;
    let heard = heard.lock().unwrap().clone();
    (outcome, heard)
}

#[tokio::test]
async fn a_later_step_names_what_an_earlier_one_saved() {
    let (outcome, bodies) =
        acquire(&[(200, r#"{"ID":"77"}"#), (200, r#"{"won":true}"#), (200, r#"{"rev":5}"#)]).await;
    assert_eq!(outcome, Outcome::Ok(5.into()));
    assert_eq!(bodies, ["{}", "77 w1", "77"]);
}

#[tokio::test]
async fn an_operation_failed_only_if_nothing_of_it_happened() {
    let fail = |why: &'static str| Outcome::Fail(why.into());
    let info = |why: &'static str| Outcome::Info(why.into());
    const LEASE: (u16, &str) = (200, r#"{"ID":"77"}"#);
    const WON: (u16, &str) = (200, r#"{"won":true,"rev":4}"#);
    // A lease alone is no lock, whatever became of it.
    assert_eq!(acquire(&[(503, "")]).await.0, fail("http-503"));
    assert_eq!(acquire(&[(200, "{}")]).await.0, fail("bad-response: it has no lease to save"));
    assert_eq!(acquire(&[LEASE, (200, "{}")]).await.0, fail("mismatch"));
    assert_eq!(acquire(&[LEASE, (409, "")]).await.0, fail("http-409"));
    assert_eq!(acquire(&[LEASE, (503, "")]).await.0, info("http-503"));
    assert_eq!(acquire(&[LEASE, WON, (409, "")]).await.0, info("http-409"));
}

#[test]
fn mistakes_name_the_step() {
    let wrong = |from: &str, to: &str| dialect(&LOCK.replacen(from, to, 1)).err().unwrap();
    let at = ["ops", "acquire", "steps", "1", "send"];
    assert_eq!(wrong("{lease} {value", "{laese} {value").at, at);
    assert_eq!(wrong("POST /txn", "POST txn").at, at);
    let unknown = wrong("\"effect\"", "\"efect\"");
    assert_eq!(unknown.at[..4], ["ops", "acquire", "steps", "0"]);
    assert!(unknown.why.contains("did you mean `effect`?"), "{unknown}");
    assert_eq!(wrong("\"lease\":", "\"key\":").at, ["ops", "acquire", "steps", "0", "save", "key"]);
}
