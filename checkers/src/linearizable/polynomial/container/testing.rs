//! Containers at random and one by one, against the oracle.

use std::collections::BTreeMap;

use danso_vocab::{Call, Event, History, Model, Op, Outcome, Ret, Rng, Status, Unit, Value};

use crate::linearizable::polynomial::{Decision, How, Part, Polynomial};
use crate::linearizable::tests::fuzz::env;
use crate::linearizable::tests::oracle;
use crate::linearizable::tests::simulate::{self, Shape};

/// What was decided how often.
#[derive(Debug, Default)]
pub(in super::super) struct Counts {
    pub(in super::super) valid: u64,
    pub(in super::super) invalid: u64,
    pub(in super::super) unfit: u64,
    /// Valid without a witness.
    pub(in super::super) silent: u64,
    pub(in super::super) names: BTreeMap<String, u64>,
}

/// Histories of unique elements of a container that acts like this.
pub(in super::super) fn shape(
    rng: &mut Rng,
    behaviour: simulate::Behaviour,
    draw: fn(&mut Rng, &Shape, &mut i64) -> Call,
) -> Shape {
    Shape {
        behaviour,
        init: Vec::new(),
        draw,
        domain: 1,
        unique: true,
        processes: rng.between(2, 5) as usize,
        ops: rng.between(2, 12) as usize,
        crash: *rng.pick(&[0, 10, 30]).unwrap(),
        keys: 0,
        touch: *rng.pick(&[0, 20, 60]).unwrap(),
        lies: rng.below(4),
    }
}

/// What may be taken out of a core, as rows: the test's own idea of it.
pub(in super::super) type Units = fn(&[Op<'_>]) -> Vec<Vec<u32>>;

/// A model, its procedure, and how their counterexamples come apart.
pub(in super::super) struct Subject<'s, M> {
    pub(in super::super) model: M,
    pub(in super::super) procedure: &'s dyn Polynomial,
    pub(in super::super) units: Units,
}

impl<M: Model> Subject<'_, M> {
    /// Decides many random histories of a shape.
    pub(in super::super) fn fuzz(&self, name: &str, shape: impl Fn(&mut Rng) -> Shape) -> Counts {
        let mut rng = Rng::new(env("DANSO_FUZZ_SEED", 1)).split(name);
        let mut counts = Counts::default();
        for case in 0..env("DANSO_FUZZ_CASES", 4_000) {
            let shape = shape(&mut rng);
            let mut events = simulate::events(&mut rng, &shape);
            for _ in 0..rng.below(shape.lies.min(2) + 1) {
                lie(&mut rng, &mut events);
            }
            let history = simulate::stamped(&mut rng, &shape, events);
            self.check(&format!("{name} case {case}"), &history, &mut counts);
        }
        println!("{name}: {counts:?}");
        assert!(counts.valid > 0 && counts.invalid > 0, "{name} sees one verdict only");
        counts
    }

    /// Decides one history and compares with the oracle.
    pub(in super::super) fn check(&self, name: &str, history: &History, counts: &mut Counts) {
        let rows: Vec<u32> = (0..history.len() as u32).collect();
        let part = Part { history, rows: &rows };
        let show = || format!("{name}\n{}", show_history(history));
        let ops: Vec<Op<'_>> = history.ops().collect();
        let quick = self.procedure.decide(&part, &How::default());
        let thorough = self.procedure.decide(&part, &How { witness: true, ..How::default() });
        match (&quick, thorough) {
            (Decision::Unfit(_), Decision::Unfit(_)) => counts.unfit += 1,
            (Decision::Linearizable(None), Decision::Linearizable(order)) => {
                counts.valid += 1;
                assert!(oracle::object(&self.model, &ops), "wrongly valid: {}", show());
                let Some(order) = order else {
                    counts.silent += 1;
                    return;
                };
                if let Err(what) = replays(&self.model, &ops, &order) {
                    panic!("{what}: {order:?} {}", show());
                }
            }
            (Decision::Refuted(refutation), Decision::Refuted(again)) => {
                counts.invalid += 1;
                assert_eq!(*refutation, again);
                assert!(!oracle::object(&self.model, &ops), "wrongly invalid: {}", show());
                *counts.names.entry(refutation.name.to_string()).or_default() += 1;
                self.convinces(&ops, &refutation.rows, &|| format!("{refutation:#?} {}", show()));
            }
            (quick, thorough) => panic!("{quick:?}, but {thorough:?}: {}", show()),
        }
    }

    /// A core is not linearizable, not even with all that is unknown; and it is minimal.
    fn convinces(&self, ops: &[Op<'_>], rows: &[u32], show: &dyn Fn() -> String) {
        let of = |rows: &[u32]| -> Vec<Op<'_>> {
            ops.iter().filter(|op| rows.contains(&(op.row() as u32))).copied().collect()
        };
        let core = of(rows);
        assert!(core.len() == rows.len() && !core.is_empty(), "rows twice: {}", show());
        assert!(core.iter().all(|op| op.status() != Status::Fail), "failed: {}", show());
        assert!(!oracle::object(&self.model, &core), "it is linearizable: {}", show());
        let crashed = ops.iter().filter(|op| op.status() == Status::Info && op.arg().is_nil());
        let all: Vec<u32> = rows.iter().copied().chain(crashed.map(|op| op.row() as u32)).collect();
        assert!(!oracle::object(&self.model, &of(&all)), "more could explain it: {}", show());
        for unit in (self.units)(&core) {
            let rest: Vec<u32> = rows.iter().filter(|r| !unit.contains(r)).copied().collect();
            let rest = of(&rest);
            assert!(oracle::object(&self.model, &rest), "{unit:?} is not needed: {}", show());
        }
    }
}

