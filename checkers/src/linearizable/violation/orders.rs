//! [`Orders`]: the ways to order a few operations, each as far as it goes.

use danso_vocab::OpId;
use danso_vocab::figure::{Figure, Order, Step};
use rustc_hash::{FxHashMap, FxHashSet};

use super::super::machine::Machine;
use super::super::object::{Item, Object};
use crate::brief::brief;

/// Orders shown.
const SHOWN: usize = 8;

/// Steps after which no more orders are looked for.
const STEPS: usize = 20_000;

/// Different final states put into words.
const STATES: usize = 64;

/// All maximal partial linearizations of a few operations, up to a bound.
#[derive(Default)]
pub(super) struct Orders {
    found: Vec<Stuck>,
    /// The operations in words.
    ops: FxHashMap<OpId, String>,
    /// The states that are shown, in words.
    states: FxHashMap<u32, String>,
}

/// An order that cannot be continued.
struct Stuck {
    /// What took effect, and the state after it.
    steps: Vec<(OpId, u32)>,
    state: u32,
    /// The operation that would have to come next, and its row.
    refused: OpId,
    row: u32,
}

/// The search for them: all of it, since the operations are few.
struct Walk<'o, 'h, 'm, 'a> {
    object: &'o Object<'h>,
    machine: &'m mut Machine<'a>,
    items: &'o [Item],
    steps: usize,
    /// Where it was: the set of operations done, and the state.
    seen: FxHashSet<(u32, u32)>,
    found: Vec<Stuck>,
}

impl Orders {
    /// Of these items; only those that end at the operation of this row, if one is named.
    pub(super) fn of(
        object: &Object<'_>,
        machine: &mut Machine<'_>,
        items: &[Item],
        only: Option<u32>,
    ) -> Orders {
        if items.len() > 32 {
            return Orders::default();
        }
        let mut walk = Walk {
            object,
            machine,
            items,
            steps: 0,
            seen: FxHashSet::default(),
            found: Vec::new(),
        };
        walk.go(0, Machine::INIT, &mut Vec::new());
        let mut found = walk.found;
        found.retain(|stuck| only.is_none_or(|row| stuck.row == row));
        found.sort_by_key(|stuck| std::cmp::Reverse(stuck.steps.len()));
        let op = |item| object.op(item);
        let ops = items.iter().map(|i| (op(i).id(), brief(op(i)))).collect();
        let steps = found.iter().take(SHOWN).flat_map(|stuck| &stuck.steps);
        let mut ends: Vec<u32> = found.iter().map(|stuck| stuck.state).collect();
        let shown: Vec<u32> = ends.iter().take(SHOWN).copied().collect();
        ends.sort_unstable();
        ends.dedup();
        ends.truncate(STATES);
        let all = steps.map(|(_, state)| *state).chain(shown).chain(ends);
        let mut states = FxHashMap::default();
        for state in all {
            states.entry(state).or_insert_with(|| brief(machine.describe(state)));
        }
        Orders { found, ops, states }
    }

    fn op(&self, id: OpId) -> &str {
        self.ops.get(&id).map_or("", String::as_str)
    }

    fn state(&self, state: u32) -> &str {
        self.states.get(&state).map_or("", String::as_str)
    }

    /// The states in which the operation of this row was refused.
    pub(super) fn states_before(&self, row: u32) -> Option<String> {
        let mut states: Vec<&str> = Vec::new();
        for stuck in self.found.iter().filter(|stuck| stuck.row == row) {
            let state = self.states.get(&stuck.state)?.as_str();
            if !states.contains(&state) {
                states.push(state);
            }
        }
        match states.as_slice() {
            [] => None,
            [one] => Some((*one).to_owned()),
            [some @ .., last] if some.len() < 5 => Some(format!("{} or {last}", some.join(", "))),
            _ => None,
        }
    }

    /// One line an order. What all of them begin with is said once.
    pub(super) fn lines(&self) -> Vec<String> {
        let Some(first) = self.found.first() else { return Vec::new() };
        let nth = |stuck: &Stuck, n: usize| stuck.steps.get(n).map(|(id, _)| *id);
        let agrees = |n: &usize| self.found.iter().all(|s| nth(s, *n) == nth(first, *n));
        let mut common = (0..first.steps.len()).take_while(agrees).count();
        if self.found.len() == 1 || common < 3 {
            common = 0;
        }
        let line = |stuck: &Stuck| {
            let steps = &stuck.steps[common..];
            let done = match (steps.is_empty(), common) {
                (true, 0) => "at first".to_owned(),
                (true, _) => "then".to_owned(),
                (false, 0) => format!("after {}", self.listed(steps)),
                (false, _) => format!("then, after {}", self.listed(steps)),
            };
            let (state, refused) = (self.state(stuck.state), self.op(stuck.refused));
            format!("{done} the state is {state}, where {refused} is impossible")
        };
        let mut lines = Vec::new();
        if common > 0 {
            lines.push(format!("every order begins with {}", self.listed(&first.steps[..common])));
        }
        lines.extend(self.found.iter().take(SHOWN).map(line));
        if self.found.len() > SHOWN {
            lines.push(format!("{} more orders end like this", self.found.len() - SHOWN));
        }
        lines
    }

    fn listed(&self, steps: &[(OpId, u32)]) -> String {
        steps.iter().map(|(id, _)| self.op(*id)).collect::<Vec<_>>().join(", ")
    }

    /// The same orders to be drawn.
    pub(super) fn figure(&self) -> Option<Figure> {
        let step = |(op, state): &(OpId, u32)| Step { op: *op, state: self.state(*state).into() };
        let order = |stuck: &Stuck| Order {
            steps: stuck.steps.iter().map(step).collect(),
            refused: stuck.refused,
            state: self.state(stuck.state).to_owned(),
        };
        let orders: Vec<_> = self.found.iter().take(SHOWN).map(order).collect();
        (!orders.is_empty()).then_some(Figure::Orders(orders))
    }
}

impl Walk<'_, '_, '_, '_> {
    fn go(&mut self, done: u32, state: u32, order: &mut Vec<(u32, u32)>) {
        self.steps += 1;
        if !self.seen.insert((done, state)) || self.steps > STEPS {
            return;
        }
        let todo = |i: &usize| done >> i & 1 == 0;
        let musts = (0..self.items.len()).filter(todo).filter(|i| self.items[*i].must());
        let Some(first) = musts.min_by_key(|i| self.items[*i].res) else { return };
        let end = self.items[first].res;
        let mut stuck = true;
        for i in (0..self.items.len()).filter(todo).filter(|i| self.items[*i].inv < end) {
            let Some(next) = self.machine.step(state, self.items[i].class) else { continue };
            if next == state && !self.items[i].must() {
                continue;
            }
            stuck = false;
            order.push((i as u32, next));
            self.go(done | 1 << i, next, order);
            order.pop();
        }
        if stuck {
            let taken =
                |(i, state): &(u32, u32)| (self.object.op(&self.items[*i as usize]).id(), *state);
            self.found.push(Stuck {
                steps: order.iter().map(taken).collect(),
                state,
                refused: self.object.op(&self.items[first]).id(),
                row: self.items[first].row,
            });
        }
    }
}
