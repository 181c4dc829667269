//! Obviously right and slow: try everything.

use super::super::object::argument;
use danso_vocab::{History, Model, Op, Ret, Status};
use rustc_hash::FxHashSet;

/// Whether every object of `history` is linearizable.
pub(in crate::linearizable) fn linearizable<M: Model>(model: &M, history: &History) -> bool {
    let keys: FxHashSet<Option<u32>> = history.ops().map(|op| op.key_id()).collect();
    keys.iter().all(|key| {
        let ops: Vec<Op<'_>> =
            history.ops().filter(|op| op.key_id() == *key && !model.ignores(op.f())).collect();
        object(model, &ops)
    })
}

/// Whether these operations of one object are linearizable.
pub(in crate::linearizable) fn object<M: Model>(model: &M, ops: &[Op<'_>]) -> bool {
    assert!(ops.len() <= 64, "that would take for ever");
    extend(model, ops, 0, model.init(), &mut FxHashSet::default())
}

/// Whether a linearization of the operations in the set `done` that leads to `state` extends to
/// one of all that happened.
fn extend<M: Model>(
    model: &M,
    ops: &[Op<'_>],
    done: u64,
    state: M::State,
    seen: &mut FxHashSet<(u64, M::State)>,
) -> bool {
    let todo = |i: &usize| done >> i & 1 == 0 && ops[*i].status() != Status::Fail;
    let Some(end) =
        (0..ops.len()).filter(todo).filter(|i| ops[*i].is_ok()).map(|i| ops[i].res_rank()).min()
    else {
        return true;
    };
    if !seen.insert((done, state.clone())) {
        return false;
    }
    (0..ops.len()).filter(todo).filter(|i| ops[*i].inv_rank() < end).any(|i| {
        let ret = ops[i].ret();
        let ret = ret.as_deref().map_or(Ret::Unknown, Ret::Saw);
        let next = model.step(&state, ops[i].f(), &argument(ops[i], model), ret);
        next.is_some_and(|next| extend(model, ops, done | 1 << i, next, seen))
    })
}
