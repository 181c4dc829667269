//! A server that answers as it is told.

use super::super::wire::script::{Line, nobody, server};
use super::*;

fn line(wanted: &str, said: &str) -> Line {
    (wanted.as_bytes().to_vec(), said.as_bytes().to_vec())
}

/// The answer to the request of this number.
fn answer(number: u32, body: &str) -> Line {
    let said = format!("MSG _INBOX.x {number} {}\r\n{body}\r\n", body.len());
    line(&format!("UNSUB {number} 1"), &said)
}

fn status(number: u32, code: u32) -> Line {
    let head = format!("NATS/1.0 {code}\r\n\r\n");
    let length = head.len();
    let said = format!("HMSG _INBOX.x {number} {length} {length}\r\n{head}\r\n");
    line(&format!("UNSUB {number} 1"), &said)
}

/// The greetings, and the making of stream and consumer.
fn begun() -> Vec<Line> {
    let greeted = line("PING", "PING\r\nPONG\r\n");
    vec![line("", "INFO {}\r\n"), greeted, answer(1, "{}"), answer(2, "{}")]
}

async fn outcome(f: &'static str, lines: &[Line]) -> Outcome {
    let dialect = Nats::new(&Value::of([("replicas", 1.into())]), &Settings::new()).unwrap();
    let mut client = dialect.client(server([begun(), lines.to_vec()].concat()).await);
    let arg = if f == "ack" { "$JS.ACK.s.c.1.5.5.0.0".into() } else { Value::Int(3) };
    client.invoke(&Call::new(f, arg).on(0)).await
}

fn fail(why: &'static str) -> Outcome {
    Outcome::Fail(why.into())
}

fn info(why: &'static str) -> Outcome {
    Outcome::Info(why.into())
}

#[tokio::test]
async fn publishing() {
    let taken = answer(3, r#"{"stream":"danso-0","seq":9}"#);
    let stored = Value::of([("offset", 9.into())]);
    assert_eq!(outcome("enqueue", &[taken]).await, Outcome::Ok(stored));
    assert_eq!(outcome("enqueue", &[status(3, 503)]).await, fail("no-responders"));
    let error = r#"{"error":{"code":503,"err_code":10077,"description":"store failed"}}"#;
    let refused = outcome("enqueue", &[answer(3, error)]).await;
    assert_eq!(refused, info("nats-10077 store failed"));
    let hung_up = line("UNSUB 3 1", "");
    assert_eq!(outcome("enqueue", &[hung_up]).await, info("no-response"));
    let odd = outcome("enqueue", &[answer(3, r#"{"stream":"danso-0"}"#)]).await;
    assert!(matches!(odd, Outcome::Info(_)), "{odd:?}");
}

#[tokio::test]
async fn taking_and_settling() {
    let message = |reply: &str| line("UNSUB 3 1", &format!("MSG danso-0 3 {reply} 2\r\n42\r\n"));
    for reply in ["$JS.ACK.s.c.2.7.8.99.0", "$JS.ACK._.hash.s.c.2.7.8.99.0.token"] {
        let Outcome::Ok(taken) = outcome("dequeue", &[message(reply)]).await else {
            panic!("{reply} is not understood")
        };
        assert_eq!(taken.get("value"), Some(&42.into()));
        assert_eq!(taken.get("attempt"), Some(&2.into()));
        assert_eq!(taken.get("offset"), Some(&7.into()));
        assert_eq!(taken.get("delivery"), Some(&reply.into()));
    }
    let odd = outcome("dequeue", &[message("elsewhere")]).await;
    assert!(matches!(odd, Outcome::Info(_)), "{odd:?}");
    assert_eq!(outcome("dequeue", &[status(3, 404)]).await, Outcome::Ok(Value::Nil));
    assert_eq!(outcome("dequeue", &[status(3, 503)]).await, fail("no-responders"));
    assert_eq!(outcome("dequeue", &[status(3, 400)]).await, info("nats-400"));
    assert_eq!(outcome("ack", &[answer(3, "")]).await, Outcome::Ok(Value::Nil));
    assert_eq!(outcome("ack", &[status(3, 503)]).await, fail("no-responders"));
}

#[tokio::test]
async fn draining_tells_what_is_left() {
    let next = "MSG danso-0 3 $JS.ACK.s.c.1.5.5.0.0 1\r\n4\r\n";
    let stored = r#"{"message":{"subject":"danso-0","seq":6,"data":"Nw=="}}"#;
    let none = r#"{"error":{"code":404,"err_code":10037,"description":"no message found"}}"#;
    let lines = [
        line("UNSUB 3 1", next),
        answer(4, ""),
        status(5, 404),
        answer(6, stored),
        answer(7, none),
    ];
    let Outcome::Ok(drained) = outcome("drain", &lines).await else { panic!("not drained") };
    let of = |name: &str| drained.get(name).and_then(Value::list).unwrap().to_vec();
    assert_eq!(of("values")[0].get("value"), Some(&4.into()));
    assert_eq!(of("left")[0].get("value"), Some(&7.into()));
    // What was taken and not acknowledged for sure is not known to be gone.
    let lines = [line("UNSUB 3 1", next), status(4, 503)];
    assert_eq!(outcome("drain", &lines).await, info("drained in part"));
}

#[tokio::test]
async fn what_was_not_sent_has_failed() {
    let dialect = Nats::new(&Value::of([("replicas", 1.into())]), &Settings::new()).unwrap();
    let mut client = dialect.client(nobody().await);
    assert_eq!(client.invoke(&Call::new("enqueue", 3).on(0)).await, fail("no-connection"));
    let unmade = [line("", "INFO {}\r\n"), line("PING", "PONG\r\n"), status(1, 503)];
    let mut client = dialect.client(server(unmade.to_vec()).await);
    let outcome = client.invoke(&Call::new("enqueue", 3).on(0)).await;
    assert_eq!(outcome, fail("no-queue: nats-503 no answer"));
    let outcome = client.invoke(&Call::new("enqueue", 3).on("a b")).await;
    assert_eq!(outcome, fail("`a b` cannot be part of a subject"));
}
