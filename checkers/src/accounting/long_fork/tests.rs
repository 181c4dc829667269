//! Forks by hand, and against the definition read aloud.

use std::collections::{BTreeMap, BTreeSet};

use danso_vocab::{
    Anomaly, Call, Checker, Figure, Finding, History, Limits, Op, Rng, Status, Value, Verdict,
};

use super::LongFork;
use crate::testing::{self, Script, Shape};

fn check(history: &History) -> Finding {
    LongFork.check(history, &Limits::default())
}

fn step(f: &str, key: i64, value: impl Into<Value>) -> Value {
    Value::List(vec![f.into(), key.into(), value.into()])
}

fn write(key: i64) -> Call {
    Call::new("write", Value::List(vec![step("w", key, 1)]))
}

fn read(keys: &[i64]) -> Call {
    Call::new("read", Value::List(keys.iter().map(|key| step("r", *key, ())).collect()))
}

/// A read of all `keys` that sees the writes of `seen`.
fn saw(keys: &[i64], seen: &[i64]) -> Value {
    let value = |key: &i64| if seen.contains(key) { Value::Int(1) } else { Value::Nil };
    Value::List(keys.iter().map(|key| step("r", *key, value(key))).collect())
}

/// The keys a read saw, and those it saw nothing in.
fn sights(read: &Op<'_>) -> [BTreeSet<Value>; 2] {
    let ret = read.ret().unwrap();
    let all = ret.list().unwrap().iter().map(|step| step.list().unwrap());
    let (seen, not): (Vec<_>, Vec<_>) = all.partition(|step| !step[2].is_nil());
    [seen, not].map(|steps| steps.into_iter().map(|step| step[1].clone()).collect())
}

/// Whether every edge drawn of an anomaly is what its reads say.
fn is_true(history: &History, anomaly: &Anomaly) -> bool {
    let Some(Figure::Graph(graph)) = &anomaly.figure else { return false };
    let op = |at: u32| history.op(graph.vertices[at as usize].op.unwrap()).unwrap();
    let written = |write: Op<'_>| write.arg().list().unwrap()[0].list().unwrap()[1].clone();
    graph.edges.len() == 4
        && graph.edges.iter().all(|edge| match &*edge.kind {
            "wr" => sights(&op(edge.to))[0].contains(&written(op(edge.from))),
            "rw" => sights(&op(edge.from))[1].contains(&written(op(edge.to))),
            _ => false,
        })
}

/// The definition, read aloud: are there two reads that each see a write the other does not?
fn oracle(history: &History) -> bool {
    let reads: Vec<Op<'_>> = history.ops().filter(|op| op.f() == "read" && op.is_ok()).collect();
    let sees = |a: &Op<'_>, b: &Op<'_>| {
        let ([seen, _], [_, not]) = (sights(a), sights(b));
        seen.intersection(&not).count() > 0
    };
    reads.iter().any(|a| reads.iter().any(|b| sees(a, b) && sees(b, a)))
}

#[test]
fn forks_are_those_of_the_definition() {
    let mut rng = Rng::new(1).split("long-fork");
    let mut tally = BTreeMap::<&str, u32>::new();
    for _ in 0..testing::cases(20_000) {
        let shape = Shape { failed: 0, ..Shape::small(&mut rng) };
        let size = rng.between(2, 3) as i64;
        // Two groups; snapshots may be taken of writes one by one.
        let mut keys: Vec<i64> = (0..2 * size).collect();
        rng.shuffle(&mut keys);
        let call = |rng: &mut Rng| match rng.chance(1, 2) {
            true if !keys.is_empty() => write(keys.pop().unwrap_or(0)),
            _ => {
                let group = rng.below(2) as i64 * size;
                read(&(group..group + size).collect::<Vec<_>>())
            }
        };
        let mut written = BTreeSet::new();
        let mut forget = rng.chance(1, 2);
        let events = testing::events(&mut rng, shape, call, |rng, call, _| {
            let all: Vec<i64> =
                call.arg.list()?.iter().filter_map(|step| step.list()?[1].int()).collect();
            if call.f == "write" {
                written.extend(all);
                return Some(call.arg.clone());
            }
            let mut seen: Vec<i64> = written.iter().copied().collect();
            if forget && rng.chance(1, 3) && !seen.is_empty() {
                seen.remove(rng.below(seen.len() as u64) as usize);
                forget = rng.chance(1, 2);
            }
            Some(saw(&all, &seen))
        });
        let history = testing::history(events);
        let told = testing::show(&history);
        let finding = check(&history);
        assert_eq!(finding.verdict == Verdict::Invalid, oracle(&history), "{told}");
        assert!(finding.anomalies.iter().all(|a| a.name == "long-fork"), "{told}");
        assert!(finding.anomalies.iter().all(|a| is_true(&history, a)), "{told}");
        *tally.entry(finding.verdict.word()).or_default() += 1;
    }
    println!("{tally:?}");
    assert!(tally.len() == 3 && tally.values().all(|count| *count > 100), "{tally:?}");
}

