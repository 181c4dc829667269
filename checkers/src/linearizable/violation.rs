//! From a refuted object to an anomaly a person can check by hand.
//!
//! 1. Take the operation at which the search got stuck. On a register, look for the known ways to
//!    be wrong that it may complete (`pattern.rs`): they need two to five operations and make the
//!    clearest sentences.
//! 2. If there is none, cut the history at the first response that makes it impossible, and look
//!    at the operation that responds there in the same way.
//! 3. Otherwise take operations away as long as that provably keeps the verdict (`shrink.rs`).
//! 4. Refute what is left once more with the plain search, and show the orders it tried
//!    (`orders.rs`).
//!
//! The operations of an anomaly are in themselves not linearizable: with their results and times,
//! and without all others.

mod cycle;
mod orders;
mod pattern;
pub(super) mod prober;
mod shrink;
mod words;

use danso_vocab::{Anomaly, Op, Value};

use super::machine::Machine;
use super::object::{Item, Object, Touch};
use super::polynomial::Refutation;
use super::search::{Budget, Searched};
use orders::Orders;
use pattern::Pattern;
use prober::Prober;

/// Operations beyond which a core is not refuted again and its orders are not shown: the plain
/// search could take for ever.
const SMALL: usize = 16;

/// Operations named at most. More can only remain for models that say nothing of values.
const NAMED: usize = 100;

/// What was found out about a refuted object.
pub(super) struct Violation {
    pub(super) anomaly: Anomaly,
    /// The rank of the response that made it impossible.
    pub(super) at: u32,
}

/// Explains why an object that a search refuted is not linearizable. `aborted` finds a failed
/// operation that would have left a value. `None` if the refutation does not hold up.
pub(super) fn explain<'h>(
    object: &Object<'h>,
    machine: &mut Machine<'_>,
    budget: &Budget,
    searched: &Searched,
    guess: Option<Item>,
    aborted: &dyn Fn(&Value) -> Option<Op<'h>>,
) -> Option<Violation> {
    let mut prober = Prober::new(object, machine, budget, searched.visited);
    if prober.contradicted() {
        return None;
    }
    // A pattern needs no search, and where the search got stuck is a good guess.
    let guess = guess.filter(|item| object.op(item).is_ok());
    if let Some(violation) = guess.and_then(|stuck| known(&mut prober, &stuck, aborted)) {
        return Some(violation);
    }
    let prefix = prober.shortest_bad_prefix(guess.map_or(0, |stuck| stuck.res));
    let stuck = *prefix.iter().filter(|item| item.must()).max_by_key(|item| item.res)?;
    if let Some(violation) = known(&mut prober, &stuck, aborted) {
        return Some(violation);
    }
    let at = object.op(&stuck).res_rank();
    let core = shrink::shrink(&mut prober, prefix, stuck.row);
    if core.len() <= SMALL && prober.plainly_refuted(&core) == Some(false) {
        return None;
    }
    let anomaly = by_search(object, prober.machine, &core, &stuck);
    Some(Violation { anomaly, at })
}

/// Explains why no order can explain `stuck`. `None` if that does not hold up, or has no name.
pub(super) fn explain_impossible<'h>(
    object: &Object<'h>,
    machine: &mut Machine<'_>,
    budget: &Budget,
    stuck: Item,
    aborted: &dyn Fn(&Value) -> Option<Op<'h>>,
) -> Option<Violation> {
    let mut prober = Prober::new(object, machine, budget, 0);
    if !object.op(&stuck).is_ok() || prober.contradicted() {
        return None;
    }
    known(&mut prober, &stuck, aborted)
}

/// One of the known ways to be wrong that `stuck` completes, if the operations that show it are
/// refuted by themselves.
fn known<'h>(
    prober: &mut Prober<'_, 'h, '_, '_>,
    stuck: &Item,
    aborted: &dyn Fn(&Value) -> Option<Op<'h>>,
) -> Option<Violation> {
    let object = prober.object;
    let pattern = pattern::find(object, stuck, aborted)?;
    let core = items_of(object, &pattern.rows);
    let refuted = prober.plainly_refuted(&core) == Some(true);
    refuted.then(|| Violation {
        anomaly: by_pattern(object, prober.machine, pattern, &core),
        at: object.op(stuck).res_rank(),
    })
}

