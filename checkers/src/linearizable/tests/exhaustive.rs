//! All small histories of a register with two values, every one of them. `DANSO_EXHAUSTIVE_OPS`
//! says how small; each more takes a hundred times as long.

use danso_vocab::{Call, Event, History, HistoryBuilder, Outcome, Process, Time, Value, Verdict};

use super::fuzz::{env, show};
use super::{Reductions, frontier, live, oracle, verdict};
use crate::models::CasRegister;

/// What an operation may be: its call, and its outcome unless that is unknown.
pub(super) fn kinds() -> Vec<(Call, Option<Value>)> {
    let mut kinds = Vec::new();
    for a in 0..2_i64 {
        let cas = || Call::new("cas", [a, 1 - a]);
        kinds.push((Call::new("read", ()), Some(a.into())));
        kinds.push((Call::new("write", a), Some(Value::Nil)));
        kinds.push((Call::new("write", a), None));
        kinds.push((cas(), Some(Value::Nil)));
        kinds.push((cas(), Some("mismatch".into())));
        kinds.push((cas(), None));
    }
    kinds
}

/// The ways in which operations can overlap: operation `i` begins, or operation `i` ends.
pub(super) fn interleavings(ops: usize) -> Vec<Vec<(usize, bool)>> {
    fn go(
        ops: usize,
        begun: usize,
        open: &[usize],
        so_far: &[(usize, bool)],
        all: &mut Vec<Vec<(usize, bool)>>,
    ) {
        if so_far.len() == 2 * ops {
            all.push(so_far.to_vec());
        }
        if begun < ops {
            go(
                ops,
                begun + 1,
                &[open, &[begun]].concat(),
                &[so_far, &[(begun, true)]].concat(),
                all,
            );
        }
        for op in open {
            let rest: Vec<usize> = open.iter().copied().filter(|o| o != op).collect();
            go(ops, begun, &rest, &[so_far, &[(*op, false)]].concat(), all);
        }
    }
    let mut all = Vec::new();
    go(ops, 0, &[], &[], &mut all);
    all
}

pub(super) fn history(order: &[(usize, bool)], kinds: &[&(Call, Option<Value>)]) -> History {
    let mut builder = HistoryBuilder::new();
    builder.untimed();
    for &(op, begins) in order {
        let (process, (call, ret)) = (Process(op as u32), kinds[op]);
        if begins {
            let event = Event::Invoke { process, node: None, call: call.clone() };
            builder.push(Time::ZERO, event).unwrap();
        } else if let Some(ret) = ret {
            builder.complete(Time::ZERO, process, None, Outcome::Ok(ret.clone())).unwrap();
        }
    }
    builder.finish()
}

#[test]
fn every_small_history() {
    let ops = env("DANSO_EXHAUSTIVE_OPS", 3) as usize;
    let (kinds, model) = (kinds(), CasRegister::new(0.into()));
    let (mut valid, mut invalid) = (0_u64, 0_u64);
    for order in interleavings(ops) {
        for choice in 0..kinds.len().pow(ops as u32) {
            let pick = |i: usize| &kinds[choice / kinds.len().pow(i as u32) % kinds.len()];
            let picked: Vec<_> = (0..ops).map(pick).collect();
            let history = history(&order, &picked);
            if picked.iter().all(|(_, ret)| ret.is_none()) {
                continue;
            }
            let want = match oracle::linearizable(&model, &history) {
                true => Verdict::Valid,
                false => Verdict::Invalid,
            };
            *if want == Verdict::Valid { &mut valid } else { &mut invalid } += 1;
            let got = verdict(model.clone(), &history, Reductions::ALL);
            assert_eq!(got, want, "{}", show(&history));
            let got = frontier::verdict(&model, &history, Reductions::ALL);
            assert_eq!(got, want, "breadth first\n{}", show(&history));
            let got = live::verdict(&model, &history);
            assert_eq!(got, want, "live\n{}", show(&history));
        }
    }
    println!("{ops} operations: {valid} valid, {invalid} invalid");
}
