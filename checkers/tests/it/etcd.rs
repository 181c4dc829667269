//! Histories of a real system with known verdicts: compare-and-set registers of etcd, recorded by
//! Jepsen in 2014 and judged since by every checker of the field.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use danso_checkers::linearizable;
use danso_checkers::models::CasRegister;
use danso_vocab::{Call, Event, History, HistoryBuilder, Limits, Outcome, Process, Time, Value};

use super::{certified, folder, live, value};

#[test]
fn verdicts_are_the_known_ones() {
    let Some(folder) = folder("etcd-cas") else { return };
    let expected = std::fs::read_to_string(folder.join("EXPECTED.tsv")).unwrap();
    let mut wrong = Vec::new();
    let mut spent = Duration::ZERO;
    let (mut files, mut names) = (0, BTreeMap::<String, u32>::new());
    for line in expected.lines() {
        let Some((name, want)) = line.split_once('\t') else { continue };
        let history = parse(&std::fs::read_to_string(folder.join(name)).unwrap());
        let start = Instant::now();
        let finding =
            linearizable(CasRegister::new(Value::Nil)).check(&history, &Limits::default());
        spent += start.elapsed();
        live::agrees(&history, finding.verdict);
        certified(CasRegister::new(Value::Nil), &history, finding.verdict);
        files += 1;
        if finding.verdict.word() != want.trim() {
            wrong.push(format!("{name}: {} instead of {want}", finding.verdict));
        }
        for anomaly in &finding.anomalies {
            *names.entry(anomaly.name.to_string()).or_default() += 1;
            assert!(anomaly.ops.iter().all(|id| history.op(*id).is_some()), "{name}");
        }
        if std::env::var_os("DANSO_SHOW").is_some() && !finding.anomalies.is_empty() {
            println!("{name}: {}: {}", finding.anomalies[0].name, finding.reason);
            finding.anomalies[0].explain.iter().for_each(|line| println!("    {line}"));
        }
    }
    println!("{files} histories in {spent:.1?}: {names:?}");
    assert!(files > 50, "only {files} histories");
    assert_eq!(wrong, Vec::<String>::new());
}

/// Reads lines like `INFO  jepsen.util - 4  :invoke :cas    [1 2]`. A compare-and-set that was
/// refused counts as an observation, as it does where the verdicts come from.
fn parse(text: &str) -> History {
    let mut builder = HistoryBuilder::new();
    builder.untimed();
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let ["INFO", "jepsen.util", "-", process, kind, f, rest @ ..] = words.as_slice() else {
            continue;
        };
        let Ok(process) = process.parse().map(Process) else { continue };
        let value = value(&rest.join(" "));
        let outcome = match (*kind, *f) {
            (":invoke", f) => {
                let call = Call::new(f.trim_start_matches(':').to_owned(), value);
                builder.push(Time::ZERO, Event::Invoke { process, node: None, call }).unwrap();
                continue;
            }
            (":ok", ":read") => Outcome::Ok(value),
            (":ok", _) => Outcome::Ok(Value::Nil),
            (":fail", ":cas") => Outcome::Ok("mismatch".into()),
            // A read that failed says nothing, and its process goes on.
            (":fail", _) => Outcome::Fail("timed-out".into()),
            _ => Outcome::Info("timed-out".into()),
        };
        builder.complete(Time::ZERO, process, Some(f.trim_start_matches(':')), outcome).unwrap();
    }
    builder.finish()
}
