//! Every combination of reductions against the oracle. `DANSO_FUZZ_CASES` scales the number of
//! histories, `DANSO_FUZZ_SEED` starts elsewhere.

use std::borrow::Cow;
use std::collections::BTreeMap;

use danso_vocab::{Anomaly, Checker, History, Limits, Model, Op, Rng, Status, Value, Verdict};

use super::objects::{self, Counter, Queue};
use super::simulate::{self, Shape};
use super::{Linearizable, Reductions, figures, oracle, verdict};
use crate::models::CasRegister;

pub(in crate::linearizable) fn env(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(default)
}

fn fuzz<M: Model + Clone>(name: &str, model: M, shape: impl Fn(&mut Rng) -> Shape) {
    let mut rng = Rng::new(env("DANSO_FUZZ_SEED", 1)).split(name);
    let (mut valid, mut invalid, mut drawn) = (0_u64, 0_u64, 0_u64);
    let mut names = BTreeMap::<String, u64>::new();
    for case in 0..env("DANSO_FUZZ_CASES", 4_000) {
        let shape = shape(&mut rng);
        let history = simulate::history(&mut rng, &shape);
        if history.ops().all(|op| !op.is_ok()) {
            continue;
        }
        let want = if oracle::linearizable(&model, &history) {
            valid += 1;
            Verdict::Valid
        } else {
            invalid += 1;
            Verdict::Invalid
        };
        let some = reductions(rng.bits());
        for reductions in [Reductions::NONE, some] {
            let got = verdict(model.clone(), &history, reductions);
            assert_eq!(got, want, "{name} case {case} with {reductions:?}\n{}", show(&history));
        }
        let finding = Linearizable::new(model.clone()).check(&history, &Limits::default());
        assert_eq!(finding.verdict, want, "{name} case {case}\n{}", show(&history));
        for anomaly in finding.anomalies {
            convinces(&model, &history, &anomaly);
            drawn += u64::from(figures::hold(&model, &history, &anomaly) > 0);
            is_true(&history, &anomaly);
            *names.entry(anomaly.name.into_owned()).or_default() += 1;
        }
    }
    println!("{name}: {valid} valid, {invalid} invalid {names:?}, {drawn} drawn");
    assert_eq!(drawn, names.values().sum::<u64>(), "{name}: something small is not drawn");
    assert!(valid > 0 && invalid > 0, "{name}: a test that sees one verdict only shows nothing");
}

/// The value a register's operation leaves if it happens, and the one it needs.
pub(super) fn touch(op: Op<'_>) -> (Option<Value>, Option<Value>) {
    let refused = op.ret().as_deref().and_then(Value::str) == Some("mismatch");
    match (op.f(), op.arg().pair()) {
        ("write", _) => (Some(op.arg().into_owned()), None),
        ("delete", _) => (Some(Value::Nil), None),
        ("read", _) => (None, op.ret().map(Cow::into_owned)),
        ("cas", Some((old, new))) if !refused && old != new => {
            (Some(new.clone()), Some(old.clone()))
        }
        ("cas", Some((old, new))) if !refused && old == new && op.is_ok() => {
            (None, Some(old.clone()))
        }
        _ => (None, None),
    }
}

/// What the sentence of a stale or non-monotonic read says is so.
fn is_true(history: &History, anomaly: &Anomaly) {
    if !anomaly.because.contains("nothing wrote") {
        return;
    }
    let why = || format!("{anomaly:#?}\n{}", show(history));
    let (x, m) = (history.op(anomaly.ops[0]).unwrap(), history.op(anomaly.ops[1]).unwrap());
    let value = Some(touch(x).1.unwrap());
    assert!(m.is_ok() && m.res_rank() < x.inv_rank(), "{}", why());
    assert_ne!(touch(m).0.or(touch(m).1), value, "{}", why());
    let mine = || history.ops().filter(|op| op.key() == x.key() && op.status() != Status::Fail);
    let writers: Vec<Op<'_>> =
        mine().filter(|op| op.id() != x.id() && touch(*op).0 == value).collect();
    for w in &writers {
        let before = w.is_ok() && w.res_rank() < m.inv_rank();
        let after = w.inv_rank() > x.res_rank();
        // If it is the only one, whoever needs its value comes after it.
        let needed = mine().any(|op| {
            let known = op.is_ok() && touch(op).1 == value && op.id() != x.id();
            known && (op.res_rank() < m.inv_rank() || op.id() == m.id())
        });
        let chain = writers.len() == 1 && mine().filter(|op| touch(*op).1 == value).count() > 1;
        assert!(before || after || writers.len() == 1 && (needed || chain), "{w} {}", why());
    }
}