/// An element with all that happened to it; an answer that there was nothing; a look at one.
pub(in super::super) fn units(ops: &[Op<'_>]) -> Vec<Vec<u32>> {
    let mut elements = BTreeMap::<Value, Vec<u32>>::new();
    let mut units = Vec::new();
    for op in ops {
        let (arg, ret) = (op.arg().into_owned(), op.ret());
        let unit = crate::models::words::unit(
            word(op.f()),
            &arg,
            match &ret {
                Some(ret) => Ret::Saw(ret),
                None => Ret::Unknown,
            },
        );
        let row = op.row() as u32;
        match unit {
            Unit::Of(element) => elements.entry(element.clone()).or_default().push(row),
            Unit::Observer => units.push(vec![row]),
            Unit::Fixed => {}
        }
        if word(op.f()) == Some(crate::models::words::Word::Peek) && unit != Unit::Observer {
            units.push(vec![row]);
        }
    }
    units.extend(elements.into_values());
    units
}

fn word(f: &str) -> Option<crate::models::words::Word> {
    crate::models::FifoQueue::word(f)
        .or(crate::models::Stack::word(f))
        .or(crate::models::PriorityQueue::min().word(f))
        .or(crate::models::Bag::word(f))
}

/// Whether these rows, in this order, are a linearization.
fn replays<M: Model>(model: &M, ops: &[Op<'_>], order: &[u32]) -> Result<(), String> {
    let mut state = model.init();
    let mut latest = 0;
    let mut done = vec![false; ops.len()];
    for row in order {
        let op = ops[*row as usize];
        if op.status() == Status::Fail || std::mem::replace(&mut done[*row as usize], true) {
            return Err(format!("{op} happens twice or failed"));
        }
        if op.res_rank() < latest {
            return Err(format!("{op} had ended before one before it began"));
        }
        latest = latest.max(op.inv_rank());
        let ret = op.ret();
        let saw = ret.as_deref().map_or(Ret::Unknown, Ret::Saw);
        state = model
            .step(&state, op.f(), &op.arg(), saw)
            .ok_or_else(|| format!("{op} is not possible in {state:?}"))?;
    }
    match ops.iter().find(|op| op.is_ok() && !done[op.row()]) {
        Some(op) => Err(format!("{op} is missing")),
        None => Ok(()),
    }
}

/// Lets an answer say that there was nothing, or something, or what another one said.
fn lie(rng: &mut Rng, events: &mut [Event]) {
    let answers: Vec<usize> = (0..events.len()).filter(|i| answer(events, *i)).collect();
    let (Some(&at), Some(&from)) = (rng.pick(&answers), rng.pick(&answers)) else { return };
    let other = match &events[from] {
        Event::Complete { outcome: Outcome::Ok(value), .. } => value.clone(),
        _ => Value::Nil,
    };
    let lie = match rng.below(8) {
        0 => Value::Nil,
        1 => "empty".into(),
        2 => Value::Int(100 + rng.below(6) as i64),
        _ => other,
    };
    if let Event::Complete { outcome: Outcome::Ok(value), .. } = &mut events[at] {
        let truth = std::mem::replace(value, lie);
        // Most often the two are exchanged.
        if let Event::Complete { outcome: Outcome::Ok(value), .. } = &mut events[from]
            && rng.chance(2, 3)
        {
            *value = truth;
        }
    }
}

/// Whether this event completes an operation without an argument.
fn answer(events: &[Event], at: usize) -> bool {
    let Event::Complete { process, outcome: Outcome::Ok(_) } = &events[at] else { return false };
    let begun = events[..at].iter().rev().find_map(|event| match event {
        Event::Invoke { process: p, call, .. } if p == process => Some(call),
        _ => None,
    });
    begun.is_some_and(|call: &Call| call.arg.is_nil())
}

/// How an operation of a small history may look: its call, and its result if known.
pub(in super::super) type Kind = (Call, Option<Value>);

impl<M: Model> Subject<'_, M> {
    /// Decides all histories of so many operations of these kinds.
    pub(in super::super) fn exhaust(&self, ops: usize, kinds: &[Kind]) -> Counts {
        let mut counts = Counts::default();
        let mut order = Vec::new();
        self.exhaust_from(ops, kinds, &mut order, &mut counts);
        println!("{ops} operations: {counts:?}");
        counts
    }

    fn exhaust_from(
        &self,
        ops: usize,
        kinds: &[Kind],
        order: &mut Vec<(usize, bool)>,
        counts: &mut Counts,
    ) {
        if order.len() == 2 * ops {
            for choice in 0..kinds.len().pow(ops as u32) {
                let kind = |op: usize| &kinds[choice / kinds.len().pow(op as u32) % kinds.len()];
                self.check("exhaustive", &small(order, kind), counts);
            }
            return;
        }
        let begun = order.iter().filter(|(_, begins)| *begins).count();
        let next = (0..begun).filter(|op| !order.contains(&(*op, false))).map(|op| (op, false));
        let mut next: Vec<(usize, bool)> = next.collect();
        next.extend((begun < ops).then_some((begun, true)));
        for event in next {
            order.push(event);
            self.exhaust_from(ops, kinds, order, counts);
            order.pop();
        }
    }
}

fn small<'k>(order: &[(usize, bool)], kind: impl Fn(usize) -> &'k Kind) -> History {
    let mut builder = danso_vocab::HistoryBuilder::new();
    builder.untimed();
    for (op, begins) in order {
        let (process, (call, ret)) = (danso_vocab::Process(*op as u32), kind(*op));
        let time = danso_vocab::Time::ZERO;
        if *begins {
            let event = Event::Invoke { process, node: None, call: call.clone() };
            builder.push(time, event).unwrap();
        } else if let Some(ret) = ret {
            builder.complete(time, process, None, Outcome::Ok(ret.clone())).unwrap();
        }
    }
    builder.finish()
}

fn show_history(history: &History) -> String {
    let line = |op: Op<'_>| format!("  [{}, {}] {op}\n", op.inv_rank(), op.res_rank() as i32);
    history.ops().map(line).collect()
}
