//! Servers that answer, that lie, that break off, that say nothing.

use std::sync::Mutex;

use danso_vocab::{NodeId, Process};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::place::Host;

const TABLE: &str = r#"{
    "max-response": 1000,
    "fail": ["WRONGPASS"],
    "ops": {
        "read": {"send": "GET {key}", "ok": "int"},
        "write": {"send": ["SET", "{key}", "{value}"], "ok": "expect OK | nil", "fail": ["ERR full"]},
        "cas": {"send": "EVAL x 1 {key} {old} {new}", "ok": "expect 1 | nil"},
        "all": {"send": "SMEMBERS all", "ok": "each int"},
        "swap": {"steps": [
            {"send": "GET {key}", "ok": "nil", "save": {"before": "int"}, "effect": false},
            {"send": "SET {key} {before}", "ok": "nil"},
            {"send": "WAIT 1 10", "ok": "at-least 1 | nil"}
        ]}
    }
}"#;

fn settings(text: &str) -> Value {
    danso_vocab::codec::json::from_str(text).unwrap()
}

/// What a server heard: for each connection, its commands.
type Heard = Arc<Mutex<Vec<Vec<String>>>>;

/// A server that answers each command with the next of these bytes, and breaks off at an empty
/// one.
async fn server(answers: Vec<Vec<u8>>) -> (u16, Heard) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard = Heard::default();
    let said = heard.clone();
    tokio::spawn(async move {
        let mut answers = answers.into_iter();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            said.lock().unwrap().push(Vec::new());
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = stream.read(&mut bytes).await {
                let command = String::from_utf8_lossy(&bytes[..count]).replace("\r\n", " ");
                said.lock().unwrap().last_mut().unwrap().push(command);
                let answer = answers.next().unwrap_or_default();
                if answer.is_empty() || stream.write_all(&answer).await.is_err() {
                    break;
                }
            }
        }
    });
    (port, heard)
}

fn client(table: &str, port: u16) -> Box<dyn Client> {
    let hosts = vec![Host::theirs(NodeId(1), "127.0.0.1", port)];
    let place = Place { hosts, home: 0, process: Process(0) };
    Redis::new(&settings(table)).unwrap().client(place)
}

fn said(outcome: Outcome) -> String {
    match outcome {
        Outcome::Ok(value) => format!("ok {value}"),
        Outcome::Fail(why) => format!("fail {why}"),
        Outcome::Info(why) => format!("info {why}"),
    }
}

/// The outcomes of calls answered like this, and how many connections there were.
async fn outcomes(answers: &[&[u8]], calls: &[Call]) -> (Vec<String>, usize) {
    let (port, heard) = server(answers.iter().map(|answer| answer.to_vec()).collect()).await;
    let mut client = client(TABLE, port);
    let mut outcomes = Vec::new();
    for call in calls {
        outcomes.push(said(client.invoke(call).await));
    }
    let connections = heard.lock().unwrap().len();
    (outcomes, connections)
}

fn read() -> Call {
    Call::new("read", ()).on("k")
}

fn write() -> Call {
    Call::new("write", 3).on("k")
}

