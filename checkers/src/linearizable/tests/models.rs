//! The general search with every model against the oracle. `DANSO_FUZZ_CASES` and
//! `DANSO_FUZZ_SEED` say how many histories and which.

use std::collections::BTreeSet;

use danso_vocab::{Call, Checker, History, Limits, Model, Parts, Ret, Rng, Value, Verdict};

use super::Linearizable;
use super::clients::{self, Does, Memory, Told, World};
use super::fuzz::env;
use crate::models::{
    Bank, FencedMutex, Kv, KvMap, MultiRegister, Mutex, OwnedMutex, ReentrantMutex, RwLock,
    Semaphore,
};

fn fuzz<M: Model + Clone>(
    model: M,
    draw: fn(&mut Rng, &Memory) -> Call,
    act: fn(&M::State, &Call) -> Does,
) {
    let mut rng = Rng::new(env("DANSO_FUZZ_SEED", 1)).split("models").split(model.name());
    let (mut valid, mut invalid, cases) = (0, 0, env("DANSO_FUZZ_CASES", 4_000) / 8);
    for _ in 0..cases {
        let world = World::random(&mut rng, &model, draw, act);
        let history = clients::telling(&model, &world.history(&mut rng));
        let rows: Vec<u32> = (0..history.len() as u32).collect();
        if history.ops().all(|op| !op.is_ok()) {
            continue;
        }
        let want = match clients::linearizable(&model, &history, &rows) {
            true => Verdict::Valid,
            false => Verdict::Invalid,
        };
        *if want == Verdict::Valid { &mut valid } else { &mut invalid } += 1;
        let checker = Linearizable::new(Told(model.clone()));
        let finding = checker.check(&history, &Limits::default());
        let why = || format!("{finding:#?}\n{}", clients::show(&history));
        assert_eq!(finding.verdict, want, "{}", why());
        for anomaly in &finding.anomalies {
            let row = |id: &danso_vocab::OpId| history.op(*id).unwrap().row() as u32;
            let core: Vec<u32> = anomaly.ops.iter().map(row).collect();
            assert!(!clients::linearizable(&model, &history, &core), "{}", why());
        }
        if let Some(parts) = parts(&model, &history) {
            let all = |part: &BTreeSet<u32>| {
                let rows: Vec<u32> = part.iter().copied().collect();
                clients::linearizable(&model, &history, &rows)
            };
            assert_eq!(parts.iter().all(all), want == Verdict::Valid, "by part {}", why());
        }
    }
    println!("{}: {valid} valid, {invalid} invalid", model.name());
    assert!(valid > cases / 20 && invalid > cases / 20);
}

/// The rows of each part of the object; `None` if it has none.
fn parts<M: Model>(model: &M, history: &History) -> Option<Vec<BTreeSet<u32>>> {
    let mut parts: Vec<(BTreeSet<Value>, BTreeSet<u32>)> = Vec::new();
    for op in history.ops() {
        let (arg, ret) = (op.arg(), op.ret());
        let ret = ret.as_deref().map_or(Ret::Unknown, Ret::Saw);
        let Parts::Of(touched) = model.parts(op.f(), &arg, ret) else { return None };
        let mut names: BTreeSet<Value> = touched.into_iter().cloned().collect();
        let mut rows = BTreeSet::from([op.row() as u32]);
        parts.retain(|(other, others)| {
            let apart = other.is_disjoint(&names);
            if !apart {
                names.extend(other.iter().cloned());
                rows.extend(others);
            }
            apart
        });
        parts.push((names, rows));
    }
    Some(parts.into_iter().map(|(_, rows)| rows).collect())
}

/// Does what is possible, refuses who only tries, lets others wait.
fn lock<M: Model>(model: &M, state: &M::State, call: &Call, ret: Value) -> Does {
    if model.step(state, &call.f, &call.arg, Ret::Saw(&ret)).is_some() {
        Does::Answers(ret)
    } else if call.f.starts_with("try") {
        Does::Answers(false.into())
    } else if call.f.contains("release") {
        Does::Fails
    } else {
        Does::Waits
    }
}

/// A client that takes and gives back, most of the time in turn.
fn locker(rng: &mut Rng, memory: &Memory) -> Call {
    let took = |(call, ret): &&(Call, Value)| call.f != "release" && *ret != Value::Bool(false);
    let held = 2 * memory.iter().filter(took).count() > memory.len();
    let f = match rng.below(8) {
        0 => "release",
        1 => "acquire",
        2 => "try-acquire",
        _ if held => "release",
        _ => "acquire",
    };
    Call::new(f, ())
}

#[test]
fn mutexes() {
    fuzz(Mutex, locker, |state, call| lock(&Mutex, state, call, Value::Nil));
}

#[test]
fn fenced_mutexes() {
    fuzz(FencedMutex, locker, |state, call| {
        let token = Value::Int(state.1.unwrap_or(0) + 1);
        let ret = if call.f == "release" { Value::Nil } else { token };
        lock(&FencedMutex, state, call, ret)
    });
}

#[test]
fn reentrant_mutexes() {
    fuzz(ReentrantMutex, locker, |state, call| lock(&ReentrantMutex, state, call, Value::Nil));
}

#[test]
fn owned_mutexes() {
    fuzz(OwnedMutex, locker, |state, call| lock(&OwnedMutex, state, call, Value::Nil));
}

