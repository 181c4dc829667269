//! Recorded histories of locks: Knossos' etcd lock, and one of etcd whose clients were paused.

use std::process::Command;

use danso_checkers::linearizable;
use danso_checkers::linearizable::polynomial::{Decision, How, Lock, Part, Polynomial};
use danso_checkers::models::Mutex;
use danso_vocab::{
    Call, Event, History, HistoryBuilder, Limits, Outcome, Process, Time, Value, Verdict,
};

use super::folder;

/// Reads flat lines, in EDN or JSON, for what a lock cares about: who, what and how it ended.
fn parse(text: &str) -> History {
    let mut builder = HistoryBuilder::new();
    builder.untimed();
    for line in text.lines() {
        let plain = line.replace(['{', '}', '[', ']', '"', ',', ':'], " ");
        let words: Vec<&str> = plain.split_whitespace().collect();
        let get = |key: &str| words.iter().position(|w| *w == key).map(|i| words[i + 1]);
        let (Some(kind), Some(f), Some(process)) = (get("type"), get("f"), get("process")) else {
            continue;
        };
        // The nemesis is none of them.
        let Ok(process) = process.parse().map(Process) else { continue };
        let outcome = match kind {
            "invoke" => {
                let call = Call::new(f.to_owned(), ());
                builder.push(Time::ZERO, Event::Invoke { process, node: None, call }).unwrap();
                continue;
            }
            "ok" => Outcome::Ok(Value::Nil),
            "fail" => Outcome::Fail("fail".into()),
            _ => Outcome::Info("info".into()),
        };
        builder.complete(Time::ZERO, process, Some(f), outcome).unwrap();
    }
    builder.finish()
}

fn decide(history: &History) -> Decision {
    let rows: Vec<u32> = (0..history.len() as u32).collect();
    Lock::mutex().decide(&Part { history, rows: &rows }, &How::default())
}

#[test]
fn the_lock_of_etcd_is_none() {
    let Some(folder) = folder("knossos/mutex") else { return };
    let history = parse(&std::fs::read_to_string(folder.join("bad/etcd.edn")).unwrap());
    let Decision::Refuted(refutation) = decide(&history) else { panic!("it is known to be wrong") };
    println!("{}: {}", refutation.name, refutation.because);
    assert_eq!(refutation.name, "double-grant");
    let finding = linearizable(Mutex).check(&history, &Limits::default());
    println!("{}", finding.reason);
    assert_eq!(finding.verdict, Verdict::Invalid);
}

#[test]
fn a_paused_client_loses_its_lock() {
    let Some(folder) = folder("real") else { return };
    for (name, healthy) in [("etcd_lock_healthy", true), ("etcd_lock_pauseclient", false)] {
        let path = folder.join(name).with_extension("jsonl.zst");
        let Ok(unpacked) = Command::new("zstd").arg("-dc").arg(&path).output() else {
            println!("skipped: there is no zstd to unpack {}", path.display());
            return;
        };
        assert!(unpacked.status.success(), "{}", path.display());
        let history = parse(&String::from_utf8(unpacked.stdout).unwrap());
        match decide(&history) {
            Decision::Linearizable(_) if healthy => {}
            Decision::Refuted(refutation) if !healthy => {
                println!("{}: {}", refutation.name, refutation.because);
                assert_eq!(refutation.name, "double-grant");
            }
            other => panic!("{name}: {other:?}"),
        }
    }
}
