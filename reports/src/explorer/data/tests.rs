use danso_vocab::codec::json;
use danso_vocab::{
    Anomaly, Finding, History, HistoryBuilder, NodeId, OpId, Outcome, Process, Results, Value,
};
use proptest::prelude::*;

use super::*;
use crate::explorer::column::{numbers, unzigzag};
use crate::explorer::embed::harmless;

/// An operation as the page's script sees it.
#[derive(Debug, PartialEq)]
struct Seen {
    index: u32,
    time: u64,
    end: Option<u64>,
    close: Option<u32>,
    process: u32,
    node: Option<u16>,
    f: String,
    status: u64,
    key: Option<String>,
    arg: Option<String>,
    ret: Option<String>,
}

fn text(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text.clone(),
        cut => format!("{}…{}", cut[0].as_str().unwrap(), cut[1]),
    }
}

/// Reads the data as the script does.
fn read(data: &str) -> Vec<Seen> {
    let data: serde_json::Value = serde_json::from_str(data).unwrap();
    let column = |name: &str| numbers(data["columns"][name].as_str().unwrap());
    let origin: u64 = data["origin"].as_str().unwrap().parse().unwrap();
    let value = |n: u64| match n {
        0 => None,
        n if n % 2 == 1 => Some(unzigzag(n / 2).to_string()),
        n => Some(text(&data["values"][(n / 2 - 1) as usize])),
    };
    let reason = |n: u64| (n > 0).then(|| text(&data["reasons"][(n - 1) as usize]));
    let (mut index, mut time) = (0, 0);
    let n = column("index").len();
    let columns: Vec<Vec<u64>> =
        ["index", "time", "took", "close", "process", "node", "kind", "key", "arg", "ret"]
            .map(column)
            .into();
    assert!(columns.iter().all(|c| c.len() == n));
    (0..n)
        .map(|i| {
            let c = |j: usize| columns[j][i];
            index += unzigzag(c(0));
            time += unzigzag(c(1));
            let at = origin + time as u64;
            Seen {
                index: index as u32,
                time: at,
                end: c(2).checked_sub(1).map(|took| at + took),
                close: c(3).checked_sub(1).map(|d| (index as u64 + d) as u32),
                process: c(4) as u32,
                node: (c(5) > 0).then(|| c(5) as u16),
                f: text(&data["fs"][(c(6) / 3) as usize]),
                status: c(6) % 3,
                key: value(c(7)),
                arg: value(c(8)),
                ret: if c(6) % 3 == 0 { value(c(9)) } else { reason(c(9)) },
            }
        })
        .collect()
}

fn wanted(op: Op<'_>) -> Seen {
    let text = |value: &Value| json::to_string(value);
    Seen {
        index: op.id().0,
        time: op.inv_time().0,
        end: op.res_time().map(|t| t.0),
        close: op.res_index(),
        process: op.process().0,
        node: op.node().map(|n| n.0),
        f: op.f().to_owned(),
        status: op.status() as u64,
        key: op.key().map(|k| text(&k)),
        arg: Some(text(&op.arg())),
        ret: op.ret().map(|r| text(&r)).or(op.reason().map(str::to_owned)),
    }
}

fn record<'a>(history: &'a History, results: &'a Results) -> Record<'a> {
    Record { title: "", plan: None, history, results, logs: &[] }
}

