//! Proofs hold; what does not hold is no proof; and taking operations away never makes a
//! linearizable history look refuted.

mod models;

use std::collections::BTreeMap;

use danso_vocab::certificate::{Certifier, Core, Proof, Refused, Step};
use danso_vocab::{
    Call, Checker, Event, History, Limits, Model, Op, OpId, Process, Rng, Value, Verdict,
};

use models::{Registers, Units, registers, registers_call};

use super::exhaustive;
use super::fuzz::{env, shape, show};
use super::objects::{self, Counter, Queue};
use super::simulate::{self, Shape};
use super::{Linearizable, call, fail, ok, oracle};
use crate::linearizable::certify::smaller;
use crate::models::CasRegister;
use crate::verify::{Part, refute, verify};

/// Without any one of its operations a core proves nothing.
fn is_minimal<M: Model>(model: &M, history: &History, core: &Core) {
    for less in smaller(core) {
        let proof = Proof::Invalid(less.clone());
        let proves = verify(model, history, &proof).is_ok();
        assert!(!proves, "{less:?} would do instead of {core:?}\n{}", show(history));
    }
}

/// Proves what it says about many histories, and nothing else can be proved by changing a proof.
fn proofs<M: Model + Clone>(name: &str, model: M, shape: impl Fn(&mut Rng) -> Shape) {
    let mut rng = Rng::new(env("DANSO_FUZZ_SEED", 1)).split(name).split("proofs");
    let checker = Linearizable::new(model.clone());
    let (mut seen, mut cores, mut kept) = ([0_u64; 3], 0, 0);
    for case in 0..env("DANSO_FUZZ_CASES", 4_000) {
        let drawn = shape(&mut rng);
        let history = simulate::history(&mut rng, &drawn);
        let why = || format!("{name} case {case}\n{}", show(&history));
        if history.ops().all(|op| !op.is_ok()) {
            continue;
        }
        let want = match oracle::linearizable(&model, &history) {
            true => Verdict::Valid,
            false => Verdict::Invalid,
        };
        let proof = checker.prove(&history, &Limits::default());
        let proof = proof.unwrap_or_else(|error| panic!("{error} {}", why()));
        assert_eq!(proof.verdict(), want, "{proof:?} {}", why());
        let claim = checker.verify(&history, &proof).unwrap();
        assert_eq!(claim.verdict, want);
        seen[want as usize] += 1;
        for _ in 0..4 {
            let changed = change(&mut rng, &history, &proof);
            if let Ok(claim) = checker.verify(&history, &changed) {
                assert_eq!(claim.verdict, want, "{changed:?} {}", why());
                if let Proof::Invalid(core) = &changed {
                    convinces(&model, &history, core);
                }
                kept += u64::from(changed != proof);
            }
        }
        if let Proof::Invalid(core) = &proof {
            is_minimal(&model, &history, core);
            cores += core.ops.len() as u64;
            convinces(&model, &history, core);
        }
        for _ in 0..if want == Verdict::Invalid { 8 } else { 1 } {
            let forged = forge(&mut rng, &history);
            let claim = checker.verify(&history, &forged);
            let true_or_refused = claim.is_err() || want == Verdict::Valid;
            assert!(true_or_refused, "{forged:?} {}", why());
        }
        // Of another history it says nothing, or the truth.
        let drawn = shape(&mut rng);
        let other = simulate::history(&mut rng, &drawn);
        if let Ok(claim) = checker.verify(&other, &proof) {
            let valid = oracle::linearizable(&model, &other);
            assert_eq!(claim.verdict == Verdict::Valid, valid, "{proof:?}\n{}", show(&other));
        }
    }
    println!(
        "{name}: {} valid, {} invalid with {:.1} operations each; {kept} changed proofs hold",
        seen[0],
        seen[2],
        cores as f64 / seen[2].max(1) as f64
    );
    assert!(seen[0] > 0 && seen[2] > 0 && seen[1] == 0);
}

/// The same on histories too large for the oracle.
#[test]
fn of_larger_histories() {
    let mut rng = Rng::new(env("DANSO_FUZZ_SEED", 1)).split("larger");
    let (mut seen, mut most) = ([0_u64; 3], 0);
    for case in 0..env("DANSO_FUZZ_CASES", 4_000) / 8 {
        let drawn = Shape {
            ops: rng.between(20, 150) as usize,
            processes: rng.between(3, 10) as usize,
            domain: rng.between(3, 8),
            crash: *rng.pick(&[0, 2, 5, 10]).unwrap(),
            lies: 2,
            ..shape(&mut rng)
        };
        let history = simulate::history(&mut rng, &drawn);
        let checker = Linearizable::new(CasRegister::default());
        let verdict = checker.check(&history, &Limits::default()).verdict;
        let proof = checker.prove(&history, &Limits::default());
        let proof = proof.unwrap_or_else(|why| panic!("{case}: {why}\n{}", show(&history)));
        assert_eq!(checker.verify(&history, &proof).unwrap().verdict, verdict);
        seen[verdict as usize] += 1;
        if let Proof::Invalid(core) = proof {
            most = most.max(core.ops.len());
        }
    }
    println!("larger: {} valid, {} invalid with {most} operations at most", seen[0], seen[2]);
    assert!(seen[0] > 0 && seen[2] > 0 && seen[1] == 0);
}

