//! [`Prober`]: asks whether parts of an object are refuted too.

use super::super::machine::Machine;
use super::super::object::{Item, NEVER, Object};
use super::super::reduce::{Reductions, reduce};
use super::super::search::{Budget, Outcome, search};
use super::super::timeline::Timeline;

/// Configurations a search of a few operations without reductions may visit.
const PLAIN: u64 = 200_000;

/// Configurations of the whole that are visited once more without any reasoning about values.
const AGAIN: u64 = 20_000;

/// Searches parts of an object, on a budget. What is not refuted within it counts as not
/// refuted: that can only make an anomaly larger.
pub(in crate::linearizable) struct Prober<'o, 'h, 'm, 'a> {
    pub(in crate::linearizable) object: &'o Object<'h>,
    pub(super) machine: &'m mut Machine<'a>,
    budget: Budget,
    /// Configurations that may still be visited.
    left: u64,
}

impl<'o, 'h, 'm, 'a> Prober<'o, 'h, 'm, 'a> {
    /// A prober that spends about as much as the search that led here, a few times over.
    pub(in crate::linearizable) fn new(
        object: &'o Object<'h>,
        machine: &'m mut Machine<'a>,
        budget: &Budget,
        visited: u64,
    ) -> Self {
        let left = visited.saturating_mul(10).saturating_add(1_000_000);
        Prober { object, machine, budget: budget.clone(), left }
    }

    /// Whether nothing more will be found out.
    pub(in crate::linearizable) fn spent(&self) -> bool {
        self.left == 0 || self.budget.stop.is_tripped()
    }

    /// Whether these items are certainly not linearizable.
    pub(in crate::linearizable) fn refuted(&mut self, items: &[Item]) -> bool {
        if self.spent() {
            return false;
        }
        let (outcome, visited) = self.ask(items, Reductions::ALL, self.left);
        // Preparing a search costs as well.
        self.left = self.left.saturating_sub(visited.max(items.len() as u64));
        outcome == Outcome::Refuted
    }

    /// The same by the search without any reduction; `None` if it takes too long.
    pub(super) fn plainly_refuted(&mut self, items: &[Item]) -> Option<bool> {
        // Without a memory of dead ends even small parts can take for ever.
        let plain = Reductions { memo: true, ..Reductions::NONE };
        match self.ask(items, plain, PLAIN).0 {
            Outcome::Refuted => Some(true),
            Outcome::Linearizable(_) => Some(false),
            Outcome::OutOf(_) => None,
        }
    }

    /// Whether a search that does not reason about values finds a linearization of the whole,
    /// within moderate bounds.
    pub(super) fn contradicted(&mut self) -> bool {
        let object = self.object;
        let (outcome, _) = self.ask(&object.items, Reductions::CLASSIC, AGAIN);
        matches!(outcome, Outcome::Linearizable(_))
    }

    fn ask(&mut self, items: &[Item], reductions: Reductions, states: u64) -> (Outcome, u64) {
        let items = reduce(self.object, items, reductions);
        let line = Timeline::new(self.object, &items, reductions.pools);
        // A configuration costs more the more operations are open.
        let wide = 1 + line.slots.max(line.pools.len()) as u64 / 16;
        let states = self.budget.states.min(states / wide);
        let budget = Budget { states, ..self.budget.clone() };
        let searched = search(self.object, &line, self.machine, reductions, &budget);
        (searched.outcome, searched.visited)
    }

    /// The items up to the first response at which they are refuted; those open there need not
    /// happen, but if they do, then with the result they had. `stuck_at` is a good guess.
    pub(in crate::linearizable) fn shortest_bad_prefix(&mut self, stuck_at: u64) -> Vec<Item> {
        let all = self.object.items.clone();
        let mut ends: Vec<u64> = all.iter().filter(|i| i.must()).map(|i| i.res).collect();
        ends.sort_unstable();
        // The prefix that ends at `bad` is refuted (all of it is), the one before `good` is not.
        let (mut good, mut bad) = (0, ends.len() - 1);
        let guess = ends.partition_point(|end| *end < stuck_at).min(bad);
        let mut probe = guess;
        while good < bad {
            if self.refuted(&until(&all, ends[probe])) {
                bad = probe;
                // A good guess is confirmed by the prefix just before it.
                probe = if probe == guess && probe > good { probe - 1 } else { (good + bad) / 2 };
            } else {
                good = probe + 1;
                probe = (good + bad) / 2;
            }
        }
        until(&all, ends[bad])
    }
}

/// The items invoked before `end`; of those that respond after it, the observers are left out,
/// since they tell nothing, and the others need not happen.
pub(super) fn until(items: &[Item], end: u64) -> Vec<Item> {
    let cut = |item: &Item| Item { res: if item.res > end { NEVER } else { item.res }, ..*item };
    items.iter().filter(|item| item.inv < end).map(cut).collect()
}
