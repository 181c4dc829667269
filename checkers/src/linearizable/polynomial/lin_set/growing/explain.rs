//! What is wrong with a set that only grows: a small part of it, in words.

use std::borrow::Cow;

use danso_vocab::{Status, Value};

use super::super::super::container::minimal::necessary;
use super::super::super::container::{list, say};
use super::super::super::{Decision, How, Part, Refutation};
use super::super::parse::{Does, Parsed};
use super::super::refuted;
use super::{Flaw, groups};
use crate::models::LinSet;
use crate::models::lin_set::SetWord;

/// What can be taken out of such a history without making it illegal.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unit {
    /// A read of all elements: its place in [`Parsed::reads`].
    Read(u32),
    /// An element, if nothing that is left reads it.
    Element(u32),
    /// What saw an element; it goes with it. Its place in [`Parsed::touches`].
    Sees(u32),
}

/// The refutation of a set in which this is wrong.
pub(super) fn refutation(part: &Part<'_>, parsed: &Parsed, flaw: Flaw, how: &How) -> Decision {
    if flaw.name == "thin-air-read" && flaw.rows.len() == 1 {
        return Decision::Refuted(thin_air(part, parsed, flaw.rows[0]));
    }
    let sees = |i: &u32| parsed.touches[*i as usize].does == Does::Sees;
    let touches = (0..parsed.touches.len() as u32).filter(sees).map(Unit::Sees);
    let elements = (0..parsed.elements as u32).map(Unit::Element);
    let all = || {
        let reads = (0..parsed.reads.len() as u32).map(Unit::Read);
        reads.chain(elements.clone()).chain(touches.clone()).collect::<Vec<_>>()
    };
    let blamed = |unit: &Unit| match *unit {
        Unit::Read(i) => flaw.rows.contains(&parsed.reads[i as usize].row),
        Unit::Sees(i) => flaw.rows.contains(&parsed.touches[i as usize].row),
        Unit::Element(_) => false,
    };
    let mut units = all();
    let mine = parsed.touches.iter().filter(|touch| flaw.rows.contains(&touch.row));
    let mut few: Vec<Unit> = mine.map(|touch| Unit::Element(touch.element)).collect();
    few.dedup();
    few.extend(units.iter().filter(|unit| blamed(unit)));
    let try_them = |units: &[Unit]| {
        let rows = rows(part, parsed, units);
        // What is stopped counts as refuted: then this ends soon.
        how.stop.is_tripped() || refuted(&Part { history: part.history, rows: &rows }, &how.stop)
    };
    if try_them(&few) {
        units = few;
    }
    let mut core = necessary(units, try_them);
    // A read may be there only for the elements it brings along: keep those, and try without it.
    let kept = kept(part, parsed, &core);
    let bring = (0..parsed.elements as u32).filter(|v| kept[*v as usize]).map(Unit::Element);
    let bring: Vec<Unit> = bring.filter(|unit| !core.contains(unit)).collect();
    core.extend(bring);
    for unit in core.clone() {
        let rest: Vec<Unit> = core.iter().filter(|other| **other != unit).copied().collect();
        if try_them(&rest) {
            core = rest;
        }
    }
    if how.stop.is_tripped() {
        return Decision::Stopped;
    }
    let mut rows = rows(part, parsed, &core);
    let first = flaw.rows.iter().find(|row| rows.contains(row)).copied();
    rows.sort_by_key(|row| (Some(*row) != first, *row));
    let named = |unit: &Unit| match *unit {
        Unit::Read(i) => Some(told(part, parsed.reads[i as usize].row)),
        Unit::Sees(i) => Some(told(part, parsed.touches[i as usize].row)),
        Unit::Element(_) => None,
    };
    let saw: Vec<String> = core.iter().filter_map(named).collect();
    let adds: Vec<String> = rows
        .iter()
        .filter(|row| parsed.touches.iter().any(|t| t.row == **row && t.does != Does::Sees))
        .map(|row| told(part, *row))
        .collect();
    Decision::Refuted(Refutation {
        rows,
        name: Cow::Borrowed(flaw.name),
        because: match saw.is_empty() {
            true => format!("no order fits {}", list(&adds)),
            false => format!("{} fit no order of {}", list(&saw), list(&adds)),
        },
    })
}

/// The rows of these units, and of all elements that are read.
fn rows(part: &Part<'_>, parsed: &Parsed, units: &[Unit]) -> Vec<u32> {
    let kept = kept(part, parsed, units);
    let mut rows = Vec::new();
    for unit in units {
        match *unit {
            Unit::Read(i) => rows.push(parsed.reads[i as usize].row),
            Unit::Sees(i) => {
                let touch = &parsed.touches[i as usize];
                rows.extend(Some(touch.row).filter(|_| kept[touch.element as usize]));
            }
            Unit::Element(_) => {}
        }
    }
    let adds = parsed.touches.iter().filter(|t| t.does != Does::Sees && kept[t.element as usize]);
    rows.extend(adds.map(|touch| touch.row));
    rows.sort_unstable();
    rows
}

/// By element: whether it is among these units or read by one of them.
fn kept(part: &Part<'_>, parsed: &Parsed, units: &[Unit]) -> Vec<bool> {
    let mut kept = vec![false; parsed.elements];
    for unit in units {
        match *unit {
            Unit::Read(i) => {
                let known = groups::list(part, parsed.reads[i as usize].element).iter();
                known.filter_map(|v| parsed.element(v)).for_each(|v| kept[v as usize] = true);
            }
            Unit::Element(v) => kept[v as usize] = true,
            Unit::Sees(_) => {}
        }
    }
    kept
}

fn thin_air(part: &Part<'_>, parsed: &Parsed, row: u32) -> Refutation {
    let read = part.history.row(row as usize);
    let ret = read.ret().map(Cow::into_owned).unwrap_or_default();
    let values = ret.list().unwrap_or(&[]);
    let value = values.iter().find(|v| parsed.element(v).is_none()).unwrap_or(&Value::Nil);
    let failed = part.rows.iter().map(|row| part.history.row(*row as usize)).find(|op| {
        let adds = LinSet::word(op.f()) == Some(SetWord::Add);
        op.status() == Status::Fail && adds && *op.arg() == *value
    });
    let saw = format!("{} found {value} in", told(part, row));
    let (name, because) = match failed {
        Some(op) => (
            "aborted-read",
            format!(
                "{saw}, although {}, which would have added it, failed",
                say(part.history, op.row() as u32)
            ),
        ),
        None => ("thin-air-read", format!("{saw}, which nothing ever added")),
    };
    Refutation { rows: vec![row], name: Cow::Borrowed(name), because }
}

/// An operation in words; long results by their length.
fn told(part: &Part<'_>, row: u32) -> String {
    let op = part.history.row(row as usize);
    match op.ret() {
        Some(ret) if ret.list().is_some_and(|list| list.len() > 8) => {
            let many = ret.list().map_or(0, <[Value]>::len);
            format!("{}'s {} of {many} elements ({})", op.process(), op.f(), op.id())
        }
        Some(ret) if ret.bool().is_some() => {
            format!("{}'s {} {} -> {ret} ({})", op.process(), op.f(), op.arg(), op.id())
        }
        _ => say(part.history, row),
    }
}
