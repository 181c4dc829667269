//! What is wrong with an element of a set, in words.

use std::borrow::Cow;

use danso_vocab::Status;

use super::super::super::container::{list, say};
use super::super::super::{Part, Refutation};
use super::super::parse::{Does, Touch};
use crate::models::LinSet;
use crate::models::lin_set::SetWord;

/// The refutation by these operations on one element, the one to blame first.
pub(super) fn explain(part: &Part<'_>, core: &[Touch]) -> Refutation {
    let (bad, others) = (core[0], &core[1..]);
    let told = |touch: &Touch| {
        let op = part.history.row(touch.row as usize);
        match op.ret() {
            Some(ret) => {
                format!("{}'s {} {} -> {ret} ({})", op.process(), op.f(), op.arg(), op.id())
            }
            None => say(part.history, touch.row),
        }
    };
    let value = part.history.row(bad.row as usize).arg().into_owned();
    // It needs the element to be in beforehand.
    let needs = (bad.does == Does::Sees) == bad.to;
    let adds = |touch: &&Touch| touch.does != Does::Sees && touch.to;
    let added = others.iter().find(adds);
    let failed = part.rows.iter().map(|row| part.history.row(*row as usize)).find(|op| {
        let adds = LinSet::word(op.f()) == Some(SetWord::Add);
        op.status() == Status::Fail && adds && *op.arg() == value
    });
    let told_bad = told(&bad);
    let (name, because) = match (needs, added, failed) {
        (true, None, Some(failed)) => (
            "aborted-read",
            format!(
                "{told_bad} found {value} in, although {}, which would have added it, failed",
                say(part.history, failed.row() as u32)
            ),
        ),
        (true, None, None) => {
            ("thin-air-read", format!("{told_bad} found {value} in, which nothing ever added"))
        }
        (needs, ..) => {
            let name = match (bad.does, needs) {
                (Does::Flips, true) => "double-remove",
                (Does::Flips, false) => "double-add",
                (_, true) => "stale-read",
                (_, false) if others.iter().any(|t| t.does != Does::Sees && !t.to) => "stale-read",
                (_, false) => "lost-element",
            };
            let state = if needs { "in" } else { "out" };
            let others: Vec<String> = others.iter().map(told).collect();
            let but = format!("{told_bad} can only be while {value} is {state}");
            (name, format!("{but}, but it cannot have been so in any order with {}", list(&others)))
        }
    };
    Refutation {
        rows: core.iter().map(|touch| touch.row).collect(),
        name: Cow::Borrowed(name),
        because,
    }
}
