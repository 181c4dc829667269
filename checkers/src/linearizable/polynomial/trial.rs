//! Procedures against the oracle: what every one of them has to withstand.

use std::collections::BTreeMap;
use std::fmt::Debug;

use danso_vocab::{
    Call, Event, History, HistoryBuilder, Model, Op, Outcome, Process, Ret, Rng, Status, Time,
    Value,
};

use super::{Decision, How, Part, Polynomial};
use crate::linearizable::tests::fuzz::env;
use crate::linearizable::tests::oracle;

/// What is to be tried.
pub(super) struct Trial<'t, M> {
    pub(super) model: M,
    pub(super) procedure: &'t dyn Polynomial,
    /// The units of a core: what can be taken out of it without making it linearizable wrongly.
    pub(super) units: fn(&[Op<'_>]) -> Vec<Vec<u32>>,
}

/// How often what came out.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) valid: u64,
    pub(super) refuted: u64,
    pub(super) unfit: u64,
    pub(super) names: BTreeMap<String, u64>,
}

impl Tally {
    /// A test that sees one verdict only shows nothing.
    pub(super) fn shows_both(&self) {
        let least = (self.valid + self.refuted) / 50;
        assert!(self.valid > least && self.refuted > least, "{self:?}");
    }
}

impl<M: Model> Trial<'_, M> {
    /// Random histories; `DANSO_FUZZ_CASES` scales their number, by default `cases`, and
    /// `DANSO_FUZZ_SEED` starts elsewhere.
    pub(super) fn fuzz(&self, name: &str, cases: u64, draw: impl Fn(&mut Rng) -> History) -> Tally {
        let mut rng = Rng::new(env("DANSO_FUZZ_SEED", 1)).split(name);
        let mut tally = Tally::default();
        for _ in 0..env("DANSO_FUZZ_CASES", cases) {
            self.one(&draw(&mut rng), &mut tally);
        }
        println!("{name}: {tally:?}");
        tally
    }

    /// One history.
    pub(super) fn one(&self, history: &History, tally: &mut Tally) {
        let rows: Vec<u32> = (0..history.len() as u32).collect();
        let decide = |witness| {
            let how = How { witness, ..How::default() };
            self.procedure.decide(&Part { history, rows: &rows }, &how)
        };
        let ops: Vec<Op<'_>> = history.ops().collect();
        match (decide(false), decide(true)) {
            (Decision::Linearizable(None), Decision::Linearizable(Some(order))) => {
                tally.valid += 1;
                self.replay(history, &order);
            }
            (Decision::Refuted(refuted), again) => {
                tally.refuted += 1;
                let show = || format!("{refuted:#?}\n{}", show(&ops));
                assert_eq!(again, Decision::Refuted(refuted.clone()), "{}", show());
                assert!(!oracle::object(&self.model, &ops), "wrongly refuted: {}", show());
                let core: Vec<Op<'_>> =
                    refuted.rows.iter().map(|row| history.row(*row as usize)).collect();
                let failed = core.iter().any(|op| op.status() == Status::Fail);
                assert!(!failed && !core.is_empty(), "{}", show());
                assert!(!oracle::object(&self.model, &core), "bad core: {}", show());
                assert!(refuted.because.contains(&core[0].id().to_string()), "{}", show());
                for unit in (self.units)(&core) {
                    let left: Vec<Op<'_>> = core
                        .iter()
                        .filter(|op| !unit.contains(&(op.row() as u32)))
                        .copied()
                        .collect();
                    let rest = oracle::object(&self.model, &left);
                    assert!(left.len() == core.len() || rest, "{unit:?} is idle: {}", show());
                }
                *tally.names.entry(refuted.name.into_owned()).or_default() += 1;
            }
            (Decision::Unfit(_), Decision::Unfit(_)) => tally.unfit += 1,
            (a, b) => panic!("{a:?} {b:?}\n{}", show(&ops)),
        }
    }

    /// Whether an order is one of all that happened, legal and in real time.
    fn replay(&self, history: &History, order: &[u32]) {
        let show = || format!("{order:?}\n{}", show(&history.ops().collect::<Vec<_>>()));
        let mut used = vec![false; history.len()];
        let (mut state, mut latest) = (self.model.init(), 0);
        for row in order {
            let op = history.row(*row as usize);
            assert!(!std::mem::replace(&mut used[op.row()], true), "twice: {}", show());
            assert!(op.status() != Status::Fail && op.res_rank() >= latest, "{}", show());
            latest = latest.max(op.inv_rank());
            let ret = op.ret();
            let ret = ret.as_deref().map_or(Ret::Unknown, Ret::Saw);
            let next = self.model.step(&state, op.f(), &op.arg(), ret);
            state = next.unwrap_or_else(|| panic!("{op} in {state:?}: {}", show()));
        }
        assert!(history.ops().all(|op| used[op.row()] || !op.is_ok()), "left out: {}", show());
    }
}

/// Operations with their stretches.
pub(super) fn show(ops: &[Op<'_>]) -> String {
    let line = |op: &Op<'_>| {
        let end =
            if op.status() == Status::Info { "∞".into() } else { op.res_rank().to_string() };
        format!("  [{:>2}, {end:>2}] {op}\n", op.inv_rank())
    };
    ops.iter().map(line).collect()
}

/// The ways in which operations can overlap: operation `i` begins or ends; one that never ends
/// may as well end last.
pub(super) fn interleavings(ops: usize) -> Vec<Vec<(usize, bool)>> {
    let mut all = vec![(0, Vec::new(), Vec::new())];
    for _ in 0..2 * ops {
        let mut next = Vec::new();
        for (begun, open, order) in all {
            let with = |step| [order.as_slice(), &[step]].concat();
            if begun < ops {
                let open: Vec<usize> = [open.as_slice(), &[begun]].concat();
                next.push((begun + 1, open, with((begun, true))));
            }
            for op in &open {
                let left = open.iter().copied().filter(|other| other != op).collect();
                next.push((begun, left, with((*op, false))));
            }
        }
        all = next;
    }
    all.into_iter().map(|(.., order)| order).collect()
}

/// All histories of so many operations of these kinds: a call, and its result if that is known.
pub(super) fn every(ops: usize, kinds: &[(Call, Option<Value>)], mut each: impl FnMut(&History)) {
    for order in interleavings(ops) {
        for choice in 0..kinds.len().pow(ops as u32) {
            let pick = |i: usize| &kinds[choice / kinds.len().pow(i as u32) % kinds.len()];
            each(&history(&order, pick));
        }
    }
}

/// The history of operations that overlap so.
pub(super) fn history<'k>(
    order: &[(usize, bool)],
    pick: impl Fn(usize) -> &'k (Call, Option<Value>),
) -> History {
    let mut builder = HistoryBuilder::new();
    builder.untimed();
    for &(op, begins) in order {
        let (process, (call, ret)) = (Process(op as u32), pick(op));
        if begins {
            let event = Event::Invoke { process, node: None, call: call.clone() };
            builder.push(Time::ZERO, event).unwrap();
        } else if let Some(ret) = ret {
            builder.complete(Time::ZERO, process, None, Outcome::Ok(ret.clone())).unwrap();
        }
    }
    builder.finish()
}
