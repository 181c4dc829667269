//! The same question answered breadth first: all configurations at one event, then all at the
//! next.
//!
//! What lies behind the frontier is forgotten, so memory is the widest frontier and one order of
//! the items. In return every configuration is met by all others at its event before anything
//! follows from it, and those that another one can stand in for are dropped ([`Layer`]), whereas
//! going depth first can only compare with what was proved dead before. That pays where many
//! operations of unknown outcome or observers lead to nearly the same place, and where a history
//! is refuted; it does not where the first guess is right.
//!
//! Moves and reductions are those of the depth-first search. Each keeps, for every configuration
//! that can be completed, a move to one that can be completed with fewer operations; dropping a
//! configuration for one that can stand in for it never makes that longer. So if there is a
//! linearization, the sweep reaches the end of the timeline.

use std::collections::BTreeMap;

use super::super::mask::{Mask, Wide};
use super::layer::Layer;
use super::trails::Trails;
use super::{
    Budget, Config, Machine, Object, Outcome, Place, Reductions, Search, Searched, Timeline, Used,
};

/// Looks for a linearization of `line`, breadth first.
pub(in super::super) fn frontier(
    object: &Object<'_>,
    line: &Timeline,
    machine: &mut Machine<'_>,
    reductions: Reductions,
    budget: &Budget,
) -> Searched {
    match line.slots {
        0..=64 => sweep::<u64>(object, line, machine, reductions, budget),
        65..=128 => sweep::<u128>(object, line, machine, reductions, budget),
        _ => sweep::<Wide>(object, line, machine, reductions, budget),
    }
}

fn sweep<M: Mask>(
    object: &Object<'_>,
    line: &Timeline,
    machine: &mut Machine<'_>,
    reductions: Reductions,
    budget: &Budget,
) -> Searched {
    let search = Search::<M>::new(object, line, machine, reductions);
    search.run(budget, |search, budget, _| Some(search.sweep(budget)))
}

/// The configurations met and not left behind, by event.
type Layers<M> = BTreeMap<u32, Layer<M>>;

impl<M: Mask> Search<'_, '_, M> {
    /// Breadth first.
    fn sweep(&mut self, budget: &Budget) -> Outcome {
        let (mut layers, mut trails) = (Layers::new(), Trails::default());
        let place = Place { event: 0, state: Machine::INIT, mask: M::empty(self.line.slots) };
        let mut first = Config { place, used: Used::NONE };
        self.trail.clear();
        if self.settle(&mut first) {
            return Outcome::Linearizable(std::mem::take(&mut self.trail));
        }
        self.reach(&mut layers, &mut trails, first, Trails::START);
        let mut steps = 0;
        while let Some(mut first) = layers.first_entry() {
            let event = *first.key();
            let Some((config, trail)) = first.get_mut().take() else {
                first.remove();
                continue;
            };
            steps += 1;
            if steps % 1024 == 1 {
                self.layers = layers.values().map(Layer::bytes).sum::<usize>() + trails.bytes();
            }
            if let Some(bound) = self.exceeded(steps, budget) {
                return Outcome::OutOf(bound);
            }
            let mut from = 0;
            loop {
                self.cursor.seek(event);
                let Some((candidate, next)) = self.candidate(&config, from) else { break };
                from = next;
                let mut child = config.clone();
                self.trail.clear();
                self.apply(&mut child, &candidate);
                if self.settle(&mut child) {
                    let end = trails.extend(trail, &self.trail);
                    return Outcome::Linearizable(trails.items(end));
                }
                self.reach(&mut layers, &mut trails, child, trail);
            }
            trails.release(trail);
        }
        Outcome::Refuted
    }

    /// Puts a configuration that the cursor is at into its layer, unless that covers it. It was
    /// reached by the order `from` and then the items of the trail.
    fn reach(&mut self, layers: &mut Layers<M>, trails: &mut Trails, config: Config<M>, from: u32) {
        let layer =
            layers.entry(config.place.event).or_insert_with(|| Layer::new(self.open_observers()));
        let dominance = self.reductions.dominance;
        if layer.covers(&config, &self.used, dominance) {
            return;
        }
        self.visited += 1;
        let trail = trails.extend(from, &self.trail);
        for lost in layer.add(config, trail, &self.used, dominance) {
            trails.release(lost);
        }
    }

    /// The slots of the observers open at the cursor.
    fn open_observers(&self) -> M {
        let mut observers = M::empty(self.line.slots);
        for open in &self.cursor.open {
            if self.classes[open.class as usize].observer {
                observers.put(open.slot);
            }
        }
        observers
    }
}
