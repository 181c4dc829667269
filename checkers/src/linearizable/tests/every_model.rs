//! Every bundled model, as users get it, against the oracle: procedures, search, both, several
//! threads, and a certificate that verifies. `DANSO_FUZZ_CASES` says how many histories of each.

use danso_vocab::{
    AnyOf, Call, Event, History, Limits, Model, Outcome, Process, Ret, Rng, Time, Value, Verdict,
};

use super::fuzz::{env, show};
use super::shrunk;
use super::simulate::process;
use super::{figures, oracle};
use crate::linearizable::Algorithm;
use crate::models::{self, *};

/// What a trial of one model draws from.
#[derive(Clone, Copy)]
struct Alphabet {
    name: &'static str,
    /// The next call; the number is a value nobody used before, or a small one.
    draw: fn(&mut Rng, i64) -> Call,
    /// Results that are lists, too.
    lists: bool,
}

fn pair(rng: &mut Rng, v: i64) -> Value {
    Value::from([rng.below(4) as i64, v])
}

#[test]
fn every_model_agrees_with_the_oracle() {
    let of = |name, draw| Alphabet { name, draw, lists: false };
    let register: fn(&mut Rng, i64) -> Call = |rng, v| match rng.below(2) {
        0 => Call::new("read", ()),
        _ => Call::new("write", v),
    };
    let swaps: fn(&mut Rng, i64) -> Call = |rng, v| match rng.below(5) {
        0 | 1 => Call::new("read", ()),
        2 => Call::new("write", v),
        _ => Call::new("cas", pair(rng, v)),
    };
    let queue: fn(&mut Rng, i64) -> Call = |rng, v| match rng.below(9) {
        0..=3 => Call::new("enqueue", v),
        4..=7 => Call::new("dequeue", ()),
        _ => Call::new("peek", ()),
    };
    let heap: fn(&mut Rng, i64) -> Call = |rng, v| match rng.below(9) {
        0..=3 => Call::new("insert", v),
        4..=7 => Call::new("poll", ()),
        _ => Call::new("peek", ()),
    };
    let lock: fn(&mut Rng, i64) -> Call = |rng, _| match rng.below(5) {
        0 | 1 => Call::new("acquire", ()),
        2 => Call::new("try-acquire", ()),
        _ => Call::new("release", ()),
    };
    trial(Register::default(), of("register", register));
    trial(CasRegister::default(), of("cas-register", swaps));
    trial(
        Kv::new(Value::Nil),
        of("kv", |rng, v| match rng.below(5) {
            0 | 1 => Call::new("get", ()),
            2 => Call::new("put", v),
            3 => Call::new("delete", ()),
            _ => Call::new("cas", pair(rng, v)),
        }),
    );
    trial(
        Counter::new(0),
        of("counter", |rng, v| match rng.below(4) {
            0 | 1 => Call::new("read", ()),
            2 => Call::new("inc", ()),
            _ => Call::new("add", v % 3 - 1),
        }),
    );
    trial(
        FetchAndIncrement::new(0),
        of("fetch-and-increment", |_, _| Call::new("fetch-and-increment", ())),
    );
    trial(FifoQueue, of("fifo-queue", queue));
    trial(
        Stack,
        of("stack", |rng, v| match rng.below(9) {
            0..=3 => Call::new("push", v),
            4..=7 => Call::new("pop", ()),
            _ => Call::new("peek", ()),
        }),
    );
    trial(PriorityQueue::min(), of("priority-queue", heap));
    trial(PriorityQueue::max(), of("max-priority-queue", heap));
    trial(
        AnyOf(Bag),
        of("bag", |rng, v| match rng.below(2) {
            0 => Call::new("add", v),
            _ => Call::new("remove", ()),
        }),
    );
    let set: fn(&mut Rng, i64) -> Call = |rng, v| match rng.below(9) {
        0..=2 => Call::new("add", v % 3),
        3..=4 => Call::new("remove", v % 3),
        5..=7 => Call::new("contains", v % 3),
        _ => Call::new("read", ()),
    };
    trial(LinSet, Alphabet { lists: true, ..of("lin-set", set) });
    trial(Mutex, of("mutex", lock));
    trial(FencedMutex, of("fenced-mutex", lock));
    trial(OwnedMutex, of("owner-aware-mutex", lock));
    trial(ReentrantMutex, of("reentrant-mutex", lock));
    trial(
        RwLock,
        of("rw-lock", |rng, _| match rng.below(4) {
            0 => Call::new("acquire-read", ()),
            1 => Call::new("release-read", ()),
            2 => Call::new("acquire-write", ()),
            _ => Call::new("release-write", ()),
        }),
    );
    trial(Semaphore::new(1), of("semaphore", lock));
    trial(
        MultiRegister::new(Value::Nil),
        of("multi-register", |rng, v| {
            let x = ["x", "y"][rng.below(2) as usize];
            match rng.below(2) {
                0 => Call::new("read", Value::of([(x, Value::Nil)])),
                _ => Call::new("write", Value::of([(x, v.into())])),
            }
        }),
    );
}

