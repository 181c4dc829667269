use danso_vocab::codec::json;
use danso_vocab::{
    Call, Checker, Event, Figure, History, Limits, Outcome, Process, Rng, Time, Value, Verdict,
};

use super::ListAppend;
use crate::testing::{At, Shape, cases, events};

fn txn(text: &str) -> Call {
    Call::new("txn", json::from_str(text).unwrap())
}

/// One transaction after the other: what was asked and what was answered.
fn history(txns: &[(&str, Outcome)]) -> History {
    let mut events = Vec::new();
    for (n, (asked, outcome)) in txns.iter().enumerate() {
        let process = Process(n as u32);
        events.push(Event::Invoke { process, node: None, call: txn(asked) });
        events.push(Event::Complete { process, outcome: outcome.clone() });
    }
    History::of((0..).map(Time).zip(events)).unwrap()
}

/// What is found in it.
fn found(txns: &[(&str, Outcome)]) -> (Verdict, Vec<String>) {
    let finding = ListAppend.check(&history(txns), &Limits::default());
    let mut names: Vec<_> = finding.anomalies.iter().map(|a| a.name.to_string()).collect();
    names.dedup();
    (finding.verdict, names)
}

fn ok(text: &str) -> Outcome {
    Outcome::Ok(json::from_str(text).unwrap())
}

#[test]
fn what_no_isolation_allows_is_found() {
    let one = r#"[["append",1,1]]"#;
    let read = r#"[["r",1,null]]"#;
    let twice = r#"[["r",1,null],["append",1,2],["r",1,null]]"#;
    let sees = |list: &str| ok(&format!(r#"[["r",1,{list}]]"#));
    let finds = |txns: &[(&str, Outcome)], want: &str| {
        assert_eq!(found(txns), (Verdict::Invalid, vec![want.to_owned()]));
    };
    finds(&[(one, Outcome::Fail("no".into())), (read, sees("[1]"))], "G1a");
    finds(&[(read, sees("[1]")), (one, ok(one))], "invented-value");
    finds(&[(one, ok(one)), (read, sees("[1,1]"))], "duplicate-element");
    let two = r#"[["append",1,2]]"#;
    let both = [(one, ok(one)), (two, ok(two)), (read, sees("[1,2]")), (read, sees("[2,1]"))];
    finds(&both, "incompatible-order");
    for wrong in [
        "[[\"r\",1,[1]],[\"append\",1,2],[\"r\",1,[1]]]",
        "[[\"r\",1,[]],[\"append\",1,2],[\"r\",1,[1,2]]]",
    ] {
        finds(&[(one, ok(one)), (twice, ok(wrong))], "internal");
    }
    let repeated = r#"[["r",1,null],["r",1,null]]"#;
    finds(&[(one, ok(one)), (repeated, ok(r#"[["r",1,[]],["r",1,[1]]]"#))], "internal");
}

#[test]
fn lists_in_two_orders_are_a_cycle_of_appends() {
    let (one, two) = (r#"[["append",1,1]]"#, r#"[["append",1,2]]"#);
    let read = r#"[["r",1,null]]"#;
    let sees = |list: &str| ok(&format!(r#"[["r",1,{list}]]"#));
    let drawn = |lists: [&str; 2]| {
        let txns = [(one, ok(one)), (two, ok(two)), (read, sees(lists[0])), (read, sees(lists[1]))];
        let finding = ListAppend.check(&history(&txns), &Limits::default());
        assert_eq!(finding.anomalies[0].name, "incompatible-order");
        finding.anomalies[0].figure.clone()
    };
    let Some(Figure::Graph(graph)) = drawn(["[1,2]", "[2,1]"]) else { panic!("no graph") };
    let id = |at: u32| graph.vertices[at as usize].op.unwrap().0;
    let edges = graph.edges.iter().map(|e| (id(e.from), id(e.to), &*e.kind, e.words.as_str()));
    let cycle = [(2, 0, "ww", "#6 reads 2 before 1"), (0, 2, "ww", "#4 reads 1 before 2")];
    assert_eq!(edges.collect::<Vec<_>>(), cycle);
    assert_eq!(drawn(["[1]", "[2]"]), None, "neither says which came first");
}

#[test]
fn nothing_is_ever_valid() {
    let one = r#"[["append",1,1]]"#;
    let sound = r#"[["r",1,[1]],["append",1,2],["r",1,[1,2]]]"#;
    let asked = r#"[["r",1,null],["append",1,2],["r",1,null]]"#;
    assert_eq!(found(&[(one, ok(one)), (asked, ok(sound))]), (Verdict::Unknown, vec![]));
    let lost = Outcome::Info("timeout".into());
    assert_eq!(found(&[(one, lost), (asked, ok(sound))]), (Verdict::Unknown, vec![]));
    for odd in ["7", r#"[["w",1,2]]"#, r#"[["r",1]]"#, r#"[["append",1,3]]"#] {
        assert_eq!(found(&[(one, ok(odd))]).0, Verdict::Unknown, "{odd}");
    }
    assert_eq!(found(&[(one, ok(one)), (one, ok(one))]).0, Verdict::Unknown);
}

#[test]
fn a_store_of_lists_that_works_is_never_blamed() {
    for seed in 0..cases(2_000) {
        let mut rng = Rng::new(seed);
        let shape = Shape::small(&mut rng);
        let (mut next, mut lists) = (0, std::collections::BTreeMap::<i64, Vec<Value>>::new());
        let call = |rng: &mut Rng| {
            let part = |rng: &mut Rng| {
                let key = Value::Int(rng.below(2) as i64);
                next += 1;
                Value::List(match rng.chance(1, 2) {
                    true => vec!["r".into(), key, Value::Nil],
                    false => vec!["append".into(), key, next.into()],
                })
            };
            let mut part = part;
            Call::new("txn", (0..rng.between(1, 4)).map(|_| part(rng)).collect::<Vec<_>>())
        };
        let answer = |_: &mut Rng, call: &Call, _: At| {
            let mut done = Vec::new();
            for step in call.arg.list().unwrap() {
                let step = step.list().unwrap();
                let list = lists.entry(step[1].int().unwrap()).or_default();
                let mut step = step.to_vec();
                match step[0].str() {
                    Some("append") => list.push(step[2].clone()),
                    _ => step[2] = list.clone().into(),
                }
                done.push(Value::List(step));
            }
            Some(done.into())
        };
        let history = History::of(events(&mut rng, shape, call, answer)).unwrap();
        let finding = ListAppend.check(&history, &Limits::default());
        assert_eq!(finding.verdict, Verdict::Unknown, "seed {seed}: {}", finding.reason);
    }
}
