//! Programs that answer, that lie, that die, that say nothing.

use std::path::Path;

use danso_vocab::NodeId;

use super::*;
use crate::place::Host;

fn commands(script: &str) -> Commands {
    let table = Value::of([("command", Value::from(["sh", "-c", script]))]);
    Commands::new(&table, &Settings::new()).unwrap()
}

fn client(commands: &Commands) -> Box<dyn Client> {
    let hosts = vec![Host::theirs(NodeId(1), "10.0.0.1", 7000)];
    commands.client(Place { hosts, home: 0, process: Process(3) })
}

fn write() -> Call {
    Call::new("write", 3).on("k1")
}

/// What comes of one operation with this script.
async fn outcome(script: &str) -> Outcome {
    client(&commands(script)).invoke(&write()).await
}

fn info(why: &'static str) -> Outcome {
    Outcome::Info(why.into())
}

#[test]
fn the_question_says_everything() {
    let hosts =
        vec![Host::theirs(NodeId(1), "10.0.0.1", 7000), Host::theirs(NodeId(2), "10.0.0.2", 7000)];
    let place = Place { hosts, home: 1, process: Process(3) };
    assert_eq!(
        question(1, &write(), &place, None),
        "{\"address\":\"10.0.0.2:7000\",\"addresses\":{\"n1\":\"10.0.0.1:7000\",\
         \"n2\":\"10.0.0.2:7000\"},\"f\":\"write\",\"key\":\"k1\",\"node\":\"n2\",\"op\":1,\
         \"process\":3,\"value\":3}\n"
    );
    assert!(question(1, &write(), &place, Some(99)).contains("10.0.0.2:99"));
}

#[tokio::test]
async fn each_answer_has_its_outcome() {
    let say = |answer: &str| format!("read line; echo '{answer}'; read more");
    for (answer, want) in [
        (r#"{"op":1,"type":"ok","value":[1,2]}"#, Outcome::Ok([1, 2].into())),
        (r#"{"op":1,"type":"ok"}"#, Outcome::Ok(Value::Nil)),
        (r#"{"op":1,"type":"fail","error":"taken"}"#, Outcome::Fail("taken".into())),
        (r#"{"op":1,"type":"info"}"#, info("unknown")),
        (r#"{"op":1,"type":"OK"}"#, info("bad-answer: its type is none of ok, fail, info")),
        (r#"{"op":2,"type":"ok"}"#, info("bad-answer: it does not repeat the number under `op`")),
        (r#"{"type":"ok"}"#, info("bad-answer: it does not repeat the number under `op`")),
        ("Traceback:", info("bad-answer: no JSON danso reads")),
        (r#"{"op":1,"type":"ok","value":1.5}"#, info("bad-answer: no JSON danso reads")),
    ] {
        assert_eq!(outcome(&say(answer)).await, want, "{answer}");
    }
    assert_eq!(outcome(r"printf '\377\376\n'; read x").await, info("bad-answer: no UTF-8"));
}

#[tokio::test]
async fn what_dies_or_never_ends_its_line_is_info() {
    assert_eq!(outcome("read line; exit 3").await, info("client-died: exit status: 3"));
    let half = outcome("read line; printf '{\"op\":1,'").await;
    assert_eq!(half, info("client-died: exit status: 0"));
    let closed = outcome("read line; exec >&-; sleep 1000").await;
    assert_eq!(closed, info("client-died: it has closed its standard output"));
    assert_eq!(outcome("read line; exec yes | tr -d '\\n'").await, info("answer-too-long"));
    // It floods its standard error, and nobody minds.
    let flood = "head -c 3000000 /dev/zero | tr '\\0' x >&2; read l; echo '{\"op\":1,\"type\":\"ok\"}'; read l";
    assert_eq!(outcome(flood).await, Outcome::Ok(Value::Nil));
}

#[tokio::test]
async fn one_program_serves_one_client_until_it_owes_an_answer() {
    let script = "n=0; while read l; do n=$((n+1)); echo \"{\\\"op\\\":$n,\\\"type\\\":\\\"ok\\\",\\\"value\\\":$$}\"; done";
    let commands = commands(script);
    let (mut one, mut other) = (client(&commands), client(&commands));
    let first = one.invoke(&write()).await;
    assert_eq!(one.invoke(&write()).await, first);
    assert_ne!(other.invoke(&write()).await, first);
}

/// A script that starts something in the background, writes down its number and goes on so.
fn leaving(path: &Path, then: &str) -> String {
    format!(
        "sleep 1000 >/dev/null & echo $! > {0}.new; mv {0}.new {0}; read l; {then}",
        path.display()
    )
}

/// Waits until the process whose number is in this file is gone, or dead and not waited for by
/// whoever adopted it.
async fn gone(path: &Path) {
    let pid = std::fs::read_to_string(path).unwrap();
    let state = format!("/proc/{}/stat", pid.trim());
    while std::fs::read_to_string(&state).is_ok_and(|s| !s.contains(") Z")) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_dropped_call_takes_its_program_along() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pid");
    let mut client = client(&commands(&leaving(&path, "wait")));
    let call = write();
    let started = async {
        while !path.exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        _ = client.invoke(&call) => panic!("nobody has answered"),
        () = started => {}
    }
    gone(&path).await;
}

#[tokio::test]
async fn a_program_that_died_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pid");
    let died = outcome(&leaving(&path, "kill -9 $$")).await;
    assert!(matches!(&died, Outcome::Info(why) if why.contains("signal: 9")), "{died:?}");
    gone(&path).await;
}

#[tokio::test]
async fn what_dies_at_once_is_given_a_rest() {
    let commands = commands("exit 1");
    let mut client = client(&commands);
    let mut rests = 0;
    for _ in 0..50 {
        match client.invoke(&write()).await {
            Outcome::Info(why) => assert_eq!(why, "client-died: exit status: 1"),
            Outcome::Fail(why) => {
                assert_eq!(why, "unasked after client-died: exit status: 1");
                rests += 1;
            }
            Outcome::Ok(_) => panic!("it cannot have answered"),
        }
    }
    assert!(rests > 0);
}

#[tokio::test]
async fn what_is_not_there_was_not_asked() {
    let table = Value::of([("command", Value::from(["./nothing"]))]);
    let commands = Commands::new(&table, &Settings::new()).unwrap();
    assert!(commands.fits().unwrap_err().contains("nothing"));
    let Outcome::Fail(why) = client(&commands).invoke(&write()).await else { panic!() };
    assert!(why.starts_with("client-not-started"), "{why}");
}