#[tokio::test]
async fn each_reply_has_its_outcome() {
    let cas = Call::new("cas", Value::from([1, 2])).on("k");
    let all = Call::new("all", ());
    for (call, answer, want) in [
        (read(), "$1\r\n7\r\n", "ok 7"),
        (read(), "$-1\r\n", "ok nil"),
        (read(), "$1\r\nx\r\n", "info bad-response: `x` is no integer"),
        (write(), "+OK\r\n", "ok nil"),
        (write(), "$-1\r\n", "fail mismatch"),
        (write(), "-READONLY You can't\r\n", "fail READONLY"),
        (write(), "-LOADING it\r\n", "fail LOADING"),
        (write(), "-ERR full\r\n", "fail ERR"),
        (write(), "-ERR what\r\n", "info ERR what"),
        (write(), "-WRONGPASS no\r\n", "fail WRONGPASS"),
        (cas.clone(), ":1\r\n", "ok nil"),
        (cas.clone(), ":0\r\n", "fail mismatch"),
        // A script may have written before it was refused something.
        (cas, "-READONLY script\r\n", "info READONLY script"),
        (all.clone(), "*2\r\n$1\r\n1\r\n$2\r\n20\r\n", "ok [1 20]"),
        (all.clone(), "*0\r\n", "ok []"),
        (all.clone(), "*2\r\n$1\r\n1\r\n-OOM x\r\n", "info bad-response: an error within: OOM"),
        (all, "*1\r\n$2\r\n\u{80}\r\n", "info bad-response: `\u{80}` is no integer"),
        (write(), "", "info broken-connection"),
    ] {
        let (outcomes, _) = outcomes(&[answer.as_bytes()], &[call]).await;
        assert_eq!(outcomes, [want], "{answer}");
    }
    let (outcomes, _) = outcomes(&[b"$1\r\n\xff\r\n"], &[read()]).await;
    assert_eq!(outcomes, ["info bad-response: a string is no UTF-8"]);
}

#[tokio::test]
async fn nothing_is_sent_without_a_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    assert_eq!(said(client(TABLE, port).invoke(&write()).await), "fail no-connection");
}

#[tokio::test]
async fn hostile_replies_are_info_and_bounded() {
    let long = [b"$900000000\r\n".to_vec(), vec![b'x'; 5_000]].concat();
    let many = b"*2000000000\r\n".to_vec();
    let endless = b":1\r\n".repeat(1_000);
    let deep = b"*1\r\n".repeat(200);
    for answer in [long, many, endless, deep, b"HTTP/1.1 200 OK\r\n\r\n".to_vec()] {
        let (port, heard) = server(vec![answer.clone(), b"$1\r\n5\r\n".to_vec()]).await;
        let mut client = client(TABLE, port);
        let call = Call::new("all", ());
        let first = tokio::time::timeout(std::time::Duration::from_secs(2), client.invoke(&call));
        if let Ok(first) = first.await {
            assert!(matches!(first, Outcome::Info(_)), "{first:?}");
        }
        // Whatever came of it, the next call hears its own answer.
        assert_eq!(said(client.invoke(&read()).await), "ok 5");
        assert_eq!(heard.lock().unwrap().len(), 2);
    }
}

#[tokio::test]
async fn a_connection_is_kept_until_it_breaks_or_is_out_of_step() {
    let five: &[u8] = b"$1\r\n5\r\n";
    let (said, connections) = outcomes(&[five, b"-ERR\r\n", five], &[read(), read(), read()]).await;
    assert_eq!((said.join(", ").as_str(), connections), ("ok 5, info ERR, ok 5", 1));
    let (said, connections) = outcomes(&[five, b"", five], &[read(), read(), read()]).await;
    assert_eq!((said[2].as_str(), connections), ("ok 5", 2));
    // The second reply is one to nothing.
    let (said, connections) =
        outcomes(&[b"$1\r\n5\r\n$1\r\n6\r\n", b"$1\r\n7\r\n"], &[read(), read()]).await;
    assert_eq!((said.join(", ").as_str(), connections), ("ok 5, ok 7", 2));
}

#[tokio::test]
async fn an_answer_too_late_is_nobodys() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut client = client(TABLE, listener.local_addr().unwrap().port());
    let heard = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.read_exact(&mut [0; 8]).await.unwrap();
        stream
    };
    let call = write();
    let mut late: TcpStream = tokio::select! {
        outcome = client.invoke(&call) => panic!("nobody answered: {outcome:?}"),
        stream = heard => stream,
    };
    // Its time is up; the reply comes afterwards and is no reply to what follows.
    let _ = late.write_all(b"+OK\r\n").await;
    let answer = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.read_exact(&mut [0; 8]).await.unwrap();
        stream.write_all(b"$1\r\n9\r\n").await.unwrap();
        stream
    };
    let call = read();
    let (outcome, _stream) = tokio::join!(client.invoke(&call), answer);
    assert_eq!(said(outcome), "ok 9");
}