/// Results worth trying for a call.
fn results(call: &Call, lists: bool) -> Vec<Value> {
    let mut all: Vec<Value> = vec![Value::Nil, true.into(), false.into(), "mismatch".into()];
    all.extend((0..=12).map(Value::Int));
    if lists {
        let of = |bits: i64| (0..3).filter(|v| bits >> v & 1 == 1).collect::<Vec<i64>>();
        all.extend((0..8).map(|bits| of(bits).into()));
    }
    if let Some(map) = call.arg.map() {
        let maps = (0..=12).map(Value::Int).chain([Value::Nil]);
        all.extend(maps.map(|v| Value::Map(map.keys().map(|k| (k.clone(), v.clone())).collect())));
    }
    all
}

enum Phase {
    Idle,
    Open(Call),
    Done(Option<Value>),
}

/// A history of an object that behaves as the model, apart from a lie or two.
fn history<M: Model>(model: &M, alphabet: Alphabet, rng: &mut Rng) -> History {
    let (unique, ops) = (rng.chance(1, 2), 3 + rng.below(6));
    let mut phases: Vec<(u32, Phase)> =
        (0..2 + rng.below(3) as u32).map(|p| (p, Phase::Idle)).collect();
    let (mut state, mut events, mut begun, mut next) = (model.init(), Vec::new(), 0, 10);
    let mut calls: Vec<(u32, Call)> = Vec::new();
    loop {
        let live: Vec<usize> = (0..phases.len())
            .filter(|p| begun < ops || !matches!(phases[*p].1, Phase::Idle))
            .collect();
        let Some(&p) = rng.pick(&live) else { break };
        let process = Process(phases[p].0);
        phases[p].1 = match std::mem::replace(&mut phases[p].1, Phase::Idle) {
            Phase::Idle => {
                begun += 1;
                let value = if unique { begun as i64 } else { rng.below(3) as i64 };
                let call = (alphabet.draw)(rng, value);
                calls.push((process.0, call.clone()));
                events.push(Event::Invoke { process, node: None, call: call.clone() });
                Phase::Open(call)
            }
            Phase::Open(call) => {
                let arg = match model.by_process() {
                    true => Value::from([Value::Int(i64::from(process.0)), call.arg.clone()]),
                    false => call.arg.clone(),
                };
                if rng.chance(1, 8) {
                    let happened = model.step(&state, &call.f, &arg, Ret::Unknown);
                    state = happened.filter(|_| rng.chance(1, 2)).unwrap_or(state);
                    if rng.chance(2, 3) {
                        let outcome = Outcome::Info("timeout".into());
                        events.push(Event::Complete { process, outcome });
                    }
                    phases[p].0 = next;
                    next += 1;
                    Phase::Idle
                } else {
                    let mut rets = results(&call, alphabet.lists);
                    let from = rng.below(rets.len() as u64) as usize;
                    rets.rotate_left(from);
                    let step = |ret: &Value| model.step(&state, &call.f, &arg, Ret::Saw(ret));
                    let ret = rets.into_iter().find_map(|ret| Some((step(&ret)?, ret)));
                    let ret = ret.map(|(next, ret)| {
                        state = next;
                        ret
                    });
                    Phase::Done(ret)
                }
            }
            Phase::Done(ret) => {
                let outcome = ret.map_or(Outcome::Fail("refused".into()), Outcome::Ok);
                events.push(Event::Complete { process, outcome });
                Phase::Idle
            }
        };
    }
    for _ in 0..rng.below(6) {
        lie(alphabet, rng, &calls, &mut events);
    }
    History::of((1..).map(Time).zip(events)).unwrap()
}