/// Operations one after the other, with these values and reasons.
fn history(ops: &[(u64, Value, Result<Value, String>)]) -> History {
    let mut builder = HistoryBuilder::new();
    let mut now = 1_700_000_000_000_000_000;
    for (i, (took, arg, ret)) in ops.iter().enumerate() {
        let process = Process(i as u32);
        let node = (i % 3 > 0).then_some(NodeId(i as u16 % 3));
        let key = (i % 2 == 0).then(|| arg.clone());
        let f = if i % 5 == 0 { "read" } else { "<write>" };
        builder.invoke(Time(now), process, node, f, key, arg.clone()).unwrap();
        now += took;
        let outcome = match ret {
            Ok(value) => Outcome::Ok(value.clone()),
            Err(reason) if i % 2 == 0 => Outcome::Fail(reason.clone().into()),
            Err(reason) if i % 7 > 0 => Outcome::Info(reason.clone().into()),
            Err(_) => continue,
        };
        builder.complete(Time(now), process, None, outcome).unwrap();
    }
    builder.finish()
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Nil),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        (-3i64..9).prop_map(Value::Int),
        any::<String>().prop_map(Value::Str),
        "[<>&\"'\\\\\u{0}\u{202e}\u{feff}a]{0,9}".prop_map(Value::Str),
    ];
    leaf.prop_recursive(2, 8, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::List),
            prop::collection::btree_map(any::<String>(), inner, 0..4).prop_map(Value::Map),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn everything_comes_back(
        ops in prop::collection::vec(
            (0u64..1 << 40, value(), prop_oneof![value().prop_map(Ok), any::<String>().prop_map(Err)]),
            1..20,
        )
    ) {
        let history = history(&ops);
        let data = harmless(&json(&record(&history, &Results::default()), 1000));
        let bad = |c: char| matches!(c, '<' | '>' | '&') || crate::inert::is_hidden(c);
        prop_assert!(!data.contains(bad), "{}", data);
        let seen = read(&data);
        let wanted: Vec<Seen> = history.ops().map(wanted).collect();
        prop_assert_eq!(seen, wanted);
    }
}

#[test]
fn long_values_are_cut_and_say_how_long_they_were() {
    let long: String = "é<".repeat(400_000);
    let ops = [(5, Value::from(long.clone()), Err(long.clone()))];
    let history = history(&ops);
    let data = json(&record(&history, &Results::default()), 1000);
    assert!(data.len() < 80_000, "{} bytes", data.len());
    let seen = read(&data);
    assert!(seen[0].arg.as_ref().unwrap().ends_with("…1200002"), "{:?}", seen[0].arg);
    assert!(seen[0].ret.as_ref().unwrap().ends_with("…1200000"));
}

#[test]
fn of_too_many_those_that_matter_stay() {
    let ops: Vec<_> = (0..20_000)
        .map(|i| {
            let ret = if i % 100 == 0 { Err("no".to_owned()) } else { Ok(Value::Nil) };
            (20_000_000, Value::Int(i), ret)
        })
        .collect();
    let history = history(&ops);
    let id = history.row(9_999).id();
    let anomaly = Anomaly {
        name: "stale-read".into(),
        key: None,
        ops: vec![id, OpId(u32::MAX - 1)],
        because: String::new(),
        explain: Vec::new(),
        figure: None,
    };
    let results =
        Results { findings: vec![Finding::invalid("x", vec![anomaly])], ..Results::default() };
    let data = json(&record(&history, &results), 1000);
    let seen = read(&data);
    assert!((900..=1000).contains(&seen.len()), "{} operations", seen.len());
    assert_eq!(seen.iter().filter(|op| op.status > 0).count(), 200, "all that did not end well");
    let at = seen.iter().position(|op| op.index == id.0).unwrap();
    let near = &seen[at - 100..at + 100];
    assert!(near.windows(2).all(|w| w[1].index <= w[0].index + 2), "everything around it");
    let read: serde_json::Value = serde_json::from_str(&data).unwrap();
    let rule = read["rule"].as_str().unwrap();
    assert!(rule.contains("of 20\u{202f}000 operations are in this page"), "{rule}");
    assert!(rule.contains("everything within 2 s of those"), "{rule}");
    assert!(rule.contains("all 197 of the others that failed"), "{rule}");
    let counted: u64 = numbers(read["density"].as_str().unwrap()).iter().sum();
    assert_eq!(counted, 20_000, "the overview counts them all");
}

#[test]
fn a_page_of_many_large_values_has_fewer_operations_rather_than_more_bytes() {
    let ops: Vec<_> = (0..60_000u64)
        .map(|i| {
            (1_000, Value::Str(format!("{i:0200}\u{200b}")), Ok(Value::Str(format!("{i:0199}"))))
        })
        .collect();
    let history = history(&ops);
    let data = json(&record(&history, &Results::default()), 60_000);
    assert!(data.len() <= MOST_BYTES, "{} bytes", data.len());
    assert!(!read(&data).is_empty());
}