fn convinces<M: Model>(model: &M, history: &History, core: &Core) {
    let ops: Vec<Op<'_>> = core.ops.iter().map(|id| history.op(*id).unwrap()).collect();
    assert!(!oracle::object(model, &ops), "{core:?}\n{}", show(history));
}

/// Orders of everything that happened, in one or several pieces, of one key each or not.
fn forge(rng: &mut Rng, history: &History) -> Proof {
    let pieces = rng.between(1, 3);
    let (by_key, by_arg, shuffled) = (rng.chance(1, 2), rng.chance(1, 2), rng.chance(1, 4));
    let mut orders = BTreeMap::<(Option<u32>, u64), Vec<Op<'_>>>::new();
    for op in history.ops().filter(|op| op.is_ok()) {
        let piece = match (by_arg, op.arg().pair()) {
            (true, Some((part, _))) => part.int().unwrap_or(0) as u64 % pieces,
            _ => rng.below(pieces),
        };
        let key = op.key_id().filter(|_| by_key);
        orders.entry((key, piece)).or_default().push(op);
    }
    for order in orders.values_mut() {
        order.sort_by_key(|op| if rng.chance(1, 4) { op.inv_rank() } else { op.res_rank() });
        if shuffled {
            rng.shuffle(order);
        }
    }
    Proof::Valid(orders.values().map(|order| order.iter().map(|op| op.id()).collect()).collect())
}

/// A proof with something changed.
fn change(rng: &mut Rng, history: &History, proof: &Proof) -> Proof {
    let any = |rng: &mut Rng| history.row(rng.below(history.len() as u64) as usize).id();
    match proof.clone() {
        Proof::Valid(mut orders) => {
            let nth = rng.below(orders.len() as u64) as usize;
            let op = any(rng);
            let order = &mut orders[nth];
            let (a, b) =
                (rng.below(order.len() as u64) as usize, rng.below(order.len() as u64) as usize);
            match rng.below(6) {
                0 | 1 => order.swap(a, b),
                2 => _ = order.remove(a),
                3 => order.insert(a, op),
                4 => order[a] = op,
                _ => {
                    let core = Core {
                        ops: order.clone(),
                        upto: order[a],
                        parts: Vec::new(),
                        steps: Vec::new(),
                    };
                    return Proof::Invalid(core);
                }
            }
            Proof::Valid(orders)
        }
        Proof::Invalid(mut core) => {
            let (op, other) = (any(rng), any(rng));
            let at = rng.below(core.ops.len() as u64) as usize;
            match rng.below(8) {
                0 => _ = core.ops.remove(at),
                1 if !core.ops.contains(&op) => {
                    core.ops.push(op);
                    core.ops.sort_unstable();
                }
                2 => core.upto = op,
                3 => core.steps.push(Step::Unseen(op)),
                4 => core.steps.push(Step::Hidden { op, by: other }),
                5 => core.steps.insert(0, Step::Cut(op)),
                6 => return Proof::Valid(vec![core.ops]),
                _ => _ = core.steps.pop(),
            }
            // With a step more, the core is often what remains then.
            if rng.chance(1, 2) {
                let gone: Vec<OpId> = core
                    .steps
                    .iter()
                    .map(|step| match step {
                        Step::Unseen(op) | Step::Hidden { op, .. } | Step::Cut(op) => *op,
                    })
                    .collect();
                core.ops.retain(|op| !gone.contains(op));
            }
            Proof::Invalid(core)
        }
    }
}

#[test]
fn of_registers() {
    proofs("registers", CasRegister::default(), shape);
}

#[test]
fn of_registers_with_many_unknowns() {
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
    proofs("unknowns", CasRegister::default(), unknown);
}

#[test]
fn of_registers_that_observe_mismatches() {
    let strict =
        |rng: &mut Rng| Shape { behaviour: objects::strict_register, init: vec![1], ..shape(rng) };
    proofs("strict", CasRegister::new(1.into()), strict);
}

fn queue(rng: &mut Rng) -> Shape {
    Shape { behaviour: objects::queue, draw: objects::queue_call, ..shape(rng) }
}

#[test]
fn of_queues() {
    proofs("queue", Queue, queue);
    proofs("queue-units", Units, queue);
}

fn counter(rng: &mut Rng) -> Shape {
    let init = vec![0];
    Shape { behaviour: objects::counter, draw: objects::counter_call, init, ..shape(rng) }
}

