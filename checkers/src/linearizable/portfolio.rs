//! Which engine decides an object, and when both do.
//!
//! Going depth first is the rule: most histories are valid, and the first guess is mostly right.
//! The breadth-first engine takes over where memory runs out, since it forgets what lies behind
//! it; and if there is a thread to spare, it runs beside the other one once that has not answered
//! soon, and the first answer counts. Both are exact, so the verdict does not depend on who is
//! first.

use danso_vocab::{Model, Stop};

use super::machine::Machine;
use super::object::Object;
use super::reduce::Reductions;
use super::search::{Bound, Budget, Outcome, Searched, frontier, search};
use super::timeline::Timeline;

/// Configurations that the depth-first search visits alone, at least: a fraction of a second.
const ALONE: u64 = 200_000;

/// The same for each event: those it decides with few detours need no second thread.
const ALONE_EACH: u64 = 4;

/// How many configurations the depth-first search may visit alone.
pub(super) fn patience(line: &Timeline) -> u64 {
    ALONE.max(ALONE_EACH * u64::from(line.len()))
}

/// Looks for a linearization of `line`, on two threads once `alone` configurations were visited,
/// if that is given.
pub(super) fn decide<M: Model>(
    alone: Option<u64>,
    model: &M,
    object: &Object<'_>,
    line: &Timeline,
    machine: &mut Machine<'_>,
    reductions: Reductions,
    budget: &Budget,
) -> Searched {
    let states = alone.unwrap_or(u64::MAX).min(budget.states);
    let first = search(object, line, machine, reductions, &Budget { states, ..budget.clone() });
    let mut next = match first.outcome {
        Outcome::OutOf(Bound::Memory) => frontier(object, line, machine, reductions, budget),
        Outcome::OutOf(Bound::States) if states < budget.states => {
            race(model, object, line, machine, reductions, budget)
        }
        _ => return first,
    };
    next.visited += first.visited;
    next.bytes = next.bytes.max(first.bytes);
    next
}

/// Both engines at once. The breadth-first one gets a quarter of the memory; each has all the
/// states. What was visited before is visited again: that costs the less, the harder the object.
fn race<M: Model>(
    model: &M,
    object: &Object<'_>,
    line: &Timeline,
    machine: &mut Machine<'_>,
    reductions: Reductions,
    budget: &Budget,
) -> Searched {
    let share = |quarters: u64, stop: &Stop| Budget {
        states: budget.states,
        memory: budget.memory / 4 * quarters,
        stop: stop.clone(),
        progress: budget.progress.clone(),
    };
    let (depth, breadth) = (budget.stop.child(), budget.stop.child());
    let (by_depth, by_breadth) = std::thread::scope(|scope| {
        let wide = scope.spawn(|| {
            let mut machine = Machine::new(model, &object.classes);
            let searched = frontier(object, line, &mut machine, reductions, &share(1, &breadth));
            if decided(&searched) {
                depth.trip();
            }
            searched
        });
        let deep = search(object, line, machine, reductions, &share(3, &depth));
        if decided(&deep) {
            breadth.trip();
        }
        // A panic of the other engine is passed on, as one of this engine is.
        (deep, wide.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    });
    let visited = by_depth.visited + by_breadth.visited;
    let bytes = by_depth.bytes + by_breadth.bytes;
    // If both are, depth first: it is the usual one. If none is, it says where it got to and
    // which bound it met, unless that was only the other one's stop.
    let best = match decided(&by_breadth) && !decided(&by_depth) {
        true => by_breadth,
        false => by_depth,
    };
    Searched { visited, bytes, ..best }
}

fn decided(searched: &Searched) -> bool {
    !matches!(searched.outcome, Outcome::OutOf(_))
}
