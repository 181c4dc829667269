//! Where linearization gets stuck: each order of the operations as far as it goes.

use danso_vocab::figure::{Order, Step};
use danso_vocab::{OpId, Status};
use maud::{Markup, html};

use crate::{Record, inert, label, link};

/// Orders shown at once, and behind a fold.
const OPEN: usize = 3;
const MOST: usize = 12;
/// Steps shown at either end of a long order.
const FIRST: usize = 2;
const LAST: usize = 9;
/// States named in the sentence.
const STATES: usize = 8;

pub(super) fn render(record: &Record<'_>, orders: &[Order]) -> Option<Markup> {
    if orders.is_empty() {
        return None;
    }
    let common = common_prefix(orders);
    let rest = orders.get(OPEN..orders.len().min(MOST)).unwrap_or_default();
    Some(html! {
        figure .orders {
            h4 { "Where every order gets stuck" }
            p { (states(record, orders)) }
            @for order in orders.iter().take(OPEN) { (row(record, order, common)) }
            @if !rest.is_empty() {
                details {
                    summary { (rest.len()) " more orders" }
                    @for order in rest { (row(record, order, common)) }
                }
            }
            @if orders.len() > MOST {
                p .none { (orders.len() - MOST) " further orders are in the results and not shown here." }
            }
            figcaption {
                "Each line is one order in which the operations could have taken effect, with the \
                 state after each; the operation struck out would have to come next and cannot."
            }
        }
    })
}

/// How many steps all orders begin with.
fn common_prefix(orders: &[Order]) -> usize {
    let Some((first, rest)) = orders.split_first() else { return 0 };
    let same = |order: &Order| {
        let pairs = first.steps.iter().zip(&order.steps);
        pairs.take_while(|(a, b)| a.op == b.op).count()
    };
    rest.iter().map(same).min().unwrap_or(first.steps.len())
}

/// The states in which the orders end: all that was still possible before the stuck point.
fn states(record: &Record<'_>, orders: &[Order]) -> Markup {
    let mut states: Vec<&str> = Vec::new();
    for order in orders {
        if !states.contains(&order.state.as_str()) {
            states.push(&order.state);
        }
    }
    let refused = orders[0].refused;
    let same = orders.iter().all(|order| order.refused == refused);
    let named = |state: &&str| html! { code { (inert::clip(*state, 120)) } };
    html! {
        @if same { (link::op(record, refused, refused.to_string())) " had to come next" }
        @else { "Another operation had to come next" }
        @if states.len() == 1 { ". The only state possible then was " }
        @else { ". The " (states.len()) " states possible then were " }
        @for (i, state) in states.iter().take(STATES).enumerate() {
            @if i > 0 { ", " }
            (named(state))
        }
        @if states.len() > STATES { " and " (states.len() - STATES) " more" }
        @if states.len() == 1 { "; it does not allow it." } @else { "; none of them allows it." }
    }
}

fn row(record: &Record<'_>, order: &Order, common: usize) -> Markup {
    let shown = choose(order.steps.len(), common);
    html! {
        ol .order {
            @for (at, what) in shown {
                @match what {
                    Shown::Step => (chip(record, &order.steps[at])),
                    Shown::Gap(n) => li .gap { "… " (n) " more" },
                }
            }
            li .refused {
                (link::op(record, order.refused, html! { s { (words(record, order.refused)) } }))
                span .state { "impossible in " (inert::clip(&order.state, 60)) }
            }
        }
    }
}

/// What stands in a row.
#[derive(Debug, PartialEq, Eq)]
enum Shown {
    Step,
    Gap(usize),
}

/// Which of `len` steps to show: those after the common beginning matter, and the last most.
fn choose(len: usize, common: usize) -> Vec<(usize, Shown)> {
    let from = len.saturating_sub(LAST).max(common.min(len).saturating_sub(2));
    let steps = |range: std::ops::Range<usize>| range.map(|at| (at, Shown::Step));
    if from <= FIRST + 1 {
        return steps(0..len).collect();
    }
    let gap = (FIRST, Shown::Gap(from - FIRST));
    steps(0..FIRST).chain([gap]).chain(steps(from..len)).collect()
}

fn chip(record: &Record<'_>, step: &Step) -> Markup {
    let status = record.history.op(step.op).map(|op| op.status());
    let class = match status {
        Some(Status::Info) => "info",
        Some(Status::Fail) => "fail",
        Some(Status::Ok) | None => "ok",
    };
    html! {
        li .(class) {
            (link::op(record, step.op, words(record, step.op)))
            span .state { (inert::clip(&step.state, 60)) }
        }
    }
}

/// `p4 w 3`, or its bare name if the history does not have it.
fn words(record: &Record<'_>, id: OpId) -> String {
    match record.history.op(id) {
        Some(op) => format!("{} {}", op.process(), label::bar(op)),
        None => id.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(ops: &[u32]) -> Order {
        let step = |op: &u32| Step { op: OpId(*op), state: String::new() };
        Order { steps: ops.iter().map(step).collect(), refused: OpId(9), state: String::new() }
    }

    #[test]
    fn what_all_orders_share_is_shown_least() {
        assert_eq!(common_prefix(&[order(&[1, 2, 3]), order(&[1, 2, 4]), order(&[1, 2])]), 2);
        assert_eq!(common_prefix(&[order(&[1, 2])]), 2);
        assert_eq!(common_prefix(&[order(&[]), order(&[2])]), 0);
        assert_eq!(choose(3, 3).len(), 3, "a short order is shown whole");
        let long = choose(40, 35);
        assert_eq!(long[2], (2, Shown::Gap(31)));
        assert_eq!((long[3].0, long.last().unwrap().0), (33, 39));
        let unshared = choose(40, 0);
        assert_eq!((unshared[2].0, unshared.len()), (2, FIRST + 1 + LAST));
    }
}
