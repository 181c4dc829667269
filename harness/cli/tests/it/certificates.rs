//! `check --certificate` and `verify`.

use std::path::Path;

use crate::harness::{Said, danso};

/// Writes events `process type f key value` as a history.
fn history(dir: &Path, name: &str, events: &[&str]) {
    let line = |(time, event): (usize, &&str)| {
        let words: Vec<&str> = event.split(' ').collect();
        let [process, kind, f, key, value] = words[..] else { panic!("{event}") };
        format!(
            "{{\"process\":{process},\"time\":{time},\"type\":\"{kind}\",\"f\":\"{f}\",\"key\":\"{key}\",\"value\":{value}}}\n"
        )
    };
    let text: String = events.iter().enumerate().map(line).collect();
    std::fs::write(dir.join(name), text).unwrap();
}

const GOOD: &[&str] = &[
    "0 invoke write x 1",
    "1 invoke read x null",
    "0 ok write x null",
    "1 ok read x 1",
    "2 invoke write y 5",
    "2 info write y 5",
    "1 invoke read y null",
    "1 ok read y 5",
];

const BAD: &[&str] = &[
    "0 invoke write x 1",
    "0 ok write x null",
    "2 invoke write y 5",
    "2 ok write y null",
    "0 invoke write x 2",
    "0 ok write x null",
    "1 invoke read x null",
    "1 ok read x 1",
];

fn check(dir: &Path, name: &str) -> Said {
    danso(dir, &["check", name, "--model", "register", "--certificate", "c.json"])
}

fn verify(dir: &Path, name: &str, more: &[&str]) -> Said {
    danso(dir, &[&["verify", "c.json", name], more].concat())
}

#[test]
fn verdicts_are_certified() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    history(dir, "good.jsonl", GOOD);
    history(dir, "bad.jsonl", BAD);
    check(dir, "good.jsonl").exits(0).says("certificate: c.json (valid)");
    let good = std::fs::read_to_string(dir.join("c.json")).unwrap();
    assert!(good.starts_with("{\"format\":1,\"model\":\"register\",\"initial\":null,"), "{good}");
    verify(dir, "good.jsonl", &[]).exits(0).says("verified: valid (3 operations on 2 keys");
    verify(dir, "good.jsonl", &["--model", "register", "--initial", "null"]).exits(0);
    verify(dir, "good.jsonl", &["--model", "cas-register"]).exits(1).says("the model register");
    verify(dir, "good.jsonl", &["--initial", "3"]).exits(1).says("begins with nil, not 3");
    verify(dir, "bad.jsonl", &[]).exits(1).says("another history");

    check(dir, "bad.jsonl").exits(1).says("certificate: c.json (invalid)");
    let said = verify(dir, "bad.jsonl", &[]);
    said.exits(0).says("verified: invalid").says("#6 p1 read x -> 1");
    assert!(!said.out.contains("write y"), "{}", said.out);
    verify(dir, "good.jsonl", &[]).exits(1).says("another history");

    // Standard output stays JSON.
    let args = ["check", "bad.jsonl", "--model", "register", "--certificate", "d.json", "--json"];
    let said = danso(dir, &args);
    said.exits(1).says("certificate: d.json");
    assert!(serde_json::from_str::<serde_json::Value>(&said.out).is_ok(), "{}", said.out);
}

#[test]
fn forged_certificates_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    history(dir, "good.jsonl", GOOD);
    check(dir, "good.jsonl").exits(0);
    let good = std::fs::read_to_string(dir.join("c.json")).unwrap();
    assert!(good.contains("[0,1]"), "{good}");
    let forged = |from: &str, to: &str, code: i32, say: &str| {
        assert!(good.contains(from), "{from} {good}");
        std::fs::write(dir.join("c.json"), good.replace(from, to)).unwrap();
        verify(dir, "good.jsonl", &[]).exits(code).says(say);
    };
    forged("[0,1]", "[1,0]", 1, "#1 p1 read x -> 1 is not possible in the state nil");
    forged("[0,1]", "[0]", 1, "in no order");
    forged("[0,1]", "[0,1,1]", 1, "twice");
    forged("[0,1]", "[0,1,7]", 1, "#7");
    forged("\"register\"", "\"cas-register\"", 0, "cas-register");
    forged("\"register\"", "\"registr\"", 254, "no model `registr`");
    forged("\"initial\":null", "\"initial\":1", 0, "valid");
    forged("\"format\":1", "\"format\":9", 254, "format 9");
    forged("\"valid\"", "\"invalid\"", 254, "c.json:1:1");
    forged("{", "", 254, "is this a certificate?");
    let orders = &good[good.find("\"orders\"").unwrap()..good.len() - 2];
    let core = "\"core\":{\"ops\":[1],\"upto\":1,\"steps\":[{\"unseen\":0}]}";
    let to = good.replace(orders, core).replace("\"valid\"", "\"invalid\"");
    std::fs::write(dir.join("c.json"), to).unwrap();
    verify(dir, "good.jsonl", &[]).exits(1).says("Unseen");
}

#[test]
fn without_a_verdict_there_is_no_certificate() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    history(dir, "none.jsonl", &["0 invoke add x 1", "0 ok add x 1"]);
    check(dir, "none.jsonl").exits(2).says("no certificate was written: the model");
    assert!(!dir.join("c.json").exists());
    history(dir, "good.jsonl", GOOD);
    let two = ["check", "good.jsonl", "none.jsonl", "--model", "register", "--certificate", "c"];
    danso(dir, &two).exits(254).says("one history");
    let nowhere = ["check", "good.jsonl", "--model", "register", "--certificate", "no/c.json"];
    danso(dir, &nowhere).exits(254).says("no/c.json");
    verify(dir, "good.jsonl", &[]).exits(254).says("c.json");
    danso(dir, &["verify", "good.jsonl", "good.jsonl"]).exits(254).says("is this a certificate?");
    danso(dir, &["verify", "--help"]).exits(0).says("danso verify c.json h.jsonl");
}
