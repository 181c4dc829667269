//! The search for a linearization: depth first over configurations in normal form.
//!
//! A linearization can be read lazily: before each response, append just enough of it to contain
//! the operation that responds. Order and real time are preserved, so nothing is missed, and at
//! every response event a *configuration* is fully described by
//!
//! - the event: the first response whose operation is not linearized yet,
//! - which of the operations *open there* are linearized: one bit a slot,
//! - the state of the object, as an interned number,
//! - how many operations of each pool (of those that need not happen) were used.
//!
//! Everything before the event is linearized, everything invoked after it is not. That is all
//! the future depends on, so configurations proved dead are remembered by these four exactly.

mod dead;
mod frontier;
mod layer;
mod moves;
mod pending;
mod prune;
mod trails;
mod used;

use danso_vocab::{Progress, Stop};

use super::demand::Demand;
use super::machine::Machine;
use super::mask::Mask;
use super::object::{Class, Object};
use super::reduce::Reductions;
use super::timeline::{Cursor, End, Timeline};
use dead::Dead;
use moves::Candidate;
use pending::Pending;

pub(super) use frontier::frontier;
pub(super) use layer::Layer;
pub(super) use used::Used;

/// Configurations visited before the candidates are first tried in another order. Either order
/// meets histories on which it loses its way; trying both in turn, ever longer, costs little more
/// than the better one.
const SLICE: u64 = 25_000;

/// Steps between two looks at the memory.
const LOOK: u64 = 1024;

/// What one search may spend.
#[derive(Clone, Debug)]
pub(super) struct Budget {
    pub(super) states: u64,
    pub(super) memory: u64,
    pub(super) stop: Stop,
    pub(super) progress: Progress,
}

/// The bound that ended a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bound {
    States,
    Memory,
    Stop,
}

/// What a search found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// There is a linearization: these items in this order.
    Linearizable(Vec<u32>),
    /// There is none.
    Refuted,
    /// It was not decided.
    OutOf(Bound),
}

/// What a search did.
#[derive(Clone, Debug)]
pub(super) struct Searched {
    pub(super) outcome: Outcome,
    /// The furthest event that any configuration got to, the number of events being the end. If
    /// there is no linearization, usually the first event that none gets past; but some are given
    /// up before, because of operations still to come.
    pub(super) furthest: u32,
    /// Configurations visited.
    pub(super) visited: u64,
    /// Bytes held at the end: nothing is given back before.
    pub(super) bytes: u64,
}

/// Looks for a linearization of `line`.
pub(super) fn search(
    object: &Object<'_>,
    line: &Timeline,
    machine: &mut Machine<'_>,
    reductions: Reductions,
    budget: &Budget,
) -> Searched {
    match line.slots {
        0..=64 => Search::<u64>::new(object, line, machine, reductions).run(budget, Search::dive),
        65..=128 => {
            Search::<u128>::new(object, line, machine, reductions).run(budget, Search::dive)
        }
        _ => Search::<super::mask::Wide>::new(object, line, machine, reductions)
            .run(budget, Search::dive),
    }
}

/// A configuration without what was used.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Place<M> {
    pub(super) event: u32,
    pub(super) state: u32,
    pub(super) mask: M,
}

/// A configuration; see the [module](self).
#[derive(Clone)]
pub(super) struct Config<M> {
    pub(super) place: Place<M>,
    /// The operations of unknown outcome used so far, as a multiset of [`Used`].
    pub(super) used: u32,
}

/// A configuration being explored.
struct Frame<M> {
    config: Config<M>,
    /// The candidate to try next.
    next: u32,
    /// The length of the linearization here.
    trail: u32,
    /// The lowest depth its failure rests on so far, and what had failed when it began; see
    /// [`Pending`].
    low: u32,
    since: u32,
}

struct Search<'s, 'a, M> {
    line: &'s Timeline,
    classes: &'s [Class<'s>],
    machine: &'s mut Machine<'a>,
    reductions: Reductions,
    /// What is needed of a register; `None` if the object is none.
    demand: Option<Demand>,
    /// By state: the value the register holds then, if known.
    held: Vec<Option<u32>>,
    cursor: Cursor<'s>,
    used: Used,
    stack: Vec<Frame<M>>,
    dead: Dead<M>,
    /// Used while uses are not counted.
    pending: Pending<M>,
    /// The items linearized so far, in order.
    trail: Vec<u32>,
    furthest: u32,
    visited: u64,
    /// Try first what the operation that must respond needs, before deadlines count.
    goal_first: bool,
    /// Whether each operation of unknown outcome can be used once only.
    counted: bool,
    /// Bytes the breadth-first engine holds.
    layers: usize,
}

