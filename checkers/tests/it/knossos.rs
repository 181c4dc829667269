//! Knossos' own compare-and-set histories, good and bad.

use danso_checkers::linearizable;
use danso_checkers::models::CasRegister;
use danso_vocab::{Call, Event, History, HistoryBuilder, Limits, Outcome, Process, Time, Value};

use super::{certified, folder, value};

#[test]
fn good_ones_are_valid_and_bad_ones_are_not() {
    let Some(folder) = folder("knossos/cas-register") else { return };
    let mut wrong = Vec::new();
    for (kind, want) in [("good", "valid"), ("bad", "invalid")] {
        let mut files: Vec<_> =
            std::fs::read_dir(folder.join(kind)).unwrap().map(|f| f.unwrap().path()).collect();
        files.sort();
        assert!(!files.is_empty());
        for path in files {
            let history = parse(&std::fs::read_to_string(&path).unwrap());
            let checker = linearizable(CasRegister::new(Value::Nil));
            let finding = checker.check(&history, &Limits::default());
            certified(CasRegister::new(Value::Nil), &history, finding.verdict);
            if finding.verdict.word() != want {
                wrong.push(format!("{}: {}", path.display(), finding.reason));
            }
            if kind == "bad" {
                println!("{}: {}", finding.anomalies[0].name, finding.reason);
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

/// Reads flat maps like `{:process 7, :type :invoke, :f :cas, :value [2 3]}`.
fn parse(text: &str) -> History {
    let code: Vec<&str> = text.lines().map(|l| l.split(';').next().unwrap_or_default()).collect();
    let mut builder = HistoryBuilder::new();
    builder.untimed();
    for map in code.join(" ").split('{').skip(1) {
        let map = map.split('}').next().unwrap_or_default();
        let get = |key: &str| {
            let rest = map.split_once(&format!(":{key} "))?.1;
            let end = if rest.starts_with('[') {
                rest.find(']')? + 1
            } else {
                rest.find(|c: char| c == ',' || c.is_whitespace()).unwrap_or(rest.len())
            };
            Some(&rest[..end])
        };
        let Some(process) = get("process").and_then(|p| p.parse().ok()).map(Process) else {
            continue;
        };
        let (kind, f) =
            (get("type").unwrap(), get("f").unwrap().trim_start_matches(':').to_owned());
        let value = get("value").map_or(Value::Nil, value);
        let outcome = match (kind, f.as_str()) {
            (":invoke", _) => {
                let call = Call::new(f, value);
                builder.push(Time::ZERO, Event::Invoke { process, node: None, call }).unwrap();
                continue;
            }
            // To Knossos a read of nil says nothing.
            (":ok", "read") if value.is_nil() => Outcome::Fail("nil".into()),
            (":ok", "read") => Outcome::Ok(value),
            (":ok", _) => Outcome::Ok(Value::Nil),
            (":fail", _) => Outcome::Fail("fail".into()),
            _ => Outcome::Info("info".into()),
        };
        builder.complete(Time::ZERO, process, Some(&f), outcome).unwrap();
    }
    builder.finish()
}