#[test]
fn two_reads_in_opposite_orders_are_a_fork() {
    let mut script = Script::default();
    script.op(0, 0, write(1), Status::Ok, ()).op(0, 0, write(2), Status::Info, ());
    script.op(1, 0, read(&[1, 2]), Status::Ok, saw(&[1, 2], &[1]));
    script.op(2, 0, read(&[2, 1]), Status::Ok, saw(&[2, 1], &[2]));
    let finding = check(&script.history());
    assert_eq!(finding.anomalies[0].name, "long-fork");
    assert_eq!(
        finding.reason,
        "p1's read (#4) sees the write of 1 but not that of 2, p2's read (#6) that of 2 but not that of 1"
    );
    let Some(Figure::Graph(graph)) = &finding.anomalies[0].figure else { panic!("{finding:#?}") };
    let id = |at: u32| graph.vertices[at as usize].op.unwrap().0;
    let edges = graph.edges.iter().map(|e| (id(e.from), &*e.kind, id(e.to), e.words.as_str()));
    let cycle = [
        (0, "wr", 4, "#4 saw 1"),
        (4, "rw", 2, "#4 did not see 2, which is written once"),
        (2, "wr", 6, "#6 saw 2"),
        (6, "rw", 0, "#6 did not see 1, which is written once"),
    ];
    assert_eq!(edges.collect::<Vec<_>>(), cycle);
}

#[test]
fn what_was_never_written_cannot_be_seen() {
    let mut script = Script::default();
    script.op(0, 0, write(1), Status::Fail, ());
    script.op(0, 0, read(&[1, 2]), Status::Ok, saw(&[1, 2], &[1]));
    script.op(0, 0, read(&[1, 2]), Status::Ok, saw(&[1, 2], &[2]));
    script.op(0, 0, write(2), Status::Ok, ());
    script.op(0, 0, read(&[3, 4]), Status::Ok, saw(&[3, 4], &[3]));
    let finding = check(&script.history());
    let names: Vec<&str> = finding.anomalies.iter().map(|a| &*a.name).collect();
    assert_eq!(names, ["aborted-read", "unexpected-value", "unexpected-value"]);
}

#[test]
fn what_it_cannot_judge_is_unknown() {
    let says = |script: &mut Script, what: &str| {
        let finding = check(&script.history());
        assert_eq!(finding.verdict, Verdict::Unknown);
        assert!(finding.reason.contains(what), "{}", finding.reason);
    };
    says(&mut Script::default(), "no read succeeded");
    let mut script = Script::default();
    script.op(0, 0, write(1), Status::Ok, ());
    script.op(0, 0, read(&[1, 2]), Status::Ok, saw(&[1, 2], &[]));
    says(&mut script, "saw any write");
    let mut script = Script::default();
    script.op(0, 0, write(1), Status::Ok, ()).op(0, 0, write(1), Status::Ok, ());
    says(&mut script, "the same key");
    let mut script = Script::default();
    script.op(0, 0, write(1), Status::Ok, ());
    script.op(0, 0, read(&[1, 2, 3]), Status::Ok, saw(&[1, 2, 3], &[1]));
    script.op(0, 0, read(&[1, 2]), Status::Ok, saw(&[1, 2], &[1]));
    says(&mut script, "share two keys");
    let mut script = Script::default();
    script.op(0, 0, write(1), Status::Ok, ()).op(0, 0, read(&[1]), Status::Ok, saw(&[1], &[1]));
    says(&mut script, "two keys or more");
    says(Script::default().op(0, 0, Call::new("add", 1), Status::Ok, ()), "no transaction");
}
