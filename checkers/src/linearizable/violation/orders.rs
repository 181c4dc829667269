//! [`Orders`]: the ways to order a few operations, each as far as it goes.

use danso_vocab::OpId;
use danso_vocab::figure::{Figure, Order, Step};
use rustc_hash::FxHashSet;

use super::super::machine::Machine;
use super::super::object::{Item, Object};

/// Orders shown.
const SHOWN: usize = 8;

/// Steps after which no more orders are looked for.
const STEPS: usize = 20_000;

/// All maximal partial linearizations of a few operations, up to a bound.
pub(super) struct Orders {
    found: Vec<Stuck>,
}

/// An order that cannot be continued.
struct Stuck {
    steps: Vec<Taken>,
    state: String,
    /// The row of the operation that would have to come next, and itself in words.
    refused: u32,
    refused_id: OpId,
    refused_op: String,
}

/// An operation that took effect.
struct Taken {
    id: OpId,
    /// In words.
    op: String,
    /// The state after it.
    state: String,
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
    pub(super) fn of(object: &Object<'_>, machine: &mut Machine<'_>, items: &[Item]) -> Orders {
        if items.len() > 32 {
            return Orders { found: Vec::new() };
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
        found.sort_by_key(|stuck| std::cmp::Reverse(stuck.steps.len()));
        Orders { found }
    }

    /// Without those that end at another operation than that of this row.
    pub(super) fn only_at(mut self, row: u32) -> Orders {
        self.found.retain(|stuck| stuck.refused == row);
        self
    }

    /// The states in which the operation of this row was refused.
    pub(super) fn states_before(&self, row: u32) -> Option<String> {
        let mut states: Vec<&str> = Vec::new();
        for stuck in self.found.iter().filter(|stuck| stuck.refused == row) {
            if !states.contains(&stuck.state.as_str()) {
                states.push(&stuck.state);
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
        let nth = |stuck: &Stuck, n: usize| stuck.steps.get(n).map(|taken| taken.id);
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
                (false, 0) => format!("after {}", listed(steps)),
                (false, _) => format!("then, after {}", listed(steps)),
            };
            format!("{done} the state is {}, where {} is impossible", stuck.state, stuck.refused_op)
        };
        let mut lines = Vec::new();
        if common > 0 {
            lines.push(format!("every order begins with {}", listed(&first.steps[..common])));
        }
        lines.extend(self.found.iter().take(SHOWN).map(line));
        if self.found.len() > SHOWN {
            lines.push(format!("{} more orders end like this", self.found.len() - SHOWN));
        }
        lines
    }

    /// The same orders to be drawn.
    pub(super) fn figure(self) -> Option<Figure> {
        if self.found.is_empty() {
            return None;
        }
        let step = |taken: Taken| Step { op: taken.id, state: taken.state };
        let order = |stuck: Stuck| Order {
            steps: stuck.steps.into_iter().map(step).collect(),
            refused: stuck.refused_id,
            state: stuck.state,
        };
        Some(Figure::Orders(self.found.into_iter().take(SHOWN).map(order).collect()))
    }
}

fn listed(steps: &[Taken]) -> String {
    steps.iter().map(|taken| taken.op.as_str()).collect::<Vec<_>>().join(", ")
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
            let taken = |(i, state): &(u32, u32)| {
                let op = self.object.op(&self.items[*i as usize]);
                Taken { id: op.id(), op: op.to_string(), state: self.machine.describe(*state) }
            };
            let refused = self.object.op(&self.items[first]);
            self.found.push(Stuck {
                steps: order.iter().map(taken).collect(),
                state: self.machine.describe(state),
                refused: self.items[first].row,
                refused_id: refused.id(),
                refused_op: refused.to_string(),
            });
        }
    }
}