impl<'s, 'a, M: Mask> Search<'s, 'a, M> {
    fn new(
        object: &'s Object<'s>,
        line: &'s Timeline,
        machine: &'s mut Machine<'a>,
        reductions: Reductions,
    ) -> Self {
        Search {
            line,
            classes: &object.classes,
            machine,
            reductions,
            demand: prune::demand(object, line, reductions),
            held: vec![object.initial],
            cursor: Cursor::new(line),
            used: Used::new(),
            stack: Vec::new(),
            dead: Dead::new(),
            pending: Pending::new(),
            trail: Vec::new(),
            furthest: 0,
            visited: 0,
            goal_first: true,
            counted: true,
            layers: 0,
        }
    }

    /// Decides, first with unlimited use of the operations of unknown outcome if that may help:
    /// what cannot be linearized even so cannot be at all. If a linearization is found that uses
    /// some of them too often, uses are counted from then on. `explore` goes on until so many
    /// configurations were visited, and says `None` if that decided nothing.
    fn run(
        mut self,
        budget: &Budget,
        explore: fn(&mut Self, &Budget, u64) -> Option<Outcome>,
    ) -> Searched {
        if self.reductions.relax && self.demand.is_some() {
            self.counted = false;
        }
        let mut slice = SLICE;
        loop {
            let until = self.visited + slice;
            let Some(outcome) = explore(&mut self, budget, until) else {
                self.goal_first = !self.goal_first;
                slice *= 2;
                self.restart();
                continue;
            };
            let Outcome::Linearizable(order) = &outcome else { return self.report(outcome) };
            match self.line.each_once(order) {
                Some(order) => return self.report(Outcome::Linearizable(order)),
                // Cannot be; and if it were, the order would not replay.
                None if self.counted => return self.report(outcome),
                None => self.counted = true,
            }
            self.restart();
        }
    }

    fn restart(&mut self) {
        // What is dead stays so, even once uses are counted: there is less to use then.
        self.pending.clear();
        self.stack.clear();
        self.trail.clear();
        self.cursor.seek(0);
    }

    /// Depth first.
    fn dive(&mut self, budget: &Budget, visited: u64) -> Option<Outcome> {
        let place = Place { event: 0, state: Machine::INIT, mask: M::empty(self.line.slots) };
        let mut config = Config { place, used: Used::NONE };
        if self.settle(&mut config) {
            return Some(Outcome::Linearizable(std::mem::take(&mut self.trail)));
        }
        let relaxed = !self.counted;
        self.push(config, relaxed);
        for steps in 1_u64.. {
            if let Some(bound) = self.exceeded(steps, budget) {
                return Some(Outcome::OutOf(bound));
            }
            if self.visited >= visited {
                return None;
            }
            let Some(frame) = self.stack.last() else { break };
            let (config, from) = (frame.config.clone(), frame.next);
            self.cursor.seek(config.place.event);
            self.trail.truncate(frame.trail as usize);
            let Some((candidate, next)) = self.candidate(&config, from) else {
                self.fail(relaxed);
                continue;
            };
            self.stack.last_mut().expect("the frame is still there").next = next;
            let mut config = config;
            self.apply(&mut config, &candidate);
            if self.settle(&mut config) {
                return Some(Outcome::Linearizable(std::mem::take(&mut self.trail)));
            }
            if self.dead.has(&config, &self.used, self.reductions.dominance) {
                continue;
            }
            match self.pending.rests_on(&config, &self.used, self.reductions.dominance) {
                Some(low) => self.rest_on(low),
                None => self.push(config, relaxed),
            }
        }
        Some(Outcome::Refuted)
    }

