//! A server that answers as it is told.

use super::super::wire::script::{Line, nobody, server};
use super::frame::{BODY, HEADER, METHOD};
use super::*;

fn frame(kind: u8, channel: u16, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    [&[kind][..], &channel.to_be_bytes(), &length, payload, &[0xce]].concat()
}

fn method(class: u16, number: u16, arguments: &[u8]) -> Vec<u8> {
    let head = [class.to_be_bytes(), number.to_be_bytes()].concat();
    frame(METHOD, 1, &[&head, arguments].concat())
}

/// When this method comes, this is said.
fn on(class: u16, number: u16, said: Vec<u8>) -> Line {
    ([class.to_be_bytes(), number.to_be_bytes()].concat(), said)
}

/// Greetings up to the queue that is declared.
fn begun() -> Vec<Line> {
    let tune = method(10, 30, &[0, 9, 0, 2, 0, 0, 0, 60]);
    vec![
        (b"AMQP\x00\x00\x09\x01".to_vec(), method(10, 10, &[])),
        on(10, 11, tune),
        on(10, 40, method(10, 41, &[0])),
        on(20, 10, method(20, 11, &[0, 0, 0, 0])),
        on(85, 10, method(85, 11, &[])),
        on(50, 10, method(50, 11, &[])),
    ]
}

fn closed_with(code: u16) -> Vec<u8> {
    method(20, 40, &[&code.to_be_bytes()[..], &[2, b'n', b'o'], &[0, 0, 0, 0]].concat())
}

fn got(tag: u8, body: &[u8]) -> Vec<u8> {
    let ok = method(60, 71, &[&[0, 0, 0, 0, 0, 0, 0, tag][..], &[0, 0, 0]].concat());
    let head = [&[0, 60, 0, 0][..], &(body.len() as u64).to_be_bytes(), &[0, 0]].concat();
    [ok, frame(HEADER, 1, &head), frame(8, 0, &[]), frame(BODY, 1, body)].concat()
}

fn dialect() -> Amqp {
    let arguments = Value::of([("x-queue-type", "quorum".into()), ("x-max-length", 5.into())]);
    let table = Value::of([("arguments", arguments), ("quiet", "1ms".into())]);
    Amqp::new(&table, &Settings::new()).unwrap()
}

async fn client(lines: &[Line]) -> Box<dyn Client> {
    dialect().client(server([begun(), lines.to_vec()].concat()).await)
}

async fn outcome(f: &'static str, lines: &[Line]) -> Outcome {
    client(lines).await.invoke(&Call::new(f, 3).on(0)).await
}

fn fail(why: &'static str) -> Outcome {
    Outcome::Fail(why.into())
}

fn info(why: &'static str) -> Outcome {
    Outcome::Info(why.into())
}

#[tokio::test]
async fn publishing() {
    let tag = [0, 0, 0, 0, 0, 0, 0, 1, 0];
    let publish = |said| [on(60, 40, said)];
    let ack = method(60, 80, &tag);
    assert_eq!(outcome("enqueue", &publish(ack.clone())).await, Outcome::Ok(Value::Nil));
    let nack = method(60, 120, &tag);
    assert_eq!(outcome("enqueue", &publish(nack)).await, info("nacked"));
    let returned = [
        method(60, 50, &[&[1, 56][..], &[0, 0, 0]].concat()),
        frame(HEADER, 1, &[0; 14]),
        frame(BODY, 1, b"3"),
        ack,
    ];
    assert_eq!(outcome("enqueue", &publish(returned.concat())).await, fail("unroutable"));
    assert_eq!(outcome("enqueue", &publish(closed_with(541))).await, info("amqp-541"));
    assert_eq!(outcome("enqueue", &publish(Vec::new())).await, info("no-response"));
}

