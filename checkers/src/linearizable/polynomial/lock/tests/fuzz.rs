//! Random histories. `DANSO_FUZZ_CASES` and `DANSO_FUZZ_SEED` say how many and which.

use danso_vocab::{Call, Model, Ret, Rng, Value};

use super::*;
use crate::linearizable::tests::clients::{Does, Memory, World};
use crate::linearizable::tests::fuzz::env;

fn fuzz<M: Model + Clone>(
    model: M,
    lock: Lock,
    draw: fn(&mut Rng, &Memory) -> Call,
    act: fn(&M::State, &Call) -> Does,
) -> Tally {
    let mut rng = Rng::new(env("DANSO_FUZZ_SEED", 1)).split(model.name());
    let (mut tally, cases) = (Tally::default(), env("DANSO_FUZZ_CASES", 4_000));
    for _ in 0..cases {
        let world = World::random(&mut rng, &model, draw, act);
        let history = world.history(&mut rng);
        compare(&model, lock, &history, &mut tally);
    }
    println!("{}: {tally:?}", model.name());
    let refuted: u64 = tally.refuted.values().sum();
    assert!(tally.valid > cases / 10 && refuted > cases / 50 && tally.unfit < cases / 2);
    tally
}

/// How often a client has something: acquires less releases.
fn held(memory: &Memory, takes: &str, gives: &str) -> u64 {
    let count = |f: &str| {
        let done = |(call, ret): &&(Call, Value)| call.f == f && *ret != Value::Bool(false);
        memory.iter().filter(done).count() as u64
    };
    count(takes).saturating_sub(count(gives))
}

fn lock_call(rng: &mut Rng, memory: &Memory) -> Call {
    let held = held(memory, "acquire", "release") > 0;
    // Now and then a client is confused.
    let releases = if rng.chance(1, 60) { !held } else { held };
    match rng.below(12) {
        0 => Call::new("add", 1),
        1 | 2 => Call::new("try-acquire", ()),
        3 => Call::new("acquire", ()),
        _ if releases => Call::new("release", ()),
        _ => Call::new("acquire", ()),
    }
}

/// What is possible is done; what is not is awaited, or refused if the call only tries.
fn obliging<M: Model>(model: &M, state: &M::State, call: &Call, ret: Value) -> Does {
    if model.step(state, &call.f, &call.arg, Ret::Saw(&ret)).is_some() {
        Does::Answers(ret)
    } else if call.f.starts_with("try") {
        Does::Answers(false.into())
    } else if call.f.starts_with("acquire") {
        Does::Waits
    } else {
        Does::Fails
    }
}

/// A client that tries in vain half the time.
fn trying(rng: &mut Rng, call: Call) -> Call {
    if call.f == "acquire" && rng.chance(1, 3) {
        Call { f: "try-acquire".into(), ..call }
    } else {
        call
    }
}

#[test]
fn mutexes() {
    let draw = |rng: &mut Rng, memory: &Memory| {
        let call = lock_call(rng, memory);
        if call.f == "try-acquire" && held(memory, "try-acquire", "") > 0 {
            return Call::new("release", ());
        }
        call
    };
    let tally =
        fuzz(Mutex, Lock::mutex(), draw, |state, call| obliging(&Mutex, state, call, Value::Nil));
    assert!(tally.refuted.len() >= 2, "{tally:?}");
}

#[test]
fn fenced_mutexes() {
    let tally = fuzz(FencedMutex, Lock::fenced(), lock_call, |state, call| {
        let token = state.1.unwrap_or(4) + 1;
        let ret = if call.f.contains("acquire") { Value::Int(token) } else { Value::Nil };
        obliging(&FencedMutex, state, call, ret)
    });
    assert!(tally.refuted.contains_key("fencing-token-not-monotonic"), "{tally:?}");
}

#[test]
fn reentrant_mutexes() {
    let draw = |rng: &mut Rng, memory: &Memory| {
        let held = held(memory, "acquire", "release");
        let call = match held {
            0 if rng.chance(1, 60) => Call::new("release", ()),
            0 => Call::new("acquire", ()),
            _ if rng.chance(2, 5) => Call::new("acquire", ()),
            _ => Call::new("release", ()),
        };
        trying(rng, call)
    };
    let tally = fuzz(ReentrantMutex, Lock::reentrant(), draw, |state, call| {
        obliging(&ReentrantMutex, state, call, Value::Nil)
    });
    assert!(tally.refuted.len() >= 3, "{tally:?}");
}

#[test]
fn rw_locks() {
    let draw = |rng: &mut Rng, memory: &Memory| {
        let writes = held(memory, "acquire-write", "release-write");
        let reads = held(memory, "acquire-read", "release-read");
        let f = match rng.below(12) {
            0 => "acquire-read",
            1 if rng.chance(1, 4) => "release-read",
            2 if rng.chance(1, 4) => "acquire-write",
            3 if rng.chance(1, 8) => "try-acquire-write",
            _ if writes > 0 => "release-write",
            _ if reads > 0 => "release-read",
            4..=6 => "acquire-write",
            _ => "acquire-read",
        };
        Call::new(f, ())
    };
    let tally = fuzz(RwLock, Lock::read_write(), draw, |state, call| {
        obliging(&RwLock, state, call, Value::Nil)
    });
    assert!(tally.refuted.len() >= 2, "{tally:?}");
}

fn semaphore_call(rng: &mut Rng, memory: &Memory) -> Call {
    let held = held(memory, "acquire", "release");
    match rng.below(8) {
        0 if rng.chance(1, 8) => Call::new("release", ()),
        1 => Call::new("acquire", ()),
        _ if held > 0 => Call::new("release", ()),
        2 if rng.chance(1, 4) => Call::new("try-acquire", ()),
        _ => Call::new("acquire", ()),
    }
}

#[test]
fn semaphores() {
    for permits in [1_u32, 2, 3] {
        let act: fn(&u32, &Call) -> Does = match permits {
            1 => |state, call| obliging(&Semaphore::new(1), state, call, Value::Nil),
            2 => |state, call| obliging(&Semaphore::new(2), state, call, Value::Nil),
            _ => |state, call| obliging(&Semaphore::new(3), state, call, Value::Nil),
        };
        fuzz(Semaphore::new(permits), Lock::semaphore(permits), semaphore_call, act);
    }
}

#[test]
fn semaphores_with_several_permits_at_a_time() {
    let draw = |rng: &mut Rng, memory: &Memory| {
        // The latest acquire that was not given back is given back first.
        let mut open = Vec::new();
        for (call, _) in memory {
            if call.f == "acquire" { open.push(&call.arg) } else { _ = open.pop() }
        }
        match open.last() {
            Some(arg) if rng.chance(3, 4) => Call::new("release", (*arg).clone()),
            _ => Call::new("acquire", 1 + rng.below(2) as i64),
        }
    };
    fuzz(Semaphore::new(3), Lock::semaphore(3), draw, |state, call| {
        obliging(&Semaphore::new(3), state, call, Value::Nil)
    });
}
