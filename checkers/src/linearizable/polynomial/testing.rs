//! Procedures against the oracle: what every one of them has to withstand.

use std::collections::BTreeMap;
use std::fmt::Debug;

use danso_vocab::{
    Call, Checker, Event, History, HistoryBuilder, Limits, Model, Op, Outcome, Process, Ret, Rng,
    Status, Time, Value, Verdict,
};

use super::{Decision, How, Part, Polynomial};
use crate::linearizable::Linearizable;
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
            let history = draw(&mut rng);
            self.one(&history, &mut tally);
            // An object that is a small part of its history.
            let rows = (0..history.len() as u32).filter(|_| rng.chance(1, 3)).collect::<Vec<_>>();
            self.part(&history, &rows, &mut Tally::default());
        }
        println!("{name}: {tally:?}");
        tally
    }

    /// Histories too long for the oracle, against the search.
    pub(super) fn longer(&self, name: &str, cases: u64, draw: impl Fn(&mut Rng) -> History)
    where
        M: Clone,
    {
        let mut rng = Rng::new(env("DANSO_FUZZ_SEED", 1)).split(name);
        let limits = Limits { states: 100_000, ..Limits::default() };
        let (mut valid, mut refuted, mut open) = (0, 0, 0);
        for _ in 0..env("DANSO_FUZZ_CASES", cases * 100) / 100 {
            let history = draw(&mut rng);
            let ops: Vec<Op<'_>> = history.ops().collect();
            let rows: Vec<u32> = (0..history.len() as u32).collect();
            let how = How { witness: true, ..How::default() };
            let decision = self.procedure.decide(&Part { history: &history, rows: &rows }, &how);
            let verdict = Linearizable::new(self.model.clone()).check(&history, &limits).verdict;
            match (decision, verdict) {
                (Decision::Unfit(_), _) => open += 1,
                (Decision::Linearizable(Some(order)), Verdict::Valid | Verdict::Unknown) => {
                    valid += 1;
                    self.replay(&history, &ops, &order);
                }
                (Decision::Refuted(core), Verdict::Invalid | Verdict::Unknown) => {
                    refuted += 1;
                    let core: Vec<Op<'_>> =
                        core.rows.iter().map(|row| history.row(*row as usize)).collect();
                    let small = core.len() <= 20;
                    assert!(!small || !oracle::object(&self.model, &core), "{}", show(&core));
                }
                (decision, verdict) => panic!("{verdict} {decision:?}\n{}", show(&ops)),
            }
        }
        println!("{name}: {valid} valid, {refuted} refuted, {open} unfit");
        assert!(valid > 0 && refuted > 0, "{name} shows one verdict only");
    }

    /// One history.
    pub(super) fn one(&self, history: &History, tally: &mut Tally) {
        let rows: Vec<u32> = (0..history.len() as u32).collect();
        self.part(history, &rows, tally);
    }

    /// Some operations of a history.
    fn part(&self, history: &History, rows: &[u32], tally: &mut Tally) {
        let decide = |witness| {
            let how = How { witness, ..How::default() };
            self.procedure.decide(&Part { history, rows }, &how)
        };
        let ops: Vec<Op<'_>> = rows.iter().map(|row| history.row(*row as usize)).collect();
        match (decide(false), decide(true)) {
            (Decision::Linearizable(None), Decision::Linearizable(Some(order))) => {
                tally.valid += 1;
                self.replay(history, &ops, &order);
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
    fn replay(&self, history: &History, ops: &[Op<'_>], order: &[u32]) {
        let show = || format!("{order:?}\n{}", show(ops));
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
        let there = ops.iter().all(|op| used[op.row()] || !op.is_ok());
        let foreign = order.iter().any(|row| ops.iter().all(|op| op.row() as u32 != *row));
        assert!(there && !foreign, "{}", show());
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
fn interleavings(ops: usize) -> Vec<Vec<(usize, bool)>> {
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

/// What an operation may be: its call, and its result if that is known.
pub(super) type Kind = (Call, Option<Value>);

/// All histories of so many operations of these kinds.
pub(super) fn every(ops: usize, kinds: &[Kind], each: impl FnMut(&History)) {
    every_of(ops, kinds, |_| true, each);
}

/// All histories of so many operations of these kinds, if all that may be `together`.
pub(super) fn every_of(
    ops: usize,
    kinds: &[Kind],
    together: impl Fn(&[&Kind]) -> bool,
    mut each: impl FnMut(&History),
) {
    let orders = interleavings(ops);
    for choice in 0..kinds.len().pow(ops as u32) {
        let pick = |i: usize| &kinds[choice / kinds.len().pow(i as u32) % kinds.len()];
        let picked: Vec<&Kind> = (0..ops).map(pick).collect();
        if !together(&picked) {
            continue;
        }
        for order in &orders {
            // One that never ends is tried only where it ends last.
            let unknown = |(op, begins): &(usize, bool)| !begins && picked[*op].1.is_none();
            let first = order.iter().position(unknown).unwrap_or(order.len());
            let rest = &order[first..];
            if rest.iter().all(unknown) && rest.is_sorted() {
                each(&history(order, &picked));
            }
        }
    }
}

/// The history of operations that overlap so.
fn history(order: &[(usize, bool)], picked: &[&Kind]) -> History {
    let mut builder = HistoryBuilder::new();
    builder.untimed();
    for &(op, begins) in order {
        let (process, (call, ret)) = (Process(op as u32), picked[op]);
        if begins {
            let event = Event::Invoke { process, node: None, call: call.clone() };
            builder.push(Time::ZERO, event).unwrap();
        } else if let Some(ret) = ret {
            builder.complete(Time::ZERO, process, None, Outcome::Ok(ret.clone())).unwrap();
        }
    }
    builder.finish()
}