#[tokio::test]
async fn taking_and_settling() {
    let mut client = client(&[on(60, 70, got(7, b"42"))]).await;
    let Outcome::Ok(taken) = client.invoke(&Call::new("dequeue", ()).on(0)).await else {
        panic!("nothing was taken")
    };
    assert_eq!(taken.get("value"), Some(&42.into()));
    let delivery = taken.get("delivery").unwrap().clone();
    assert_eq!(delivery, Value::from("1/7"));
    let other = client.invoke(&Call::new("ack", "0/7").on(0)).await;
    assert_eq!(other, fail("no delivery of this session"));
    let sent = client.invoke(&Call::new("ack", delivery.clone()).on(0)).await;
    assert_eq!(sent, Outcome::Ok("sent".into()));
    let again = client.invoke(&Call::new("ack", delivery).on(0)).await;
    assert_eq!(again, fail("no delivery of this session"));
    let empty = method(60, 72, &[0]);
    assert_eq!(outcome("dequeue", &[on(60, 70, empty)]).await, Outcome::Ok(Value::Nil));
    let gone = outcome("dequeue", &[on(60, 70, closed_with(404))]).await;
    assert_eq!(gone, fail("amqp-404"));
    let broken = outcome("dequeue", &[on(60, 70, closed_with(506))]).await;
    assert_eq!(broken, info("amqp-506"));
}

#[tokio::test]
async fn what_is_not_settled_is_given_back_before_anything_else() {
    let tag = [0, 0, 0, 0, 0, 0, 0, 1, 0];
    // Answers the publish only after the nack.
    let lines = [
        on(60, 70, got(7, b"42")),
        on(60, 120, frame(8, 0, &[])),
        on(60, 40, method(60, 80, &tag)),
    ];
    let mut client = client(&lines).await;
    client.invoke(&Call::new("dequeue", ()).on(0)).await;
    let sent = client.invoke(&Call::new("enqueue", 3).on(0)).await;
    assert_eq!(sent, Outcome::Ok(Value::Nil));
}

#[tokio::test]
async fn draining() {
    let empty = method(60, 72, &[0]);
    let lines = [on(60, 70, got(7, b"42")), on(60, 70, empty)];
    assert_eq!(outcome("drain", &lines).await, Outcome::Ok(Value::from([42])));
    let lines = [on(60, 70, got(7, b"42")), on(60, 70, closed_with(404))];
    assert_eq!(outcome("drain", &lines).await, info("drained in part"));
    assert_eq!(outcome("drain", &[on(60, 70, closed_with(404))]).await, fail("amqp-404"));
}

#[tokio::test]
async fn a_drain_takes_back_what_idle_clients_hold() {
    let dialect = dialect();
    let get = [begun(), vec![on(60, 70, got(7, b"42"))]].concat();
    let mut idle = dialect.client(server(get).await);
    let Outcome::Ok(taken) = idle.invoke(&Call::new("dequeue", ()).on(0)).await else {
        panic!("nothing was taken")
    };
    let empty = [begun(), vec![on(60, 70, method(60, 72, &[0]))]].concat();
    let mut draining = dialect.client(server(empty).await);
    draining.invoke(&Call::new("drain", ()).on(0)).await;
    let delivery = taken.get("delivery").unwrap().clone();
    let late = idle.invoke(&Call::new("ack", delivery).on(0)).await;
    assert_eq!(late, fail("the session is gone"));
}

#[tokio::test]
async fn what_was_not_sent_has_failed() {
    let mut client = dialect().client(nobody().await);
    assert_eq!(client.invoke(&Call::new("enqueue", 3).on(0)).await, fail("no-connection"));
    let mut greeted = begun();
    greeted.pop();
    greeted.push(on(50, 10, closed_with(404)));
    let mut client = dialect().client(server(greeted).await);
    let undeclared = client.invoke(&Call::new("enqueue", 3).on(0)).await;
    assert_eq!(undeclared, fail("no-queue: amqp-404"));
    let mut refused = begun();
    refused[2].1 = method(10, 50, &[&[2, 18][..], &[2, b'n', b'o'], &[0, 0, 0, 0]].concat());
    let mut client = dialect().client(server(refused).await);
    let refused = client.invoke(&Call::new("enqueue", 3).on(0)).await;
    assert_eq!(refused, fail("no-connection: refused with 530"));
}
