//! A core around operations that are refuted by themselves, without search.

use danso_vocab::certificate::{Core, Refused, Step};
use danso_vocab::{History, Model, Op, OpId};

use super::{MANY, tied, way};
use crate::verify::Part;

/// Takes away what is not in `seed`, as far as that is allowed: the smallest core that has the
/// seed. Whether it is refuted, the verifier finds out.
///
/// # Errors
/// If nothing of the seed happened.
pub(super) fn core_around<M: Model>(
    model: &M,
    history: &History,
    seed: &[OpId],
) -> Result<Core, Refused> {
    let ops = seed.iter().filter_map(|id| history.op(*id)).filter(|op| op.is_ok());
    let last = ops.max_by_key(|op| op.res_rank());
    let upto = last.ok_or(Refused::Wrong("nothing of it happened".to_owned()))?;
    let stays = |op: Op<'_>| seed.contains(&op.id());
    let mut left = Part::upto(model, upto, history)?;
    left.forget_observers(stays);
    let (mut fewer, mut parts) = (left.clone(), tied(model, &left, upto.id()));
    if fewer.only(&parts).is_ok() && of_seed(&fewer, seed) == of_seed(&left, seed) {
        left = fewer;
    } else {
        parts.clear();
    }
    // Where that is not allowed, more is left.
    let _ = left.forget_units(stays);
    let mut steps = Vec::new();
    if left.is_register() {
        cut(&mut left, seed, &mut steps);
        unseen(&mut left, seed, &mut steps);
    }
    let ops = left.ops.iter().map(|held| held.op.id()).collect();
    Ok(Core { ops, upto: upto.id(), parts, steps })
}

/// How many of the seed are left.
fn of_seed<M>(left: &Part<'_, '_, M>, seed: &[OpId]) -> usize {
    left.ops.iter().filter(|held| seed.contains(&held.op.id())).count()
}

/// Cuts before a write of the seed, as late a one as possible, if nothing else of it goes.
fn cut<M: Model>(left: &mut Part<'_, '_, M>, seed: &[OpId], steps: &mut Vec<Step>) {
    let mut writes: Vec<_> = left.ops.iter().filter(|held| seed.contains(&held.op.id())).collect();
    writes.sort_by_key(|held| std::cmp::Reverse(held.inv));
    for op in writes.iter().map(|held| held.op.id()).collect::<Vec<_>>() {
        let (mut fewer, step) = (left.clone(), Step::Cut(op));
        if fewer.take(step).is_ok() && of_seed(&fewer, seed) == of_seed(left, seed) {
            *left = fewer;
            steps.push(step);
            return;
        }
    }
}

/// Takes single operations away, as long as one can be: the last of those that feed each other
/// first.
fn unseen<M: Model>(left: &mut Part<'_, '_, M>, seed: &[OpId], steps: &mut Vec<Step>) {
    let mut before = usize::MAX;
    while left.ops.len() < before && left.ops.len() <= MANY {
        before = left.ops.len();
        let rest = left.ops.iter().rev().map(|held| held.op.id());
        for op in rest.filter(|op| !seed.contains(op)).collect::<Vec<_>>() {
            steps.extend(way(left, op));
        }
    }
}