/// The violation a procedure claims, if the operations it names are refuted by themselves. What
/// can be taken away from them is, and then the sentence is about what remains.
pub(super) fn confirm(
    object: &Object<'_>,
    machine: &mut Machine<'_>,
    budget: &Budget,
    refutation: Refutation,
) -> Option<Violation> {
    let blamed = *refutation.rows.first()?;
    let at = object.op(object.items.iter().find(|item| item.row == blamed)?).res_rank();
    let mut prober = Prober::new(object, machine, budget, 0);
    if prober.contradicted() || prober.plainly_refuted(&object.items) == Some(false) {
        return None;
    }
    let core = shrink::shrink(&mut prober, object.items.clone(), blamed);
    let whole = core.len() == object.items.len();
    let mut anomaly = match core.iter().find(|item| item.row == blamed).filter(|_| !whole) {
        Some(stuck) => by_search(object, prober.machine, &core, stuck),
        None => {
            let orders = Orders::of(object, prober.machine, &core, None);
            let mut explain = orders.lines();
            if refutation.rows.len() > NAMED {
                let all = refutation.rows.len();
                explain.push(format!("only {NAMED} of {all} operations are listed"));
            }
            let named = refutation.rows.iter().take(NAMED);
            Anomaly {
                name: "non-linearizable".into(),
                key: object.key.clone(),
                ops: named.map(|row| object.history.row(*row as usize).id()).collect(),
                because: refutation.because,
                explain,
                figure: orders.figure(),
            }
        }
    };
    if anomaly.name == "non-linearizable" {
        anomaly.name = refutation.name;
    }
    Some(Violation { anomaly, at })
}

/// The items of these rows, by invocation, with their real ends. Failed operations have none.
fn items_of(object: &Object<'_>, rows: &[u32]) -> Vec<Item> {
    object.items.iter().filter(|item| rows.contains(&item.row)).copied().collect()
}

fn by_pattern(
    object: &Object<'_>,
    machine: &mut Machine<'_>,
    pattern: Pattern,
    core: &[Item],
) -> Anomaly {
    let mut explain = pattern.explain;
    // A compare-and-set among them may lack what it needs itself: that would explain nothing.
    let orders = Orders::of(object, machine, core, Some(pattern.rows[0]));
    explain.extend(orders.lines());
    Anomaly {
        name: pattern.name.into(),
        key: object.key.clone(),
        ops: pattern.rows.iter().map(|row| object.history.row(*row as usize).id()).collect(),
        because: pattern.because,
        explain,
        figure: orders.figure().or(pattern.figure),
    }
}

fn by_search(
    object: &Object<'_>,
    machine: &mut Machine<'_>,
    core: &[Item],
    stuck: &Item,
) -> Anomaly {
    let orders = Orders::of(object, machine, core, None);
    let pattern = pattern::find_in(object, core, stuck);
    // What the sentence is about comes first, then the latest: they are the likeliest to matter.
    let mut rows = pattern.as_ref().map_or(vec![stuck.row], |pattern| pattern.rows.clone());
    for item in core.iter().rev() {
        if !rows.contains(&item.row) {
            rows.push(item.row);
        }
    }
    rows.truncate(NAMED);
    let (name, because) = match pattern {
        Some(pattern) => (pattern.name, pattern.because),
        None => ("non-linearizable", unexplained(object, core, stuck, &orders)),
    };
    let mut explain = orders.lines();
    if rows.len() < core.len() {
        explain.push(format!("only {} of {} operations are listed", rows.len(), core.len()));
    }
    Anomaly {
        name: name.into(),
        key: object.key.clone(),
        ops: rows.iter().map(|row| object.history.row(*row as usize).id()).collect(),
        because,
        explain,
        figure: orders.figure(),
    }
}

/// What to say when there is no better name for it.
fn unexplained(object: &Object<'_>, core: &[Item], stuck: &Item, orders: &Orders) -> String {
    let answer = match object.touch(stuck) {
        Some(Touch::Swaps(..)) => "succeeding".to_owned(),
        Some(Touch::Misses(_)) => "being refused".to_owned(),
        _ => match object.op(stuck).ret() {
            Some(ret) => format!("returning {ret}"),
            None => "taking effect".to_owned(),
        },
    };
    let possible = orders
        .states_before(stuck.row)
        .map_or_else(String::new, |states| format!(": by then the state could only be {states}"));
    let who = words::who(object, stuck);
    match core.len() {
        1 => format!("{who} cannot have ended by {answer}{possible}"),
        n => format!("no order of these {n} operations explains {who} {answer}{possible}"),
    }
}