#[test]
fn of_counters() {
    proofs("counter", Counter, counter);
}

fn parts(rng: &mut Rng) -> Shape {
    Shape {
        behaviour: registers,
        draw: registers_call,
        init: vec![0; 4],
        domain: 3,
        keys: rng.below(2),
        ..shape(rng)
    }
}

#[test]
fn of_objects_with_parts() {
    proofs("parts", Registers, parts);
}

#[test]
fn what_is_no_linearization_is_refused() {
    let checker = Linearizable::new(CasRegister::default());
    let refused = |history: &History, orders: &[&[u32]], say: &str| {
        let orders = orders.iter().map(|order| order.iter().copied().map(OpId).collect());
        let error = checker.verify(history, &Proof::Valid(orders.collect())).unwrap_err();
        assert!(error.to_string().contains(say), "{error}\n{}", show(history));
    };
    // One write cannot happen twice, though it is open all the time.
    let history = super::history([
        call(0, "write", 1),
        call(1, "read", ()),
        ok(1, 1),
        call(1, "write", 2),
        ok(1, ()),
        call(1, "read", ()),
        ok(1, 1),
        ok(0, ()),
        call(2, "write", 3),
        fail(2),
    ]);
    refused(&history, &[&[0, 1, 3, 0, 5]], "twice");
    refused(&history, &[&[0, 1, 5, 3]], "#3 p1 write 2 -> ok had ended before");
    refused(&history, &[&[0, 1, 3, 5]], "#5 p1 read -> 1 is not possible in the state 2");
    refused(&history, &[&[0, 1, 3]], "#5 p1 read -> 1 happened and is in no order");
    refused(&history, &[&[0, 1, 8, 3, 5]], "#8 is no operation that may have happened");
    refused(&history, &[&[0, 1, 7, 3, 5]], "#7 is no operation");
    refused(&history, &[&[3], &[0, 1, 5]], "only one order");
    refused(&history, &[], "is in no order");
    // The value of one object is not another's.
    let on = |process, f, arg: Value, key: i64| Event::Invoke {
        process: Process(process),
        node: None,
        call: Call::new(f, arg).on(key),
    };
    let history = super::history([
        on(0, "write", 1.into(), 7),
        ok(0, ()),
        on(0, "read", Value::Nil, 8),
        ok(0, 1),
    ]);
    refused(&history, &[&[0, 2]], "another object");
    refused(&history, &[&[0], &[2]], "#2 p0 read 8 -> 1 is not possible in the state nil");
    // Some operations name a key and some do not.
    let history =
        super::history([on(0, "write", 1.into(), 7), ok(0, ()), call(0, "read", ()), ok(0, ())]);
    refused(&history, &[&[0], &[2]], "only some operations name a key");
    refused(&super::history([]), &[], "there is no operation");
}

/// An object with independent parts may have an order for each.
#[test]
fn orders_may_be_split_by_parts() {
    let mut rng = Rng::new(env("DANSO_FUZZ_SEED", 1)).split("split");
    let checker = Linearizable::new(Registers);
    let (mut split, mut tied) = (0, 0);
    for _ in 0..env("DANSO_FUZZ_CASES", 4_000) / 4 {
        let drawn = Shape { keys: 0, ..parts(&mut rng) };
        let history = simulate::history(&mut rng, &drawn);
        let Ok(Proof::Valid(orders)) = checker.prove(&history, &Limits::default()) else {
            continue;
        };
        let mut by_part = BTreeMap::<Value, Vec<OpId>>::new();
        for id in orders.iter().flatten() {
            let op = history.op(*id).unwrap();
            by_part.entry(op.arg().pair().unwrap().0.clone()).or_default().push(*id);
        }
        if by_part.len() < 2 {
            continue;
        }
        // An operation on two parts ties them together, if the other has an order.
        let tie = orders.iter().flatten().any(|id| {
            let op = history.op(*id).unwrap();
            op.f() == "copy" && by_part.contains_key(op.arg().pair().unwrap().1)
        });
        let proof = Proof::Valid(by_part.into_values().collect());
        let claim = checker.verify(&history, &proof);
        assert_eq!(claim.is_ok(), !tie, "{claim:?} {proof:?}\n{}", show(&history));
        *if tie { &mut tied } else { &mut split } += 1;
    }
    assert!(split > 0 && tied > 0, "{split} {tied}");
    // A queue has no parts.
    let queue = Linearizable::new(Queue);
    let history =
        super::history([call(0, "enqueue", 1), ok(0, ()), call(0, "dequeue", ()), ok(0, ())]);
    let proof = Proof::Valid(vec![vec![OpId(0)], vec![OpId(2)]]);
    assert!(queue.verify(&history, &proof).is_err());
}

