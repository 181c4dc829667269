//! Splitting one object into independent parts.
//!
//! If a specification is the conjunction of one specification per part, a history is
//! linearizable exactly if its restriction to each part is (P-compositionality, Horn and Kroening
//! 2015). Operations on several parts tie these together; one on all leaves nothing to split.

use std::borrow::Cow;

use danso_vocab::{History, Model, Parts, Ret, Status, Value};
use rustc_hash::FxHashMap;

use super::object::argument;

/// The rows of each independent part, by first appearance; all of them in one if there are none.
pub(super) fn split<M: Model>(history: &History, rows: &[u32], model: &M) -> Vec<Vec<u32>> {
    let mut ids: FxHashMap<Value, u32> = FxHashMap::default();
    let mut forest = Forest::default();
    let mut of_row = Vec::with_capacity(rows.len());
    let mut known = FxHashMap::default();
    let by_process = model.by_process();
    for &row in rows {
        let op = history.row(row as usize);
        let process = by_process.then(|| op.process());
        let group = *known
            .entry((op.f_id(), op.arg_id(), op.ret_id(), process, op.status() == Status::Fail))
            .or_insert_with(|| {
                let (arg, ret) = (argument(op, model), op.ret().map(Cow::into_owned));
                let saw = ret.as_ref().map_or(Ret::Unknown, Ret::Saw);
                let Parts::Of(parts) = model.parts(op.f(), &arg, saw) else { return None };
                let mut parts = parts.into_iter().map(|part| match ids.get(part) {
                    Some(id) => *id,
                    None => {
                        let id = forest.plant();
                        ids.insert(part.clone(), id);
                        id
                    }
                });
                let first = parts.next()?;
                // What failed did not happen and ties nothing together.
                let happened = op.status() != Status::Fail;
                let rest: Vec<u32> = parts.filter(|_| happened).collect();
                rest.into_iter().for_each(|other| forest.join(first, other));
                Some(first)
            });
        match group {
            Some(group) => of_row.push(group),
            None if op.status() == Status::Fail => of_row.push(u32::MAX),
            None => return vec![rows.to_vec()],
        }
    }
    let mut place = FxHashMap::default();
    let mut groups: Vec<Vec<u32>> = Vec::new();
    for (&row, &group) in rows.iter().zip(&of_row).filter(|(_, group)| **group != u32::MAX) {
        let at = *place.entry(forest.root(group)).or_insert_with(|| {
            groups.push(Vec::new());
            groups.len() - 1
        });
        groups[at].push(row);
    }
    groups
}

/// One linearization out of those of independent parts: every operation at the earliest instant
/// its own order allows. Rows in, rows out.
pub(super) fn merge(history: &History, orders: &[Vec<u32>]) -> Vec<u32> {
    let mut timed = Vec::with_capacity(orders.iter().map(Vec::len).sum());
    for (part, order) in orders.iter().enumerate() {
        let mut instant = 0;
        for &row in order {
            instant = history.row(row as usize).inv_rank().max(instant);
            timed.push((instant, part, row));
        }
    }
    // Stable, so that each part keeps its order.
    timed.sort_by_key(|(instant, part, _)| (*instant, *part));
    timed.into_iter().map(|(_, _, row)| row).collect()
}

/// Union-find.
#[derive(Default)]
struct Forest {
    parent: Vec<u32>,
}

impl Forest {
    fn plant(&mut self) -> u32 {
        self.parent.push(self.parent.len() as u32);
        self.parent.len() as u32 - 1
    }

    fn root(&mut self, mut node: u32) -> u32 {
        while self.parent[node as usize] != node {
            let parent = self.parent[node as usize];
            self.parent[node as usize] = self.parent[parent as usize];
            node = parent;
        }
        node
    }

    fn join(&mut self, a: u32, b: u32) {
        let (a, b) = (self.root(a), self.root(b));
        self.parent[a.max(b) as usize] = a.min(b);
    }
}
