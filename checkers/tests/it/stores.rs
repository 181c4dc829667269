//! Porcupine's histories of a key-value store, and Knossos' of registers written together. Both
//! are read only as far as this takes.

use danso_checkers::linearizable;
use danso_checkers::models::{Kv, KvMap, MultiRegister};
use danso_vocab::{
    Call, Event, History, HistoryBuilder, Limits, Model, Outcome, Process, Time, Value, Verdict,
};

use super::folder;

/// The values of a text in EDN: words, numbers, text and vectors; maps come as vectors.
fn edn(text: &str) -> Vec<Value> {
    let (mut stack, mut rest) = (vec![Vec::new()], text);
    while let Some(first) = rest.chars().next() {
        let mut end = first.len_utf8();
        match first {
            '{' | '[' => stack.push(Vec::new()),
            '}' | ']' => {
                let list = Value::List(stack.pop().unwrap());
                stack.last_mut().unwrap().push(list);
            }
            ';' => end = rest.find('\n').unwrap_or(rest.len()),
            '"' => {
                end = rest[1..].find('"').unwrap() + 2;
                stack.last_mut().unwrap().push(rest[1..end - 1].into());
            }
            c if c.is_whitespace() || c == ',' => {}
            _ => {
                let ends = |c: char| c.is_whitespace() || matches!(c, ',' | ']' | '}');
                end = rest.find(ends).unwrap_or(rest.len());
                let word = rest[..end].trim_start_matches(':');
                let value = match word.parse() {
                    Ok(int) => Value::Int(int),
                    Err(_) if word == "nil" => Value::Nil,
                    Err(_) => word.into(),
                };
                stack.last_mut().unwrap().push(value);
            }
        }
        rest = &rest[end..];
    }
    stack.pop().unwrap()
}

/// The history of these maps. `call` says what an operation asks for, given `f`, key and value.
fn history(maps: &[Value], call: fn(String, Option<Value>, Value) -> Call) -> History {
    let mut builder = HistoryBuilder::new();
    builder.untimed();
    for map in maps {
        let entries = map.list().unwrap();
        let get = |name: &str| {
            let found = entries.chunks(2).find(|entry| entry[0].str() == Some(name));
            found.map(|entry| entry[1].clone())
        };
        // The nemesis is none of them.
        let Some(process) = get("process").and_then(|p| p.int()) else { continue };
        let process = Process(process as u32);
        let f = get("f").unwrap().str().unwrap().to_owned();
        let value = get("value").unwrap_or_default();
        let outcome = match get("type").unwrap().str() {
            Some("invoke") => {
                let value = if f == "get" { Value::Nil } else { value };
                let call = call(f, get("key"), value);
                builder.push(Time::ZERO, Event::Invoke { process, node: None, call }).unwrap();
                continue;
            }
            Some("ok") if f == "put" || f == "append" => Outcome::Ok(Value::Nil),
            Some("ok") => Outcome::Ok(value),
            Some("fail") => Outcome::Fail("fail".into()),
            _ => Outcome::Info("info".into()),
        };
        builder.complete(Time::ZERO, process, Some(&f), outcome).unwrap();
    }
    builder.finish()
}

fn verdict<M: Model + 'static>(model: M, history: &History) -> Verdict {
    let finding = linearizable(model).check(history, &Limits::default());
    println!("{}: {}", finding.verdict, finding.reason);
    finding.verdict
}

#[test]
fn stores_are_as_porcupine_says() {
    let Some(folder) = folder("kv") else { return };
    for (name, want) in [
        ("c01-ok", Verdict::Valid),
        ("c01-bad", Verdict::Invalid),
        ("c10-ok", Verdict::Valid),
        ("c50-ok", Verdict::Valid),
    ] {
        let text = std::fs::read_to_string(folder.join(name).with_extension("txt")).unwrap();
        let maps = edn(&text);
        let keyed = |f, key: Option<Value>, value| Call::new(f, value).on(key.unwrap());
        assert_eq!(verdict(Kv::new("".into()), &history(&maps, keyed)), want, "{name}");
        if maps.len() < 200 {
            let listed = |f: String, key: Option<Value>, value: Value| {
                let key = key.unwrap();
                let arg = if f == "get" { key } else { Value::List(vec![key, value]) };
                Call::new(f, arg)
            };
            assert_eq!(verdict(KvMap::new("".into()), &history(&maps, listed)), want, "{name}");
        }
    }
}

#[test]
fn registers_are_as_knossos_says() {
    let Some(folder) = folder("knossos/multi-register") else { return };
    let text = std::fs::read_to_string(folder.join("good/multi-register.edn")).unwrap();
    let maps = edn(&text);
    let history = history(maps[0].list().unwrap(), |f, _, value| Call::new(f, value));
    assert_eq!(verdict(MultiRegister::new(0.into()), &history), Verdict::Valid);
    assert_eq!(verdict(MultiRegister::new(7.into()), &history), Verdict::Invalid);
    let initial = Value::of([("x", 0.into()), ("y", 0.into())]);
    assert_eq!(verdict(MultiRegister::new(initial), &history), Verdict::Valid);
}