fn lie(alphabet: Alphabet, rng: &mut Rng, calls: &[(u32, Call)], events: &mut [Event]) {
    let mut at = rng.below(events.len() as u64) as usize;
    if rng.chance(1, 2) {
        // Perhaps far, as long as it passes no event of its own process.
        for _ in 0..=rng.below(4) {
            if at + 1 < events.len() && process(&events[at]) != process(&events[at + 1]) {
                events.swap(at, at + 1);
                at += 1;
            }
        }
        return;
    }
    if let Event::Complete { process, outcome: Outcome::Ok(value) } = &mut events[at]
        && let Some((_, call)) = calls.iter().find(|(p, _)| *p == process.0)
        && let Some(other) = rng.pick(&results(call, alphabet.lists))
        && std::mem::discriminant(other) == std::mem::discriminant(value)
    {
        *value = other.clone();
    }
}

fn trial<M: Model>(model: M, alphabet: Alphabet) {
    let name = alphabet.name;
    let seed = env("DANSO_FUZZ_SEED", 1);
    let mut rng = Rng::new(seed).split(name);
    let mut parts = rng.split("parts");
    let mut checker = (models::find(name).unwrap().checker)(Value::Nil);
    let (mut valid, mut invalid, mut fast, mut drawn) = (0_u64, 0_u64, 0_u64, 0_u64);
    let cases = env("DANSO_FUZZ_CASES", 2_000);
    for case in 0..cases {
        let history = history(&model, alphabet, &mut rng);
        if history.ops().all(|op| !op.is_ok()) {
            continue;
        }
        let want = match oracle::linearizable(&model, &history) {
            true => Verdict::Valid,
            false => Verdict::Invalid,
        };
        *if want == Verdict::Valid { &mut valid } else { &mut invalid } += 1;
        let shown = || format!("{name}, seed {seed}, case {case}\n{}", show(&history));
        let limits = Limits { threads: 1 + (case % 2) as usize, ..Limits::default() };
        for algorithm in [Algorithm::Auto, Algorithm::Search, Algorithm::Both] {
            checker.decide_by(algorithm);
            let finding = checker.check(&history, &limits);
            let said = &finding.reason;
            assert_eq!(finding.verdict, want, "{algorithm:?}: {said}\n{}", shown());
            for anomaly in &finding.anomalies {
                drawn += u64::from(figures::hold(&model, &history, anomaly) > 0);
            }
            if algorithm == Algorithm::Auto {
                fast += u64::from(!finding.stats.contains_key("by-search"));
            }
        }
        checker.decide_by(Algorithm::Auto);
        match want {
            Verdict::Valid => shrunk::parts_are_valid(&model, &history, &*checker, &mut parts),
            // Slower by far than all the rest.
            _ if invalid % 8 == 1 => shrunk::shrinks(&model, &history, &*checker),
            _ => {}
        }
        if case % 8 == 0 {
            let certifier = checker.certifier().unwrap();
            match certifier.prove(&history, &limits) {
                Ok(proof) => assert!(certifier.verify(&history, &proof).is_ok(), "{}", shown()),
                Err(why) => panic!("no proof: {why}\n{}", shown()),
            }
        }
    }
    println!(
        "{name}: {valid} valid, {invalid} invalid, {fast} decided without search, {drawn} drawn"
    );
    assert!(drawn >= invalid, "{name}: figures of too few anomalies");
    assert!(valid > cases / 20 && invalid > cases / 200, "{name}: {valid} {invalid} of {cases}");
}
