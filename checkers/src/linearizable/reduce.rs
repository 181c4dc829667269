//! [`Reductions`]: what makes the search small, each provably without effect on the verdict.

use super::object::{Item, Object, Touch};

/// Which reductions to use. Tests compare every combination with an oracle; the product uses
/// all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reductions {
    /// Linearize an observer as soon as it is possible. Moving it there changes no state and
    /// frees an obligation.
    pub(super) eager_observers: bool,
    /// Of open operations the model cannot tell apart, try only the one with the earliest
    /// deadline: if another is used first, exchange the two.
    pub(super) twins: bool,
    /// Leave out operations of unknown outcome whose effect nobody could have observed.
    pub(super) unobserved: bool,
    /// Count used operations of unknown outcome by class instead of naming them.
    pub(super) pools: bool,
    /// Give an operation of unknown outcome a deadline where another one proves that it happened.
    pub(super) evidence: bool,
    /// Never replace a register's value that somebody still needs and nobody can bring back.
    pub(super) suppliers: bool,
    /// Linearize a write that nobody can observe any more just before the next write, and try it
    /// by itself only when it must respond.
    pub(super) blind: bool,
    /// Use an operation of unknown outcome only if one that was invoked may observe its effect.
    pub(super) purpose: bool,
    /// Take a configuration for dead if one is that has used less and is otherwise the same.
    pub(super) dominance: bool,
    /// Decide first with unlimited use of operations of unknown outcome.
    pub(super) relax: bool,
    /// Before searching, look for an operation that no order can explain.
    pub(super) impossible: bool,
    /// Remember dead configurations.
    pub(super) memo: bool,
}

impl Reductions {
    /// All of them.
    pub(super) const ALL: Reductions = Reductions {
        eager_observers: true,
        twins: true,
        unobserved: true,
        pools: true,
        evidence: true,
        suppliers: true,
        blind: true,
        purpose: true,
        dominance: true,
        relax: true,
        impossible: true,
        memo: true,
    };

    /// Only those that know nothing of values, and a memory: slower, and nearly independent of
    /// the rest, so that each can check the other.
    pub(super) const CLASSIC: Reductions = Reductions {
        eager_observers: true,
        twins: true,
        pools: true,
        memo: true,
        ..Reductions::NONE
    };

    /// None of them: the plain search.
    pub(super) const NONE: Reductions = Reductions {
        eager_observers: false,
        twins: false,
        unobserved: false,
        pools: false,
        evidence: false,
        suppliers: false,
        blind: false,
        purpose: false,
        dominance: false,
        relax: false,
        impossible: false,
        memo: false,
    };
}

/// The items that are left to be linearized, with deadlines, after the reductions that need no
/// search.
pub(super) fn reduce(object: &Object<'_>, items: &[Item], reductions: Reductions) -> Vec<Item> {
    let mut items = items.to_vec();
    if object.register && reductions.evidence {
        // Those that have an end respond soon enough: an earlier deadline saves no search.
        evidence(object, &mut items, |item| !item.must());
    }
    if object.register && reductions.unobserved {
        unobserved(object, &mut items);
    }
    items
}

/// These items of a register, each with the earliest deadline that another one proves.
pub(super) fn with_evidence(object: &Object<'_>, items: &[Item]) -> Vec<Item> {
    let mut items = items.to_vec();
    if object.register {
        evidence(object, &mut items, |_| true);
    }
    items
}

/// If only one operation can leave a value and an operation that happened needs it, the former
/// happened, and before the latter's end.
fn evidence(object: &Object<'_>, items: &mut [Item], applies: impl Fn(&Item) -> bool) {
    let mut establishers = vec![Establisher::Nobody; object.values.len()];
    for (i, item) in items.iter().enumerate() {
        if let Some(value) = object.touch(item).and_then(Touch::leaves) {
            let who = &mut establishers[value as usize];
            *who = match *who {
                Establisher::Nobody => Establisher::One(i),
                _ => Establisher::Several,
            };
        }
    }
    if let Some(value) = object.initial {
        establishers[value as usize] = Establisher::Several;
    }
    // Earliest end first, so that the first deadline found for an operation is the tightest.
    let mut todo: Vec<usize> = (0..items.len()).filter(|i| items[*i].must()).collect();
    todo.sort_by_key(|i| std::cmp::Reverse(items[*i].res));
    while let Some(i) = todo.pop() {
        let Some(value) = object.touch(&items[i]).and_then(Touch::needs) else { continue };
        let Establisher::One(w) = establishers[value as usize] else { continue };
        // Just before the event that ends the other one; that itself may be such a deadline.
        let deadline = (items[i].res - 1) | 1;
        // One before its own invocation is a contradiction, which the search shall find.
        if applies(&items[w]) && deadline < items[w].res && deadline > items[w].inv {
            items[w].res = deadline;
            todo.push(w);
        }
    }
}

#[derive(Clone, Copy)]
enum Establisher {
    Nobody,
    One(usize),
    Several,
}

/// Drops operations that need not happen and whose value nobody can observe afterwards. In any
/// linearization such an operation is followed by an unconditional write, by the end, or by
/// operations of unknown outcome that change nothing; so it can be taken out.
fn unobserved(object: &Object<'_>, items: &mut Vec<Item>) {
    loop {
        // By value: the latest end of an operation that needs it; and the latest end of one that
        // needs another value, with that value, and of one that needs yet another.
        let mut needed = vec![0; object.values.len()];
        let mut missed = vec![0; object.values.len()];
        for item in items.iter() {
            let touch = object.touch(item);
            if let Some(value) = touch.and_then(Touch::needs) {
                needed[value as usize] = item.res.max(needed[value as usize]);
            }
            if let Some(Touch::Misses(value)) = touch {
                missed[value as usize] = item.res.max(missed[value as usize]);
            }
        }
        let (mut first, mut second) = ((0, usize::MAX), 0);
        for (value, &end) in missed.iter().enumerate() {
            if end > first.0 {
                second = first.0;
                first = (end, value);
            } else if end > second {
                second = end;
            }
        }
        let before = items.len();
        items.retain(|item| {
            let value = object.touch(item).and_then(Touch::leaves);
            let Some(value) = value.filter(|_| !item.must()) else { return true };
            let missed = if first.1 == value as usize { second } else { first.0 };
            needed[value as usize] > item.inv || missed > item.inv
        });
        if items.len() == before {
            return;
        }
    }
}