/// The operations of an anomaly are of its key and are not linearizable by themselves.
fn convinces<M: Model>(model: &M, history: &History, anomaly: &Anomaly) {
    let ops: Vec<Op<'_>> = anomaly
        .ops
        .iter()
        .map(|id| history.op(*id).unwrap_or_else(|| panic!("{id} of {anomaly:?} does not exist")))
        .collect();
    assert!(ops.iter().all(|op| op.key().as_deref() == anomaly.key.as_ref()), "{anomaly:?}");
    let alone = oracle::object(model, &ops);
    assert!(!alone, "{anomaly:#?} is linearizable by itself\n{}", show(history));
}

pub(super) fn reductions(bits: u64) -> Reductions {
    let bit = |i: u64| bits >> i & 1 == 1;
    Reductions {
        eager_observers: bit(0),
        twins: bit(1),
        unobserved: bit(2),
        pools: bit(3),
        evidence: bit(4),
        memo: bit(5),
        suppliers: bit(6),
        blind: bit(7),
        purpose: bit(8),
        dominance: bit(9),
        relax: bit(10),
        impossible: bit(11),
    }
}

pub(super) fn show(history: &History) -> String {
    let line = |op: danso_vocab::Op<'_>| {
        let end = if op.is_ok() { op.res_rank().to_string() } else { "∞".to_owned() };
        format!("  [{:>2}, {end:>2}] {op}\n", op.inv_rank())
    };
    history.ops().map(line).collect()
}

pub(super) fn shape(rng: &mut Rng) -> Shape {
    Shape {
        behaviour: objects::register,
        init: Vec::new(),
        draw: objects::register_call,
        domain: rng.between(1, 3),
        unique: rng.chance(1, 3),
        processes: rng.between(2, 5) as usize,
        ops: rng.between(2, 11) as usize,
        crash: *rng.pick(&[0, 10, 30]).unwrap(),
        keys: *rng.pick(&[0, 0, 1, 2]).unwrap(),
        touch: *rng.pick(&[0, 20, 60]).unwrap(),
        lies: rng.below(9),
    }
}

#[test]
fn registers() {
    fuzz("register", CasRegister::default(), shape);
}

/// Where the search begins without counting uses, and has to begin to count.
#[test]
fn registers_with_many_unknowns() {
    let unknown = |rng: &mut Rng| Shape {
        crash: *rng.pick(&[40, 60]).unwrap(),
        domain: rng.between(2, 4),
        unique: false,
        ops: rng.between(8, 16) as usize,
        processes: rng.between(3, 7) as usize,
        keys: 0,
        draw: objects::swap_call,
        lies: rng.below(3),
        ..shape(rng)
    };
    fuzz("unknowns", CasRegister::default(), unknown);
}

#[test]
fn registers_that_observe_mismatches() {
    let strict = |rng: &mut Rng| Shape { behaviour: objects::strict_register, ..shape(rng) };
    fuzz("strict", CasRegister::new(1.into()), |rng| Shape { init: vec![1], ..strict(rng) });
}

#[test]
fn queues() {
    let queue = |rng: &mut Rng| Shape {
        behaviour: objects::queue,
        draw: objects::queue_call,
        ..shape(rng)
    };
    fuzz("queue", Queue, queue);
}

#[test]
fn counters() {
    let counter = |rng: &mut Rng| Shape {
        behaviour: objects::counter,
        draw: objects::counter_call,
        init: vec![0],
        ..shape(rng)
    };
    fuzz("counter", Counter, counter);
}