/// Takes away whatever the verifier allows: if there was a linearization, there still is one.
fn takes_away<M: Model + Clone>(name: &str, model: M, shape: impl Fn(&mut Rng) -> Shape) {
    let mut rng = Rng::new(env("DANSO_FUZZ_SEED", 1)).split(name).split("steps");
    let (mut taken, mut refused, mut refuted) = ([0_u64; 6], [0_u64; 6], 0);
    for case in 0..env("DANSO_FUZZ_CASES", 4_000) {
        let mut shape = shape(&mut rng);
        (shape.lies, shape.keys) = (shape.lies.min(3), 0);
        let history = simulate::history(&mut rng, &shape);
        let ops: Vec<Op<'_>> = history.ops().filter(|op| op.is_ok()).collect();
        let Some(last) = ops.iter().max_by_key(|op| op.res_rank()) else { continue };
        let linearizable = oracle::linearizable(&model, &history);
        let mut part = Part::upto(&model, *last, &history).unwrap();
        // The exhaustive part of the verifier against the oracle.
        assert_eq!(refute(&part).is_err(), linearizable, "{name} {case}\n{}", show(&history));
        refuted += u64::from(!linearizable);
        if !linearizable {
            continue;
        }
        if rng.chance(1, 2) {
            part = Part::upto(&model, *rng.pick(&ops).unwrap(), &history).unwrap();
        }
        for _ in 0..rng.between(1, 8) {
            let ids: Vec<OpId> = part.ops.iter().map(|held| held.op.id()).collect();
            let (Some(&op), Some(&by)) = (rng.pick(&ids), rng.pick(&ids)) else { break };
            let (some, way) = (rng.bits(), rng.below(6));
            let stays = |op: Op<'_>| some >> op.row() & 1 == 1;
            let before = part.ops.len();
            let done = match way {
                0 => part.take(Step::Cut(op)),
                1 => part.take(Step::Unseen(op)),
                2 => part.take(Step::Hidden { op, by }),
                3 => part.only(&[(some as i64 & 3).into(), (some as i64 >> 2 & 3).into()]),
                4 => part.forget_units(stays),
                _ => {
                    part.forget_observers(stays);
                    Ok(())
                }
            };
            let count = if done.is_ok() { &mut taken } else { &mut refused };
            count[way as usize] += u64::from(done.is_err() || part.ops.len() < before);
            let left = refute(&part);
            let why = || format!("{name} case {case}: {way} {op} {by}\n{}", show(&history));
            assert!(matches!(left, Err(Refused::Wrong(_))), "{left:?} {}", why());
        }
    }
    println!("{name}: {refuted} refuted; taken {taken:?}, not taken {refused:?}");
}

#[test]
fn what_may_be_taken_away_may_be() {
    takes_away("registers", CasRegister::default(), shape);
    let strict = |rng: &mut Rng| Shape {
        behaviour: objects::strict_register,
        init: vec![1],
        draw: if rng.chance(1, 2) { objects::swap_call } else { objects::register_call },
        ..shape(rng)
    };
    takes_away("strict", CasRegister::new(1.into()), strict);
    takes_away("units", Units, queue);
    takes_away("counters", Counter, counter);
    takes_away("parts", Registers, parts);
}

/// All small histories of a register, and everything that may be taken away first.
#[test]
fn every_first_step_from_every_small_history() {
    let (kinds, model) = (exhaustive::kinds(), CasRegister::new(0.into()));
    let ops = env("DANSO_EXHAUSTIVE_OPS", 3) as usize;
    let (mut parts, mut taken) = (0_u64, 0_u64);
    for order in exhaustive::interleavings(ops) {
        for choice in 0..kinds.len().pow(ops as u32) {
            let pick = |i: usize| &kinds[choice / kinds.len().pow(i as u32) % kinds.len()];
            let picked: Vec<_> = (0..ops).map(pick).collect();
            let history = exhaustive::history(&order, &picked);
            if !oracle::linearizable(&model, &history) {
                continue;
            }
            for last in history.ops().filter(|op| op.is_ok()) {
                let part = Part::upto(&model, last, &history).unwrap();
                parts += 1;
                assert!(refute(&part).is_err(), "{last}\n{}", show(&history));
                let ids: Vec<OpId> = part.ops.iter().map(|held| held.op.id()).collect();
                let steps = ids.iter().flat_map(|&op| {
                    let hidden = ids.iter().map(move |&by| Step::Hidden { op, by });
                    hidden.chain([Step::Cut(op), Step::Unseen(op)])
                });
                for step in steps {
                    let mut part = part.clone();
                    if part.take(step).is_ok() {
                        taken += 1;
                        assert!(refute(&part).is_err(), "{step:?} {last}\n{}", show(&history));
                    }
                }
            }
        }
    }
    println!("{parts} beginnings, {taken} steps");
}