    /// Linearizes a candidate, and with it every open observer that its effect makes possible.
    fn apply(&mut self, config: &mut Config<M>, candidate: &Candidate) {
        if self.reductions.blind {
            for open in self.absorbed(config, candidate.item) {
                self.trail.push(open.item);
                config.place.mask.put(open.slot);
            }
        }
        self.trail.push(candidate.item);
        match candidate.from {
            Ok(_) if !self.counted => {}
            Ok(pool) => config.used = self.used.one_more(config.used, pool),
            Err(slot) => config.place.mask.put(slot),
        }
        let changed = config.place.state != candidate.state;
        config.place.state = candidate.state;
        if self.reductions.eager_observers && changed {
            for open in &self.cursor.open {
                if self.classes[open.class as usize].observer
                    && !config.place.mask.has(open.slot)
                    && self.machine.step(config.place.state, open.class).is_some()
                {
                    config.place.mask.put(open.slot);
                    self.trail.push(open.item);
                }
            }
        }
    }

    /// Goes on to the next response whose operation is not linearized. True at the end.
    fn settle(&mut self, config: &mut Config<M>) -> bool {
        while self.cursor.at < self.line.len() {
            match self.line.event(self.cursor.at) {
                End::Invocation(item) => {
                    let class = self.line.class(item);
                    if self.reductions.eager_observers
                        && self.classes[class as usize].observer
                        && self.machine.step(config.place.state, class).is_some()
                    {
                        config.place.mask.put(self.line.slot(item));
                        self.trail.push(item);
                    }
                }
                End::Response(item) => {
                    let slot = self.line.slot(item);
                    if !config.place.mask.has(slot) {
                        break;
                    }
                    config.place.mask.take(slot);
                }
            }
            self.cursor.forward();
        }
        config.place.event = self.cursor.at;
        self.furthest = self.furthest.max(config.place.event);
        config.place.event == self.line.len()
    }

    fn push(&mut self, config: Config<M>, relaxed: bool) {
        self.visited += 1;
        let depth = self.stack.len() as u32;
        if relaxed {
            self.pending.enter(&config, depth);
        }
        let (trail, since) = (self.trail.len() as u32, self.pending.failed());
        self.stack.push(Frame { config, next: 0, trail, low: depth, since });
    }

    /// The configuration on top has failed.
    fn fail(&mut self, relaxed: bool) {
        let Some(frame) = self.stack.pop() else { return };
        if !relaxed {
            if self.reductions.memo {
                self.dead.add(frame.config, &self.used, self.reductions.dominance);
            }
            return;
        }
        let depth = self.stack.len() as u32;
        for config in self.pending.fail(frame.config, depth, frame.low, frame.since) {
            // Another one that fell with it may have used less.
            if self.reductions.memo
                && !self.dead.has(&config, &self.used, self.reductions.dominance)
            {
                self.dead.add(config, &self.used, self.reductions.dominance);
            }
        }
        self.rest_on(frame.low);
    }

    /// The failure of the configuration on top, if it fails, rests on this depth, too.
    fn rest_on(&mut self, low: u32) {
        if let Some(top) = self.stack.last_mut() {
            top.low = top.low.min(low);
        }
    }

    fn exceeded(&self, steps: u64, budget: &Budget) -> Option<Bound> {
        if self.visited > budget.states {
            return Some(Bound::States);
        }
        // A step takes the longer, the more operations are open: each one looks.
        if budget.stop.is_tripped() {
            return Some(Bound::Stop);
        }
        if steps % LOOK != 1 {
            return None;
        }
        budget.progress.visited(if steps == 1 { 0 } else { LOOK });
        (self.bytes() > budget.memory).then_some(Bound::Memory)
    }

    fn bytes(&self) -> u64 {
        let heap = M::empty(self.line.slots).heap();
        let stack = self.stack.capacity() * (size_of::<Frame<M>>() + heap);
        let demand = self.demand.as_ref().map_or(0, Demand::bytes) + self.held.capacity() * 8;
        let rest = self.trail.capacity() * 4 + self.used.bytes() + self.machine.bytes() + demand;
        (self.dead.bytes(heap) + self.pending.bytes(heap) + stack + rest + self.layers) as u64
    }

    fn report(self, outcome: Outcome) -> Searched {
        let bytes = self.bytes();
        Searched { outcome, furthest: self.furthest, visited: self.visited, bytes }
    }
}