#[test]
fn semaphores() {
    let draw = |rng: &mut Rng, memory: &Memory| {
        let call = locker(rng, memory);
        if rng.chance(1, 3) { Call::new(call.f, 2) } else { call }
    };
    fuzz(Semaphore::new(3), draw, |state, call| lock(&Semaphore::new(3), state, call, Value::Nil));
}

#[test]
fn rw_locks() {
    let draw = |rng: &mut Rng, memory: &Memory| {
        let f = match (rng.below(8), memory.last().map(|(call, _)| &*call.f)) {
            (0, _) => "acquire-write",
            (1, _) => "release-read",
            (2, _) => "try-acquire-read",
            (3, _) => "try-acquire-write",
            (_, Some("acquire-read" | "try-acquire-read")) => "release-read",
            (_, Some("acquire-write" | "try-acquire-write")) => "release-write",
            _ => "acquire-read",
        };
        Call::new(f, ())
    };
    fuzz(RwLock, draw, |state, call| lock(&RwLock, state, call, Value::Nil));
}

fn kv_call(rng: &mut Rng, _: &Memory) -> Call {
    let text = |rng: &mut Rng| Value::from(["", "a", "b"][rng.below(3) as usize]);
    match rng.below(10) {
        0..4 => Call::new("get", ()),
        4 => Call::new("put", text(rng)),
        5..8 => Call::new("append", text(rng)),
        8 => Call::new("delete", ()),
        _ => Call::new("cas", Value::List(vec![text(rng), text(rng)])),
    }
}

fn kv(state: &Value, call: &Call) -> Does {
    match (&*call.f, call.arg.pair()) {
        ("get", _) => Does::Answers(state.clone()),
        ("cas", Some((old, _))) if old != state => Does::Answers("mismatch".into()),
        _ => Does::Answers(Value::Nil),
    }
}

#[test]
fn keys_of_a_store() {
    fuzz(Kv::new("".into()), kv_call, kv);
    let register = |rng: &mut Rng, memory: &Memory| {
        let call = kv_call(rng, memory);
        if call.f == "append" { Call::new("put", call.arg) } else { call }
    };
    fuzz(Kv::new("".into()), register, kv);
    fuzz(Kv::new(Value::Nil), register, kv);
}

#[test]
fn stores() {
    let draw = |rng: &mut Rng, memory: &Memory| {
        let (key, call) =
            (Value::from(["j", "k", "l"][rng.below(3) as usize]), kv_call(rng, memory));
        match &*call.f {
            "get" | "delete" => Call::new(call.f, key),
            _ => Call::new(call.f, Value::List(vec![key, call.arg])),
        }
    };
    fuzz(KvMap::new("".into()), draw, |state, call| {
        let missing = Value::from("");
        match call.arg.pair() {
            None => kv(state.get(&call.arg).unwrap_or(&missing), &Call::new(call.f.clone(), ())),
            Some((key, arg)) => {
                let call = Call::new(call.f.clone(), arg.clone());
                kv(state.get(key).unwrap_or(&missing), &call)
            }
        }
    });
}

#[test]
fn multi_registers() {
    let draw = |rng: &mut Rng, _: &Memory| {
        let wide = rng.chance(1, 3);
        let step = |rng: &mut Rng| {
            let name = Value::from(["x", "y", "z"][rng.below(3) as usize]);
            let value = Value::Int(rng.below(3) as i64);
            match rng.below(2) {
                0 => Value::List(vec!["r".into(), name, Value::Nil]),
                _ => Value::List(vec!["w".into(), name, value]),
            }
        };
        let steps: Vec<Value> =
            (0..rng.between(1, if wide { 3 } else { 1 })).map(|_| step(rng)).collect();
        Call::new("txn", Value::List(steps))
    };
    fuzz(MultiRegister::new(0.into()), draw, |state, call| {
        let mut state = state.clone();
        let steps = call.arg.list().unwrap().iter().map(|step| {
            let [f, name, value] = step.list().unwrap() else { panic!("{step}") };
            let register = name.str().unwrap().to_owned();
            let value = match f.str() {
                Some("r") => state.get(&register).cloned().unwrap_or(0.into()),
                _ => {
                    state.insert(register, value.clone());
                    value.clone()
                }
            };
            Value::List(vec![f.clone(), name.clone(), value])
        });
        Does::Answers(Value::List(steps.collect()))
    });
}

#[test]
fn banks() {
    let draw = |rng: &mut Rng, _: &Memory| match rng.below(2) {
        0 => Call::new("read", ()),
        _ => {
            let (from, to) = (rng.below(3) as i64, rng.below(3) as i64);
            let amount = 1 + rng.below(5) as i64;
            let fields = [("from", from.into()), ("to", to.into()), ("amount", amount.into())];
            Call::new("transfer", Value::of(fields))
        }
    };
    fn bank() -> Bank {
        Bank::new(&Value::of([("0", 5.into()), ("1", 5.into())]))
    }
    fuzz(bank(), draw, |state, call| {
        if call.f == "read" {
            let balances = state.iter().map(|(name, balance)| (name.clone(), (*balance).into()));
            return Does::Answers(Value::Map(balances.collect()));
        }
        let done = bank().step(state, &call.f, &call.arg, Ret::Saw(&Value::Nil)).is_some();
        if done { Does::Answers(Value::Nil) } else { Does::Answers(false.into()) }
    });
}