#[tokio::test]
async fn steps_are_one_operation() {
    let swap = Call::new("swap", ()).on("k");
    for (answers, want) in [
        (&["$1\r\n4\r\n", "+OK\r\n", ":2\r\n"][..], "ok nil"),
        // Written, but nobody else has it.
        (&["$1\r\n4\r\n", "+OK\r\n", ":0\r\n"], "info mismatch"),
        (&["$1\r\n4\r\n", "-READONLY x\r\n"], "fail READONLY"),
        (&["$1\r\n4\r\n", ""], "info broken-connection"),
        // Nothing has happened before the second step.
        (&["-ERR x\r\n"], "fail ERR x"),
        (&["$-1\r\n"], "fail bad-response: it has no before to save"),
        (&[""], "fail broken-connection"),
    ] {
        let bytes: Vec<&[u8]> = answers.iter().map(|answer| answer.as_bytes()).collect();
        let (outcomes, _) = outcomes(&bytes, std::slice::from_ref(&swap)).await;
        assert_eq!(outcomes, [want], "{answers:?}");
    }
}

#[tokio::test]
async fn sentinels_name_whom_to_ask() {
    let (old, heard_by_old) = server(vec![b"-READONLY x\r\n".to_vec()]).await;
    let (new, heard_by_new) = server(vec![b"+OK\r\n".to_vec()]).await;
    let named = |port: u16| {
        let text = port.to_string();
        format!("*2\r\n$9\r\n127.0.0.1\r\n${}\r\n{text}\r\n", text.len()).into_bytes()
    };
    let (sentinel, asked) = server(vec![named(old), named(new)]).await;
    let table = TABLE.replacen(
        '{',
        &format!(r#"{{"sentinels": {{"port": {sentinel}, "master": "m"}}, "#),
        1,
    );
    let mut client = client(&table, 1);
    // Whoever refused is asked no more if the sentinel has another.
    assert_eq!(said(client.invoke(&write()).await), "fail READONLY");
    assert_eq!(said(client.invoke(&write()).await), "ok nil");
    let count = |heard: &Heard| heard.lock().unwrap().iter().map(Vec::len).sum::<usize>();
    assert_eq!([count(&heard_by_old), count(&heard_by_new), count(&asked)], [1, 1, 2]);
    let question = asked.lock().unwrap()[0][0].clone();
    assert_eq!(question, "*3 $8 SENTINEL $23 GET-MASTER-ADDR-BY-NAME $1 m ");

    let (silent, _) = server(Vec::new()).await;
    let table = table.replace(&sentinel.to_string(), &silent.to_string());
    let mut client = self::client(&table, 1);
    assert_eq!(said(client.invoke(&write()).await), "fail no-primary");
}

#[test]
fn mistakes_name_the_setting() {
    let of = |from: &str, to: &str| Redis::new(&settings(&TABLE.replacen(from, to, 1))).err();
    let wrong = of("GET {key}", "GET {kye}").unwrap();
    assert_eq!(wrong.at, ["ops", "read", "send"]);
    let wrong = of("{before}", "{befor}").unwrap();
    assert_eq!(wrong.at, ["ops", "swap", "steps", "1", "send"]);
    let wrong = of("\"each int\"", "\"each itn\"").unwrap();
    assert_eq!(wrong.at, ["ops", "all", "ok"]);
    let wrong = of("max-response", "max-respnose").unwrap();
    assert!(wrong.why.contains("did you mean `max-response`?"), "{wrong}");
    let wrong = of("\"GET {key}\"", "\"\"").unwrap();
    assert!(wrong.why.contains("at least one word"), "{wrong}");
}
